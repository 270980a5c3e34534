"""What the resources of a source share: the account, and the present run."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Callable, Coroutine, Dict, List, Optional, Tuple
from uuid import uuid4

import dlt
from dlt.common.schema.typing import TTableSchema
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.extract import DltSource

from ..api.client import HarvestClient
from ..api.decoding import Page
from ..exceptions import AccessRefused, HarvestError
from ..settings import COMPANY, STREAMS, Stream
from ..typing import Row
from .dlt_internals import absent_lists
from .due import sees_as_much

SEES_LESS = (
    "the token's owner may see less than the one who loaded it, and each run replaces"
    " what it shows"
)
"""Why a stream is left out whose rows a run replaces as a whole."""


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


@dataclass
class Context:
    """The account that a source reads, and how.

    Attributes:
        client (HarvestClient): The connection.
        start_date (Optional[str]): The first run begins there, as a UTC date-time.
        end_date (Optional[str]): Last day of a backfill, or `interval`.
        report_period (str): `year`, `quarter` or `month`.
        report_lookback_days (int): Days after its end in which a window is read again.
        substream_refresh_hours (float): Hours until the children of all parents are
            due.
        include_fixed_fee (bool): Reports count the fees of fixed-fee projects.
        on_forbidden (str): `skip` or `raise`.
        delta (bool): Tables are Delta Lake's.
        history (Tuple[str, ...]): Lists of which every version is kept.
        source_id (str): Tells this source from others.
    """

    client: HarvestClient
    start_date: Optional[str]
    end_date: Optional[str]
    report_period: str
    report_lookback_days: int
    substream_refresh_hours: float
    include_fixed_fee: bool
    on_forbidden: str
    delta: bool
    history: Tuple[str, ...]
    _run: Optional[Run] = None
    source_id: str = field(default_factory=lambda: uuid4().hex)

    @property
    def run(self) -> Run:
        """Return the present run: a source may be used for several in turn."""
        load_id = ""
        with suppress(CurrentLoadPackageStateNotAvailable):
            load_id = dlt.current.load_package_state()["load_id"]
        if self._run is None or self._run.load_id != load_id:
            self.new_run(load_id)
        assert self._run
        return self._run

    def new_run(self, load_id: str = "") -> None:
        """Begin anew with what is asked for once in a run."""
        absent = absent_lists() if load_id else []
        self._run = Run(load_id, self.client.requests_sent, absent)

    def start_of(self, stream: Stream) -> Optional[str]:
        """Return the `start_date`, if it bounds a stream."""
        return self.start_date if stream.dated else None

    async def owner(self) -> Row:
        """Return `id` and `access_roles` of the user whom the token belongs to.

        Raises:
            HarvestError: The token or the account is not known to Harvest.
        """
        user = await self.run.once("owner", self.client.owner)
        roles = user.get("access_roles")
        known = sorted(map(str, roles)) if isinstance(roles, list) else []
        return {"id": user.get("id"), "access_roles": known}

    async def page_of(
        self, stream: Stream, params: Optional[Row] = None, path: str = ""
    ) -> Page:
        """Return the first page of a stream, which is asked for once, and kept.

        Args:
            stream (Stream): What is read.
            params (Optional[Row]): Query parameters.
            path (str): An address, with its parameters, in place of the stream's.
        """
        query = None if path else params or {}
        page: Page = await self.run.once(
            f"{path or stream.path} {query}",
            lambda: self.client.start(stream, path, query).page(),
        )
        return page

    async def company(self) -> Row:
        """Return the account's settings."""

        async def ask() -> Row:
            return (await self.client.start(COMPANY, params={}).page()).body

        settings: Row = await self.run.once("company", ask)
        return settings

    async def lacks(self, stream: Stream) -> bool:
        """Return whether the part of Harvest with a stream is switched off."""
        if not stream.feature:
            return False
        try:
            company = await self.company()
        except AccessRefused:
            return False
        return company.get(stream.feature) is False

    async def why_not(self, stream: Stream, before: Optional[Row]) -> str:
        """Return why a stream is left out; nothing if it is read.

        Args:
            stream (Stream): The stream.
            before (Optional[Row]): The owner of the token that loaded its rows.
        """
        replaced = stream.kind in ("whole", "report", "yearly")
        if replaced and not sees_as_much(await self.owner(), before):
            return SEES_LESS
        return lacking(stream) if await self.lacks(stream) else ""

    async def has_section(self, stream: Stream) -> None:
        """Ask whether the account has the section of Harvest that a stream is in.

        A list of the section tells it in one request; below single records, each of
        them would be asked for.

        Raises:
            AccessRefused: It has not.
        """
        tells = next(
            each for each in STREAMS.values() if each.optional == stream.optional
        )

        async def ask() -> None:
            await self.client.start(tells, params={"per_page": 1}).page()

        await self.run.once(stream.optional, ask)

    def check_same(self, before: Optional[str]) -> None:
        """Refuse to mix the account with the one that a dataset holds.

        Raises:
            HarvestError: They are not the same.
        """
        here = self.client.account_id
        if before and here and before != here:
            raise HarvestError(
                f"The dataset holds the Harvest account {before}, so that account"
                f" {here} cannot be loaded into it: give each account a pipeline and a"
                " dataset of its own."
            )


def context_of(source: DltSource) -> Context:
    """Return the context of a `harvest_source`."""
    for resource in source.resources.values():
        context = (resource.explicit_args or {}).get("context")
        if isinstance(context, Context):
            return context
    raise HarvestError(f"{source.name} is no harvest_source.")


def lacking(stream: Stream) -> str:
    """Return why a stream is left out whose part of Harvest is switched off."""
    return f"{stream.feature} is switched off in Harvest"


def refusal(stream: Stream, refused: AccessRefused) -> str:
    """Return why a stream is left out that Harvest refuses."""
    if stream.optional and refused.status == 403:
        return (
            f"the account has no {stream.optional}, or hides it from this owner (403)"
        )
    if stream.optional:
        return f"the account has no {stream.optional} ({refused.status})"
    if refused.status == 404:
        return "Harvest does not know it for this account (404)"
    return f"Harvest refused it (403), since it needs the role {stream.permission}"
