"""Decide what is due to be read: pure functions, for load and dry run alike.

State goes in, and since when, which parents or which windows are due comes out.
"""

import calendar
from datetime import date, datetime, timedelta  # noqa: I251
from typing import Any, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

from ..typing import Row, Rows, Window

MOST_YEARS_AGO = 50
MOST_YEARS_AHEAD = 5
"""Reports leave out rows that are dated further away."""


class ParentsDue(NamedTuple):
    """The parents that one stream asks for.

    Attributes:
        since (Optional[str]): Those updated since then, by Harvest's clock; None for
            all.
        read_before (bool): Their children were read before: some may be deleted now.
        everything (bool): The children of all parents are due.
        after (Tuple[str, str]): Those behind it, in the order of `order_of`: what was
            read by an earlier run, which did not come to the end.
        began (str): When that run began, by Harvest's clock.
    """

    since: Optional[str]
    read_before: bool
    everything: bool = False
    after: Tuple[str, str] = ("", "")
    began: str = ""

    @property
    def begins(self) -> bool:
        """Return whether the children of all parents are read from the first one on."""
        return self.everything and self.after == ("", "")

    def had(self, parent: Row) -> bool:
        """Return whether the children of a parent may have been read before."""
        # it was, and has changed since then, so that it comes again
        again = bool(self.began) and order_of(parent)[0] >= self.began
        return self.read_before or again

    def asks_for(self, parent: Row) -> bool:
        """Return whether the children of a parent are due."""
        place = order_of(parent)
        return place > self.after and (place[0] or self.since or "") >= (
            self.since or ""
        )


def order_of(parent: Row) -> Tuple[str, str]:
    """Return what parents are sorted by: those that changed last come last."""
    return str(parent.get("updated_at") or ""), str(parent["id"])


def utc(moment: datetime) -> str:
    """Return a moment as Harvest writes it: to the second, in UTC."""
    # strftime leaves the zeros out of the year 0203
    return f"{moment.isoformat()[:19]}Z"


def second_before(cursor: Optional[str]) -> Optional[str]:
    """Return an `updated_since` that covers the cursor's own second in any case.

    >>> second_before("2024-03-01T00:00:00Z")
    '2024-02-29T23:59:59Z'
    """
    if not cursor:
        return None
    try:
        moment = datetime.fromisoformat(cursor.replace("Z", "+00:00"))
        return utc(moment - timedelta(seconds=1))
    except (ValueError, OverflowError):
        return None


def cursor_of(state: Row, start: Optional[str]) -> Optional[str]:
    """Return where a list's last run left off, or where its first one begins."""
    if "unfinished" in state:
        unmoved: Optional[str] = state["unfinished"]
        return unmoved
    known = state.get("incremental", {}).get("updated_at")
    return known.get("last_value") if known else start


def parents_due(
    state: Row, now: datetime, refresh_hours: float, is_child: bool = True
) -> ParentsDue:
    """Return the parents that a stream asks for.

    Args:
        state (Dict[str, Any]): What its last run left behind.
        now (datetime): The time, with its zone.
        refresh_hours (float): Hours until the children of all parents are due again.
        is_child (bool): Or else it is the table of the parents themselves.
    """
    if not is_child:
        return ParentsDue(cursor_of(state, None), read_before=False)
    if walk := state.get("walk"):
        # what was updated behind that place comes again, what was before it does not
        after = (str(walk["after"][0]), str(walk["after"][1]))
        since, known = walk["since"], "walked_at" in state
        return ParentsDue(after[0] or since, known, not since, after, walk["began"])
    walked_at = state.get("walked_at")
    if walked_at is None:
        return ParentsDue(None, read_before=False, everything=True)
    hours = (now - datetime.fromisoformat(walked_at)).total_seconds() / 3600
    # a clock that was set back must not put the reading off
    due = not 0 <= hours < refresh_hours
    return ParentsDue(None if due else state["read_at"], True, due)


def earliest(due: Iterable[ParentsDue], start: Optional[str]) -> Optional[str]:
    """Return since when a list of parents is read: as the neediest stream asks."""
    starts = [each.since for each in due]
    since = None if None in starts else min(each for each in starts if each)
    return second_before(since) or start


def months_in(rows: Rows, column: str) -> Set[str]:
    """Return the months in which rows are dated; what is no date is passed over.

    >>> months_in([{"spent_date": "2024-05-02"}, {"spent_date": "soon"}], "spent_date")
    {'2024-05'}
    """
    return {day[:7] for row in rows if (day := _day(row.get(column)))}


