"""Lists, what is replaced as a whole, and backfills."""

from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta  # noqa: I251
from typing import Optional, Set

import dlt
from dlt.common import logger

from ..api.pagination import all_rows, follow, pages
from ..exceptions import AccessRefused, HarvestError
from ..settings import REPORTED, Stream
from ..typing import Items, Row, Rows, Window
from .account import Account
from .cursor import NewRows
from .due import known_months, months_in, years_due
from .run import Run
from .tables import owned, tombstone

INTERVAL = "interval"
"""`end_date` of a backfill whose days are those of an orchestrator's interval."""


async def changed_rows(account: Account, run: Run, stream: Stream) -> Items:
    """Yield the rows of a list that are new or changed since the last run."""
    new = NewRows(run, stream, account.start_of(stream))
    months: Set[str] = set()
    since = new.since
    stamp = "updated_at" if since else "created_at"
    params: Row = {"updated_since": since}
    if is_limited := run.is_limited(stream.name):
        listed = _in_parts(account, run, stream, params)
    else:
        listed = pages(account.client, stream, params, stamp)
    async for page in run.steady(stream.name, listed):
        run.began = run.began or page.now
        if stream.name in REPORTED:
            months |= months_in(page.rows, stream.dated)
        yield new.of(page.rows)
    if stream.name not in run.unsteady:
        new.end()
    if stream.name in REPORTED:
        if since or is_limited or stream.name in run.unsteady:
            known = known_months(run.state, stream.name, date.today())
            months |= known or set()
        else:
            run.whole.add(stream.name)
        run.state.setdefault("months", {})[stream.name] = sorted(months)


async def _in_parts(account: Account, run: Run, stream: Stream, params: Row) -> Items:
    """Yield the pages of a list that `add_limit` cuts, from where the last run was cut.

    Pages that are numbered shift when rows are deleted between two runs: such a list
    begins anew when its end is reached, until a run without a limit reads all of it.
    """
    state, limit = run.state_of(stream.name), run.resources[stream.name].limit
    part, page, steady = state.get("part", {}), None, True
    if url := part.get("next"):
        # a row that changed since then may have been on a page that was read before
        run.began = min(run.began, part["began"])
        steady = part["steady"] and "cursor=" in url
        with suppress(HarvestError):
            page = await account.client.page(stream, url)
    if page is None:
        steady, page = True, await account.client.page(stream, params=params)
    # dlt takes the first item, unless it takes none; of the others it may drop the last
    noted = limit is None or limit.max_items == 0
    async for each in follow(account.client, stream, page):
        began = run.began or each.now
        place = {"next": each.next_url, "began": began, "steady": steady}
        if not noted:
            state["part"] = place
        yield each
        state["part"], noted = place, True
    if not steady:
        state["unproven"] = True
        run.unsteady.add(stream.name)


async def whole_rows(account: Account, run: Run, stream: Stream) -> Items:
    """Yield all rows of a list, or the one record, which replace the table."""
    yield await all_of(account, stream)


async def all_of(
    account: Account, stream: Stream, params: Optional[Row] = None
) -> Rows:
    """Return all rows of a list that is replaced as a whole, or the one record."""
    if not stream.rows_in:
        return [{**(await account.company())}]
    rows = await all_rows(account.client, stream, params)
    if not stream.part:
        return rows
    return [await _with_whole_part(account, stream, row) for row in rows]


async def _with_whole_part(account: Account, stream: Stream, row: Row) -> Row:
    """Return a row with all of the list in it, of which Harvest may send a part."""
    listed, count = row.get(stream.part) or [], row.get(f"{stream.part}_count")
    if not isinstance(count, int) or count <= len(listed):
        return row
    path = f"{stream.path}/{row.get('id')}/{stream.part}"
    part = replace(stream, path=path, rows_under=stream.part)
    try:
        found = await all_rows(account.client, part)
    except AccessRefused as refused:
        logger.warning(
            f"{stream.name}: {len(listed):,} of {count:,} {stream.part} of"
            f" {row.get('id')} are loaded, since Harvest refused the others"
            f" ({refused.status})"
        )
        return row
    return {**row, stream.part: found} if len(found) > len(listed) else row


async def yearly_rows(account: Account, run: Run, stream: Stream) -> Items:
    """Yield the rows of this year and the last, which replace those of that year."""
    for year in years_due(date.today()):
        rows = await all_of(account, stream, {"year": year})
        yield owned(rows, {"year": year}) or [tombstone(stream, {"year": year})]


async def backfilled_rows(
    days: Window, account: Account, run: Run, stream: Stream
) -> Items:
    """Yield the rows of a backfill's days, which are merged by key.

    It knows nothing of other runs, and leaves nothing behind for them but rows.
    """
    first, last = days
    if first > last:
        return
    # rows can come into the range by being edited, too: `updated_at` tells
    span = {"from": first, "to": last}
    listed = pages(account.client, stream, span, "updated_at")
    async for page in run.steady(stream.name, listed):
        yield page.rows


def refuse_replacing(run: Run, stream: Stream) -> None:
    """Refuse a backfill that replaces what other runs have loaded."""
    resource = run.selected.get(stream.name)
    if resource is not None and resource.write_disposition == "replace":
        raise HarvestError(
            "With end_date, rows are added to what is there and do not replace it:"
            " leave out either end_date or the full refresh."
        )


def backfilled_days(account: Account) -> Window:
    """Return the first and last day of a backfill.

    Raises:
        HarvestError: They are those of an orchestrator's interval, and there is none.
    """
    first = date.fromisoformat((account.start_date or "0001-01-01")[:10])
    if account.end_date and account.end_date != INTERVAL:
        return first, date.fromisoformat(account.end_date)
    interval = dlt.current.interval()
    if interval is None:
        raise HarvestError(
            "end_date is 'interval', but nothing tells which: set DLT_INTERVAL_START"
            " and DLT_INTERVAL_END, or run it as a task of Airflow."
        )
    # its end is the beginning of the next one
    last = max(interval[0], interval[1] - timedelta(microseconds=1))
    return max(first, interval[0].date()), last.date()
