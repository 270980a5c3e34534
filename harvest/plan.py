"""What a run would read and how many requests that takes, found out by asking for counts only."""

import math
import time
from concurrent.futures import Future
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import dlt
from dlt.extract import DltSource

from .account import Account, Row, lacking, refusal
from .client import AccessRefused, Answer, HarvestError, Page
from .columnar import account_of
from .pages import Reader
from .resources import (
    DATED,
    PARENTS,
    SpentDates,
    backfilled_days,
    cover,
    due_windows,
    family_of,
    list_since,
    listed_since,
    plan_of,
    widened,
    windows,
)
from .settings import PER_PAGE, STREAMS, Stream

Asked = Callable[[], Page]
"""Waits for an answer that was asked for."""


class Planned(NamedTuple):
    """What a run would do about one stream.

    Attributes:
        stream (str): Its name.
        reads (str): What it would read, in words.
        rows (Optional[int]): Rows that Harvest would send; None where only reading them tells.
        requests (int): Requests that this takes.
    """

    stream: str
    reads: str
    rows: Optional[int]
    requests: int


class Forecast(NamedTuple):
    """What a run would do.

    Attributes:
        planned (List[Planned]): One for each stream that is read, or looked into for others.
        seconds (float): What it takes at least, by Harvest's speed limits alone.
    """

    planned: List[Planned]
    seconds: float

    @property
    def rows(self) -> int:
        """Rows that are known of before they are read."""
        return sum(each.rows or 0 for each in self.planned)

    @property
    def requests(self) -> int:
        """Requests of all streams."""
        return sum(each.requests for each in self.planned)


def forecast(pipeline: dlt.Pipeline, source: DltSource, full_refresh: bool = False) -> Forecast:
    """Says what a run would read, and changes nothing.

    It asks for a count of each list, with the filter that the run would use.

    Args:
        pipeline (dlt.Pipeline): The pipeline, which knows what it has read.
        source (DltSource): The `harvest_source` that it would load, with its selected resources.
        full_refresh (bool): Everything would be read again.

    Returns:
        Forecast: What would be read, stream by stream. Lists that change meanwhile, and reports of
            more than one page, take more requests than that.

    Raises:
        HarvestError: The dataset holds another account, or Harvest cannot be read.

    Examples:
        >>> source = harvest_source().with_resources("invoices", "invoice_payments")
        >>> forecast(pipeline, source).requests
        512
    """
    account = account_of(source)
    state: Row = pipeline.state.get("sources", {}).get("harvest", {})
    selected = [name for name in STREAMS if name in source.selected_resources]
    planned = _Asking(account, state, selected, full_refresh).plan()
    account.check_same(state.get("account_id"))
    return Forecast(planned, _seconds(account, planned))


