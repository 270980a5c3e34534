"""Compare Harvest's lists with their tables.

Short lists are read whole, which costs no more requests than to count them. A list of
200,000 rows has 100 pages: counts and sums of its years take a few requests, and lead
to the rows that differ (see segments.py).
"""

from array import array
from collections import defaultdict
from contextlib import aclosing
from datetime import date  # noqa: I251
from functools import cached_property
from typing import Dict, List, Optional, Sequence, Set

from dlt.common import Decimal

from ..api.pagination import all_rows, pages
from ..exceptions import AccessRefused, RecordDeleted
from ..settings import FAMILIES, PER_PAGE, STREAMS
from ..typing import Key, Row, Rows, Window
from . import sql
from .comparable import as_day, as_decimal
from .compare_rows import Stored, StreamRows
from .comparison import Comparison
from .job import Job, together
from .segments import Figures, bisect, gaps, years_of
from .user_steps import keys_of

WHOLE_PAGES = 5
"""Lists on more pages than this are compared by figures, if a report sums them up."""
COUNTED: Dict[str, Row] = {
    "rows": {},
    "billed": {"is_billed": True},
    "approved": {"approval_status": "approved"},
    "submitted": {"approval_status": "submitted"},
}
"""What is counted, and what a column must hold for it, here and in Harvest."""


