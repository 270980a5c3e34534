"""The rules of what is due, each as a table."""

import itertools
from datetime import date, datetime, timedelta, timezone
from typing import Any, Dict, List, Optional, Set

import pytest

from harvest.streams.due import (
    ParentsDue,
    cursor_of,
    earliest,
    known_months,
    months_between,
    months_in,
    parents_due,
    report_windows,
    second_before,
    sees_as_much,
    windows_due,
    windows_wanted,
    years_due,
)

NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)
TODAY = NOW.date()


def hours_ago(hours: float) -> str:
    return (NOW - timedelta(hours=hours)).isoformat()


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        (None, None),
        ("", None),
        ("2024-03-01T00:00:00Z", "2024-02-29T23:59:59Z"),
        ("2024-01-01T00:00:00+00:00", "2023-12-31T23:59:59Z"),
        ("0203-05-01T00:00:01Z", "0203-05-01T00:00:00Z"),
        # what nobody can make sense of means everything
        ("soon", None),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_second_before(cursor: Optional[str], expected: Optional[str]) -> None:
    assert second_before(cursor) == expected


@pytest.mark.parametrize(
    ("state", "start", "expected"),
    [
        ({}, None, None),
        ({}, "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ({"incremental": {"updated_at": {"last_value": "x"}}}, "2024-01-01T00:00:00Z", "x"),
        ({"incremental": {"updated_at": {"last_value": None}}}, "2024-01-01T00:00:00Z", None),
    ],
)
def test_cursor_of(state: Dict[str, Any], start: Optional[str], expected: Optional[str]) -> None:
    assert cursor_of(state, start) == expected


@pytest.mark.parametrize(
    ("state", "hours", "expected"),
    [
        ({}, 24, ParentsDue(None, False, True)),
        ({"walked_at": hours_ago(1), "read_at": "r"}, 24, ParentsDue("r", True)),
        ({"walked_at": hours_ago(25), "read_at": "r"}, 24, ParentsDue(None, True, True)),
        ({"walked_at": hours_ago(24), "read_at": "r"}, 24, ParentsDue(None, True, True)),
        ({"walked_at": hours_ago(1), "read_at": "r"}, 0, ParentsDue(None, True, True)),
        # the clock was set back
        ({"walked_at": hours_ago(-5), "read_at": "r"}, 24, ParentsDue(None, True, True)),
        # cut half way, it goes on, also when all of it is due again
        (
            {"walk": {"since": None, "began": "b", "after": ["u", "7"]}},
            24,
            ParentsDue("u", False, True, ("u", "7"), "b"),
        ),
        (
            {
                "walked_at": hours_ago(25),
                "read_at": "r",
                "walk": {"since": "r", "began": "b", "after": ["u", "7"]},
            },
            24,
            ParentsDue("u", True, False, ("u", "7"), "b"),
        ),
    ],
)
def test_parents_due(state: Dict[str, Any], hours: float, expected: ParentsDue) -> None:
    assert parents_due(state, NOW, hours) == expected


@pytest.mark.parametrize(
    ("due", "asked"),
    [
        (ParentsDue(None, False, True), ["1", "2", "3", "4"]),
        (ParentsDue("b", True), ["1", "3", "4"]),
        (ParentsDue("b", True, True, ("b", "3")), ["4"]),
        (ParentsDue("c", True, False, ("c", "4")), []),
    ],
)
def test_parents_that_are_asked_for(due: ParentsDue, asked: List[str]) -> None:
    parents = [
        {"id": 1},
        {"id": 2, "updated_at": "a"},
        {"id": 3, "updated_at": "b"},
        {"id": 4, "updated_at": "c"},
    ]
    assert [str(each["id"]) for each in parents if due.asks_for(each)] == asked


@pytest.mark.parametrize(
    ("due", "had"),
    [
        (ParentsDue(None, False, True), False),
        (ParentsDue("b", True), True),
        # read by an earlier step, and changed since then
        (ParentsDue("b", False, True, ("b", "3"), "c"), True),
        (ParentsDue("b", False, True, ("b", "3"), "d"), False),
    ],
)
def test_parents_whose_children_may_be_deleted(due: ParentsDue, had: bool) -> None:
    assert due.had({"id": 4, "updated_at": "c"}) is had


def test_parents_for_their_own_table() -> None:
    state = {"incremental": {"updated_at": {"last_value": "x"}}}
    assert parents_due(state, NOW, 24, is_child=False) == ParentsDue("x", False)


@pytest.mark.parametrize(
    ("since", "start", "expected"),
    [
        ([None], None, None),
        ([None, "2024-05-01T00:00:00Z"], None, None),
        ([None, "2024-05-01T00:00:00Z"], "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        (["2024-06-01T00:00:01Z", "2024-05-01T00:00:01Z"], None, "2024-05-01T00:00:00Z"),
    ],
)
def test_earliest(
    since: List[Optional[str]], start: Optional[str], expected: Optional[str]
) -> None:
    assert earliest([ParentsDue(each, True) for each in since], start) == expected


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([], set()),
        (["2024-05-02", "2024-05-01", "2023-01-31"], {"2024-05", "2023-01"}),
        (["9999-12-31", "0026-05-01"], {"9999-12", "0026-05"}),
        # what is no date is passed over
        ([None, "soon", "2024-02-31", 5, "2024-05-01"], {"2024-05"}),
    ],
)
def test_months_in(days: List[Any], expected: Set[str]) -> None:
    assert months_in([{"spent_date": day} for day in days], "spent_date") == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, None),
        ({"months": {"expenses": ["2024-01"]}}, None),
        ({"months": {"time_entries": []}}, set()),
        ({"months": {"time_entries": ["2024-01"]}}, {"2024-01"}),
        # as older versions left it behind
        ({"spent_dates": {"time_entries": None}}, None),
        ({"spent_dates": {"time_entries": ["2025-12-31", "2026-01-01"]}}, {"2025-12", "2026-01"}),
        (
            {"spent_dates": {"time_entries": ["0203-05-01", "9999-12-31"]}},
            months_between("1976-01", "2031-12"),
        ),
    ],
)
def test_known_months(state: Dict[str, Any], expected: Any) -> None:
    assert known_months(state, "time_entries", TODAY) == expected


