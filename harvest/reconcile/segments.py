"""Finding the rows that differ by counts and sums: which days to ask about next.

The rows of a long list are counted and summed up by year. A segment whose figures
differ is bisected until its rows fit on one page, and read then. Nothing here knows
how Harvest is asked.
"""

from collections import Counter
from datetime import date, timedelta  # noqa: I251
from typing import Any, Awaitable, Callable, Dict, Iterable, List, Tuple

from ..settings import PER_PAGE
from ..typing import Row, Window

Figures = Dict[str, Any]
"""Counts and sums by name: `rows`, `billed`, `approved`, `submitted`, `amount`."""
ONE_DAY = timedelta(days=1)


async def bisect(
    days: Dict[date, Figures],
    theirs: Dict[Window, Figures],
    budget: int,
    ask: Callable[[Window, List[str]], Awaitable[Figures]],
    read: Callable[[Window], Awaitable[None]],
) -> bool:
    """Read the segments that differ, and return whether these were all.

    Args:
        days (Dict[date, Figures]): The figures of the destination by day.
        theirs (Dict[Window, Figures]): Harvest's figures of each year.
        budget (int): Requests after which it costs less to read the whole list.
        ask (Callable): Returns figures of a segment.
        read (Callable): Reads the rows of a segment.
    """
    segments = []
    for window, figures in theirs.items():
        if difference := subtract(figures, within(days, window)):
            segments.append((window, difference))
            # each row that may be deleted is asked for once more
            budget -= abs(difference.get("rows", 0))
    while segments and budget >= 0:
        window, difference = segments.pop()
        here = within(days, window).get("rows", 0)
        rows = max(here, here + difference.get("rows", 0))
        if rows <= PER_PAGE or window[0] == window[1]:
            await read(window)
            budget -= 1
            continue
        first, second = halves(window)
        answer = await ask(first, [*difference])
        of_first = subtract(answer, within(days, first))
        of_second = subtract(difference, of_first)
        parts = (first, of_first), (second, of_second)
        segments += [part for part in parts if part[1]]
    return not segments


def halves(window: Window) -> Tuple[Window, Window]:
    """Return the two halves of a window of two days or more."""
    middle = window[0] + (window[1] - window[0]) // 2
    return (window[0], middle), (middle + ONE_DAY, window[1])


def within(days: Dict[date, Figures], window: Window) -> Figures:
    """Return the sums of the figures of the days of a window."""
    sums: Counter[str] = Counter()
    for day, figures in days.items():
        if window[0] <= day <= window[1]:
            sums.update(figures)
    return dict(sums)


def subtract(figures: Figures, others: Figures) -> Figures:
    """Return by how much figures are higher than others of the same names.

    Those that agree are left out.

    >>> subtract({"rows": 4, "billed": 1}, {"rows": 3, "billed": 1, "amount": 8})
    {'rows': 1}
    """
    less = {name: value - others.get(name, 0) for name, value in figures.items()}
    return {name: value for name, value in less.items() if value}


def years_of(days: Iterable[date]) -> List[Window]:
    """Return the calendar years that days lie in, oldest first."""
    years = sorted({day.year for day in days})
    return [(date(year, 1, 1), date(year, 12, 31)) for year in years]


def gaps(windows: List[Window]) -> List[Row]:
    """Return the filters for the days outside of windows, which are sorted.

    >>> gaps([(date(2024, 1, 1), date(9999, 12, 31))])
    [{'to': datetime.date(2023, 12, 31)}]
    """
    found: List[Row] = []
    since: Row = {}
    for first, last in windows:
        if since.get("from") != first:
            found.append({**since, "to": first - ONE_DAY})
        if last == date.max:
            return found
        since = {"from": last + ONE_DAY}
    return [*found, since]
