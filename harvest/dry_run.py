"""What a run would read and how many requests that takes, by asking for counts only."""

import asyncio
import math
from datetime import date  # noqa: I251
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import dlt
from dlt.extract import DltSource

from .api.client import run
from .api.decoding import Page
from .api.pagination import pages
from .exceptions import AccessRefused, HarvestError
from .settings import FAMILIES, PER_PAGE, REPORTED, STREAMS, Stream
from .streams.children import due_of, has_children, questions_of
from .streams.context import COMPANY, SEES_LESS, Context, context_of, lacking, refusal
from .streams.due import (
    Span,
    cursor_of,
    days_covered,
    earliest,
    report_windows,
    second_before,
    sees_as_much,
    widened,
    windows_due,
    years_due,
)
from .streams.lists import backfilled_days
from .streams.reports import known_windows
from .typing import Row


class Planned(NamedTuple):
    """What a run would do about one stream.

    Attributes:
        stream (str): Its name; `owner` for the question to whom the token belongs.
        reads (str): What it would read, in words.
        rows (Optional[int]): Rows that Harvest would send; None where only reading tells.
        requests (int): Requests that this takes.
    """

    stream: str
    reads: str
    rows: Optional[int]
    requests: int


class Forecast(NamedTuple):
    """What a run would do.

    Attributes:
        planned (List[Planned]): One for each stream that is read, or asked about for
            others.
        deep (List[Planned]): The same for a deep comparison; empty if none was asked for.
        seconds (float): What both take at least, by Harvest's rate limits alone.
    """

    planned: List[Planned]
    deep: List[Planned]
    seconds: float

    @property
    def rows(self) -> int:
        """Return the rows that are known of before they are read."""
        return sum(each.rows or 0 for each in self.planned)

    @property
    def requests(self) -> int:
        """Return the requests of all streams, and of the deep comparison."""
        return sum(each.requests for each in [*self.planned, *self.deep])


def forecast(
    pipeline: dlt.Pipeline,
    source: DltSource,
    full_refresh: bool = False,
    deep: bool = False,
) -> Forecast:
    """Return what a run would read, and change nothing.

    It asks for a count of each list, with the filter that the run would use.

    Args:
        pipeline (dlt.Pipeline): The pipeline, in the state of the destination.
        source (DltSource): The `harvest_source`, or some of its streams.
        full_refresh (bool): The run reads everything again.
        deep (bool): Say what a deep comparison reads, too.

    Returns:
        Forecast: What would be read.

    Raises:
        HarvestError: The dataset holds another account, or Harvest cannot be read.

    Example:
        >>> source = harvest_source().with_resources("invoices", "invoice_payments")
        >>> forecast(pipeline, source).requests
        512
    """
    context = context_of(source)
    context.new_run()
    state: Row = pipeline.state.get("sources", {}).get(source.schema.name, {})
    selected = [name for name in STREAMS if name in source.selected_resources]
    begins_anew = {
        name
        for name in selected
        if full_refresh or source.resources[name].write_disposition == "replace"
    }

    async def plan() -> Tuple[List[Planned], List[Planned]]:
        planner = _Planner(context, state, selected, begins_anew)
        planned = await planner.plan()
        if deep:
            planner.compares()
        return planned, await planner.plan() if deep else []

    planned, compared = run(plan())
    context.check_same(state.get("account_id"))
    return Forecast(planned, compared, _seconds(context, [*planned, *compared]))


