"""Values that mean the same, however Harvest writes them and a destination gives them back."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from harvest.reconcile.comparable import as_day, as_decimal, comparable

SAME = [
    ("decimal", Decimal("2.11"), "2.11"),
    ("decimal", Decimal("2.11"), Decimal("2.110000")),
    ("decimal", Decimal("2.11"), 2.11),
    ("decimal", 7, Decimal("7.000000")),
    ("decimal", Decimal("0.30000000000000004"), Decimal("0.3")),
    ("decimal", Decimal("1000000000.3000001"), Decimal("1000000000.30")),
    ("decimal", Decimal("7.1234567"), "7.1234567"),
    ("decimal", Decimal("0.3333333333333333"), "0.3333333333333333"),
    ("decimal", Decimal("1E+300"), "1E+300"),
    ("decimal", "", ""),
    ("decimal", "two", "two"),
    ("decimal", "NaN", "NaN"),
    ("decimal", True, "True"),
    ("double", Decimal("7.25"), 7.25),
    ("bigint", 126000, "126000"),
    ("bigint", Decimal("1.5"), Decimal("1.500000000")),
    ("bigint", 2**63, str(2**63)),
    ("bigint", "many", "many"),
    ("text", Decimal("0.575"), "0.575"),
    ("text", True, "True"),
    ("text", 5, "5"),
    ("bool", 1, True),
    ("bool", "maybe", "maybe"),
    ("date", "2024-02-29", date(2024, 2, 29)),
    ("date", "2024-02-31", "2024-02-31"),
    ("date", "soon", "soon"),
    ("timestamp", "2024-02-29T08:00:00Z", datetime(2024, 2, 29, 8)),
    ("timestamp", "2024-02-29T08:00:00Z", datetime(2024, 2, 29, 8, tzinfo=timezone.utc)),
    (
        "timestamp",
        "2024-02-29T08:00:00Z",
        datetime(2024, 2, 29, 9, tzinfo=timezone(timedelta(hours=1))),
    ),
    ("timestamp", "yesterday", "yesterday"),
]
DIFFERENT = [
    ("decimal", Decimal("2.11"), Decimal("2.12")),
    ("decimal", Decimal("1000000000.30"), Decimal("1000000000.31")),
    ("decimal", 1, True),
    ("decimal", 0, ""),
    ("text", "0.575", "0.575000"),
    ("date", "2024-02-29", date(2024, 3, 1)),
    ("bool", True, False),
    ("timestamp", "2024-02-29T08:00:00Z", datetime(2024, 2, 29, 8, 0, 1)),
]


@pytest.mark.parametrize(("data_type", "theirs", "ours"), SAME)
def test_the_same(data_type: str, theirs: Any, ours: Any) -> None:
    found = comparable(theirs, data_type), comparable(ours, data_type)
    assert found[0] == found[1]
    assert hash(found[0]) == hash(found[1])


@pytest.mark.parametrize(("data_type", "theirs", "ours"), DIFFERENT)
def test_not_the_same(data_type: str, theirs: Any, ours: Any) -> None:
    assert comparable(theirs, data_type) != comparable(ours, data_type)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, 0), ("", 0), ("two", 0), (0.1, "0.1"), ("2.50", "2.5"), (3, 3), (True, 0)],
)
def test_sums_leave_out_what_is_no_number(value: Any, expected: Any) -> None:
    assert as_decimal(value) == Decimal(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-02-29", date(2024, 2, 29)),
        (date(2024, 2, 29), date(2024, 2, 29)),
        (datetime(2024, 2, 29, 8), date(2024, 2, 29)),
        ("2024-02-31", None),
        ("soon", None),
        (None, None),
        (7, None),
    ],
)
def test_days(value: Any, expected: Any) -> None:
    assert as_day(value) == expected
