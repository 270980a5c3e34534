"""The account that a source reads, and how; and why a stream of it is left out."""

import time
from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Tuple
from uuid import uuid4

import dlt
from dlt.extract import DltSource

from ..api.client import HarvestClient
from ..api.decoding import Page
from ..exceptions import AccessRefused, HarvestError
from ..settings import COMPANY, FAMILIES, STREAMS, Stream
from ..typing import Row
from .dlt_internals import current_load_id, current_source, stored_schema
from .due import sees_as_much
from .run import Run
from .tables import declare_table

SEES_LESS = (
    "the token's owner may see less than the one who loaded it, and each run replaces"
    " what it shows"
)
"""Why a stream is left out whose rows a run replaces as a whole."""


@dataclass
class Account:
    """The account that a source reads, and how.

    Attributes:
        client (HarvestClient): The connection.
        start_date (Optional[str]): The first run begins there, as a UTC date-time.
        end_date (Optional[str]): Last day of a backfill, or `interval`.
        report_period (str): `year`, `quarter` or `month`.
        report_lookback_days (int): Days after its end in which a window is read again.
        substream_refresh_hours (float): Hours until the children of all parents are
            due.
        include_fixed_fee (Optional[bool]): Reports count fixed fees; None leaves it to
            Harvest.
        on_forbidden (str): `skip` or `raise`.
        delta (bool): Tables are Delta Lake's.
        source_id (str): Tells this source from others.
        step_seconds (Optional[float]): A run reads reports, and what is below records,
            for so long and leaves the rest to the next one; None for all in one run.
        load_began (str): When the first step of a load began, by Harvest's clock.
        dispositions (Dict[str, Any]): The write dispositions of streams that were left
            out in the last run, as they were before.
        greeted (Optional[Tuple[Dict[str, Any], str]]): The answer to `greet`, for the
            next run.
    """

    client: HarvestClient
    start_date: Optional[str]
    end_date: Optional[str]
    report_period: str
    report_lookback_days: int
    substream_refresh_hours: float
    include_fixed_fee: Optional[bool]
    on_forbidden: str
    delta: bool
    _run: Optional[Run] = None
    step_seconds: Optional[float] = None
    load_began: str = ""
    source_id: str = field(default_factory=lambda: uuid4().hex)
    dispositions: Dict[str, Any] = field(default_factory=dict)
    greeted: Optional[Tuple[Row, str]] = None
    _greeting: int = 0

    @property
    def run(self) -> Run:
        """Return the present run: a source may be used for several in turn."""
        assert self._run
        return self._run

    @property
    def requests_before(self) -> int:
        """Return the requests before the next run, which `greet` begins."""
        return self.client.requests_sent - self._greeting

    def begin(self, name: str) -> Run:
        """Return the present run, and begin it with the first resource that it reads.

        Args:
            name (str): Name of the resource.
        """
        run = self.present()
        if not run.load_id and name in run.begun:
            self._run = None
            run = self.present()
        run.begun.add(name)
        return run

    def present(self) -> Run:
        """Return the run of dlt that is under way, and begin it if it is new."""
        load_id, source = current_load_id(), current_source()
        run = self._run
        if run is None or (run.load_id, id(run.source)) != (load_id, id(source)):
            state = dlt.current.source_state()
            sent = self.requests_before
            run = self._run = Run(sent, load_id=load_id, source=source, state=state)
            if self.step_seconds is not None:
                run.until = time.monotonic() + self.step_seconds
            self._prepare(run)
        return run

    def _prepare(self, run: Run) -> None:
        """Declare the tables of a run, and forget what the last one left behind."""
        schema = dlt.current.source_schema()
        stored = stored_schema(schema.name) if run.load_id else None
        for name in run.selected.keys() & STREAMS.keys():
            resource = run.selected[name]
            if before := self.dispositions.pop(name, None):
                resource.custom_metrics.pop("skipped", None)
                resource.apply_hints(write_disposition=before)
            table = declare_table(schema, stored, STREAMS[name], resource)
            run.tables[name] = table
            state = run.state_of(name)
            if state.get("table", name) != table.name:
                # rows that another table has are not in this one
                state.clear()
                state.update({"table": table.name} if table.name != name else {})

    def new_run(self) -> None:
        """Begin anew with what is asked for once in a run, without a run of dlt."""
        self._run = Run(self.requests_before)

    def start_of(self, stream: Stream) -> Optional[str]:
        """Return the `start_date`, if it bounds a stream."""
        return self.start_date if stream.dated else None

    async def owner(self) -> Row:
        """Return `id` and `access_roles` of the user whom the token belongs to.

        Raises:
            HarvestError: The token or the account is not known to Harvest.
        """
        user, now = await self.run.once("owner", self._ask_owner)
        self.run.began = self.run.began or now
        roles = user.get("access_roles")
        known = sorted(map(str, roles)) if isinstance(roles, list) else []
        return {"id": user.get("id"), "access_roles": known}

    async def greet(self) -> None:
        """Ask to whom the token belongs before anything else is opened.

        Raises:
            HarvestError: Credentials are missing, or Harvest refuses them.
        """
        before = self.client.requests_sent
        self.greeted = await self.client.owner()
        self._greeting = self.client.requests_sent - before

    async def _ask_owner(self) -> Tuple[Row, str]:
        known, self.greeted, self._greeting = self.greeted, None, 0
        return known or await self.client.owner()

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

    def replaces(self, stream: Stream) -> bool:
        """Return whether runs replace a table as a whole, without being asked to."""
        in_family = any(stream in family for family in FAMILIES.values())
        return stream.kind == "whole" or (self.delta and in_family)

    def is_refreshed(self, run: Run, name: str) -> bool:
        """Return whether the user has a table read anew, which another run adds to.

        Of a table that each run replaces nothing tells: it is when all others are.
        """
        others = {
            each: resource.write_disposition == "replace"
            for each, resource in run.selected.items()
            if each in STREAMS and not self.replaces(STREAMS[each])
        }
        return others.get(name, bool(others) and all(others.values()))

    async def why_not(self, stream: Stream, before: Optional[Row]) -> str:
        """Return why a stream is left out; nothing if it is read.

        Args:
            stream (Stream): The stream.
            before (Optional[Row]): The owner of the token that loaded its rows.
        """
        replaced = stream.kind in ("report", "yearly") or self.replaces(stream)
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
            each for each in STREAMS.values() if each.section == stream.section
        )

        async def ask() -> None:
            await self.client.page(tells, params={"per_page": 1})

        await self.run.once(stream.section, ask)

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


def account_of(source: DltSource) -> Account:
    """Return the account of a `harvest_source`."""
    for resource in source.resources.values():
        account = (resource.explicit_args or {}).get("account")
        if isinstance(account, Account):
            return account
    raise HarvestError(f"{source.name} is no harvest_source.")


def lacking(stream: Stream) -> str:
    """Return why a stream is left out whose part of Harvest is switched off."""
    return f"{stream.feature} is switched off in Harvest"


def refusal(stream: Stream, refused: AccessRefused) -> str:
    """Return why a stream is left out that Harvest refuses."""
    if stream.section and refused.status == 403:
        return f"the account has no {stream.section}, or hides it from this owner (403)"
    if stream.section:
        return f"the account has no {stream.section} ({refused.status})"
    if refused.status == 404:
        return "Harvest does not know it for this account (404)"
    said, role = refused.said, stream.permission
    return f"Harvest refused it (403){said}, since it needs the role {role}"
