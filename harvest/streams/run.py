"""One run of a pipeline, and what its resources share."""

import asyncio
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Callable, Coroutine, Counter, Dict, NamedTuple, Optional, Set

from dlt.common import logger
from dlt.extract import DltResource, DltSource

from ..exceptions import HarvestError, UnsteadyList
from ..settings import STREAMS
from ..typing import Items, Row
from .tables import Table


class Left(NamedTuple):
    """The rest of a stream, which a step leaves to the next one.

    Attributes:
        read (int): Records, or windows of a report, that were read.
        total (int): All of them.
        requests (int): Requests that the others take.
    """

    read: int
    total: int
    requests: int


@dataclass
class Run:
    """One run of a pipeline, as its resources share it.

    dlt's own are kept here, since it takes them away while nobody asks it for the next
    row, which without a pipeline may be at any moment.

    Attributes:
        requests_before (int): Requests that were made before it.
        began (str): When it began, by Harvest's clock; empty until Harvest was asked.
        load_id (str): dlt's name of what is loaded; empty without a pipeline.
        source (Optional[DltSource]): What dlt reads.
        state (Dict[str, Any]): dlt's state of it.
        tables (Dict[str, Table]): The tables that rows go to, by stream.
        skipped (Dict[str, str]): Streams that are left out, and why.
        begun (Set[str]): Resources that it has begun to read.
        whole (Set[str]): Lists of which it has read all rows.
        places (Dict[str, str]): Where the cursors were when it began, by list.
        readings (Counter[str]): How often each list is read.
        unsteady (Set[str]): Lists that changed each time that they were read.
        unfinished (Dict[str, Left]): What this step leaves to the next one, by stream.
        until (Optional[float]): When this step should end, by `time.monotonic`.
    """

    requests_before: int
    began: str = ""
    load_id: str = ""
    source: Optional[DltSource] = None
    state: Row = field(default_factory=dict)
    tables: Dict[str, Table] = field(default_factory=dict)
    skipped: Dict[str, str] = field(default_factory=dict)
    begun: Set[str] = field(default_factory=set)
    whole: Set[str] = field(default_factory=set)
    places: Dict[str, str] = field(default_factory=dict)
    readings: Counter[str] = field(default_factory=Counter)
    unsteady: Set[str] = field(default_factory=set)
    unfinished: Dict[str, Left] = field(default_factory=dict)
    until: Optional[float] = None
    _tasks: Dict[str, "asyncio.Future[Any]"] = field(default_factory=dict)
    _ended: Dict[str, asyncio.Event] = field(default_factory=dict)

    @cached_property
    def resources(self) -> Dict[str, DltResource]:
        """Return the resources that are read, some of them for transformers alone."""
        found = self.source.resources.extracted if self.source else ()
        return {each.name: each for each in found}

    @cached_property
    def selected(self) -> Dict[str, DltResource]:
        """Return the resources that are loaded."""
        return dict(self.source.resources.selected) if self.source else {}

    def place_of(self, name: str) -> str:
        """Return the name under which dlt's state of a stream is kept.

        A stream that is not loaded, but feeds transformers of the user's, is read for
        those alone: its own table must not miss what only they got.
        """
        if self.selected and name not in self.selected:
            readers = sorted(self.selected.keys() - STREAMS.keys())
            return f"{name} for {', '.join(readers)}"
        return name

    def state_of(self, name: str) -> Row:
        """Return dlt's state of a stream that is read."""
        resources = self.state.setdefault("resources", {})
        known: Row = resources.setdefault(self.place_of(name), {})
        return known

    async def steady(self, name: str, pages: Items) -> Items:
        """Yield the pages of a list, also if it changed each time that it was read.

        What was read is loaded then. It is not known to be all, so that the next run
        reads it again from where this one began, and the next comparison looks at it.
        """
        try:
            async for page in pages:
                yield page
            if name not in self.unsteady:
                self.state_of(name).pop("unproven", None)
        except UnsteadyList:
            self.unsteady.add(name)
            self.state_of(name)["unproven"] = True
            logger.warning(
                f"{name}: rows came or went each time that the list was read: what was"
                " read is loaded, and the next run reads it again"
            )

    @property
    def is_over(self) -> bool:
        """Return whether what is left is for the next step of the load."""
        return self.until is not None and time.monotonic() > self.until

    def is_limited(self, name: str) -> bool:
        """Return whether `add_limit` ends a resource before all of it is read."""
        resource = self.resources.get(name)
        return resource is not None and resource.limit is not None

    async def once(self, name: str, ask: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Return what a coroutine gives that several wait for, and that runs once."""
        task = self._tasks.get(name)
        if task is None or (task.done() and _failed(task)):
            task = self._tasks[name] = asyncio.ensure_future(ask())
        return await asyncio.shield(task)

    def end(self, name: str) -> None:
        """Say that a stream was read to its end."""
        self._ended.setdefault(name, asyncio.Event()).set()

    async def has_ended(self, name: str, seconds: float) -> bool:
        """Wait a little, and return whether a stream was read to its end."""
        ended = self._ended.setdefault(name, asyncio.Event())
        try:
            return await asyncio.wait_for(ended.wait(), seconds)
        except asyncio.TimeoutError:
            return False


def _failed(task: "asyncio.Future[Any]") -> bool:
    """Return whether another attempt makes sense: what Harvest refuses stays so."""
    error = None if task.cancelled() else task.exception()
    return task.cancelled() or not isinstance(error, (HarvestError, type(None)))
