"""What the resources of a source share: the account, and the guard of its tables."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import List, Optional, Sequence, Tuple
from uuid import uuid4

import dlt
from dlt.common import logger
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.extract import DltResource, DltSource

from ..api.client import HarvestClient
from ..exceptions import AccessRefused, HarvestError
from ..settings import COMPANY, STREAMS, Stream
from ..typing import Items, Row
from .dlt_internals import (
    absent_lists,
    collector,
    create_tables,
    is_refresh,
    selected,
    takes_parquet,
)
from .due import sees_as_much
from .run import Run

SEES_LESS = (
    "the token's owner may see less than the one who loaded it, and each run replaces"
    " what it shows"
)
"""Why a stream is left out whose rows a run replaces as a whole."""


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
    _id: str = field(default_factory=lambda: uuid4().hex)

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

    async def guard(
        self, stream: Stream, items: Items, on_behalf: Sequence[Stream] = ()
    ) -> Items:
        """Pass on what is read of a stream, unless the account lacks or refuses it.

        Args:
            stream (Stream): What is read.
            items (AsyncIterator[Any]): What the resource yields.
            on_behalf (Sequence[Stream]): The streams that depend on it, if it is not
                read
                for itself alone.
        """
        run = self.run
        names = [each.name for each in on_behalf or (stream,)]
        resources = [here[name] for name in names if (here := selected()).get(name)]
        self._claim(names)
        for resource in resources:
            _prepare(resource)
        try:
            if run.skipped.keys() >= set(names):
                return
            if why := await self._why_not(stream, names):
                self._skip(resources, why)
                return
            if lists := [table for table in run.absent if table["parent"] in names]:
                create_tables(lists)
            told = self._tell(stream, self.client.pages_read[stream.name])
            async for item in items:
                told = self._tell(stream, told)
                yield item
            self._tell(stream, told, "read")
        except AccessRefused as refused:
            self._refuse(stream, resources, refused)
        finally:
            await items.aclose()
            for name in names:
                run.end(name)
        self._note_account()
        for resource in resources[:1]:
            # of all streams so far: that of the last one is that of the run
            sent = self.client.requests_sent - run.requests_before
            resource.custom_metrics["requests"] = sent

    def _claim(self, names: Sequence[str]) -> None:
        """Refuse a second source in the same run: the rows of one come once each."""
        with suppress(CurrentLoadPackageStateNotAvailable):
            package: Row = dlt.current.load_package_state()["state"]  # type: ignore[assignment]
            readers = package.setdefault("harvest_sources", {})
            for name in names:
                if readers.setdefault(name, self._id) != self._id:
                    raise HarvestError(
                        f"{name} is read by two sources in one run, which would store"
                        " its rows twice: run them one after the other."
                    )

    def _refuse(
        self, stream: Stream, resources: List[DltResource], refused: AccessRefused
    ) -> None:
        why = refusal(stream, refused)
        if self.on_forbidden == "raise" and not stream.optional:
            raise HarvestError(
                f"{stream.name}: {why}; nothing was loaded."
            ) from refused
        self._skip(resources, why)

    def _skip(self, resources: Sequence[DltResource], why: str) -> None:
        """Leave streams out, visibly, and their tables as they were."""
        skipped = self.run.skipped
        for resource in resources:
            told = why in skipped.values()
            if not told or not (why == SEES_LESS or STREAMS[resource.name].optional):
                logger.warning(
                    f"{resource.name} is not read: {why}; its table is left as it was"
                )
            skipped[resource.name] = why
            resource.custom_metrics["skipped"] = why
            # dlt would empty a table that is replaced when its resource yields nothing
            resource.apply_hints(write_disposition="skip")
        required = [name for name in selected() if name in STREAMS]
        if resources and skipped.keys() >= set(required):
            raise HarvestError(
                "Harvest let none of the streams be read: "
                + "; ".join(f"{name}: {why}" for name, why in skipped.items())
            )

    def _note_account(self) -> None:
        """Note the account in the state, and refuse to mix two in one dataset."""
        here = self.client.account_id
        self.check_same(
            here and dlt.current.source_state().setdefault("account_id", here)
        )

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

    async def _why_not(self, stream: Stream, names: Sequence[str]) -> str:
        """Return why a stream is left out; nothing if it is read."""
        owner = await self.owner()
        # not in the state of the resource, which dlt forgets if its table is replaced
        owners = dlt.current.source_state().setdefault("owners", {})
        for name in names:
            if is_refresh() or sees_as_much(owner, owners.get(name)):
                owners[name] = owner
            elif STREAMS[name].kind in ("whole", "report", "yearly"):
                return SEES_LESS
        if stream.optional and stream.parent:
            await self.has_section(stream)
        return lacking(stream) if await self.lacks(stream) else ""

    def _tell(self, stream: Stream, told: int, message: str = "") -> int:
        """Tell whatever shows dlt's progress how many pages came; return how many."""
        pages = self.client.pages_read[stream.name]
        if pages > told or message:
            collector().update(
                stream.name, pages - told, label="pages", message=message
            )
        return pages


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


def _prepare(resource: DltResource) -> None:
    """Give a resource the hints of this run."""
    if takes_parquet():
        resource.apply_hints(file_format="parquet")
    if resource.write_disposition == "skip":
        # it was left out the last time that this source was used
        resource.custom_metrics.pop("skipped", None)
        whole = STREAMS[resource.name].kind == "whole"
        resource.apply_hints(write_disposition="replace" if whole else "merge")
