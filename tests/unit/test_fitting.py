"""How a value is stored, whatever Harvest sends in its place."""

from decimal import Decimal
from typing import Any, Optional

import pytest

from harvest.streams.values import as_text, coerce_for_column, round_to_scale, value_at

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
def test_round_to_scale(value: Any, expected: Optional[Decimal]) -> None:
    assert round_to_scale(value) == expected


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
def test_coerce_for_column(value: Any, data_type: Optional[str], expected: Any) -> None:
    found = coerce_for_column(value, data_type)
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
