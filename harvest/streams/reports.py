"""Reports, in windows of time, each of which replaces what was stored of it before."""

from contextlib import aclosing
from datetime import date, timedelta  # noqa: I251
from typing import List, NamedTuple, Optional, Sequence, Set

from ..api.pagination import all_rows, in_order
from ..exceptions import AccessRefused
from ..settings import REPORTED, STREAMS, Stream
from ..typing import Items, Row, Rows, Window
from . import delta
from .account import Account
from .due import (
    known_months,
    months_between,
    months_in,
    name_of,
    report_windows,
    windows_due,
    windows_wanted,
)
from .run import Left, Run
from .tables import owned, tombstone

WAIT = 0.02
"""Seconds for which the reports wait for the lists, before dlt looks at those again."""


class ReportedWindows(NamedTuple):
    """The windows that reports cover, on their way to the reports.

    Attributes:
        run (Run): The run.
        wanted (List[Window]): The windows.
        at_once (Optional[int]): How many of them one report reads in this step.
    """

    run: Run
    wanted: List[Window]
    at_once: Optional[int]


async def reported_windows(account: Account, run: Run) -> Items:
    """Yield the windows with rows, once the lists have been read that have them."""
    months: Set[str] = set()
    today = date.today()
    for name in REPORTED:
        # this run may read a row of a month in which there was none before
        while name in run.selected and not run.is_limited(name):
            if await run.has_ended(name, WAIT):
                break
            # dlt reads only so many resources at a time: the list may wait for this one
            yield None
        found = known_months(run.state, name, today)
        if name not in run.whole:
            found = await months_with_rows(account, STREAMS[name], found)
        months |= found or set()
        run.state.setdefault("months", {})[name] = sorted(found or ())
    period, start = account.report_period, account.start_date
    wanted = windows_wanted(period, months, start, today)
    yield ReportedWindows(run, wanted, _at_once(account, run))


def _at_once(account: Account, run: Run) -> Optional[int]:
    """Return how many windows each report reads in this step; None for all.

    They are so many as Harvest answers without a wait of a quarter of an hour. If
    nothing else is left, that is waited for.
    """
    if run.until is None:
        return None
    reports = [name for name in run.selected if name in STREAMS if STREAMS[name].report]
    others = len(run.selected) > len(reports)
    free = account.client.rate_limits[1].free // max(len(reports), 1)
    return max(free, 0 if others else 1)


async def months_with_rows(
    account: Account, stream: Stream, known: Optional[Set[str]]
) -> Set[str]:
    """Return the months in which a list, newest first, has rows.

    A mistyped date in the future is corrected one day, which no run notices: while one
    is known, Harvest is asked for the newest row.

    Args:
        account (Account): The account.
        stream (Stream): The list.
        known (Optional[Set[str]]): Those that are known; None if nobody has looked.
    """
    present = str(date.today() + timedelta(days=1))[:7]
    if known is not None and max(known, default="") <= present:
        return known
    found: Set[str] = set()
    last: Optional[date] = None
    try:
        while not await account.lacks(stream):
            page = await account.page_of(stream, {"per_page": 1, "to": last})
            newest = max(months_in(page.rows, stream.dated), default="")
            if known is not None:
                return {each for each in known if each <= max(newest, present)}
            if not newest or newest in found:
                break
            # all months of the window: it may be of another length one day
            day = date.fromisoformat(f"{newest}-01")
            first = report_windows(account.report_period, day, day)[0][0]
            found |= months_between(str(first)[:7], newest)
            if first == date.min or not page.next_url:
                break
            last = first - timedelta(days=1)
    except AccessRefused:
        pass
    return found if known is None else known


async def report_rows(
    windows: ReportedWindows, account: Account, run: Run, stream: Stream
) -> Items:
    """Yield the rows of the windows that are due, which replace those of the same."""
    state, wanted = run.state_of(stream.name), windows.wanted
    known = known_windows(account, stream, state)
    due = windows_due(wanted, known, date.today(), account.report_lookback_days)
    read_at = state.setdefault("read_at", {})
    left: List[Window] = []
    most = windows.at_once
    # after a change of include_fixed_fee, all are read in one step
    if most is not None and known == state.get("windows", []):
        if begun := account.load_began:
            # a window that can still move is due in each run, and read once in a load
            due = [each for each in due if read_at.get(name_of(each), "") < begun]
        due, left = due[:most], due[most:]
    if left:
        read = len(wanted) - len(left)
        run.unfinished[stream.name] = Left(read, len(wanted), len(left))
    kept = [[str(day) for day in window] for window in wanted]
    # windows without rows, or of another length, from before report_period was changed
    outdated = [window for window in state.get("windows", []) if window not in kept]
    for window in outdated:
        read_at.pop(name_of(window), None)
    if account.delta:
        resource = run.resources[stream.name]
        delta.replace_windows(resource, [*due, *outdated])
    async for rows in _windows(account, stream, due, state):
        yield rows
    for window in outdated:
        yield [tombstone(stream, dict(zip(stream.merge_key, window, strict=True)))]
    yield []
    unread = [[str(day) for day in window] for window in left]
    state["windows"] = [window for window in kept if window not in unread]
    state["include_fixed_fee"] = _fees(stream, account.include_fixed_fee)


async def _windows(
    account: Account, stream: Stream, due: Sequence[Window], state: Row
) -> Items:
    """Yield the rows of some windows, and note when Harvest was asked."""
    known: List[List[str]] = state.get("windows", [])
    calls = (
        account.client.page(stream, params=window_params(account, stream, window))
        for window in due
    )
    async with aclosing(in_order(calls)) as answers:
        for window in due:
            page = await answers.__anext__()
            # for reconciling: what the report sums up may have changed since
            state["read_at"][name_of(window)] = page.now
            rows: Rows = page.rows
            if page.next_url:
                params = window_params(account, stream, window)
                rows = await all_rows(account.client, stream, params)
            period = dict(zip(stream.merge_key, map(str, window), strict=True))
            if rows:
                yield owned(rows, period)
            elif list(period.values()) in known:
                yield [tombstone(stream, period)]


def known_windows(account: Account, stream: Stream, state: Row) -> List[List[str]]:
    """Return the windows that were read, with the same fees as now."""
    before = state.get("include_fixed_fee")
    if isinstance(before, bool):
        # older versions did not send false
        before = _fees(stream, before or None)
    known: List[List[str]] = state.get("windows", [])
    return known if before == _fees(stream, account.include_fixed_fee) else []


def window_params(account: Account, stream: Stream, window: Window) -> Row:
    """Return the query parameters of one window of a report."""
    fees = _fees(stream, account.include_fixed_fee)
    named = {"include_fixed_fee": fees} if fees else {}
    return {"from": window[0], "to": window[1], **named}


def _fees(stream: Stream, included: Optional[bool]) -> Optional[str]:
    """Return what a report is asked about fixed fees; None leaves it to Harvest."""
    if included is None or not stream.fixed_fees:
        return None
    return str(included).lower()