class _Planner:
    """Asks Harvest for counts, each of them once."""

    def __init__(
        self, context: Context, state: Row, selected: Sequence[str], anew: set[str]
    ) -> None:
        self._context = context
        self._state = state
        self._selected = selected
        self._anew = anew
        self._deep = False
        self._answers: Dict[Tuple[Any, ...], "asyncio.Task[Page]"] = {}

    def compares(self) -> None:
        """Plan a deep comparison from now on, which reads all that the tables hold."""
        self._deep = True
        self._anew = {*self._selected}

    async def plan(self) -> List[Planned]:
        """Return what would be read of each stream."""
        streams = [stream for stream in STREAMS.values() if not stream.parent]
        before = self._context.client.account_id
        found = await asyncio.gather(self._owner(before), *map(self._plan, streams))
        return [planned for each in found for planned in each]

    async def _owner(self, account_id: Optional[str]) -> List[Planned]:
        await self._context.owner()
        requests = 1 if account_id else 2
        return [Planned("owner", "to whom the token belongs", None, requests)]

    async def _plan(self, stream: Stream) -> List[Planned]:
        members = FAMILIES.get(stream.name, [stream])
        family = [each for each in members if each.name in self._selected]
        try:
            if stream is COMPANY:
                return await self._company()
            if not family and stream.name not in self._spied:
                return []
            if await self._context.lacks(stream):
                return [_nothing(each, lacking(stream)) for each in family]
            if not family:
                return await self._spy(stream)
            return await self._read(stream, family)
        except AccessRefused as refused:
            why = refusal(stream, refused)
            if self._context.on_forbidden == "raise" and not stream.optional:
                raise HarvestError(f"{stream.name}: {why}.") from refused
            return [_nothing(each, why, int(each is family[0])) for each in family]

    async def _read(self, stream: Stream, family: Sequence[Stream]) -> List[Planned]:
        owner = await self._context.owner()
        if not sees_as_much(owner, self._known(stream).get("owner")):
            if stream.kind in ("whole", "report", "yearly"):
                return [_nothing(stream, SEES_LESS)]
        if self._context.end_date:
            return await self._range(stream)
        if stream.report:
            return await self._report(stream)
        if stream.name in FAMILIES:
            return await self._family(stream, family)
        if stream.kind == "yearly":
            return await self._years(stream)
        start = self._context.start_of(stream)
        since = None if stream.kind == "whole" else self._since(stream, start)
        page = await self._ask(stream, updated_since=since)
        return [_counted(stream, page, f"what changed since {since}" if since else "all")]

    async def _company(self) -> List[Planned]:
        selected = COMPANY.name in self._selected
        features = [*self._selected, *self._spied]
        if not selected and not any(STREAMS[name].feature for name in features):
            return []
        await self._context.company()
        reads = "all" if selected else "which features are switched on"
        return [Planned(COMPANY.name, reads, 1 if selected else None, 1)]

    async def _range(self, stream: Stream) -> List[Planned]:
        first, last = backfilled_days(self._context)
        if first > last:
            return [_nothing(stream, f"start_date is after {last}")]
        page = await self._ask(stream, **{"from": first, "to": last})
        return [_counted(stream, page, f"days from {first} to {last}")]

    async def _years(self, stream: Stream) -> List[Planned]:
        years = years_due(date.today())
        answers = [await self._ask(stream, year=year) for year in years]
        counts = [_counted(stream, page, "") for page in answers]
        rows = [each.rows for each in counts]
        total = None if None in rows else sum(each or 0 for each in rows)
        requests = sum(each.requests for each in counts)
        return [Planned(stream.name, f"{years[0]} and {years[1]}", total, requests)]

    async def _family(self, parent: Stream, family: Sequence[Stream]) -> List[Planned]:
        """Plan a list, and what is below each of its rows."""
        start = self._context.start_of(parent)
        due = {
            each.name: due_of(self._context, each, self._known(each)) for each in family
        }
        since = earliest(due.values(), start)
        page = await self._ask(parent, updated_since=since)
        reads = f"what changed since {since}" if since else "all"
        listed = _counted(parent, page, reads)
        if parent not in family:
            listed = Planned(
                parent.name, f"{reads}, for what is below them", None, listed.requests
            )
        found = [listed]
        for child in family:
            if child.parent:
                found += await self._below(parent, child, due[child.name].since or start)
        return found

    async def _below(
        self, parent: Stream, child: Stream, since: Optional[str]
    ) -> List[Planned]:
        if await self._context.lacks(child):
            return [_nothing(child, lacking(child))]
        found = []
        if child.optional:
            found = [Planned(child.optional, "whether the account has it", None, 1)]
            try:
                await self._context.has_section(child)
            except AccessRefused as refused:
                return [*found, _nothing(child, refusal(child, refused))]
        count = _total(await self._ask(parent, updated_since=since))
        if child.parent_role:
            count = await self._having(parent, child, since)
        if count is None:
            return [*found, Planned(child.name, f"below {parent.name}", None, 1)]
        requests = count * len(questions_of(child, [0]))
        who = f"{child.parent_role}s" if child.parent_role else parent.name
        kind = "new or changed " if since and since != self._context.start_date else ""
        reads = f"below {count:,} {kind}{who}"
        return [*found, Planned(child.name, reads, None, requests)]

    async def _having(self, parent: Stream, child: Stream, since: Optional[str]) -> int:
        """Return how many of a list can have rows of a stream, which takes reading it."""
        stamp = "updated_at" if since else "created_at"
        params = {"updated_since": since}
        listed = pages(self._context.client, parent, params, stamp)
        return sum([has_children(child, row) async for page in listed for row in page.rows])

    async def _report(self, stream: Stream) -> List[Planned]:
        spans = [await self._days(STREAMS[name]) for name in REPORTED]
        context, today = self._context, date.today()
        days = days_covered(spans, context.start_date, today)
        wanted = report_windows(context.report_period, *days)
        known = known_windows(context, stream, self._known(stream))
        due = windows_due(wanted, known, today, context.report_lookback_days)
        reads = f"{len(due)} of {len(wanted)} windows from {wanted[0][0]} to {wanted[-1][1]}"
        return [Planned(stream.name, reads, None, len(due))]

    @property
    def _spied(self) -> List[str]:
        """Return the lists that are read for nothing but their first and last day."""
        known = self._state.get("spent_dates", {})
        if self._deep or not any(STREAMS[name].report for name in self._selected):
            return []
        return [name for name in REPORTED if name not in {*self._selected, *known}]

    async def _spy(self, stream: Stream) -> List[Planned]:
        page = await self._ask(stream)
        requests = 1 if (_total(page) or 0) <= PER_PAGE else 2
        return [Planned(stream.name, "first and last day, for reports", None, requests)]

    async def _days(self, stream: Stream) -> Span:
        """Return the first and last day of a list, as they will be after it was read."""
        known: Span = self._state.get("spent_dates", {}).get(stream.name)
        spied = stream.name in self._spied
        if not spied and stream.name not in self._selected:
            return known
        try:
            if await self._context.lacks(stream):
                return known
            since = None if spied else self._since(stream, self._context.start_of(stream))
            page = await self._ask(stream, updated_since=since)
            rows = page.rows
            if page.next_url and (last := page.body.get("links", {}).get("last")):
                rows = [*rows, *(await self._ask(stream, path=last)).rows]
            return widened(None, rows, stream.dated, known)
        except AccessRefused:
            return known

    def _since(self, stream: Stream, start: Optional[str]) -> Optional[str]:
        return second_before(cursor_of(self._known(stream), start))

    def _known(self, stream: Stream) -> Row:
        """Return what the last run left behind; nothing if the table is replaced."""
        if stream.name in self._anew:
            return {}
        known: Row = self._state.get("resources", {}).get(stream.name, {})
        return known

    async def _ask(self, stream: Stream, path: str = "", **params: Any) -> Page:
        """Ask for one row, and thereby for the number of rows."""
        filters = {name: value for name, value in params.items() if value is not None}
        query = None if path else {"per_page": 1, **filters}
        key = (stream.name, path, *filters.items())
        if key not in self._answers:
            pending = self._context.client.start(stream, path, query)
            self._answers[key] = asyncio.ensure_future(pending.page())
        return await asyncio.shield(self._answers[key])


def _counted(stream: Stream, page: Page, reads: str) -> Planned:
    """Plan to read a list of which a count was asked for."""
    rows = _total(page)
    if rows is None:
        reads = f"{reads}, page by page, for Harvest does not count them"
        return Planned(stream.name, reads, None, 1)
    return Planned(stream.name, reads, rows, math.ceil(rows / PER_PAGE) or 1)


def _nothing(stream: Stream, why: str, requests: int = 0) -> Planned:
    return Planned(stream.name, f"nothing: {why}", 0, requests)


def _total(page: Page) -> Optional[int]:
    """Return how many rows there are; None if only reading tells."""
    return len(page.rows) if not page.next_url else page.total_entries


def _seconds(context: Context, planned: Sequence[Planned]) -> float:
    found = [0.0]
    for limit in context.client.rate_limits:
        requests = sum(
            each.requests
            for each in planned
            if (STREAMS.get(each.stream) or COMPANY).rate_limit == limit.name
        )
        # the first of each window go at once
        found.append(max(0, requests - 1) // limit.rate * limit.window)
    return max(found)
