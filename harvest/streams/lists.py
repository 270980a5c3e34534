"""Lists, what is replaced as a whole, and backfills."""

from datetime import date, timedelta  # noqa: I251

import dlt
from dlt.extract import DltResource

from ..api.pagination import all_rows, pages
from ..exceptions import HarvestError
from ..settings import REPORTED, Stream
from ..typing import Items, Window
from .context import Context
from .cursor import Boundary, Cursor
from .due import Span, second_before, widened, years_due
from .guard import at_hand, guarded
from .tables import hints, tombstone

INTERVAL = "interval"
"""`end_date` of a backfill whose days are those of an orchestrator's interval."""


def list_resource(context: Context, stream: Stream) -> DltResource:
    """Return the resource of a list: rows new or changed since the last run, by key."""
    cursor = Cursor()
    incremental = cursor.incremental(context.start_of(stream))
    rows = dlt.resource(changed_rows, **hints(stream))
    resource: DltResource = rows(context, stream, cursor, incremental)
    return resource


@guarded
async def changed_rows(
    context: Context,
    stream: Stream,
    cursor: Cursor,
    updated_at: dlt.sources.incremental[str],
) -> Items:
    """Yield the rows of a list that are new or changed since the last run."""
    since = second_before(updated_at.last_value)
    cursor.now = None
    cursor.stands = context.run.is_limited(stream.name)
    boundary = Boundary(context.run.state_of(stream.name))
    span: Span = None
    stamp = "updated_at" if since else "created_at"
    async for page in pages(context.client, stream, {"updated_since": since}, stamp):
        cursor.now = cursor.now or page.now
        if stream.name in REPORTED:
            span = widened(span, page.rows, stream.dated)
        yield boundary.new(page.rows, cursor.now)
    boundary.remember()
    if stream.name in REPORTED:
        known = context.run.state.setdefault("spent_dates", {})
        known[stream.name] = widened(span, [], stream.dated, known.get(stream.name))


@guarded
async def whole_rows(context: Context, stream: Stream) -> Items:
    """Yield all rows of a list, or the one record, which replace the table."""
    if stream.rows_in:
        yield await all_rows(context.client, stream)
    else:
        yield [await context.company()]


@guarded
async def yearly_rows(context: Context, stream: Stream) -> Items:
    """Yield the rows of this year and the last, which replace those of that year."""
    for year in years_due(date.today()):
        rows = await all_rows(context.client, stream, {"year": year})
        yield [{**row, "year": year} for row in rows] or [
            tombstone(stream, {"year": year})
        ]


@at_hand
async def backfilled_rows(context: Context, stream: Stream) -> Items:
    """Yield the rows of a backfill's days, which are merged by key.

    It knows nothing of other runs, and leaves nothing behind for them but rows.
    """
    resource = context.run.resources[stream.name]
    if resource.write_disposition == "replace":
        raise HarvestError(
            "With end_date, rows are added to what is there and do not replace it:"
            " leave out either end_date or the full refresh."
        )
    first, last = backfilled_days(context)
    if first <= last:
        async for item in _spent_rows(context, stream, first, last):
            yield item


@guarded
async def _spent_rows(
    context: Context, stream: Stream, first: date, last: date
) -> Items:
    # rows can come into the range by being edited, too: `updated_at` tells
    span = {"from": first, "to": last}
    async for page in pages(context.client, stream, span, "updated_at"):
        yield page.rows


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