def months_between(first: str, last: str) -> Set[str]:
    """Return all months from one to another, both included.

    >>> sorted(months_between("2023-12", "2024-01"))
    ['2023-12', '2024-01']
    """
    days = (date.fromisoformat(f"{each}-01") for each in (first, last))
    return {str(window[0])[:7] for window in report_windows("month", *days)}


def known_months(state: Row, name: str, today: date) -> Optional[Set[str]]:
    """Return the months in which a list has rows; None if nobody has looked yet.

    Args:
        state (Dict[str, Any]): What the last run of the source left behind.
        name (str): The list.
        today (date): Today.
    """
    if name in (months := state.get("months", {})):
        return {*months[name]}
    # older versions knew the first and the last day
    if span := state.get("spent_dates", {}).get(name):
        first = max(span[0], str(date(today.year - MOST_YEARS_AGO, 1, 1)))
        last = min(span[1], str(date(today.year + MOST_YEARS_AHEAD, 12, 31)))
        return months_between(first[:7], last[:7])
    return None


def windows_wanted(
    period: str, months: Iterable[str], start: Optional[str], today: date
) -> List[Window]:
    """Return the windows of reports in which there are rows, and the present one.

    Args:
        period (str): `year`, `quarter` or `month`.
        months (Iterable[str]): The months with time entries or expenses.
        start (Optional[str]): The source's `start_date`, in the first window.
        today (date): Today.
    """
    # one day on, where it is tomorrow already
    tomorrow = today + timedelta(days=1)
    days = [date.fromisoformat(f"{month}-01") for month in months]
    found = {
        report_windows(period, day, day)[0]
        for day in (tomorrow, *days)
        # a slip of the pen, such as the year 0203 or 9999, is no time of work
        if today.year - MOST_YEARS_AGO <= day.year <= today.year + MOST_YEARS_AHEAD
    }
    begun = date.fromisoformat(start[:10]) if start else date.min
    return sorted(each for each in found if each[1] >= min(begun, tomorrow))


def report_windows(period: str, first: date, last: date) -> List[Window]:
    """Return the years, quarters or months of the calendar from one day to another.

    Args:
        period (str): `year`, `quarter` or `month`.
        first (date): A day in the first of them.
        last (date): A day in the last of them.
    """
    months = {"year": 12, "quarter": 3, "month": 1}[period]
    found = []
    year, month = first.year, (first.month - 1) // months * months + 1
    while (year, month) <= (last.year, last.month):
        end = month + months - 1
        days = calendar.monthrange(year, end)[1]
        found.append((date(year, month, 1), date(year, end, days)))
        year, month = (year, end + 1) if end < 12 else (year + 1, 1)
    return found


def windows_due(
    wanted: Sequence[Window], known: Sequence[Any], today: date, lookback_days: int
) -> List[Window]:
    """Return the windows that were not read before, or can still move.

    Args:
        wanted (Sequence[Window]): All windows.
        known (Sequence[Any]): Those that were read, as `[first, last]` in text.
        today (date): Today.
        lookback_days (int): Days after its end in which a window is read again.
    """
    settled = today - timedelta(days=lookback_days)
    return [
        window
        for window in wanted
        if [str(day) for day in window] not in known or window[1] >= settled
    ]


def name_of(window: Sequence[Any]) -> str:
    """Return the name of a window in the state.

    >>> name_of((date(2024, 1, 1), date(2024, 12, 31)))
    '2024-01-01/2024-12-31'
    """
    return f"{window[0]}/{window[1]}"


def years_due(today: date) -> List[int]:
    """Return the years of what is read for this year and the last.

    >>> years_due(date(2026, 1, 31))
    [2025, 2026]
    """
    return [today.year - 1, today.year]


def sees_as_much(owner: Row, before: Optional[Row]) -> bool:
    """Return whether the token's owner sees all rows that were loaded before.

    An administrator sees everything. Anybody else must be who loaded it, in the same
    roles: to another person, rows that still exist look deleted.

    Args:
        owner (Dict[str, Any]): `id` and `access_roles` of the owner.
        before (Optional[Dict[str, Any]]): The same of who loaded; None if nobody did.
    """
    return before is None or owner == before or "administrator" in owner["access_roles"]


def _day(value: Any) -> Optional[str]:
    """Return the day, unless the value is no date."""
    try:
        return str(date.fromisoformat(value))
    except (TypeError, ValueError):
        return None