@pytest.mark.parametrize(
    ("period", "months", "start", "expected"),
    [
        ("month", [], None, ["2026-03-01"]),
        ("month", ["2024-05", "2025-01"], None, ["2024-05-01", "2025-01-01", "2026-03-01"]),
        ("month", ["2027-01"], None, ["2026-03-01", "2027-01-01"]),
        ("month", ["2024-05", "2025-01"], "2024-08-01T00:00:00Z", ["2025-01-01", "2026-03-01"]),
        ("year", ["2024-05", "2024-06"], "2024-08-01T00:00:00Z", ["2024-01-01", "2026-01-01"]),
        # a start in the future
        ("year", ["2024-05"], "2028-01-01T00:00:00Z", ["2026-01-01"]),
        # slips of the pen
        ("month", ["0203-05", "1924-05", "9999-12", "2204-01"], None, ["2026-03-01"]),
    ],
)
def test_windows_wanted(
    period: str, months: List[str], start: Optional[str], expected: List[str]
) -> None:
    found = windows_wanted(period, months, start, TODAY)
    assert [str(first) for first, _ in found] == expected


@pytest.mark.parametrize(
    ("period", "first", "last", "expected"),
    [
        ("year", "2024-05-01", "2024-05-01", ["2024-01-01/2024-12-31"]),
        ("year", "2023-12-31", "2024-01-01", ["2023-01-01/2023-12-31", "2024-01-01/2024-12-31"]),
        ("quarter", "2024-02-29", "2024-04-01", ["2024-01-01/2024-03-31", "2024-04-01/2024-06-30"]),
        ("quarter", "2024-11-01", "2024-12-31", ["2024-10-01/2024-12-31"]),
        ("month", "2023-12-15", "2024-02-01", ["2023-12-01/2023-12-31", *[
            "2024-01-01/2024-01-31", "2024-02-01/2024-02-29"]]),
        ("month", "2024-02-01", "2024-01-31", []),
    ],
)  # fmt: skip
def test_report_windows(period: str, first: str, last: str, expected: List[str]) -> None:
    found = report_windows(period, date.fromisoformat(first), date.fromisoformat(last))
    assert [f"{start}/{end}" for start, end in found] == expected


@pytest.mark.parametrize("period", ["year", "quarter", "month"])
def test_report_windows_leave_nothing_out(period: str) -> None:
    found = report_windows(period, date(2019, 7, 14), date(2026, 2, 3))
    assert found[0][0] <= date(2019, 7, 14)
    assert found[-1][1] >= date(2026, 2, 3)
    for (_, end), (start, _) in itertools.pairwise(found):
        assert start - end == timedelta(days=1)


@pytest.mark.parametrize(
    ("known", "lookback", "expected"),
    [
        ([], 90, [2024, 2025, 2026]),
        ([2024, 2025], 90, [2025, 2026]),
        ([2024, 2025, 2026], 30, [2026]),
        ([2024, 2025, 2026], 0, [2026]),
        ([2025], 30, [2024, 2026]),
    ],
)
def test_windows_due(known: List[int], lookback: int, expected: List[int]) -> None:
    wanted = report_windows("year", date(2024, 1, 1), date(2026, 1, 1))
    read = [[f"{year}-01-01", f"{year}-12-31"] for year in known]
    due = windows_due(wanted, read, TODAY, lookback)
    assert [start.year for start, _ in due] == expected


def test_years_due() -> None:
    assert years_due(date(2026, 1, 31)) == [2025, 2026]


@pytest.mark.parametrize(
    ("owner", "before", "expected"),
    [
        ((1, ["administrator"]), None, True),
        ((1, ["manager"]), None, True),
        ((1, ["manager"]), (1, ["manager"]), True),
        ((2, ["administrator"]), (1, ["administrator"]), True),
        ((2, ["manager"]), (1, ["manager"]), False),
        ((1, ["manager"]), (1, ["administrator"]), False),
        ((1, ["member"]), (1, ["manager", "member"]), False),
        ((None, []), (None, []), True),
        ((None, []), (1, ["administrator"]), False),
    ],
)
def test_sees_as_much(owner: Any, before: Any, expected: bool) -> None:
    def row(who: Any) -> Any:
        return who and {"id": who[0], "access_roles": who[1]}

    assert sees_as_much(row(owner), row(before)) is expected