def _seconds(account: Account, planned: Sequence[Planned]) -> float:
    requests: Dict[Any, int] = {}
    for each in planned:
        lane = account.client.lane(STREAMS[each.stream])
        requests[lane] = requests.get(lane, 0) + each.requests
    # the first of each window go at once
    return max(((n - 1) // lane.rate * lane.window for lane, n in requests.items() if n), default=0)


def _pages(rows: int) -> int:
    return math.ceil(rows / PER_PAGE) or 1


class _Asking:
    """Asks Harvest for counts, each of them once."""

    def __init__(
        self, account: Account, state: Row, selected: Sequence[str], full_refresh: bool
    ) -> None:
        self._account = account
        self._state = state
        self._full_refresh = full_refresh
        self._selected = selected
        self._answers: Dict[Tuple[Any, ...], Asked] = {}

    def plan(self) -> List[Planned]:
        """What would be read of each stream."""
        tasks = [self._planned(stream) for stream in STREAMS.values() if not stream.parent]
        # all ask, and then all wait
        for task in tasks:
            next(task)
        return [planned for task in tasks for planned in task if planned]

    def _planned(self, stream: Stream) -> Iterator[Optional[Planned]]:
        family = family_of(stream, self._selected)
        look = stream.name in DATED and stream.name in self._looked_into()
        try:
            if stream.name == "company":
                yield from self._company(stream)
            elif not family and not look:
                yield None
            elif stream.feature and self._lacks(stream.feature):
                yield None
                for each in family:
                    yield Planned(each.name, f"nothing: {lacking(stream)}", 0, 0)
            elif look:
                yield from self._look(stream)
            elif self._account.end_date:
                yield from self._range(stream)
            elif stream.kind == "report":
                yield from self._report(stream)
            elif stream.kind == "whole":
                page = self._ask(stream)
                yield None
                rows = _total(page)
                yield Planned(stream.name, "all", rows, _pages(rows))
            else:
                yield from self._list(stream, family)
        except AccessRefused as refused:
            if self._account.on_forbidden == "raise":
                raise HarvestError(f"{stream.name}: {refusal(stream)}.") from refused
            for each in family:
                yield Planned(each.name, f"nothing: {refusal(stream)}", 0, int(each is stream))

    def _company(self, stream: Stream) -> Iterator[Optional[Planned]]:
        features = [*self._selected, *self._looked_into()]
        selected = stream.name in self._selected
        yield None
        if selected or any(STREAMS[name].feature for name in features):
            self._ask(stream)()
            reads = "all" if selected else "which features are switched on"
            yield Planned(stream.name, reads, 1 if selected else None, 1)

    def _list(self, stream: Stream, family: Sequence[Stream]) -> Iterator[Optional[Planned]]:
        """A list, and what is below each of its rows."""
        children = [each for each in family if each.parent]
        plans = {each.name: plan_of(self._account, each, self._known(each)) for each in family}
        since = list_since(self._account, self._known(stream))
        if stream.name in PARENTS:
            since = listed_since(self._account, plans.values())
        page = self._ask(stream, updated_since=since)
        starts = {
            each.name: plans[each.name].since or self._account.start_date for each in children
        }
        parents = {name: self._ask(stream, updated_since=start) for name, start in starts.items()}
        yield None
        rows = _total(page)
        reads = f"what changed since {since}" if since else "all"
        if family == children:
            yield Planned(stream.name, f"{reads}, for what is below them", None, _pages(rows))
        else:
            yield Planned(stream.name, reads, rows, _pages(rows))
        for child in children:
            if child.feature and self._lacks(child.feature):
                yield Planned(child.name, f"nothing: {lacking(child)}", 0, 0)
                continue
            count = _total(parents[child.name])
            if child.parent_role and count:
                count = self._having(stream, starts[child.name], child.parent_role)
            kind = "new or changed " if plans[child.name].since else ""
            who = f"{child.parent_role}s" if child.parent_role else stream.name
            yield Planned(child.name, f"below {count:,} {kind}{who}", None, count)

    def _having(self, stream: Stream, since: Optional[str], role: str) -> int:
        """How many of a list have an access role, which takes reading it."""
        count = 0
        with Reader(self._account.client, stream) as reader:
            for page in reader.pages("updated_at" if since else "created_at", updated_since=since):
                if page is None:
                    time.sleep(0.01)
                    continue
                count += sum(role in (row.get("access_roles") or ()) for row in page.rows)
        return count

    def _range(self, stream: Stream) -> Iterator[Optional[Planned]]:
        first, last = backfilled_days(self._account)
        if first > last:
            yield None
            yield Planned(stream.name, f"nothing: start_date is after {last}", 0, 0)
            return
        page = self._ask(stream, **{"from": first, "to": last})
        yield None
        rows = _total(page)
        yield Planned(stream.name, f"days from {first} to {last}", rows, _pages(rows))

    def _report(self, stream: Stream) -> Iterator[Optional[Planned]]:
        yield None
        spans = [self._spent_dates(STREAMS[name]) for name in DATED]
        wanted = windows(self._account.report_period, *cover(self._account, spans))
        due = due_windows(self._account, wanted, self._known(stream).get("windows", []))
        reads = f"{len(due)} of {len(wanted)} windows from {wanted[0][0]} to {wanted[-1][1]}"
        yield Planned(stream.name, reads, None, len(due))

    def _look(self, stream: Stream) -> Iterator[Optional[Planned]]:
        page = self._ask(stream)
        yield None
        requests = 1 if _total(page) <= PER_PAGE else 2
        yield Planned(stream.name, "first and last day, for the reports", None, requests)

    def _looked_into(self) -> List[str]:
        """The lists that are read for nothing but their first and last day."""
        known = self._state.get("spent_dates", {})
        if not any(STREAMS[name].kind == "report" for name in self._selected):
            return []
        return [name for name in DATED if name not in self._selected and name not in known]

    def _spent_dates(self, stream: Stream) -> SpentDates:
        """Oldest and newest `spent_date`, as they will be known when the lists were read."""
        known: SpentDates = self._state.get("spent_dates", {}).get(stream.name)
        looked = stream.name in self._looked_into()
        if not looked and stream.name not in self._selected:
            return known
        if stream.feature and self._lacks(stream.feature):
            return known
        since = None if looked else list_since(self._account, self._known(stream))
        try:
            first = self._ask(stream, updated_since=since)()
            last = first
            if first.next_url:
                last = self._submit(stream, first.body["links"]["last"], None)()
        except AccessRefused:
            return known
        return widened(None, [*first.rows, *last.rows], known)

    def _known(self, stream: Stream) -> Row:
        """What the last run has left behind for a stream; nothing if its table is replaced."""
        if self._full_refresh or (self._account.delta and stream.name in PARENTS):
            return {}
        known: Row = self._state.get("resources", {}).get(stream.name, {})
        return known

    def _ask(self, stream: Stream, **params: Any) -> Asked:
        """Asks for one row, and thereby for the number of rows."""
        params = {name: value for name, value in params.items() if value is not None}
        return self._submit(stream, stream.path, {"per_page": 1, **params})

    def _submit(self, stream: Stream, url: str, params: Optional[Row]) -> Asked:
        key = (url, *(params or {}).items())
        if key not in self._answers:
            reader = Reader(self._account.client, stream)
            self._answers[key] = partial(_finish, reader, reader.submit(url, params))
        return self._answers[key]

    def _lacks(self, feature: str) -> bool:
        try:
            return self._ask(STREAMS["company"])().body.get(feature) is False
        except AccessRefused:
            return False


def _finish(reader: Reader, future: "Future[Answer]") -> Page:
    """Waits for a page with nothing else to do."""
    waiting = reader.wait(future)
    try:
        while True:
            next(waiting)
            time.sleep(0.01)
    except StopIteration as ended:
        page: Page = ended.value
        return page


def _total(asked: Asked) -> int:
    return int(asked().body["total_entries"])
