"""Windows of reports: when their sums agree with the entries, and what their digest notices."""

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, Dict, List

import pytest

from harvest.reconcile.prints import Group, WindowPrint, agrees, print_of, within
from harvest.settings import Report

REPORT = Report(("time_entries",), "project", "client_id", "total_hours")
UNINVOICED = Report(("time_entries", "expenses"), "project", "project_id", "total_hours", True)
JANUARY = date(2024, 1, 1)
MAY = datetime(2024, 5, 1, tzinfo=timezone.utc)


def group(subject: int = 1, amount: str = "8", **others: Any) -> Group:
    values: Dict[str, Any] = {
        "source": "time_entries",
        "month": JANUARY,
        "project": 5,
        "subject": subject,
        "amount": Decimal(amount),
        "running": False,
        "newest": MAY,
        "figures": "",
        **others,
    }
    return Group(**values)


def row(client: int, hours: Any) -> Dict[str, Any]:
    return {"client_id": client, "total_hours": hours}


@pytest.mark.parametrize(
    ("rows", "groups", "expected"),
    [
        ([row(1, Decimal(8))], [group()], True),
        ([row(1, 8.0)], [group()], True),
        ([row(1, "8.00")], [group()], True),
        ([row(1, Decimal("8.05"))], [group()], False),
        ([row(1, Decimal("8.01"))], [group()], False),
        ([row(1, Decimal(8))], [group(amount="3"), group(amount="5")], True),
        ([row(1, Decimal(5)), row(1, Decimal(3))], [group()], True),
        ([], [group()], False),
        ([row(2, Decimal(8))], [group()], False),
        ([row(2, Decimal(0))], [], True),
        ([row(1, Decimal("8.2"))], [group(running=True)], True),
        ([row(1, 8), row(2, 4)], [group(running=True), group(2, "3")], False),
        ([row(1, Decimal(8))], [group(), group(source="expenses", amount="70")], True),
    ],
)
def test_agreement(rows: List[Any], groups: List[Group], expected: bool) -> None:
    assert agrees(REPORT, rows, groups) == expected


def test_projects_that_a_report_leaves_out() -> None:
    rows = [{"project_id": 1, "total_hours": 8}]
    assert agrees(UNINVOICED, rows, [group(1), group(2)])
    assert not agrees(UNINVOICED, rows, [group(1, "7"), group(2)])


def seen(**others: Any) -> WindowPrint:
    record = {"name": "A", "is_fixed_fee": others.pop("fixed", False), "updated_at": MAY}
    record.update(others.pop("record", {}))
    return print_of(
        REPORT,
        others.pop("rows", [row(1, Decimal(8))]),
        others.pop("groups", [group()]),
        {(5, 1): [record]},
        others.pop("invoiced", {5: Decimal(100)}),
    )


def test_the_digest_notices() -> None:
    base = seen().digest
    assert seen().digest == base
    assert seen(rows=[row(1, Decimal(9))]).digest != base
    assert seen(groups=[group(amount="9")]).digest != base
    assert seen(groups=[group(figures="billed 3")]).digest != base
    assert seen(record={"name": "B"}).digest != base


def test_the_digest_does_not_mind() -> None:
    base = seen().digest
    # a change that moved nothing of what the report depends on
    assert seen(record={"updated_at": None}).digest == base
    assert seen(groups=[group(newest=None)]).digest == base
    # invoices, unless they leave less of a fixed fee
    assert seen(invoiced={}).digest == base
    fixed = seen(fixed=True)
    assert seen(fixed=True, invoiced={5: Decimal(99)}).digest != fixed.digest


def test_the_newest_change() -> None:
    june = datetime(2024, 6, 1, tzinfo=timezone.utc)
    assert seen().newest == MAY
    assert seen(record={"updated_at": june}).newest == june
    assert seen(groups=[]).newest is None


def test_groups_of_a_window() -> None:
    groups = [group(month=date(2024, month, 1)) for month in (1, 3, 4)]
    quarter = (JANUARY, date(2024, 3, 31))
    assert within(groups, quarter) == groups[:2]
