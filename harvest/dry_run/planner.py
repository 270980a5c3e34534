"""Planning what a run reads of each stream, by the same rules as the run itself."""

import asyncio
import math
from datetime import date  # noqa: I251
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from ..api.decoding import Page
from ..api.pagination import pages
from ..exceptions import AccessRefused, HarvestError
from ..settings import COMPANY, FAMILIES, PER_PAGE, REPORTED, STREAMS, Stream
from ..streams.children import due_of, has_children, questions_of
from ..streams.context import SEES_LESS, Context, lacking, refusal
from ..streams.due import (
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
from ..streams.lists import backfilled_days
from ..streams.reports import known_windows
from ..typing import Row


class Planned(NamedTuple):
    """What a run would do about one stream.

    Attributes:
        stream (str): Its name; `owner` for the question to whom the token belongs.
        reads (str): What it would read, in words.
        rows (Optional[int]): Rows that Harvest would send; None if only reading tells.
        requests (int): Requests that this takes.
    """

    stream: str
    reads: str
    rows: Optional[int]
    requests: int


class Planner:
    """Asks Harvest for counts, each of them once."""

    def __init__(
        self, context: Context, state: Row, selected: Sequence[str], anew: Set[str]
    ) -> None:
        self._context = context
        self._state = state
        self._selected = selected
        self._anew = anew
        self._answers: Dict[Tuple[Any, ...], asyncio.Task[Page]] = {}

    async def plan(self) -> List[Planned]:
        """Return what would be read of each stream."""
        streams = [stream for stream in STREAMS.values() if not stream.parent]
        accounts = 0 if self._context.client.account_id else 1
        found = await asyncio.gather(*map(self._plan, streams))
        owner = Planned("owner", "to whom the token belongs", None, 1 + accounts)
        return [owner, *(planned for each in found for planned in each)]

    async def _plan(self, stream: Stream) -> List[Planned]:
        owner = await self._context.owner()
        members = FAMILIES.get(stream.name, [stream])
        family = [each for each in members if each.name in self._selected]
        try:
            if stream is COMPANY:
                return await self._company()
            if not family and stream.name not in self._spied:
                return []
            if await self._context.lacks(stream):
                return [_nothing(each, lacking(stream)) for each in family]
            owners = {} if stream.name in self._anew else self._state.get("owners", {})
            as_much = sees_as_much(owner, owners.get(stream.name))
            if stream.kind in ("whole", "report", "yearly") and not as_much:
                return [_nothing(stream, SEES_LESS)]
            return await self._read(stream, family)
        except AccessRefused as refused:
            why = refusal(stream, refused)
            if self._context.on_forbidden == "raise" and not stream.optional:
                raise HarvestError(f"{stream.name}: {why}.") from refused
            return [_nothing(each, why, int(each is family[0])) for each in family]

    async def _read(self, stream: Stream, family: Sequence[Stream]) -> List[Planned]:
        if not family:
            page = await self._ask(stream)
            requests = 1 if (_total(page) or 0) <= PER_PAGE else 2
            reads = "first and last day, for reports"
            return [Planned(stream.name, reads, None, requests)]
        if self._context.end_date:
            return await self._backfill(stream)
        if stream.report:
            return await self._report(stream)
        if stream.name in FAMILIES:
            return await self._family(stream, family)
        if stream.kind == "yearly":
            years = years_due(date.today())
            answers = [await self._ask(stream, year=year) for year in years]
            return [_counted(stream, f"{years[0]} and {years[-1]}", *answers)]
        since = None if stream.kind == "whole" else self._since(stream)
        page = await self._ask(stream, updated_since=since)
        return [
            _counted(stream, f"what changed since {since}" if since else "all", page)
        ]

    async def _company(self) -> List[Planned]:
        selected = COMPANY.name in self._selected
        features = [*self._selected, *self._spied]
        if not selected and not any(STREAMS[name].feature for name in features):
            return []
        await self._context.company()
        reads = "all" if selected else "which features are switched on"
        return [Planned(COMPANY.name, reads, 1 if selected else None, 1)]

    async def _backfill(self, stream: Stream) -> List[Planned]:
        first, last = backfilled_days(self._context)
        if first > last:
            return [_nothing(stream, f"start_date is after {last}")]
        days: Row = {"from": first, "to": last}
        page = await self._ask(stream, **days)
        return [_counted(stream, f"days from {first} to {last}", page)]

    async def _family(self, parent: Stream, family: Sequence[Stream]) -> List[Planned]:
        """Plan a list, and what is below each of its rows."""
        start = self._context.start_of(parent)
        due = {
            each.name: due_of(self._context, each, self._known(each)) for each in family
        }
        since = earliest(due.values(), start)
        page = await self._ask(parent, updated_since=since)
        reads = f"what changed since {since}" if since else "all"
        listed = _counted(parent, reads, page)
        if parent not in family:
            listed = listed._replace(reads=f"{reads}, for what is below", rows=None)
        found = [listed]
        for child in family:
            if child.parent:
                found += await self._below(parent, child, due[child.name].since)
        return found

    async def _below(
        self, parent: Stream, child: Stream, since: Optional[str]
    ) -> List[Planned]:
        if await self._context.lacks(child):
            return [_nothing(child, lacking(child))]
        found = []
        try:
            if child.optional:
                found = [Planned(child.optional, "whether there is any", None, 1)]
                await self._context.has_section(child)
        except AccessRefused as refused:
            return [*found, _nothing(child, refusal(child, refused))]
        params: Row = {"updated_since": since or self._context.start_of(parent)}
        count = _total(await self._ask(parent, **params))
        if child.parent_role or count is None:
            # which takes reading the list
            listed = pages(self._context.client, parent, params, "")
            count = sum([has_children(child, r) async for p in listed for r in p.rows])
        who = f"{child.parent_role}s" if child.parent_role else parent.name
        reads = f"below {count:,} {'new or changed ' if since else ''}{who}"
        requests = count * len(questions_of(child, [0]))
        return [*found, Planned(child.name, reads, None, requests)]

    async def _report(self, stream: Stream) -> List[Planned]:
        spans = [await self._days(STREAMS[name]) for name in REPORTED]
        context, today = self._context, date.today()
        days = days_covered(spans, context.start_date, today)
        wanted = report_windows(context.report_period, *days)
        known = known_windows(context, stream, self._known(stream))
        due = windows_due(wanted, known, today, context.report_lookback_days)
        span = f"from {wanted[0][0]} to {wanted[-1][1]}"
        reads = f"{len(due)} of {len(wanted)} windows {span}"
        return [Planned(stream.name, reads, None, len(due))]

    @property
    def _spied(self) -> List[str]:
        """Return the lists that are read for nothing but their first and last day."""
        known = self._state.get("spent_dates", {})
        if not any(STREAMS[name].report for name in self._selected):
            return []
        return [name for name in REPORTED if name not in {*self._selected, *known}]

    async def _days(self, stream: Stream) -> Span:
        """Return the first and last day of a list, as they are once it was read."""
        known: Span = self._state.get("spent_dates", {}).get(stream.name)
        spied = stream.name in self._spied
        try:
            if not spied and stream.name not in self._selected:
                return known
            if await self._context.lacks(stream):
                return known
            since = None if spied else self._since(stream)
            page = await self._ask(stream, updated_since=since)
            rows = page.rows
            if page.next_url and (last := page.body.get("links", {}).get("last")):
                rows = [*rows, *(await self._ask(stream, path=last)).rows]
            return widened(None, rows, stream.dated, known)
        except AccessRefused:
            return known

    def _since(self, stream: Stream) -> Optional[str]:
        start = self._context.start_of(stream)
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


def _counted(stream: Stream, reads: str, *answers: Page) -> Planned:
    """Plan to read lists of which a count was asked for."""
    counts = [_total(page) for page in answers]
    requests = sum(math.ceil((count or 0) / PER_PAGE) or 1 for count in counts)
    if None in counts:
        reads = f"{reads}, page by page, for Harvest does not count it"
        return Planned(stream.name, reads, None, requests)
    return Planned(stream.name, reads, sum(count or 0 for count in counts), requests)


def _nothing(stream: Stream, why: str, requests: int = 0) -> Planned:
    return Planned(stream.name, f"nothing: {why}", 0, requests)


def _total(page: Page) -> Optional[int]:
    """Return how many rows there are; None if only reading tells."""
    return len(page.rows) if not page.next_url else page.total_entries
