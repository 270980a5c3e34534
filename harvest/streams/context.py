"""What the resources of a source share: the account, and the present run."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Callable, Coroutine, Dict, List, Mapping, Optional
from uuid import uuid4

import dlt
from dlt.common.schema.typing import TTableSchema
from dlt.extract import DltResource, DltSource

from ..api.client import HarvestClient
from ..api.decoding import Page
from ..exceptions import AccessRefused, HarvestError
from ..settings import COMPANY, FAMILIES, STREAMS, Stream
from ..typing import Row
from .dlt_internals import absent_lists, resources
from .due import sees_as_much

SEES_LESS = (
    "the token's owner may see less than the one who loaded it, and each run replaces"
    " what it shows"
)
"""Why a stream is left out whose rows a run replaces as a whole."""


@dataclass
class Run:
    """What the resources of one run of a pipeline share.

    dlt's own are kept here, since it takes them away while nobody asks it for the next
    row, which without a pipeline may be at any moment.

    Attributes:
        requests_before (int): Requests that were made before it.
        state (Dict[str, Any]): dlt's state of the source.
        resources (Mapping[str, DltResource]): Those of the source; none if one is read
            without it.
        absent (List[TTableSchema]): Tables of lists that the destination lacks.
        skipped (Dict[str, str]): Streams that are left out, and why.
    """

    requests_before: int
    state: Row = field(default_factory=dict)
    resources: Mapping[str, DltResource] = field(default_factory=dict)
    absent: List[TTableSchema] = field(default_factory=list)
    skipped: Dict[str, str] = field(default_factory=dict)
    _tasks: Dict[str, "asyncio.Future[Any]"] = field(default_factory=dict)
    _ended: Dict[str, asyncio.Event] = field(default_factory=dict)

    def state_of(self, name: str) -> Row:
        """Return dlt's state of a resource."""
        known: Row = self.state.setdefault("resources", {}).setdefault(name, {})
        return known

    @property
    def selected(self) -> Dict[str, DltResource]:
        """Return the resources that are read."""
        return {name: each for name, each in self.resources.items() if each.selected}

    def is_limited(self, name: str) -> bool:
        """Return whether `add_limit` ends a resource before all of it is read."""
        resource = self.resources.get(name)
        return resource is not None and resource.limit is not None

    @property
    def is_refresh(self) -> bool:
        """Return whether it replaces lists, which it does when all is read anew."""
        return any(
            resource.write_disposition == "replace"
            for name, resource in self.selected.items()
            if name in STREAMS and STREAMS[name].kind == "list" and name not in FAMILIES
        )

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
    _run: Optional[Run] = None
    source_id: str = field(default_factory=lambda: uuid4().hex)

    @property
    def run(self) -> Run:
        """Return the present run: a source may be used for several in turn."""
        assert self._run
        return self._run

    def begin(self) -> None:
        """Begin a run, if dlt has begun one, and keep what it has at hand."""
        state = dlt.current.source_state()
        if self._run is None or self._run.state is not state:
            self._run = Run(self.client.requests_sent, state, resources())
            self._run.absent = absent_lists(self._run.selected)

    def new_run(self) -> None:
        """Begin anew with what is asked for once in a run, without a run of dlt."""
        self._run = Run(self.client.requests_sent)

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
            lambda: self.client.page(stream, path, query),
        )
        return page

    async def company(self) -> Row:
        """Return the account's settings."""

        async def ask() -> Row:
            return (await self.client.page(COMPANY, params={})).body

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
            await self.client.page(tells, params={"per_page": 1})

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
