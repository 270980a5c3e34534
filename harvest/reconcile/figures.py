"""What differs between a long list and its table, by counts and sums.

A list of 200,000 rows has 100 pages. Counts and sums of its years take a few requests,
and lead to the rows that differ (see segments.py).
"""

from array import array
from typing import Any, Dict, List, Optional, Sequence

from dlt.common import Decimal

from ..api.pagination import all_rows
from ..exceptions import AccessRefused
from ..settings import PER_PAGE, STREAMS
from ..typing import Row, Window
from .check import Check, not_in, together
from .comparison import TableComparison
from .lists import prove, read, total
from .segments import bisect, gaps, years_of
from .sql import COUNTED


class LongList:
    """The comparison of a long list with its table.

    Args:
        check (Check): The comparison.
        found (TableComparison): Takes what is found.
        approvals (bool): The rows have an `approval_status` that Harvest can count by.
    """

    def __init__(self, check: Check, found: TableComparison, approvals: bool) -> None:
        self._check = check
        self._found = found
        self._stream = STREAMS[found.stream]
        self._params = check.params(self._stream)
        self._refused = ""
        # ids that were met in Harvest, and those stored that may be deleted there
        self._seen = array("q")
        undated = f"t.{self._stream.dated} IS NULL"
        self._doubtful = check.stored.ids(self._stream, undated)
        columns = check.stored.columns(found.stream)
        counted = [
            name
            for name, (column, *_) in COUNTED.items()
            if column in columns and (approvals or column != "approval_status")
        ]
        # reports count what is older than the start, too
        self._names = ["rows", *counted, *([] if self._params else ["amount"])]

    async def compare(self) -> None:
        """Compare counts and sums, and read what differs."""
        check, found = self._check, self._found
        days = check.stored.days(self._stream)
        years = years_of(days)
        whole, *by_year = await together(
            [
                self._figure("rows", {}),
                *(self._about(each, self._names) for each in years),
            ]
        )
        found.harvest = int(whole)
        self._sum_up(by_year)
        if whole != sum(each["rows"] for each in by_year):
            for span in gaps(years):
                await self._read(span)
        theirs = dict(zip(years, by_year, strict=True))
        pages = -(-found.harvest // PER_PAGE)
        if not await bisect(days, theirs, pages, self._about, self._read_window):
            await self._read({})
        deleted = not_in(self._doubtful, self._seen)
        if deleted and check.proof:
            deleted = await prove(check, found, deleted, found.harvest)
        found.deleted = {(key,) for key in deleted}

    async def _read_window(self, window: Window) -> None:
        await self._read({"from": window[0], "to": window[1]})

    async def _read(self, span: Row) -> None:
        """Read a part of the list; what is stored of it may be deleted in Harvest."""
        reading = await read(self._check, self._found, span)
        self._seen.extend(reading.ids or ())
        bounds = {"from": ">=", "to": "<="}
        inside = " AND ".join(
            f"t.{self._stream.dated} {bounds[name]} DATE '{day}'"
            for name, day in span.items()
        )
        self._doubtful.extend(self._check.stored.ids(self._stream, inside))

    async def _about(self, window: Window, names: Sequence[str]) -> Dict[str, Any]:
        """Return counts and sums of a window, by name."""
        span = {"from": window[0], "to": window[1]}
        values = await together(self._figure(name, span) for name in names)
        figures = dict(zip(names, values, strict=True))
        return {name: value for name, value in figures.items() if value is not None}

    async def _figure(self, name: str, span: Row) -> Optional[Decimal]:
        """Return a count or sum; None if Harvest refuses the report that has it."""
        client = self._check.context.client
        if name != "amount":
            condition = COUNTED[name][2] if name in COUNTED else {}
            params = {**self._params, **span, **condition, "per_page": 1}
            page = await client.start(self._stream, params=params).page()
            return Decimal(page.total_entries or 0)
        report = STREAMS[self._stream.summed_by]
        assert report.report
        try:
            return total(await all_rows(client, report, span), report.report.total)
        except AccessRefused as refused:
            self._refused = str(refused)
            return None

    def _sum_up(self, years: List[Dict[str, Any]]) -> None:
        """Note the sum of the years in the comparison, or why there is none."""
        found = self._found
        if "amount" in self._names and all("amount" in each for each in years):
            found.amount_harvest = sum((each["amount"] for each in years), Decimal(0))
            return
        found.amount_here = None
        found.add_note("hours and money not compared")
        if self._refused:
            found.status = "not compared"
        found.add_note(
            self._refused or "reports count what is older than start_date, too"
        )
