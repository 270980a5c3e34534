"""The sandbox answers as real accounts were seen to: reports, refusals, calendars."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timezone
from typing import Any

import pytest
import requests

from sandbox import Account, Clock, Server

BUSY = {"from": "2021-01-01", "to": "2022-01-01"}
QUIET = {"from": "2022-01-02", "to": "2022-12-16"}
BEFORE = {"from": "2020-01-01", "to": "2020-12-31"}


@pytest.fixture
def server() -> Iterator[Server]:
    """Serve an account of 2022 with one administrator, without limits."""
    clock = Clock()
    clock.freeze(datetime(2022, 12, 16, 12, tzinfo=timezone.utc))
    with Server(Account.empty(users=1, clock=clock), limits=False) as running:
        yield running


def get(server: Server, path: str, **query: Any) -> requests.Response:
    """Ask the sandbox as a client would."""
    address = server.base_url + path
    return requests.get(address, params=query, headers=server.headers(), timeout=10)


def project(server: Server, **fields: Any) -> int:
    """Add an active billable project without a budget, for time and materials."""
    given = {
        "budget_by": "none",
        "budget": None,
        "cost_budget": None,
        "budget_is_monthly": False,
        "is_billable": True,
        "is_fixed_fee": False,
        "bill_by": "Project",
        "hourly_rate": 100.0,
        "fee": None,
        "starts_on": None,
        "created_at": "2021-05-05T08:19:35Z",
        **fields,
    }
    return int(server.account.add("projects", **given)["id"])


def work(server: Server, project: int, hours: float, **fields: Any) -> None:
    """Add a time entry in the busy window."""
    given = {"spent_date": date(2021, 6, 1), "billable": True, "billable_rate": 100.0, **fields}
    server.account.add("time_entries", project_id=project, hours=hours, **given)


def uninvoiced(server: Server, **query: Any) -> dict[int, list[float]]:
    """Return the figures of the uninvoiced report by project."""
    names = ("total_hours", "uninvoiced_hours", "uninvoiced_expenses", "uninvoiced_amount")
    rows = get(server, "/reports/uninvoiced", **query).json()["results"]
    return {row["project_id"]: [row[name] for name in names] for row in rows}


def test_uninvoiced_lists_every_active_billable_project(server: Server) -> None:
    quiet = project(server)
    busy = project(server)
    work(server, busy, 2.0)
    work(server, busy, 1.0, billable=False, billable_rate=None)
    work(server, project(server, is_billable=False, bill_by="none"), 3.0, billable=False)
    work(server, project(server, is_active=False), 4.0)
    assert uninvoiced(server, **BUSY) == {quiet: [0, 0, 0, 0], busy: [3, 2, 0, 200]}
    assert uninvoiced(server, **QUIET) == {quiet: [0, 0, 0, 0], busy: [0, 0, 0, 0]}


def test_time_and_materials_are_hours_at_rates_and_expenses(server: Server) -> None:
    id = project(server)
    work(server, id, 1.25)
    given = {"project_id": id, "spent_date": date(2021, 6, 1)}
    server.account.add("expenses", **given, total_cost=23.0, billable=True)
    server.account.add("expenses", **given, total_cost=50.0, billable=False)
    assert uninvoiced(server, **BUSY)[id] == [1.25, 1.25, 23, 148]
    server.account.bill(id)
    assert uninvoiced(server, **BUSY)[id] == [1.25, 0, 0, 0]


def test_a_fee_is_the_same_in_every_window_and_not_cut_off(server: Server) -> None:
    """Drafts count, expenses do not, and more may be invoiced than the fee."""
    id = project(server, is_fixed_fee=True, fee=21900.0, bill_by="People")
    work(server, id, 2.0)
    server.account.add(
        "expenses", project_id=id, spent_date=date(2021, 6, 1), total_cost=165.0, billable=True
    )
    assert [uninvoiced(server, **when)[id][3] for when in (BUSY, QUIET)] == [21900, 21900]
    assert uninvoiced(server, **BEFORE)[id][3] == 0
    line = {"kind": "Service", "quantity": 1, "unit_price": 22000.0, "project_id": id}
    server.account.add("invoices", state="draft", line_items=[line])
    assert uninvoiced(server, **BUSY)[id] == [2, 2, 165, -100]
    assert uninvoiced(server, **QUIET)[id] == [0, 0, 0, -100]


def test_a_fee_counts_from_the_day_that_the_project_starts(server: Server) -> None:
    id = project(server, is_fixed_fee=True, fee=500.0, bill_by="none", starts_on="2022-03-01")
    until = {last: uninvoiced(server, **{"from": "2022-01-01", "to": last})[id][3] for last in (
        "2022-02-28", "2022-03-01", "2022-12-31"
    )}  # fmt: skip
    assert until == {"2022-02-28": 0, "2022-03-01": 500, "2022-12-31": 500}


def test_fees_are_counted_by_default_where_nothing_is_invoiced(server: Server) -> None:
    """The default of include_fixed_fee is true for the uninvoiced report, and only there."""
    id = project(server, is_fixed_fee=True, fee=500.0, bill_by="People")
    work(server, id, 2.0)
    assert uninvoiced(server, **BUSY) == uninvoiced(server, **BUSY, include_fixed_fee="true")
    assert id not in uninvoiced(server, **BUSY, include_fixed_fee="false")

    def amount(**query: Any) -> list[float]:
        rows = get(server, "/reports/time/projects", **BUSY, **query).json()["results"]
        return [(row["total_hours"], row["billable_hours"], row["billable_amount"]) for row in rows]

    assert amount() == amount(include_fixed_fee="false") == [(2, 2, 0)]
    assert amount(include_fixed_fee="true") == [(2, 2, 200)]


def test_amounts_are_rounded_when_they_are_summed(server: Server) -> None:
    id = project(server, hourly_rate=0.25)
    for _ in range(4):
        work(server, id, 0.25, billable_rate=0.25)
    row = get(server, "/reports/time/projects", **BUSY).json()["results"][0]
    assert row["billable_amount"] == uninvoiced(server, **BUSY)[id][3] == 0.25


def test_budgets_are_of_projects_that_have_one(server: Server) -> None:
    project(server)
    monthly = project(server, budget_by="project_cost", cost_budget=21910, budget_is_monthly=True)
    ended = project(server, budget_by="project", budget=160, is_active=False)
    work(server, ended, 141.0)
    rows = get(server, "/reports/project_budget").json()["results"]
    assert {row["project_id"]: row["budget_remaining"] for row in rows} == {
        monthly: 21910,
        ended: 19,
    }


def test_refusals_have_the_fields_that_were_recorded(server: Server) -> None:
    def refused(path: str, **headers: str) -> tuple[int, dict[str, Any]]:
        sent = server.headers() | headers
        answer = requests.get(server.base_url + path, headers=sent, timeout=10)
        return answer.status_code, answer.json()

    unknown = (404, {"status": 404, "error": "Not Found"})
    status, body = refused("/clients", Authorization="Bearer wrong")
    assert (status, sorted(body)) == (401, ["error", "error_description"])
    assert body["error"] == "invalid_token"
    server.forbidden.add("clients")
    assert refused("/clients") == (403, {"message": "Not authorized!"})
    status, body = refused("/tasks?per_page=2001")
    assert (status, sorted(body)) == (422, ["message"])
    assert refused("/time_entries/9999999999") == refused("/nothing") == unknown


def test_the_holidays_of_a_calendar_are_a_list_of_their_own(server: Server) -> None:
    calendar = server.account.add("pto_holiday_calendars")
    held = calendar["entries"]
    server.api.embedded_holidays = 1
    [listed] = get(server, "/pto/holiday_calendars").json()["pto_holiday_calendars"]
    assert listed["entries"] == held[:1]
    assert listed["entries_count"] == len(held) > 2
    path = f"/pto/holiday_calendars/{calendar['id']}/entries"
    first = get(server, path, per_page=2).json()
    assert first["entries"] == held[:2]
    assert first["total_entries"] == len(held)
    assert get(server, path, per_page=2, page=2).json()["entries"] == held[2:4]
    assert get(server, "/pto/holiday_calendars/1/entries").status_code == 404
    server.api.paid_time_off = "403"
    assert get(server, path).status_code == 403
