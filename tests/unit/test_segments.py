"""Bisection by counts and sums: which segments are read, and at what price."""

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Dict, List, Set, Tuple

import pytest

from harvest.reconcile.segments import bisect, gaps, halves, subtract, within, years_of

Figures = Dict[str, Any]
Days = Dict[date, Figures]
Window = Tuple[date, date]
YEAR = (date(2024, 1, 1), date(2024, 12, 31))


def days(rows_a_day: int = 100, amount: int = 8) -> Days:
    """A year with rows on each day."""
    first = YEAR[0]
    return {
        first + timedelta(days=n): {
            "rows": Decimal(rows_a_day),
            "billed": Decimal(rows_a_day // 2),
            "amount": Decimal(amount * rows_a_day),
        }
        for n in range(366)
    }


def changed(here: Days, day: date, **more: int) -> Days:
    figures = {name: value + more.get(name, 0) for name, value in here[day].items()}
    return {**here, day: figures}


def search(here: Days, theirs: Days, budget: int = 100) -> Tuple[Set[date], int, bool]:
    """Runs a bisection against figures in memory.

    Returns the days that were read, the number of questions, and whether it gave up.
    """
    read_days: Set[date] = set()
    asked = 0

    async def ask(window: Window, names: List[str]) -> Figures:
        nonlocal asked
        asked += 1
        wanted = within(theirs, window)
        return {name: wanted.get(name, 0) for name in names}

    async def read(window: Window) -> None:
        nonlocal asked
        asked += 1
        read_days.update(day for day in here if window[0] <= day <= window[1])

    years = {YEAR: within(theirs, YEAR)}
    found_all = asyncio.run(bisect(here, years, budget, ask, read))
    return read_days, asked, not found_all


ODD = date(2024, 8, 17)


@pytest.mark.parametrize(
    "more", [{"rows": 1}, {"rows": -1}, {"billed": 1}, {"amount": 3}, {"rows": 1, "amount": 8}]
)
def test_one_day_that_differs_is_found(more: Dict[str, int]) -> None:
    here = days()
    read, asked, exhausted = search(here, changed(here, ODD, **more))
    assert ODD in read
    assert len(read) <= 23
    assert asked <= 6
    assert not exhausted


def test_days_far_apart_are_found() -> None:
    here = days()
    theirs = changed(changed(here, date(2024, 1, 1), rows=1), date(2024, 12, 31), rows=-1)
    # the year as a whole agrees, but for one figure
    theirs = changed(theirs, ODD, billed=1)
    read, _, _ = search(here, theirs)
    assert ODD in read


def test_equal_figures_ask_nothing() -> None:
    assert search(days(), days()) == (set(), 0, False)


def test_too_much_that_differs_is_not_looked_for() -> None:
    here = days()
    read, asked, exhausted = search(here, changed(here, ODD, rows=-101), budget=100)
    assert (read, asked, exhausted) == (set(), 0, True)


def test_one_day_with_too_many_rows_is_read_all_the_same() -> None:
    here = {ODD: {"rows": Decimal(5000)}}
    read, _, _ = search(here, {ODD: {"rows": Decimal(5001)}})
    assert read == {ODD}


def test_halves_meet_and_cover() -> None:
    assert halves((date(2024, 2, 28), date(2024, 3, 1))) == (
        (date(2024, 2, 28), date(2024, 2, 29)),
        (date(2024, 3, 1), date(2024, 3, 1)),
    )


@pytest.mark.parametrize(
    ("figures", "others", "expected"),
    [
        ({"rows": 4}, {"rows": 4}, {}),
        ({"rows": 4}, {}, {"rows": 4}),
        ({"rows": 4}, {"rows": 5, "amount": 1}, {"rows": -1}),
        ({"amount": Decimal("0.1")}, {"amount": Decimal("0.10")}, {}),
        ({"amount": Decimal("8.05")}, {"amount": Decimal("8.00")}, {"amount": Decimal("0.05")}),
    ],
)
def test_subtract(figures: Figures, others: Figures, expected: Figures) -> None:
    assert subtract(figures, others) == expected


def test_years_leave_out_those_without_rows() -> None:
    """A slip of the pen costs one question, and not one for each year since then."""
    found = years_of([date(203, 5, 1), date(2024, 1, 1), date(2024, 6, 1), date(9999, 12, 31)])
    assert [start.year for start, _ in found] == [203, 2024, 9999]


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([], [{}]),
        ([YEAR], [{"to": date(2023, 12, 31)}, {"from": date(2025, 1, 1)}]),
        (
            [(date(203, 1, 1), date(203, 12, 31)), YEAR],
            [
                {"to": date(202, 12, 31)},
                {"from": date(204, 1, 1), "to": date(2023, 12, 31)},
                {"from": date(2025, 1, 1)},
            ],
        ),
        ([(date(9999, 1, 1), date(9999, 12, 31))], [{"to": date(9998, 12, 31)}]),
    ],
)
def test_gaps(windows: List[Any], expected: List[Any]) -> None:
    assert gaps(windows) == expected