class ListComparison(StreamRows):
    """The comparison of a list with its table."""

    def __init__(self, job: Job, found: Comparison) -> None:
        super().__init__(job, found)
        self._client = job.account.client
        self._params = job.state.params(found.stream)
        # ids that were met in Harvest, and those stored that may be deleted there
        self._seen = array("q")
        self._doubtful = array("q")
        self._has_approvals = False
        self._refused = ""

    async def compare(self) -> None:
        """Find the rows that differ, and those that are deleted in Harvest."""
        stream, found = self._stream, self._found
        most = WHOLE_PAGES if stream.summed_by and not self._job.deep else None
        # Harvest first: a slow query must not hold the request back
        is_read = await self._read({}, most)
        if stream.amount:
            found.amount_here = self._stored.amount(self._table)
        if not is_read:
            await self._compare_figures()
        deleted = await self._stored.wait(self._maybe_deleted)
        # what is older than the start is not in the list, and need not be deleted
        if deleted and (self._job.proof or self._params):
            deleted = await self._prove(deleted)
        keys = {(key,) for key in deleted}
        found.deleted = await self._stored.wait(
            self._stored.keys_among, self._table, stream.key, stream.key, keys
        )
        found.deleted_elsewhere = keys - found.deleted

    @cached_property
    def _whole(self) -> Optional[Dict[Key, List[Stored]]]:
        """Return all stored rows by key if they are few; None if they are many.

        By the ids of pages, each page would take a statement.
        """
        if self._found.here > PER_PAGE:
            return None
        found: Dict[Key, List[Stored]] = defaultdict(list)
        for each in self.stored_where():
            found[each.key].append(each)
        rows = (each.columns for stored in found.values() for each in stored)
        self._job.entries.note_records(self._stream.name, rows)
        return found

    def _maybe_deleted(self) -> Set[int]:
        """Return the ids that may be of deleted records, and were not met in Harvest.

        A record that others name, and that is not stored, can be deleted, too: what is
        below it must go then.
        """
        named = self._job.named.get(self._stream.name, ())
        self._doubtful.extend(key for key in named if isinstance(key, int))
        return not_in(self._doubtful, self._seen)

    async def _read(self, span: Row, most: Optional[int] = None) -> bool:
        """Read and compare the list, unless it is too long: return whether it was read.

        Args:
            span (Dict[str, Any]): `from` and `to`, to read a part of it.
            most (Optional[int]): The most pages that it may have.
        """
        stream, found = self._stream, self._found
        rows, amount, parents = 0, Decimal(0), []
        stamp = "updated_at" if self._params else "created_at"
        answers = pages(self._client, stream, {**self._params, **span}, stamp)
        async with aclosing(answers):
            async for page in answers:
                if most and (page.total_pages or 1) > most:
                    statuses = (row.get("approval_status") for row in page.rows)
                    self._has_approvals = any(statuses)
                    return False
                rows += len(keys_of(stream, page.rows))
                amount += total(page.rows, stream.amount)
                if stream.name in FAMILIES:
                    wanted = ("id", "access_roles")
                    parents += [{n: row.get(n) for n in wanted} for row in page.rows]
                # last, for steps of users may change the rows
                await self._stored.wait(self._compare_page, page.rows)
        if not span:
            found.harvest = rows
            found.amount_harvest = amount if stream.amount else None
            self._job.parents[stream.name] = parents
        inside = sql.is_in(span, stream.dated)
        await self._stored.wait(self._doubt, inside)
        return True

    def _doubt(self, condition: Optional[sql.Condition]) -> None:
        """Note that stored rows may be deleted: all, or those of a condition on `t`."""
        if condition is None and self._whole is not None:
            self._doubtful.extend(key for (key,) in self._whole)
        elif self._stored.count(self._table) is not None:
            select = self._stored.select(self._table, self._stream.key, condition)
            for rows in self._stored.batches(select):
                self._doubtful.extend(key for (key,) in rows)

    def _compare_page(self, rows: Rows) -> None:
        """Compare rows with the stored rows that have the same keys."""
        living = keys_of(self._stream, rows)
        self._seen.extend(key for (key,) in living)
        if self._whole is None:
            ours = self.stored_by_key(living)
        else:
            ours = [each for key in living for each in self._whole.get(key, [])]
        only_here = self.compare_rows(self.as_loaded(rows), ours)
        self._found.left_out += len(only_here)

    async def _prove(self, doubtful: Set[int]) -> Set[int]:
        """Return the ids that a second answer lacks: of the list, or of each record."""
        stream = self._stream
        if not stream.summed_by or len(doubtful) > self._pages:
            # of all times: what is deleted with something may be younger than that is
            async for page in pages(self._client, stream):
                doubtful -= {key for (key,) in keys_of(stream, page.rows)}
            return doubtful
        keys = sorted(doubtful)
        deleted = await together(self._is_deleted(key) for key in keys)
        return {key for key, is_it in zip(keys, deleted, strict=True) if is_it}

    async def _is_deleted(self, key: int) -> bool:
        """Ask for a record, and compare it if it lives."""
        try:
            page = await self._client.record(self._stream, key)
            await self._stored.wait(self._compare_page, page.rows)
        except RecordDeleted as answer:
            return answer.status == 404
        return False

    @property
    def _pages(self) -> int:
        """Return how many pages the list has in Harvest."""
        return -(-(self._found.harvest or 0) // PER_PAGE)

    # ------------------------------------------------------- by counts and sums

    async def _compare_figures(self) -> None:
        """Compare counts and sums, and read what differs."""
        found, stream = self._found, self._stream
        columns = self._stored.columns(self._table)
        counted = [
            name
            for name, holds in COUNTED.items()
            if columns.keys() >= holds.keys()
            and (self._has_approvals or "approval_status" not in holds)
        ]
        # reports count what is older than the start, too
        names = counted if self._params else [*counted, "amount"]
        await self._stored.wait(self._doubt, sql.is_null(stream.dated))
        days = await self._stored.wait(self._figures_here, counted, names)
        years = years_of(days)
        whole, *by_year = await together(
            [self._figure("rows", {}), *(self._about(each, names) for each in years)]
        )
        found.harvest = int(whole)
        self._sum_up(by_year)
        if whole != sum(each["rows"] for each in by_year):
            for span in gaps(years):
                await self._read(span)
        theirs = dict(zip(years, by_year, strict=True))
        if not await bisect(days, theirs, self._pages, self._about, self._read_window):
            await self._read({})

    def _figures_here(
        self, counted: Sequence[str], names: Sequence[str]
    ) -> Dict[date, Figures]:
        """Return stored counts and sums by day."""
        stream, stored = self._stream, self._stored
        table, condition = stored.unmarked(self._table)
        amounts = [stream.amount] if "amount" in names else []
        holds = [COUNTED[name] for name in counted]
        rows = stored.query(sql.figures(table, stream.dated, amounts, holds, condition))
        return {
            key: dict(zip(names, map(as_decimal, numbers), strict=True))
            for day, *numbers in rows
            if (key := as_day(day))
        }

    async def _read_window(self, window: Window) -> None:
        await self._read({"from": window[0], "to": window[1]})

    async def _about(self, window: Window, names: Sequence[str]) -> Figures:
        """Return counts and sums of a window, by name."""
        span = {"from": window[0], "to": window[1]}
        values = await together(self._figure(name, span) for name in names)
        figures = dict(zip(names, values, strict=True))
        return {name: value for name, value in figures.items() if value is not None}

    async def _figure(self, name: str, span: Row) -> Optional[Decimal]:
        """Return a count or sum; None if Harvest refuses the report that has it."""
        if name in COUNTED:
            holds = {key: str(value).lower() for key, value in COUNTED[name].items()}
            params = {**self._params, **span, **holds, "per_page": 1}
            page = await self._client.page(self._stream, params=params)
            return Decimal(page.total_entries or 0)
        report = STREAMS[self._stream.summed_by]
        assert report.report
        try:
            rows = await all_rows(self._client, report, span)
            return total(rows, report.report.total)
        except AccessRefused as refused:
            self._refused = str(refused)
            return None

    def _sum_up(self, years: List[Figures]) -> None:
        """Note the sum of the years in the comparison, or why there is none."""
        found, why_not = self._found, self._refused
        if self._params:
            why_not = "reports count what is older than start_date, too"
        if not why_not:
            found.amount_harvest = sum((each["amount"] for each in years), Decimal(0))
            return
        found.amount_here = None
        found.add_note(f"hours and money not compared; {why_not}")
        if self._refused:
            found.status = "not compared"


def not_in(ids: "array[int]", seen: "array[int]") -> Set[int]:
    """Return the ids that are not among others, in a few bytes for each.

    >>> not_in(array("q", [1, 2, 3]), array("q", [3, 1]))
    {2}
    """
    # late: until the first request is sent, nobody waits for it
    import pyarrow as pa
    import pyarrow.compute as pc

    ours, theirs = pa.array(ids, pa.int64()), pa.array(seen, pa.int64())
    others = pc.invert(pc.is_in(ours, value_set=theirs))
    return set(ours.filter(others).to_pylist())


def total(rows: Rows, column: str) -> Decimal:
    """Return the sum of a column in rows of Harvest."""
    return sum((as_decimal(row.get(column)) for row in rows), Decimal(0))
