"""What differs between a long list and its table, by counts and sums.

A list of 200,000 rows has 100 pages. Counts and sums of its years take a few requests,
and lead to the rows that differ (see segments.py).
"""

from array import array
from datetime import date  # noqa: I251
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from dlt.common import Decimal

from ..api.pagination import follow
from ..exceptions import AccessRefused
from ..settings import PER_PAGE, STREAMS
from ..typing import Row, Window
from .check import Check, not_in, together
from .comparison import TableComparison
from .reading import prove, read, total
from .segments import Bisection, Figures, gaps, years_of
from .sql import COUNTED


async def compare_figures(
    check: Check, found: TableComparison, approvals: bool
) -> None:
    """Compare a long list with its table.

    Args:
        check (Check): The comparison.
        found (TableComparison): Takes what is found.
        approvals (bool): The rows have an `approval_status` that Harvest can count by.
    """
    stream = STREAMS[found.stream]
    days = check.stored.days(stream)
    asked = Questions(check, found, days, approvals)
    years = years_of(days)
    whole, *by_year = await together(asked.about(each) for each in [None, *years])
    found.harvest = int(whole["rows"])
    asked.sum_up(by_year)
    bisection = Bisection(days, PER_PAGE, budget=-(-found.harvest // PER_PAGE))
    for window, theirs in zip(years, by_year, strict=True):
        bisection.add(window, theirs)
    seen = array("q")
    doubtful = check.stored.ids(stream, f"t.{stream.dated} IS NULL")
    if found.harvest != sum(each["rows"] for each in by_year):
        for span in gaps(years):
            seen.extend((await read(check, found, span)).ids)
    await _bisect(check, found, asked, bisection, (seen, doubtful))
    if bisection.exhausted:
        seen = (await read(check, found, {})).ids
        doubtful = check.stored.ids(stream)
    deleted = not_in(doubtful, seen)
    if deleted and check.proof:
        deleted = await prove(check, found, deleted, found.harvest)
    found.deleted = {(key,) for key in deleted}


async def _bisect(
    check: Check,
    found: TableComparison,
    asked: "Questions",
    bisection: Bisection,
    ids: Tuple["array[int]", "array[int]"],
) -> None:
    """Read the segments that differ; add the ids met there, and those stored there."""
    stream = STREAMS[found.stream]
    seen, doubtful = ids
    while segment := bisection.take():
        if not bisection.is_readable(segment):
            theirs = await asked.about(segment.halves[0], list(segment.difference))
            bisection.bisect(segment, theirs)
            continue
        first, last = segment.window
        seen.extend((await read(check, found, {"from": first, "to": last})).ids)
        inside = f"t.{stream.dated} BETWEEN DATE '{first}' AND DATE '{last}'"
        doubtful.extend(check.stored.ids(stream, inside))
        bisection.spend(1)


class Questions:
    """The counts and sums of a dated list that Harvest is asked for.

    Args:
        check (Check): The comparison.
        found (TableComparison): Takes the sum, and a note if there is none.
        days (Mapping[date, Figures]): The figures of the destination by day.
        approvals (bool): The rows have an `approval_status`.
    """

    def __init__(
        self,
        check: Check,
        found: TableComparison,
        days: Mapping[date, Figures],
        approvals: bool,
    ) -> None:
        self._client = check.context.client
        self._found = found
        self._days = days
        self._stream = STREAMS[found.stream]
        self._params = check.params(self._stream)
        self._refused = ""
        counted = [
            name
            for name, (column, *_) in COUNTED.items()
            if column in check.stored.columns(found.stream)
            and (approvals or column != "approval_status")
        ]
        # reports count what is older than the start, too
        self.names = ["rows", *counted, *([] if self._params else ["amount"])]

    async def about(
        self, window: Optional[Window], names: Optional[Sequence[str]] = None
    ) -> Dict[str, Any]:
        """Return figures of a window; of all time, the number of rows.

        Args:
            window (Optional[Window]): First and last day; None for all time.
            names (Optional[Sequence[str]]): Which figures; None for all.
        """
        span = {"from": window[0], "to": window[1]} if window else {}
        wanted = list(names or self.names) if window else ["rows"]
        values = await together(self._figure(name, span) for name in wanted)
        figures = dict(zip(wanted, values, strict=True))
        return {name: value for name, value in figures.items() if value is not None}

    async def _figure(self, name: str, span: Row) -> Optional[Any]:
        if name == "amount":
            return await self._sum(span)
        condition = COUNTED[name][2] if name in COUNTED else {}
        params = {**self._params, **span, **condition, "per_page": 1}
        page = await self._client.start(self._stream, params=params).page()
        return Decimal(page.total_entries or 0)

    async def _sum(self, span: Row) -> Optional[Decimal]:
        """Return what a report sums up; None if Harvest refuses it."""
        report = STREAMS[self._stream.summed_by]
        assert report.report
        amount = Decimal(0)
        try:
            page = await self._client.start(report, params=span).page()
        except AccessRefused as refused:
            self._refused = str(refused)
            return None
        async for each in follow(self._client, report, page):
            amount += total(each.rows, report.report.total)
        return amount

    def sum_up(self, years: List[Dict[str, Any]]) -> None:
        """Note the sum of the years in the comparison, or why there is none."""
        found = self._found
        if "amount" in self.names and all("amount" in each for each in years):
            found.amount_harvest = sum((each["amount"] for each in years), Decimal(0))
            return
        found.amount_here = None
        found.add_note("hours and money not compared")
        if self._refused:
            found.status = "not compared"
            found.add_note(self._refused)
        else:
            found.add_note("reports count what is older than start_date, too")
