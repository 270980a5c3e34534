"""Lists, what is replaced as a whole, and backfills."""

from datetime import date, timedelta  # noqa: I251
from typing import Set

import dlt

from ..api.pagination import all_rows, pages
from ..exceptions import HarvestError
from ..settings import REPORTED, Stream
from ..typing import Items, Window
from .context import Context
from .cursor import Cursor
from .due import known_months, months_in, years_due
from .run import Run
from .tables import owned, tombstone

INTERVAL = "interval"
"""`end_date` of a backfill whose days are those of an orchestrator's interval."""


async def changed_rows(context: Context, run: Run, stream: Stream) -> Items:
    """Yield the rows of a list that are new or changed since the last run."""
    cursor = Cursor(run.state_of(stream.name), context.start_of(stream))
    months: Set[str] = set()
    since, now = cursor.since, ""
    stamp = "updated_at" if since else "created_at"
    async for page in pages(context.client, stream, {"updated_since": since}, stamp):
        now = now or page.now
        if stream.name in REPORTED:
            months |= months_in(page.rows, stream.dated)
        yield cursor.new(page.rows, now)
    if not run.is_limited(stream.name):
        cursor.note()
    if stream.name in REPORTED:
        if since or run.is_limited(stream.name):
            known = known_months(run.state, stream.name, date.today())
            months |= known or set()
        else:
            run.whole.add(stream.name)
        run.state.setdefault("months", {})[stream.name] = sorted(months)


async def whole_rows(context: Context, run: Run, stream: Stream) -> Items:
    """Yield all rows of a list, or the one record, which replace the table."""
    if stream.rows_in:
        yield await all_rows(context.client, stream)
    else:
        yield [await context.company()]


async def yearly_rows(context: Context, run: Run, stream: Stream) -> Items:
    """Yield the rows of this year and the last, which replace those of that year."""
    for year in years_due(date.today()):
        rows = await all_rows(context.client, stream, {"year": year})
        yield owned(rows, {"year": year}) or [tombstone(stream, {"year": year})]


async def backfilled_rows(days: Window, context: Context, stream: Stream) -> Items:
    """Yield the rows of a backfill's days, which are merged by key.

    It knows nothing of other runs, and leaves nothing behind for them but rows.
    """
    first, last = days
    if first > last:
        return
    # rows can come into the range by being edited, too: `updated_at` tells
    span = {"from": first, "to": last}
    async for page in pages(context.client, stream, span, "updated_at"):
        yield page.rows


def refuse_replacing(run: Run, stream: Stream) -> None:
    """Refuse a backfill that replaces what other runs have loaded."""
    resource = run.selected.get(stream.name)
    if resource is not None and resource.write_disposition == "replace":
        raise HarvestError(
            "With end_date, rows are added to what is there and do not replace it:"
            " leave out either end_date or the full refresh."
        )


def backfilled_days(context: Context) -> Window:
    """Return the first and last day of a backfill.

    Raises:
        HarvestError: They are those of an orchestrator's interval, and there is none.
    """
    first = date.fromisoformat((context.start_date or "0001-01-01")[:10])
    if context.end_date and context.end_date != INTERVAL:
        return first, date.fromisoformat(context.end_date)
    interval = dlt.current.interval()
    if interval is None:
        raise HarvestError(
            "end_date is 'interval', but nothing tells which: set DLT_INTERVAL_START"
            " and DLT_INTERVAL_END, or run it as a task of Airflow."
        )
    # its end is the beginning of the next one
    last = max(interval[0], interval[1] - timedelta(microseconds=1))
    return max(first, interval[0].date()), last.date()
