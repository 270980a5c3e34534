"""Forecast the rows and requests of a run by asking Harvest for counts only."""

import asyncio
import math
from dataclasses import dataclass
from datetime import date  # noqa: I251
from typing import Counter, List, NamedTuple, Optional, Sequence, Set, Tuple

import dlt
from dlt.extract import DltSource

from ..api.decoding import Page
from ..api.pagination import pages
from ..api.running import run
from ..exceptions import AccessRefused, HarvestError
from ..settings import COMPANY, FAMILIES, PER_PAGE, REPORTED, STREAMS, Stream
from ..streams import due
from ..streams.account import Account, account_of, lacking, refusal
from ..streams.children import due_of, has_children, questions_of
from ..streams.lists import backfilled_days
from ..streams.reports import known_windows, months_with_rows
from ..typing import Row, Window


class Planned(NamedTuple):
    """The forecast for one stream.

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


class Forecast(NamedTuple):
    """The forecast for a run.

    Attributes:
        planned (List[Planned]): One for each stream that is read, or asked about for
            others.
        deep (List[Planned]): The same for a deep comparison, if it was asked for.
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
    """Return what a run would read, by the counts of its lists, and change nothing.

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
    account = account_of(source)
    account.new_run()
    state: Row = pipeline.state.get("sources", {}).get(source.schema.name, {})
    selected = {*source.selected_resources} & {*STREAMS}
    anew = {
        name
        for name in selected
        if full_refresh or source.resources[name].write_disposition == "replace"
    }

    async def plan() -> Forecast:
        planned = await _Planner(account, state, selected, anew).plan()
        # a deep comparison reads all that the tables hold
        whole = _Planner(account, state, selected, anew=selected)
        compared = await whole.plan() if deep else []
        return Forecast(planned, compared, _seconds(account, planned + compared))

    found = run(plan())
    account.check_same(state.get("account_id"))
    return found


def _seconds(account: Account, planned: Sequence[Planned]) -> float:
    requests: Counter[str] = Counter()
    for each in planned:
        requests[STREAMS.get(each.stream, COMPANY).rate_limit] += each.requests
    # the first of each window go at once
    return max(
        max(0, requests[limit.name] - 1) // limit.rate * limit.window
        for limit in account.client.rate_limits
    )


@dataclass
class _Planner:
    """Asks Harvest for counts, by the state that the last run left behind."""

    account: Account
    state: Row
    selected: Set[str]
    anew: Set[str]

    @property
    def names(self) -> Set[str]:
        """Return the streams that are read, some only for their months."""
        reports = any(STREAMS[name].report for name in self.selected)
        new = {each for each in REPORTED if self._known_months(each) is None}
        return self.selected | (new if reports else set())

    async def plan(self) -> List[Planned]:
        """Return what would be read of each stream."""
        streams = [stream for stream in STREAMS.values() if not stream.parent]
        accounts = int(self.account.client.finds_account)
        found = await asyncio.gather(*map(self._plan, streams))
        owner = Planned("owner", "to whom the token belongs", None, 1 + accounts)
        return [owner, *(planned for each in found for planned in each)]

    async def _plan(self, stream: Stream) -> List[Planned]:
        await self.account.owner()
        family = self._family(stream)
        try:
            if stream is COMPANY:
                return await self._company()
            if not family and stream.name not in self.names:
                return []
            before = self._known(stream, "owners") or None
            if why := await self.account.why_not(stream, before):
                return [_nothing(each, why) for each in family]
            return await self._read(stream, family)
        except AccessRefused as refused:
            why = refusal(stream, refused)
            if self.account.on_forbidden == "raise" and not stream.section:
                raise HarvestError(f"{stream.name}: {why}.") from refused
            return [_nothing(each, why, int(each is family[0])) for each in family]

    async def _company(self) -> List[Planned]:
        features = any(STREAMS[name].feature for name in self.names)
        selected = COMPANY.name in self.selected
        if not selected and not features:
            return []
        await self.account.company()
        reads = "all" if selected else "which features are switched on"
        return [Planned(COMPANY.name, reads, 1 if selected else None, 1)]

    async def _read(self, stream: Stream, family: Sequence[Stream]) -> List[Planned]:
        """Plan a list, and what is below each of its rows."""
        if stream.report:
            return [await self._report(stream)]
        reads, filters = self._questions(stream)
        found = _counted(stream, reads, [await self._ask(stream, f) for f in filters])
        if not family:
            # one that finds no older row, too
            requests = len(self._wanted(await self._months(stream))) + 1
            return [Planned(stream.name, "months, for reports", None, requests)]
        if stream not in family:
            found = found._replace(reads=f"{reads}, for what is below", rows=None)
        below = [await self._below(stream, each) for each in family if each.parent]
        return [found, *(planned for each in below for planned in each)]

    def _questions(self, stream: Stream) -> Tuple[str, List[Row]]:
        """Return what is asked of a list: in words, and as filters."""
        if self.account.end_date:
            first, last = backfilled_days(self.account)
            if first > last:
                return f"nothing: start_date is after {last}", []
            return f"days from {first} to {last}", [{"from": first, "to": last}]
        if stream.kind == "yearly":
            years = due.years_due(date.today())
            return f"{years[0]} and {years[-1]}", [{"year": year} for year in years]
        since = self._since(stream)
        reads = f"what changed since {since}" if since else "all"
        return reads, [{"updated_since": since}]

    async def _below(self, parent: Stream, child: Stream) -> List[Planned]:
        if await self.account.lacks(child):
            return [_nothing(child, lacking(child))]
        found = []
        if child.section:
            found = [Planned(child.section, "whether there is any", None, 1)]
            try:
                await self.account.has_section(child)
            except AccessRefused as refused:
                return [*found, _nothing(child, refusal(child, refused))]
        since = due_of(self.account, child, self._known(child)).since
        params: Row = {"updated_since": since or self.account.start_of(parent)}
        count = _total(await self._ask(parent, params))
        if child.parent_role or count is None:
            # which takes reading the list
            listed = pages(self.account.client, parent, params, "")
            count = sum([has_children(child, r) async for p in listed for r in p.rows])
        who = f"{child.parent_role}s" if child.parent_role else parent.name
        reads = f"below {count:,} {'new or changed ' if since else ''}{who}"
        requests = count * len(questions_of(child, [0]))
        return [*found, Planned(child.name, reads, None, requests)]

    async def _report(self, stream: Stream) -> Planned:
        months = [await self._months(STREAMS[name]) for name in REPORTED]
        wanted = self._wanted(set().union(*months))
        known = known_windows(self.account, stream, self._known(stream))
        days = self.account.report_lookback_days
        asked = due.windows_due(wanted, known, date.today(), days)
        span = f"from {wanted[0][0]} to {wanted[-1][1]}"
        reads = f"{len(asked)} of {len(wanted)} windows {span}"
        return Planned(stream.name, reads, None, len(asked))

    def _wanted(self, months: Set[str]) -> List[Window]:
        """Return the windows of reports in which there are rows."""
        period, start = self.account.report_period, self.account.start_date
        return due.windows_wanted(period, months, start, date.today())

    def _known_months(self, name: str) -> Optional[Set[str]]:
        return due.known_months(self.state, name, date.today())

    async def _months(self, stream: Stream) -> Set[str]:
        """Return the months in which a list has rows, as they are once it was read."""
        known = self._known_months(stream.name)
        if stream.name not in self.selected:
            return await months_with_rows(self.account, stream, known)
        try:
            page = await self._ask(stream, {"updated_since": self._since(stream)})
            found = due.months_in(page.rows, stream.dated)
            if known is None and found and page.last_url:
                page = await self.account.page_of(stream, path=page.last_url)
                found |= due.months_in(page.rows, stream.dated)
                return due.months_between(min(found), max(found))
            return found | (known or set())
        except AccessRefused:
            return known or set()

    def _family(self, stream: Stream) -> List[Stream]:
        """Return the selected streams for which a list is read."""
        members = FAMILIES.get(stream.name, (stream,))
        return [each for each in members if each.name in self.selected]

    def _since(self, stream: Stream) -> Optional[str]:
        """Return since when a list is read; None for all of it."""
        family, start = self._family(stream), self.account.start_of(stream)
        if not family:
            return None
        known = (due_of(self.account, each, self._known(each)) for each in family)
        return due.earliest(known, start)

    def _known(self, stream: Stream, of: str = "resources") -> Row:
        """Return what the last run left behind; nothing if the table is replaced."""
        known = {} if stream.name in self.anew else self.state.get(of, {})
        return dict(known.get(stream.name, {}))

    async def _ask(self, stream: Stream, query: Row) -> Page:
        """Ask for one row, and thereby for the number of rows."""
        return await self.account.page_of(stream, {"per_page": 1, **query})


def _counted(stream: Stream, reads: str, answers: Sequence[Page]) -> Planned:
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
    """Return how many rows there are, if not only reading tells."""
    return len(page.rows) if not page.next_url else page.total_entries
