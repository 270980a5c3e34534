"""How a value is stored, whatever Harvest sends in its place."""

from decimal import Decimal
from typing import Any, Optional

import pytest

from harvest.streams.cursor import MOST_DIGESTS, Boundary, Cursor
from harvest.streams.values import as_text, fit, meant, value_at

D = Decimal


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (D("2.11"), D("2.11")),
        (7, D(7)),
        (D("0.30000000000000004"), D("0.3")),
        (D("1000000000.3000001"), D("1000000000.3")),
        (D("12345678901234.567891"), D("12345678901234.567891")),
        (D("99999999999999.5"), D("99999999999999.5")),
        (D("0.3333333333333333"), None),
        (D("7.1234567"), None),
        (D("100000000000000"), None),
        (D("1e300"), None),
        (D("-0.25"), D("-0.25")),
        (D("NaN"), None),
    ],
)
def test_meant(value: Any, expected: Optional[Decimal]) -> None:
    assert meant(value) == expected


@pytest.mark.parametrize(
    ("value", "data_type", "expected"),
    [
        (None, "decimal", None),
        ("2.11", "decimal", D("2.11")),
        ("25.0", "decimal", D(25)),
        ("25.0", "bigint", 25),
        ("126000", "bigint", 126000),
        ("", "decimal", ""),
        (" 1", "decimal", " 1"),
        ("1_000", "bigint", "1_000"),
        ("two", "decimal", "two"),
        ("2024-02-31", "date", "2024-02-31"),
        (D("5.0"), "bigint", 5),
        (D("1.5"), "bigint", D("1.5")),
        (2**63, "bigint", {"v_text": str(2**63)}),
        (2**63 - 1, None, 2**63 - 1),
        (10**15, "decimal", {"v_text": str(10**15)}),
        (D("0.3333333333333333"), "decimal", {"v_text": "0.3333333333333333"}),
        (True, "decimal", True),
        ("2.11", None, "2.11"),
    ],
)
def test_fit(value: Any, data_type: Optional[str], expected: Any) -> None:
    found = fit(value, data_type)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("x", "x"),
        (D("0.575"), "0.575"),
        (12, "12"),
        (True, "true"),
        ({"id": 7}, '{"id": 7}'),
        (["a", None], '["a", null]'),
    ],
)
def test_as_text(value: Any, expected: Optional[str]) -> None:
    assert as_text(value) == expected


@pytest.mark.parametrize(
    ("column", "expected"),
    [("id", 1), ("client__id", 2), ("client__name", None), ("project__id", None), ("a__b", 3)],
)
def test_value_at(column: str, expected: Any) -> None:
    row = {"id": 1, "client": {"id": 2}, "project": None, "a__b": 3}
    assert value_at(row, column) == expected


def row(key: int, at: str, **more: Any) -> Any:
    return {"id": key, "updated_at": f"2026-03-10T12:00:{at}Z", **more}


NOW = "2026-03-10T12:00:30Z"


def test_rows_at_the_cursors_second_come_once() -> None:
    state: Any = {}
    first = Boundary(state)
    rows = [row(1, "05"), row(2, "10"), row(3, "10")]
    assert first.new(rows, NOW) == rows
    first.remember()
    assert len(state["boundary"]) == 2
    again = Boundary(state)
    # one of them has changed within that second, one is new, the cursor's rows are known
    changed = [row(3, "10", notes="x"), row(4, "10")]
    assert again.new([row(2, "10"), *changed], NOW) == changed
    again.remember()
    assert Boundary(state).new([row(2, "10"), *changed], NOW) == []


def test_too_many_rows_at_one_second_all_come_again() -> None:
    state: Any = {}
    many = [row(key, "10") for key in range(MOST_DIGESTS + 1)]
    first = Boundary(state)
    first.new(many, NOW)
    first.remember()
    assert state["boundary"] == []
    assert Boundary(state).new(many, NOW) == many


@pytest.mark.parametrize(
    ("values", "now", "stands", "expected"),
    [
        (("b",), None, False, "b"),
        (("b", "a"), None, False, "b"),
        (("b", "a"), "aa", False, "aa"),
        (("b", "a"), "c", False, "b"),
        # a sample of a list must not move the cursor
        (("b", "a"), "c", True, "a"),
        (("b",), "c", True, "0001-01-01T00:00:00Z"),
    ],
)
def test_the_cursor(values: Any, now: Optional[str], stands: bool, expected: str) -> None:
    cursor = Cursor()
    cursor.now, cursor.stands = now, stands
    assert cursor.latest(values) == expected
