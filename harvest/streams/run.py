"""What the resources of one run of a pipeline share."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Callable, Coroutine, Dict, List

from dlt.common.schema.typing import TTableSchema

from ..exceptions import AccessRefused


@dataclass
class Run:
    """What the resources of one run of a pipeline share.

    Attributes:
        load_id (str): dlt's name of the load; empty without a pipeline.
        requests_before (int): Requests that were made before it.
        skipped (Dict[str, str]): Streams that are left out, and why.
        absent (List[TTableSchema]): Tables of lists that the destination lacks.
    """

    load_id: str
    requests_before: int
    absent: List[TTableSchema]
    skipped: Dict[str, str] = field(default_factory=dict)
    _tasks: Dict[str, "asyncio.Future[Any]"] = field(default_factory=dict)
    _ended: Dict[str, asyncio.Event] = field(default_factory=dict)

    async def once(self, name: str, ask: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Return what a coroutine gives that several wait for, and that runs once."""
        task = self._tasks.get(name)
        if task is None or (task.done() and _failed(task)):
            task = self._tasks[name] = asyncio.ensure_future(ask())
        return await asyncio.shield(task)

    def end(self, name: str) -> None:
        """Say that a stream was read to its end."""
        self._ended.setdefault(name, asyncio.Event()).set()

    async def ended(self, name: str) -> None:
        """Wait until a stream was read to its end."""
        await self._ended.setdefault(name, asyncio.Event()).wait()


def _failed(task: "asyncio.Future[Any]") -> bool:
    """Return whether another attempt makes sense: a refusal is an answer."""
    error = None if task.cancelled() else task.exception()
    return task.cancelled() or not isinstance(error, (AccessRefused, type(None)))
