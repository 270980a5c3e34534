"""Reports, in windows of time, each of which replaces what was stored of it before."""

from contextlib import aclosing
from datetime import date  # noqa: I251
from typing import Dict, List, NamedTuple, Sequence

from ..api.pagination import all_rows, follow, in_order
from ..exceptions import AccessRefused
from ..settings import REPORTED, STREAMS, Stream
from ..typing import Items, Row, Rows, Window
from . import delta
from .context import Context
from .due import Span, days_covered, report_windows, widened, windows_due
from .run import Run
from .tables import owned, tombstone

WAIT = 0.02
"""Seconds for which the reports wait for the lists, before dlt looks at those again."""


class ReportedDays(NamedTuple):
    """The days that reports cover, on their way to the reports."""

    run: Run
    first: date
    last: date


async def reported_days(context: Context, run: Run) -> Items:
    """Yield the first and last day, once the lists have been read that have them."""
    known: Dict[str, Span] = run.state.setdefault("spent_dates", {})
    for name in REPORTED:
        # a row that this run reads may be older or newer than all before
        while name in run.selected and not run.is_limited(name):
            if await run.has_ended(name, WAIT):
                break
            # dlt reads only so many resources at a time: the list may wait for this one
            yield None
        if name not in known:
            known[name] = await span_of(context, STREAMS[name])
    first, last = days_covered(known.values(), context.start_date, date.today())
    yield ReportedDays(run, first, last)


async def span_of(context: Context, stream: Stream) -> Span:
    """Return the oldest and newest day of a list that is sorted by it."""
    try:
        if await context.lacks(stream):
            return None
        page = await context.client.page(stream, params={})
        span = widened(None, page.rows, stream.dated)
        if not page.next_url:
            return span
        if page.last_url:
            page = await context.client.page(stream, page.last_url)
        async for each in follow(context.client, stream, page):
            span = widened(span, each.rows, stream.dated)
        return span
    except AccessRefused:
        return None


async def report_rows(
    days: ReportedDays, context: Context, run: Run, stream: Stream
) -> Items:
    """Yield the rows of the windows that are due, which replace those of the same."""
    state = run.state_of(stream.name)
    wanted = report_windows(context.report_period, days.first, days.last)
    known = known_windows(context, stream, state)
    due = windows_due(wanted, known, date.today(), context.report_lookback_days)
    kept = [[str(day) for day in window] for window in wanted]
    # windows of another length, from before report_period was changed
    outdated = [window for window in state.get("windows", []) if window not in kept]
    read_at = state.setdefault("read_at", {})
    for window in outdated:
        read_at.pop("/".join(window), None)
    if context.delta:
        resource = run.resources[stream.name]
        delta.replace_windows(resource, [*due, *outdated])
    async for rows in _windows(context, stream, due, state):
        yield rows
    for window in outdated:
        yield [tombstone(stream, dict(zip(stream.merge_key, window, strict=True)))]
    yield []
    state["windows"] = kept
    state["include_fixed_fee"] = context.include_fixed_fee


async def _windows(
    context: Context, stream: Stream, due: Sequence[Window], state: Row
) -> Items:
    """Yield the rows of some windows, and note when Harvest was asked."""
    known: List[List[str]] = state.get("windows", [])
    calls = (
        context.client.page(stream, params=window_params(context, stream, window))
        for window in due
    )
    async with aclosing(in_order(calls)) as answers:
        for window in due:
            page = await answers.__anext__()
            # for reconciling: what the report sums up may have changed since
            state["read_at"][f"{window[0]}/{window[1]}"] = page.now
            rows: Rows = page.rows
            if page.next_url:
                params = window_params(context, stream, window)
                rows = await all_rows(context.client, stream, params)
            period = dict(zip(stream.merge_key, map(str, window), strict=True))
            if rows:
                yield owned(rows, period)
            elif list(period.values()) in known:
                yield [tombstone(stream, period)]


def known_windows(context: Context, stream: Stream, state: Row) -> List[List[str]]:
    """Return the windows that were read, with the same fees as now."""
    before = state.get("include_fixed_fee", False)
    if stream.fixed_fees and before != context.include_fixed_fee:
        return []
    known: List[List[str]] = state.get("windows", [])
    return known


def window_params(context: Context, stream: Stream, window: Window) -> Row:
    """Return the query parameters of one window of a report."""
    params: Row = {"from": window[0], "to": window[1]}
    if stream.fixed_fees and context.include_fixed_fee:
        params["include_fixed_fee"] = "true"
    return params
