"""Finding the rows that differ by counts and sums: which span of days to ask about next.

The rows of a long list are counted and summed up by year. A segment whose figures differ
is bisected until its rows fit on one page, and read then. Nothing here asks Harvest.
"""

from datetime import date, timedelta  # noqa: I251
from typing import (
    Any,
    Dict,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from ..typing import Row, Window

Figures = Mapping[str, Any]
"""Counts and sums by name: `rows`, `billed`, `approved`, `submitted`, `amount`."""
ONE_DAY = timedelta(days=1)


class Segment(NamedTuple):
    """A span of days whose figures differ.

    Attributes:
        first (date): First day.
        last (date): Last day.
        difference (Dict[str, Any]): By how much Harvest's figures are higher.
    """

    first: date
    last: date
    difference: Dict[str, Any]

    @property
    def window(self) -> Window:
        """Return the first and last day."""
        return self.first, self.last

    @property
    def halves(self) -> Tuple[Window, Window]:
        """Return its two halves; it has two days or more."""
        middle = self.first + (self.last - self.first) // 2
        return (self.first, middle), (middle + ONE_DAY, self.last)


class Bisection:
    """The segments that differ, and what it costs to look into them.

    Args:
        days (Mapping[date, Figures]): The figures of the destination by day.
        threshold (int): Rows that one request reads.
        budget (int): Requests after which it costs less to read the whole list.

    Examples:
        >>> bisection = Bisection({date(2024, 1, 1): {"rows": 3}}, threshold=2000, budget=10)
        >>> bisection.add((date(2024, 1, 1), date(2024, 12, 31)), {"rows": 4})
        >>> bisection.take()
        Segment(first=..., last=..., difference={'rows': 1})
    """

    def __init__(
        self, days: Mapping[date, Figures], threshold: int, budget: int
    ) -> None:
        self._days = days
        self._threshold = threshold
        self._budget = budget
        self._open: List[Segment] = []

    @property
    def exhausted(self) -> bool:
        """Return whether it costs less to read the whole list."""
        return self._budget < 0

    def add(self, window: Window, theirs: Figures) -> None:
        """Add a window, if Harvest's figures of it are others than the destination's."""
        difference = subtract(theirs, within(self._days, window))
        if difference:
            self._open.append(Segment(*window, difference))
            # each row that may be deleted is asked for once more
            self._budget -= abs(difference.get("rows", 0))

    def take(self) -> Optional[Segment]:
        """Take the next segment out; None when there is none, or too many."""
        return self._open.pop() if self._open and not self.exhausted else None

    def is_readable(self, segment: Segment) -> bool:
        """Return whether its rows fit on one page, or it cannot be bisected."""
        here = within(self._days, segment.window).get("rows", 0)
        rows = max(here, here + segment.difference.get("rows", 0))
        return rows <= self._threshold or segment.first == segment.last

    def spend(self, requests: int) -> None:
        """Note that so many requests were made."""
        self._budget -= requests

    def bisect(self, segment: Segment, theirs: Figures) -> None:
        """Put its halves in its place.

        Args:
            segment (Segment): It has two days or more.
            theirs (Figures): Harvest's figures of the first half.
        """
        first, second = segment.halves
        difference = subtract(theirs, within(self._days, first))
        rest = subtract(segment.difference, difference)
        for window, each in ((first, difference), (second, rest)):
            if each:
                self._open.append(Segment(*window, each))


def within(days: Mapping[date, Figures], window: Window) -> Dict[str, Any]:
    """Return the sums of the figures of the days of a window."""
    sums: Dict[str, Any] = {}
    for day, figures in days.items():
        if window[0] <= day <= window[1]:
            for name, value in figures.items():
                sums[name] = sums.get(name, 0) + value
    return sums


def subtract(figures: Figures, others: Figures) -> Dict[str, Any]:
    """Return by how much figures are higher than others of the same names.

    Those that agree are left out.

    >>> subtract({"rows": 4, "billed": 1}, {"rows": 3, "billed": 1, "amount": 8})
    {'rows': 1}
    """
    less = {name: value - others.get(name, 0) for name, value in figures.items()}
    return {name: value for name, value in less.items() if value}


def years_of(days: Iterable[date], first: Optional[date] = None) -> List[Window]:
    """Return the calendar years that days lie in, oldest first.

    Args:
        days (Iterable[date]): The days.
        first (Optional[date]): Day with which the table begins.
    """
    years = sorted({day.year for day in days if not first or day >= first})
    windows = [(date(year, 1, 1), date(year, 12, 31)) for year in years]
    return [(max(start, first or start), end) for start, end in windows]


def gaps(windows: Sequence[Window], first: Optional[date] = None) -> List[Row]:
    """Return the filters for the days outside of windows, which are sorted.

    Args:
        windows (Sequence[Window]): First and last days.
        first (Optional[date]): Day with which the table begins.
    """
    found: List[Row] = []
    start = first
    for window in windows:
        if start is None or start < window[0]:
            since = {"from": start} if start else {}
            found.append({**since, "to": window[0] - ONE_DAY})
        if window[1] == date.max:
            return found
        start = window[1] + ONE_DAY
    return [*found, {"from": start} if start else {}]
