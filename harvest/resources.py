"""What becomes of pages: lists, per-parent streams (transformers), wholes and reports."""

from concurrent.futures import Future
from datetime import date, datetime, timedelta, timezone  # noqa: I251
from typing import (
    Any,
    Container,
    Dict,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import dlt
from dlt.common import logger
from dlt.common.time import ensure_pendulum_datetime
from dlt.extract import DltResource

from . import delta
from .account import Account, Items, Row
from .client import Answer, HarvestError, RecordGone
from .pages import Reader, Waiting
from .settings import STREAMS, Stream

SpentDates = Optional[Tuple[str, str]]
"""Oldest and newest `spent_date`; None where there is no row."""

DATED = ("time_entries", "expenses")
"""The streams that reports are made of."""
PARENTS = tuple(dict.fromkeys(each.parent for each in STREAMS.values() if each.parent))
"""The streams that others are read below."""
INTERVAL = "interval"
"""`end_date` of a backfill whose days are those of an orchestrator's interval."""
NO_INTERVAL = (
    "end_date is 'interval', but nothing tells which: set DLT_INTERVAL_START and DLT_INTERVAL_END,"
    " or run it as a task of Airflow."
)


class Cursor:
    """Holds the `updated_at` cursor back to the moment at which Harvest was asked.

    A row that changes while a list is read may have been read already. If the cursor went on to
    the `updated_at` of a row that changed still later, the first would never be read again.
    """

    def __init__(self) -> None:
        self.now: Optional[str] = None

    def capped(self, values: Sequence[str]) -> str:
        newest = max(values)
        return newest if self.now is None else min(newest, self.now)

    def incremental(self, start_date: Optional[str]) -> "dlt.sources.incremental[str]":
        return dlt.sources.incremental[str](
            "updated_at",
            initial_value=start_date,
            last_value_func=self.capped,
            # the interval of an orchestrator bounds a backfill, never this
            allow_external_schedulers=False,
            # a row that carries the cursor's very second is known by all of its content: by its
            # key alone, a second change within that second would be taken for a repetition
            primary_key=lambda row: list(row),
            on_cursor_value_missing="include",
        )


def _since(cursor: Optional[str]) -> Optional[str]:
    """`updated_since` that has the cursor's own second in it, whether inclusive or not."""
    if cursor is None:
        return None
    moment = ensure_pendulum_datetime(cursor).subtract(seconds=1)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def list_since(account: Account, state: Row) -> Optional[str]:
    """The `updated_since` of a list, by what is known of its last run."""
    cursor = state.get("incremental", {}).get("updated_at") or {"last_value": account.start_date}
    return _since(cursor["last_value"])


def list_resource(account: Account, stream: Stream) -> DltResource:
    """A list that is read incrementally: rows new or changed since the last run, merged by key.

    Yields lists of rows as Harvest has them.
    """
    cursor = Cursor()
    incremental = cursor.incremental(account.start_date)

    @dlt.resource(name=stream.name, primary_key=stream.key, write_disposition="merge")
    def rows(
        updated_at: dlt.sources.incremental[str] = incremental,
    ) -> Items:
        cursor.now = None
        since = _since(updated_at.last_value)

        def work(reader: Reader) -> Items:
            dates: SpentDates = None
            stamp = "updated_at" if since else "created_at"
            for page in reader.pages(stamp, updated_since=since):
                if page is None:
                    yield None
                    continue
                cursor.now = cursor.now or page.now
                if stream.name in DATED:
                    dates = widened(dates, page.rows)
                yield from _rows(account, stream, page.rows)
            if stream.name in DATED:
                known = dlt.current.source_state().setdefault("spent_dates", {})
                known[stream.name] = widened(dates, [], known.get(stream.name))

        yield from account.read(stream, work)
        account.run.walked.add(stream.name)

    return rows


def range_resource(account: Account, stream: Stream) -> DltResource:
    """The rows of a list from `start_date` to `end_date` by `spent_date`, merged by key.

    It knows nothing of other runs, and leaves nothing behind for them but rows.
    """
    scheduled = account.end_date == INTERVAL
    incremental = dlt.sources.incremental[date](
        "spent_date",
        initial_value=_as_day((account.start_date or "0001-01-01")[:10]),
        end_value=date.max if scheduled else _as_day(account.end_date),
        last_value_func=_latest,
        range_end="closed",
        allow_external_schedulers=scheduled,
        on_cursor_value_missing="include",
    )

    @dlt.resource(name=stream.name, primary_key=stream.key, write_disposition="merge")
    def rows(spent_date: dlt.sources.incremental[date] = incremental) -> Items:
        if dlt.current.source().resources[stream.name].write_disposition == "replace":
            raise HarvestError(
                "With end_date, rows are added to what is there and do not replace it: leave out"
                " either end_date or the full refresh."
            )
        first, last = backfilled_days(account)
        if first > last:
            return

        def work(reader: Reader) -> Items:
            # rows can come into the range by being edited, too: it is `updated_at` that tells
            for page in reader.pages("updated_at", **{"from": first, "to": last}):
                yield from _rows(account, stream, page.rows) if page else [None]

        yield from account.read(stream, work)

    return rows


def backfilled_days(account: Account) -> Tuple[date, date]:
    """First and last day of a backfill.

    Raises:
        HarvestError: They are those of an orchestrator's interval, and there is none.
    """
    first = _as_day((account.start_date or "0001-01-01")[:10])
    if account.end_date != INTERVAL:
        return first, _as_day(account.end_date)
    interval = dlt.current.interval()
    if interval is None:
        raise HarvestError(NO_INTERVAL)
    # its end is the beginning of the next one
    last = max(interval[0], interval[1] - timedelta(microseconds=1))
    return max(first, interval[0].date()), last.date()


def _latest(days: Sequence[Any]) -> date:
    return max(map(_as_day, days))


def _as_day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def whole_resource(account: Account, stream: Stream) -> DltResource:
    """A list, or the company, that is read and replaced as a whole."""

    @dlt.resource(name=stream.name, primary_key=stream.key, write_disposition="replace")
    def rows() -> Items:
        def work(reader: Reader) -> Items:
            if stream.name == "company":
                found = (yield from account.company()).rows
            else:
                found = yield from reader.rows()
            yield from _rows(account, stream, found)

        yield from account.read(stream, work)

    return rows


class Plan(NamedTuple):
    """Which parents one stream asks for.

    Attributes:
        since (Optional[str]): Those updated since then, by Harvest's clock; None for all.
        again (bool): Their children were read before, so that there may be some to remove.
    """

    since: Optional[str]
    again: bool


class Walk:
    """One reading of a list of parents, on behalf of several streams."""

    def __init__(self, plans: Dict[str, Plan]) -> None:
        self.plans = plans
        self.now = ""
        self.open = 0
        self.read: Set[str] = set()


class ParentPage(NamedTuple):
    """A page of parents, on its way to the streams that wait for it."""

    walk: Walk
    rows: List[Row]


def parent_listing(account: Account, parent: Stream) -> DltResource:
    """The list of parents, read once for its own table and for the streams below it.

    It is no table itself. It reads what the neediest of the selected streams asks for: all
    parents when the children of all are due to be read again, else those that changed.
    """

    @dlt.resource(name=f"{parent.name}_listing", selected=False)
    def listing() -> Items:
        family = family_of(parent, dlt.current.source().resources.selected)
        children = [stream for stream in family if stream.parent]
        walk = Walk(
            {
                stream.name: plan_of(account, stream, dlt.current.resource_state(stream.name))
                for stream in family
            }
        )
        since = listed_since(account, walk.plans.values())
        if account.delta:
            for child in children:
                delta.replace_children(child, everything=walk.plans[child.name].since is None)

        def work(reader: Reader) -> Items:
            for page in reader.pages("updated_at" if since else "created_at", updated_since=since):
                if page is None:
                    yield None
                    continue
                walk.now = walk.now or page.now
                walk.open += len(children)
                yield ParentPage(walk, page.rows)
                # stored long before what is below its rows has been read
                del page
            while walk.open:
                yield None
            for child in children:
                if child.name not in account.run.skipped:
                    _remember(walk, child)

        yield from account.read(parent, work, on_behalf=family)

    return listing


def family_of(parent: Stream, selected: Container[str]) -> List[Stream]:
    """The selected streams for which a list of parents is read."""
    return [
        stream
        for stream in STREAMS.values()
        if stream.name in selected and parent.name in (stream.name, stream.parent)
    ]


def listed_since(account: Account, plans: Iterable[Plan]) -> Optional[str]:
    """From when on a list of parents is read: what the neediest of the streams asks for."""
    starts = [plan.since for plan in plans]
    since = None if None in starts else min(start for start in starts if start)
    return _since(since) or account.start_date


def plan_of(account: Account, stream: Stream, state: Row) -> Plan:
    """Which parents a stream asks for, by what is known of its last run."""
    if not stream.parent:
        cursor = state.get("incremental", {}).get("updated_at", {})
        return Plan(cursor.get("last_value"), again=False)
    walked_at = state.get("walked_at")
    if walked_at is None:
        return Plan(None, again=False)
    hours = (datetime.now(timezone.utc) - datetime.fromisoformat(walked_at)).total_seconds() / 3600
    # a clock that was set back must not put the walk off
    due = not 0 <= hours < account.substream_refresh_hours
    return Plan(None if due else state["read_at"], again=True)


def _remember(walk: Walk, child: Stream) -> None:
    """Notes what was read, once the children of all parents have been."""
    state = dlt.current.resource_state(child.name)
    everything = walk.plans[child.name].since is None
    if everything:
        state["walked_at"] = datetime.now(timezone.utc).isoformat()
    if everything or child.name in walk.read:
        state["read_at"] = walk.now


def parent_resource(account: Account, stream: Stream, listing: DltResource) -> DltResource:
    """The table of a list that has other streams below it: new and changed rows, merged by key."""
    cursor = Cursor()

    @dlt.transformer(
        data_from=listing,
        name=stream.name,
        primary_key=stream.key,
        write_disposition="merge",
    )
    def rows(page: ParentPage) -> Items:
        cursor.now = page.walk.now
        yield from _rows(account, stream, page.rows)

    # not as an argument: dlt would then begin anew with each page, from where the last one ended
    rows.apply_hints(incremental=cursor.incremental(account.start_date))
    return rows


def child_resource(account: Account, stream: Stream, listing: DltResource) -> DltResource:
    """The rows below each parent, which replace those that the parent had before."""

    @dlt.transformer(
        data_from=listing,
        name=stream.name,
        primary_key=stream.key,
        merge_key=stream.parent_key,
        columns={"deleted_at": {"hard_delete": True}},
        write_disposition="merge",
    )
    def rows(page: ParentPage) -> Items:
        walk = page.walk
        plan = walk.plans[stream.name]
        parents = [
            (parent["id"], stream.parent_role in ("", *(parent.get("access_roles") or ())))
            for parent in page.rows
            if plan.since is None or (parent.get("updated_at") or plan.since) >= plan.since
        ]
        del page

        def work(reader: Reader) -> Items:
            having = [parent for parent, has in parents if has]
            calls = reader.side_by_side(
                reader.submit(stream.path.format(id=parent), {}) for parent in having
            )
            for parent, has in parents:
                found: Optional[List[Row]] = []
                if has:
                    walk.read.add(stream.name)
                    found = yield from _all_of(reader, next(calls))
                if found is None:
                    continue
                key = {stream.parent_key: parent}
                if found:
                    rows = [{**key, **row} for row in found]
                    yield from _rows(
                        account, stream, delta.named(stream, rows) if account.delta else rows
                    )
                elif plan.again and not account.delta:
                    yield [_tombstone(stream, key)]
            yield from _rows(account, stream, [])

        yield from account.read(stream, work)
        walk.open -= 1

    return rows


def _all_of(reader: Reader, call: "Future[Answer]") -> Waiting[Optional[List[Row]]]:
    """The rows below one parent; None when the parent is gone."""
    try:
        rows: List[Row] = []
        for page in reader.follow((yield from reader.wait(call))):
            if page is None:
                yield None
                continue
            rows += page.rows
        return rows
    except RecordGone as gone:
        logger.warning(f"{gone}; passed over")
        return None


def report_resource(
    account: Account, stream: Stream, again: Sequence[Tuple[date, date]] = ()
) -> DltResource:
    """A report in windows of time, each of which replaces what was stored of it before.

    Args:
        account (Account): The account.
        stream (Stream): The report.
        again (Sequence[Tuple[date, date]]): First and last day of the windows to read, in place of
            those that are due.
    """

    @dlt.resource(
        name=stream.name,
        columns={
            "period_start": {"merge_key": not account.delta},
            "period_end": {"merge_key": not account.delta},
            "deleted_at": {"hard_delete": True},
        },
        write_disposition="merge",
    )
    def rows() -> Items:
        def work(reader: Reader) -> Items:
            state = dlt.current.resource_state(stream.name)
            known: List[List[str]] = state.get("windows", [])
            if again:
                yield from read(reader, again, [], known)
                return
            wanted = windows(account.report_period, *(yield from _span(account, reader)))
            due = due_windows(account, wanted, known)
            kept = [[str(day) for day in window] for window in wanted]
            # windows of another length, from before report_period was changed
            old = [window for window in known if window not in kept]
            yield from read(reader, due, old, known)
            state["windows"] = kept

        def read(
            reader: Reader,
            due: Sequence[Tuple[date, date]],
            old: List[List[str]],
            known: List[List[str]],
        ) -> Items:
            read_at = dlt.current.resource_state(stream.name).setdefault("read_at", {})
            for window in old:
                read_at.pop("/".join(window), None)
            if account.delta:
                delta.replace_windows(stream, [*due, *old])
            calls = reader.side_by_side(
                reader.submit(stream.path, {"from": start, "to": end}) for start, end in due
            )
            for start, end in due:
                page = yield from reader.wait(next(calls))
                # for reconciling: what the report was made from may have changed since
                read_at[f"{start}/{end}"] = page.now
                found = page.rows
                if page.next_url:
                    found = yield from reader.rows(**{"from": start, "to": end})
                key = {"period_start": str(start), "period_end": str(end)}
                if found:
                    yield from _rows(account, stream, [{**key, **row} for row in found])
                elif list(key.values()) in known:
                    yield [_tombstone(stream, key)]
            for window in old:
                key = dict(zip(("period_start", "period_end"), window, strict=True))
                yield [_tombstone(stream, key)]
            yield from _rows(account, stream, [])

        yield from account.read(stream, work)

    return rows


def due_windows(
    account: Account, wanted: Sequence[Tuple[date, date]], known: List[List[str]]
) -> List[Tuple[date, date]]:
    """Those of the windows that were not read before, or can still move."""
    settled = date.today() - timedelta(days=account.report_lookback_days)
    return [
        window
        for window in wanted
        if [str(day) for day in window] not in known or window[1] >= settled
    ]


def windows(period: str, first: date, last: date) -> List[Tuple[date, date]]:
    """Windows of the calendar that cover two days and all between them.

    Args:
        period (str): `year`, `quarter` or `month`.
        first (date): First day to cover.
        last (date): Last day to cover.

    Returns:
        List[Tuple[date, date]]: First and last day of each, oldest first.
    """
    months = {"year": 12, "quarter": 3, "month": 1}[period]
    start = date(first.year, (first.month - 1) // months * months + 1, 1)
    found = []
    while start <= last:
        following = start.year * 12 + start.month - 1 + months
        after = date(following // 12, following % 12 + 1, 1)
        found.append((start, after - timedelta(days=1)))
        start = after
    return found


def _span(account: Account, reader: Reader) -> Waiting[Tuple[date, date]]:
    """First and last day that reports have to cover."""
    known = dlt.current.source_state().setdefault("spent_dates", {})
    selected = dlt.current.source().resources.selected
    run = account.run
    for name in DATED:
        # a row that this run reads may be older or newer than all that were read before
        while name in run.asking or (name in selected and name not in run.walked):
            yield None
        if name not in known:
            run.asking.add(name)
            known[name] = yield from _spent_dates(account, STREAMS[name])
            run.asking.discard(name)
    return cover(account, known.values())


def cover(account: Account, spans: Iterable[SpentDates]) -> Tuple[date, date]:
    """First and last day that reports have to cover, for rows of these days."""
    # one day on, where it is tomorrow already
    today = date.today() + timedelta(days=1)
    days = [date.fromisoformat(day) for span in spans if span for day in span]
    days = [min(days), max(days)] if days else []
    if days and account.start_date:
        days[0] = max(days[0], date.fromisoformat(account.start_date[:10]))
    # a slip of the pen, such as the year 0203, is not worth a report for each year since then
    earliest, latest = (date(today.year + years, 1, 1) for years in (-50, 5))
    days = [min(max(day, earliest), latest) for day in days]
    return min([*days[:1], today]), max([*days, today])


def _spent_dates(account: Account, stream: Stream) -> Waiting[SpentDates]:
    """Oldest and newest `spent_date` of a list that is sorted by it."""
    dates: SpentDates = None

    def work(reader: Reader) -> Items:
        nonlocal dates
        page = yield from reader.wait(reader.submit(stream.path, {}))
        dates = widened(None, page.rows)
        if page.next_url:
            page = yield from reader.wait(reader.submit(page.body["links"]["last"]))
            dates = widened(dates, page.rows)

    yield from account.read(stream, work)
    return dates


def widened(dates: SpentDates, rows: Sequence[Row], other: SpentDates = None) -> SpentDates:
    """Oldest and newest `spent_date` of two spans and some rows."""
    days = [day for row in rows if (day := _day(row.get("spent_date")))]
    days += [*(dates or ()), *(other or ())]
    return (min(days), max(days)) if days else None


def _day(value: Any) -> Optional[str]:
    """The day, unless the value is no date."""
    try:
        return str(date.fromisoformat(value))
    except (TypeError, ValueError):
        return None


def _tombstone(stream: Stream, key: Row) -> Row:
    """A row that removes all rows with its merge key, and is not stored itself."""
    ids = {name: 0 if name == "id" else None for name in stream.key}
    return {**ids, **key, "deleted_at": datetime.now(timezone.utc)}


def _rows(account: Account, stream: Stream, rows: List[Row]) -> Items:
    """Yields rows as dlt should get them, or creates the tables if there are none yet."""
    if rows:
        yield rows
    state = dlt.current.resource_state(stream.name)
    if not state.get("created"):
        state["created"] = True
        yield dlt.mark.materialize_table_schema()
        account.run.create_lists(stream)
