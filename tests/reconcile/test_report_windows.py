"""A window of a report is different only if Harvest answers otherwise than is stored."""

from decimal import Decimal
from typing import Any, Callable, Dict, List

import pytest

from harvest.reconcile import verify
from sandbox import Account, Server
from tests.copy import Copy
from tests.helpers import agree, check, differing, heal, repair, sql, streams

SOME = ("clients", "projects", "tasks", "users", "time_entries", "expenses", "invoices")


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    return generated(seed=7, time_entries=120, years=0.8)


def asked(server: Server, report: str) -> int:
    return sum(record.path == f"/reports/{report}" for record in server.requests)


def note(result: Any, stream: str) -> str:
    return next(str(each.note) for each in result.comparisons if each.stream == stream)


def test_figures_of_harvest_that_contradict_each_other(server: Server) -> None:
    """As five entries of 0.333 hours, where the report says 0.33."""
    entries = server.account.rows("time_entries")
    # the hours of a task with a running timer are not compared
    running = {row["task"]["id"] for row in entries if row["is_running"]}

    def less(body: Dict[str, Any]) -> None:
        row = next(row for row in body["results"] if row["task_id"] not in running)
        row["total_hours"] = round(row["total_hours"] - 0.003, 3)

    server.faults.add("/reports/time/tasks", "mutate", times=None, change=less)
    copy = Copy(server).of(*SOME, "time_tasks", "time_team")
    copy.run()
    result = check(copy)
    agree(result)
    assert "contradict each other: total_hours by 0.00" in note(result, "time_tasks")
    assert not note(result, "time_team")
    repair(copy)
    # once confirmed, it is said, and not asked for again
    server.requests.clear()
    for result in (repair(copy), check(copy)):
        agree(result)
        assert "contradict" in note(result, "time_tasks")
    assert asked(server, "time/tasks") == 0
    # and what changes beside it is found all the same
    entry = server.account.rows("time_entries")[-1]
    server.account.edit("time_entries", entry["id"], touch=False, hours=7.75)
    assert differing(repair(copy)) == {"time_entries", "time_tasks", "time_team"}
    copy.check("time_team")
    agree(check(copy))


@pytest.mark.parametrize(
    "change",
    [
        {"total_hours": "total_hours + 0.01"},
        {"billable_hours": "billable_hours - 0.01"},
        {"billable_amount": "billable_amount + 5"},
        {"user_name": "'Nobody'"},
        {"currency": "'XXX'"},
    ],
)
def test_each_column_that_a_report_sums_up_or_repeats(
    server: Server, change: Dict[str, str]
) -> None:
    copy = Copy(server).of(*SOME, "time_team")
    copy.begin(healed=True)
    agree(check(copy))
    ((name, value),) = change.items()
    sql(copy, f"UPDATE {{}}time_team SET {name} = {value} WHERE user_id ="
              " (SELECT MIN(user_id) FROM {}time_team)")  # fmt: skip
    assert differing(check(copy)) == {"time_team"}
    repair(copy)
    copy.check("time_team")
    agree(check(copy))


def test_invoicing_a_fixed_fee_changes_all_windows(server: Server) -> None:
    """Also those without an entry of the project."""
    account = server.account
    copy = Copy(server, report_period="month").of(*SOME, "uninvoiced")
    heal(copy)
    project = next(
        row
        for row in account.rows("projects")
        if row["is_fixed_fee"] and row["is_active"] and row["is_billable"]
    )
    before = amounts(copy, project["id"])
    assert len(before) > 4
    invoice = account.rows("invoices")[0]
    line = {**invoice["line_items"][0], "project": {"id": project["id"]}, "amount": 100}
    account.edit("invoices", invoice["id"], line_items=[*invoice["line_items"], line])
    account.clock.advance(60)
    heal(copy)
    after = amounts(copy, project["id"])
    assert after.keys() == before.keys()
    begun = {month for month, amount in before.items() if amount}
    assert {month for month in after if after[month] == before[month] - 100} == begun
    assert len(begun) > 2
    copy.check("uninvoiced", period="month")
    server.requests.clear()
    agree(check(copy))
    assert asked(server, "uninvoiced") == 0


def amounts(copy: Copy, project: int) -> Dict[Any, Decimal]:
    return {
        row["period_start"]: row["uninvoiced_amount"]
        for row in copy.table("uninvoiced")
        if row["project_id"] == project
    }


@pytest.mark.long
def test_not_more_windows_than_harvest_answers_at_once(server: Server) -> None:
    """The others are not called equal, and are read by the next runs."""
    copy = Copy(server, report_period="month").of(*SOME, "time_team")
    copy.begin(healed=True)
    server.requests.clear()
    sql(copy, "UPDATE {}time_team SET total_hours = total_hours + 1")
    windows = len({row["period_start"] for row in copy.table("time_team")})
    few = {"report_rate_limit": 3, "report_rate_window": 0.1}
    result = verify(copy.pipeline, copy.source(**few))
    assert asked(server, "time/team") == 3
    assert differing(result) == {"time_team"}
    assert f"{windows - 3} windows may be out of date" in note(result, "time_team")
    results: List[Any] = []
    while not results or streams(results[-1], "different"):
        results.append(repair(copy, **few))
        assert len(results) <= windows / 3 + 2
    copy.check("time_team", period="month")
    agree(check(copy))


def test_days_that_no_window_covers(server: Server) -> None:
    copy = Copy(server).of(*SOME, "time_team")
    copy.begin(healed=True)
    entry = server.account.rows("time_entries")[5]
    server.account.edit("time_entries", entry["id"], touch=False, spent_date="0026-05-01")
    repair(copy)
    assert "1 row " in note(check(copy), "time_team")
