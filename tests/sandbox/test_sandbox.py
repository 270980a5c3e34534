"""The sandbox itself: is it a Harvest that one can rely on?"""

from __future__ import annotations

import ast
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

import pytest
import requests

from sandbox import Account, Clock, Server
from sandbox.fields import UNFORESEEN, Fields
from sandbox.listings import BALANCES, LISTINGS, PAGES, TIME_OFF
from sandbox.reports import REPORTS
from sandbox.tables import TABLES
from tests.script import ROOT

TODAY = date(2026, 5, 20)
STREAMS = ["company", BALANCES, *LISTINGS, *REPORTS]
WITH_ID = [name for name in LISTINGS if name != "pto_assignments"]
Row = dict[str, Any]


class Client:
    """What a test needs to ask a server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.session = requests.Session()
        self.session.headers.update(server.headers())

    def get(self, path: str, **query: Any) -> requests.Response:
        url = path if path.startswith("http") else self.server.base_url + path
        return self.session.get(url, params=query, timeout=10)

    def walk(self, path: str, **query: Any) -> list[Row]:
        rows: list[Row] = []
        following: str | None = path
        while following:
            response = self.get(following, **query)
            assert response.status_code == 200, response.text
            body = response.json()
            if isinstance(body, list):
                return body
            rows += next(value for value in body.values() if isinstance(value, list))
            following, query = body.get("links", {}).get("next"), {}
        return rows


@pytest.fixture(scope="module")
def still() -> Iterator[Client]:
    """A server that no test changes."""
    account = Account.generate(seed=3, time_entries=1200, today=TODAY)
    with Server(account, limits=False) as server:
        yield Client(server)


@pytest.fixture
def client() -> Iterator[Client]:
    """A server of the test's own."""
    account = Account.generate(seed=4, time_entries=300, today=TODAY)
    account.clock.freeze(account.clock.now())
    with Server(account, limits=False) as server:
        yield Client(server)


def every_row(account: Account) -> dict[str, list[Row]]:
    return {name: account.rows(name) for name in ("company", *LISTINGS)}


def stamp(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


# ---------------------------------------------------------------- the account


def test_same_arguments_same_account() -> None:
    first, second, other = (
        every_row(Account.generate(seed=seed, time_entries=250, today=TODAY)) for seed in (1, 1, 2)
    )
    assert first == second
    assert first["time_entries"] != other["time_entries"]


def test_there_are_40_streams() -> None:
    assert len(STREAMS) == 40
    assert len(TIME_OFF) == 7


@pytest.mark.parametrize("entries", [0, 1, 7, 2000])
def test_has_the_entries_asked_for(entries: int) -> None:
    account = Account.generate(time_entries=entries)
    assert len(account.rows("time_entries")) == account.counts()["time_entries"] == entries


def test_is_believable(still: Client) -> None:
    account = still.server.account
    rows = every_row(account)
    assert 12 <= len(rows["clients"]) <= 25
    assert 12 <= len(rows["users"]) <= 15
    assert len(rows["projects"]) >= 30
    assert len({row["currency"] for row in rows["clients"]}) == 3
    assert {row["state"] for row in rows["invoices"]} == {"draft", "open", "paid", "closed"}
    assert {row["state"] for row in rows["estimates"]} == {"draft", "sent", "accepted", "declined"}
    assert {row["bill_by"] for row in rows["projects"]} == {"Project", "People", "Tasks", "none"}
    budgets = {"project", "project_cost", "task", "task_fees", "person", "none"}
    assert {row["budget_by"] for row in rows["projects"]} == budgets
    assert any(row["is_fixed_fee"] for row in rows["projects"])
    assert any(not row["is_active"] for row in rows["users"])
    assert any(row["is_running"] for row in rows["time_entries"])
    assert any(row["external_reference"] for row in rows["time_entries"])
    assert any(row["hours"] != row["rounded_hours"] for row in rows["time_entries"])
    assert min(row["id"] for row in rows["time_entries"]) > 2**32
    for flag in ("reminder", "thank_you"):
        assert any(row[flag] for row in rows["invoice_messages"])
    gateways = {row["payment_gateway"]["id"] for row in rows["invoice_payments"]}
    assert len(gateways) == 2
    assert None in gateways
    characters = {unicodedata.name(character, "") for character in str(rows)}
    for script in (
        "CYRILLIC",
        "GREEK",
        "HIRAGANA",
        "ARABIC",
        "LATIN SMALL LETTER E WITH",
        "ROCKET",
    ):
        assert any(name.startswith(script) for name in characters), script


def test_time_is_in_order(still: Client) -> None:
    now = still.server.account.clock.now()
    for name, rows in every_row(still.server.account).items():
        for row in rows:
            if "created_at" in row:
                assert stamp(row["created_at"]) <= stamp(row["updated_at"]) <= now, (name, row)
            if "spent_date" in row:
                assert row["spent_date"] <= row["created_at"][:10]


@pytest.mark.parametrize("stream", ["time_entries", "expenses"])
def test_approval(stream: str, client: Client) -> None:
    account = client.server.account
    rows = account.rows(stream)
    assert {row["approval_status"] for row in rows} == {"unsubmitted", "submitted", "approved"}
    assert any(row["is_explicitly_locked"] for row in account.rows("expenses"))
    open_ = next(row for row in rows if row["approval_status"] == "unsubmitted")
    for status, closed in (("submitted", False), ("approved", True), ("unsubmitted", False)):
        row = account.edit(stream, open_["id"], approval_status=status)
        assert (row["approval_status"], row["is_closed"]) == (status, closed)
        found = client.walk(f"/{stream}", approval_status=status)
        assert found == [each for each in account.rows(stream) if each["approval_status"] == status]
    locked = account.edit(stream, open_["id"], is_explicitly_locked=True)
    assert (locked["is_locked"], locked["locked_reason"]) == (
        True,
        "Invoiced" if locked["is_billed"] else "Locked",
    )


def test_projects_without_codes() -> None:
    account = Account.generate(time_entries=50, project_codes=False)
    account.add("projects")
    assert {row["code"] for row in account.rows("projects")} == {None}
    assert {row["project"]["code"] for row in account.rows("time_entries")} == {None}


def test_fields_on_request() -> None:
    assert "saml_exempt" not in Account.generate(time_entries=5).rows("users")[0]
    users = Account.generate(time_entries=5, saml_exempt=True).rows("users")
    assert {row["saml_exempt"] for row in users} == {True, False}


def test_unforeseen_fields_are_in_every_row() -> None:
    account = Account.generate(seed=3, time_entries=300, today=TODAY, unforeseen=True)
    plain = Account.generate(seed=3, time_entries=300, today=TODAY)
    days = {"from_": "2026-01-01", "to": "2026-05-01"}
    for stream in STREAMS:
        period = days if stream in REPORTS else {}
        rows, others = account.rows(stream, **period), plain.rows(stream, **period)
        assert rows, stream
        assert [
            {name: value for name, value in row.items() if name not in UNFORESEEN} for row in rows
        ] == others
        for row in rows:
            kinds = [type(row[name]) for name in UNFORESEEN]
            assert kinds == [bool, str, float, type(None), dict], (stream, row)
        assert rows == account.rows(stream, **period)
    account.fields = Fields(more={"clients": {"labels": ["a", "b"]}})
    assert [row["labels"] for row in account.rows("clients")[:2]] == [["a", "b"]] * 2
    with Server(account, limits=False) as server:
        client = Client(server)
        assert client.walk("/clients") == account.rows("clients")
        account.fields = Fields(unforeseen=True)
        assert client.walk("/clients") == account.rows("clients")
        assert client.get("/company").json() == account.rows("company")[0]
        walked = client.walk("/reports/time/clients", **{"from": days["from_"], "to": days["to"]})
        assert walked == account.rows("time_clients", **days)


def check_money(account: Account) -> None:
    payments = account.children("invoice_payments", exact=True)
    for invoice in account.rows("invoices", exact=True):
        paid = sum(payment["amount"] for payment in payments[invoice["id"]])
        assert invoice["due_amount"] == invoice["amount"] - paid
        assert (invoice["state"] == "paid") == (invoice["paid_at"] is not None)
        assert (invoice["closed_at"] is not None) == (invoice["state"] == "closed")
        if invoice["state"] == "paid":
            assert invoice["due_amount"] <= 0
            assert invoice["paid_date"]
        subtotal = sum(item["amount"] for item in invoice["line_items"])
        extra = (invoice["tax_amount"] or 0) + invoice["tax2_amount"]
        assert invoice["amount"] == subtotal - invoice["discount_amount"] + extra
        for item in invoice["line_items"]:
            exact = item["quantity"] * item["unit_price"]
            assert item["amount"] == exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


def check_references(account: Account) -> None:
    rows = every_row(account)
    ids = {name: {row["id"] for row in rows[name]} for name in WITH_ID if name != "teammates"}
    numbers = {row["id"]: row["number"] for row in rows["invoices"]}
    for name in ("time_entries", "expenses"):
        for row in rows[name]:
            assert row["user"]["id"] in ids["users"]
            assert row["project"]["id"] in ids["projects"]
            assert row["is_billed"] == (row["invoice"] is not None)
            locked = row["is_billed"] or row["is_closed"] or row["is_explicitly_locked"]
            assert row["is_locked"] == locked
            assert (row["approval_status"] == "approved") == row["is_closed"]
            assert (row["locked_reason"] is not None) == row["is_locked"]
            if row["invoice"]:
                assert row["invoice"]["number"] == numbers[row["invoice"]["id"]]
    for row in rows["time_entries"]:
        quarters = (Decimal(str(row["hours"])) * 4).to_integral_value("ROUND_CEILING") / 4
        assert Decimal(str(row["rounded_hours"])) == quarters
        assert (row["timer_started_at"] is not None) == row["is_running"]
    for role in rows["roles"]:
        having = [user["id"] for user in rows["users"] if role["name"] in user["roles"]]
        assert role["user_ids"] == sorted(having)


def check_rates(account: Account) -> None:
    for stream, column in (("billable_rates", "default_hourly_rate"), ("cost_rates", "cost_rate")):
        for user, rates in account.children(stream).items():
            for earlier, later in pairwise(rates):
                day = date.fromisoformat(later["start_date"]) - timedelta(days=1)
                assert earlier["end_date"] == day.isoformat()
            if rates:
                assert rates[-1]["end_date"] is None
                row = account.get("users", user)
                assert row
                assert row[column] == rates[-1]["amount"]


def test_money_and_references_agree(still: Client) -> None:
    check_money(still.server.account)
    check_references(still.server.account)
    check_rates(still.server.account)


# ---------------------------------------------------------------- lists


@pytest.mark.parametrize("stream", LISTINGS)
def test_lists_give_the_rows(stream: str, still: Client) -> None:
    account = still.server.account
    listing = LISTINGS[stream]
    parents = account.parents(stream) if listing.parent[0] else [None]
    for parent in parents[:25]:
        path = listing.path.format(parent=parent)
        year = account.clock.now().year if "year" in listing.filters else None
        rows = account.rows(stream, parent, year=year)
        assert rows or listing.parent[0]
        body = still.get(path).json()
        assert still.walk(path, per_page=7) == rows
        if listing.pages == "whole":
            assert body == (rows if stream == "pto_assignments" else {stream: rows})
            continue
        assert body[stream] == rows[: listing.per_page]
        assert body["per_page"] == listing.per_page
        if listing.single and not listing.parent[0]:
            for row in rows[:3]:
                assert still.get(f"{path}/{row['id']}").json() == row
    if listing.parent[0]:
        assert account.children(stream).keys() == set(parents)
        flat = [row for parent in parents for row in account.rows(stream, parent)]
        assert flat == account.rows(stream)


@pytest.mark.parametrize("stream", [name for name in WITH_ID if name != "teammates"])
def test_lists_are_sorted_as_documented(stream: str, still: Client) -> None:
    by = {
        "time_entries": "spent_date",
        "expenses": "spent_date",
        "invoices": "issue_date",
        "estimates": "issue_date",
    }.get(stream, "created_at")
    for rows in (
        still.server.account.children(stream).values()
        if LISTINGS[stream].parent[0]
        else [still.server.account.rows(stream)]
    ):
        if stream.endswith("_rates"):
            starts = [row["start_date"] or "" for row in rows]
            assert starts == sorted(starts)
        else:
            keys = [(row[by], row["id"]) for row in rows]
            assert keys == sorted(keys, reverse=True)


def test_pages_by_number(still: Client) -> None:
    rows = still.server.account.rows("time_entries")
    pages = [still.get("/time_entries", per_page=500, page=n).json() for n in (1, 2, 3, 4)]
    assert [len(page["time_entries"]) for page in pages] == [500, 500, 200, 0]
    assert [page["page"] for page in pages] == [1, 2, 3, 4]
    assert [page["next_page"] for page in pages] == [2, 3, None, None]
    assert [page["previous_page"] for page in pages] == [None, 1, 2, 3]
    assert {page["total_pages"] for page in pages} == {3}
    assert {page["total_entries"] for page in pages} == {1200}
    links = pages[1]["links"]
    assert links["next"] == f"{still.server.base_url}/time_entries?page=3&per_page=500"
    assert still.get(links["last"]).json()["time_entries"] == rows[1000:]
    assert still.get(links["previous"]).json() == still.get(links["first"]).json() == pages[0]


def test_pages_by_cursor(still: Client) -> None:
    rows = still.server.account.rows("task_assignments")
    size = len(rows) // 3 + 1
    pages = [still.get("/task_assignments", per_page=size).json()]
    while pages[-1]["links"]["next"]:
        assert "cursor=" in pages[-1]["links"]["next"]
        assert "page=2" not in pages[-1]["links"]["next"]
        pages.append(still.get(pages[-1]["links"]["next"]).json())
    assert [row for page in pages for row in page["task_assignments"]] == rows
    assert [page["page"] for page in pages] == [1, None, 3]
    assert [page["next_page"] for page in pages] == [2, None, None]
    assert [page["previous_page"] for page in pages] == [None, None, 2]
    back = still.get(pages[2]["links"]["previous"]).json()
    assert back["task_assignments"] == pages[1]["task_assignments"]
    assert still.get(back["links"]["previous"]).json() == pages[0] | {"links": pages[0]["links"]}
    assert still.get(pages[1]["links"]["last"]).json()["task_assignments"] == rows[2 * size :]
    numbered = still.get("/task_assignments", per_page=size, page=2).json()
    assert numbered["task_assignments"] == rows[size : 2 * size]
    assert (numbered["page"], numbered["next_page"], numbered["previous_page"]) == (2, 3, 1)


@pytest.mark.parametrize(("stream", "lost"), [("contacts", 0), ("expenses", 2)])
def test_a_walk_by_cursor_stands_deletions_and_one_by_number_does_not(
    stream: str, lost: int, client: Client
) -> None:
    account = client.server.account
    rows = account.rows(stream)
    first = client.get(f"/{stream}", per_page=5).json()
    for row in rows[:2]:
        account.delete(stream, row["id"])
    rest = client.walk(first["links"]["next"])
    seen = {row["id"] for row in first[stream] + rest}
    assert len({row["id"] for row in rows} - seen) == lost


@pytest.mark.parametrize(
    "path", ["/clients", "/time_entries", "/invoices", "/reports/project_budget"]
)
def test_empty_lists(path: str) -> None:
    with Server(Account.empty()) as server:
        body = Client(server).get(path).json()
        assert (body["total_entries"], body["total_pages"], body["page"]) == (0, 1, 1)
        assert body["links"]["next"] is None


def test_an_empty_account_can_be_filled() -> None:
    account = Account.empty()
    for stream in STREAMS:
        days = {"from_": TODAY, "to": TODAY}
        assert account.rows(stream, **days) == ([account.company] if stream == "company" else [])
    assert account.change(1, 5, {"edit", "delete", "bill"}) == []
    account.add("time_entries")
    account.add("expenses")
    account.add("invoice_payments")
    account.add("estimate_messages")
    assert len(account.rows("time_entries")) == 1
    assert len(account.change(1, 60)) == 60
    check_references(account)
    assert len(Account.empty(users=1).rows("users")) == 1


# ---------------------------------------------------------------- filters


def brute(row: Row, name: str, value: Any, projects: dict[int, int]) -> bool:
    """Whether a row passes a filter, seen from its JSON."""
    if name == "updated_since":
        return bool(row["updated_at"] >= value)
    if name == "client_id":
        return bool(row["client"]["id"] == value)
    if name == "project_id" and "line_items" in row:
        return any((item["project"] or {}).get("id") == value for item in row["line_items"])
    if name == "year":
        return bool(row["year"] == value)
    if name in ("user_ids", "pto_type_ids"):
        return str(row[name[:-4]]["id"]) in value.split(",")
    if name in ("project_id", "user_id", "task_id", "pto_type_id"):
        return bool(row[name[:-3]]["id"] == value)
    if name == "external_reference_id":
        return bool((row["external_reference"] or {}).get("id") == value)
    if name in ("from", "to"):
        day = row.get("spent_date") or row.get("issue_date") or row["start_date"]
        return bool(day >= value if name == "from" else day <= value)
    return bool(row[name] == value)


def some_values(rows: list[Row], name: str) -> list[Any]:
    if name.startswith("is_"):
        return [True, False]
    middle = rows[len(rows) // 2]
    if name == "updated_since":
        return [middle["updated_at"], "2030-01-01T00:00:00Z"]
    if name in ("from", "to"):
        return [middle.get("spent_date") or middle.get("issue_date") or middle["start_date"]]
    if name in ("user_ids", "pto_type_ids"):
        some = {str(row[name[:-4]]["id"]) for row in rows[::9]}
        return [",".join(sorted(some)[:3]), "1"]
    if name in ("state", "approval_status", "status", "year"):
        return sorted({row[name] for row in rows})
    if name == "external_reference_id":
        return [next(row["external_reference"]["id"] for row in rows if row["external_reference"])]
    if name == "project_id" and "line_items" in middle:
        return [middle["line_items"][0]["project"]["id"], 1]
    return [middle[name[:-3]]["id"], 1]


@pytest.mark.parametrize(
    ("stream", "name"),
    [(stream, name) for stream, listing in LISTINGS.items() for name in listing.filters],
)
def test_each_filter(stream: str, name: str, still: Client) -> None:
    account = still.server.account
    listing = LISTINGS[stream]
    parent = None
    if listing.parent[0]:
        parent = max(account.parents(stream), key=lambda id: len(account.rows(stream, id)))
    this = account.clock.now().year if "year" in listing.filters and name != "year" else None
    rows = account.rows(stream, parent, year=this)
    assert rows
    for value in some_values(rows, name):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        path = listing.path.format(parent=parent)
        found = still.walk(path, **{name: text, "per_page": 50})
        assert found == [row for row in rows if brute(row, name, value, {})]


def test_filters_together(still: Client) -> None:
    rows = still.server.account.rows("time_entries")
    row = rows[600]
    query = {"user_id": row["user"]["id"], "from": "2025-01-01", "is_billed": "false"}
    found = still.walk("/time_entries", per_page=9, **query)
    assert found == [
        each
        for each in rows
        if each["user"]["id"] == row["user"]["id"]
        and each["spent_date"] >= "2025-01-01"
        and not each["is_billed"]
    ]
    assert len(found) > 9


@pytest.mark.parametrize("since", ["{}Z", "{}+00:00", "{}.000000+00:00", "{}", "{}.000Z"])
def test_updated_since_in_several_spellings(since: str, still: Client) -> None:
    rows = still.server.account.rows("clients")
    moment = sorted(row["updated_at"] for row in rows)[5]
    found = still.walk("/clients", updated_since=since.format(moment[:-1]))
    assert found == [row for row in rows if row["updated_at"] >= moment]


def test_project_assignments_are_the_active_ones(still: Client) -> None:
    account = still.server.account
    projects = {row["id"]: row for row in account.rows("projects")}
    for user, rows in account.children("project_assignments").items():
        expected = [
            row["id"]
            for row in account.rows("user_assignments")
            if row["user"]["id"] == user
            and row["is_active"]
            and projects[row["project"]["id"]]["is_active"]
        ]
        assert [row["id"] for row in rows] == expected
    me = still.get("/users/me").json()["id"]
    mine = still.get("/users/me/project_assignments", per_page=2).json()
    assert mine["project_assignments"] == account.rows("project_assignments", me)[:2]
    assert "page=2" in mine["links"]["next"]


def test_assignments_of_a_project(still: Client) -> None:
    account = still.server.account
    project = account.rows("projects")[3]["id"]
    for stream in ("user_assignments", "task_assignments"):
        rows = [row for row in account.rows(stream) if row["project"]["id"] == project]
        path = f"/projects/{project}/{stream}"
        assert still.walk(path, per_page=2) == rows
        assert "page=2" in still.get(path, per_page=1).json()["links"]["next"]
        assert still.get(f"{path}/{rows[0]['id']}").json() == rows[0]
        assert still.get(f"/projects/1/{stream}/{rows[0]['id']}").status_code == 404


# ---------------------------------------------------------------- paid time off


def test_paid_time_off_is_believable(still: Client) -> None:
    account = still.server.account
    rows = {name: account.rows(name) for name in TIME_OFF}
    users = {row["id"] for row in account.rows("users")}
    assert {row["status"] for row in rows["pto_requests"]} == {"approved", "denied", "pending"}
    assert {row["user"]["id"] for row in rows["pto_assignments"]} == users
    assert any(row["work_schedule"] is None for row in rows["pto_assignments"])
    for row in rows["pto_requests"]:
        days = [day["date"] for day in row["request_days"]]
        assert days
        assert row["start_date"] <= days[0] <= days[-1] <= row["end_date"]
        assert row["days"] == sum(day["day_fraction"] for day in row["request_days"])
        assert (row["reviewer"] is None) == (row["reviewed_at"] is None)
        assert (row["reviewer"] is None) == (row["status"] == "pending")
        assert set(row["pto_type"]) == {"id", "name", "color", "icon"}
    for row in rows["pto_holiday_calendars"]:
        assert row["entries_count"] == len(row["entries"]) > 0
    for row in rows["pto_work_schedules"]:
        days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
        assert row["weekly_hours"] == sum(row[f"{day}_hours"] for day in days)
    assert len({row["year"] for row in rows["pto_allocations"]}) > 1


def test_balances(client: Client) -> None:
    account = client.server.account
    request = next(row for row in account.rows("pto_requests") if row["status"] == "approved")
    user, kind = request["user"]["id"], request["pto_type"]["id"]
    year = int(request["start_date"][:4])
    body = client.get("/pto/balances", user_id=user, year=year).json()
    assert (body["user"]["id"], body["year"], body["as_of"][:4]) == (user, year, str(year))
    assert body["balances"] == account.rows(BALANCES, user, year=year)
    assert len(body["balances"]) == 4
    mine = [
        day
        for row in account.rows("pto_requests")
        if (row["user"]["id"], row["pto_type"]["id"], row["status"]) == (user, kind, "approved")
        for day in row["request_days"]
        if day["date"].startswith(str(year))
    ]
    row = next(row for row in body["balances"] if row["pto_type"]["id"] == kind)
    assert isinstance(row["used_days"], str)
    assert float(row["used_days"]) == sum(day["day_fraction"] for day in mine) > 0
    assert float(row["used_hours"]) == sum(day["hours"] for day in mine)
    for row in body["balances"]:
        if not row["is_unlimited"]:
            left = Decimal(row["available_days"]) - Decimal(row["used_days"])
            assert Decimal(row["remaining_days"]) == left - Decimal(row["pending_days"])
    this = account.clock.now().year
    flat = [
        {"user": user, **row}
        for user in account.parents(BALANCES)
        for each in (this, this - 1)
        for row in account.rows(BALANCES, user, year=each)
    ]
    children = account.children(BALANCES)
    assert [{"user": user, **row} for user in children for row in children[user]] == flat
    assert client.get("/pto/balances", user_id=1).status_code == 404
    assert client.get("/pto/balances", user_id="x").status_code == 422
    assert client.get("/pto/balances", user_id=user, year="x").status_code == 422
    me = client.get("/users/me").json()["id"]
    assert client.get("/pto/balances").json()["user"]["id"] == me


@pytest.mark.parametrize(("answer", "status"), [("403", 403), ("404", 404), ("empty", 200)])
def test_an_account_without_paid_time_off(answer: str, status: int, client: Client) -> None:
    server = client.server
    user = server.account.rows("users")[0]["id"]
    server.paid_time_off = answer
    for stream in sorted(TIME_OFF):
        path = "/pto/balances" if stream == BALANCES else LISTINGS[stream].path
        response = client.get(path, user_id=user)
        assert response.status_code == status
        if status == 200:
            body = response.json()
            assert body == [] or not any(isinstance(each, list) and each for each in body.values())
    assert client.get("/clients").status_code == 200
    with pytest.raises(ValueError, match="on, 403, 404, empty"):
        Server(server.account, paid_time_off="maybe")


def test_assignments_under_a_key(client: Client) -> None:
    rows = client.server.account.rows("pto_assignments")
    assert client.get("/pto/assignments").json() == rows
    client.server.assignments_key = "assignments"
    assert client.get("/pto/assignments").json() == {"assignments": rows}
    client.server.page_by("bare_cursor", "pto_assignments")
    assert client.walk("/pto/assignments", per_page=2) == rows


# ---------------------------------------------------------------- ways to page


@pytest.mark.parametrize("stream", ["time_entries", "clients", "time_tasks", "pto_allocations"])
@pytest.mark.parametrize("style", PAGES)
def test_each_way_to_page(style: str, stream: str, client: Client) -> None:
    client.server.page_by(style, stream)
    days = {"from": "2026-01-01", "to": "2026-05-20"} if stream in REPORTS else {}
    path = REPORTS.get(stream) or LISTINGS[stream].path
    period = {"from_": days["from"], "to": days["to"]} if days else {}
    year = 2026 if stream == "pto_allocations" else None
    rows = client.server.account.rows(stream, year=year, **period)  # type: ignore[arg-type]
    assert len(rows) > 4
    assert client.walk(path, per_page=2, **days) == rows
    body = client.get(path, per_page=2, **days).json()
    key = "results" if stream in REPORTS else stream
    if style == "whole":
        assert body == {key: rows}
        return
    counts = {"page", "next_page", "previous_page", "total_pages", "total_entries"}
    assert set(body) == {key, "per_page", "links"} | (set() if "bare" in style else counts)
    assert ("cursor=" in body["links"]["next"]) == ("cursor" in style)
    back = client.get(client.get(body["links"]["next"]).json()["links"]["previous"]).json()
    assert back[key] == body[key]
    made_up = client.get(path, page=2, per_page=2, **days)
    assert made_up.status_code == (422 if style == "bare_cursor" else 200)


def test_all_lists_page_as_told(client: Client) -> None:
    client.server.page_by("bare_page")
    invoice = client.server.account.rows("invoice_messages")[0]
    parent = client.server.account.columns_of("invoice_messages", invoice["id"])["invoice_id"]
    for path in ("/clients", "/reports/project_budget", f"/invoices/{parent}/messages"):
        assert "total_entries" not in client.get(path).json()
    assert client.get("/company").status_code == 200
    for style, stream, message in (("spiral", "clients", "spiral"), ("page", "x", "no list 'x'")):
        with pytest.raises(ValueError, match=message):
            client.server.page_by(style, stream)


def test_page_size(client: Client) -> None:
    client.server.page_size = 3
    body = client.get("/clients", per_page=2000).json()
    assert (len(body["clients"]), body["per_page"]) == (3, 3)
    assert client.walk("/clients") == client.server.account.rows("clients")


# ---------------------------------------------------------------- whose token it is


def test_what_a_manager_and_a_member_see(client: Client) -> None:
    server, account = client.server, client.server.account
    everything = {name: len(client.walk(f"/{name}")) for name in ("time_entries", "projects")}
    days = {"from": "2025-06-01", "to": "2026-05-20"}
    admin = client.get("/users/me").json()
    assert admin["access_roles"] == ["administrator"]
    total = {}
    for role in ("manager", "member"):
        owner = server.owned_by(role)
        me = client.get("/users/me").json()
        assert (me["id"], me["access_roles"][0]) == (owner, role)
        assert client.get(server.id_url + "/accounts").json()["user"]["id"] == owner
        entries = client.walk("/time_entries")
        total[role] = len(entries)
        assert 0 < len(client.walk("/projects")) <= everything["projects"]
        seen = {row["id"] for row in entries}
        hidden = next(row for row in account.rows("time_entries") if row["id"] not in seen)
        assert client.get(f"/time_entries/{entries[0]['id']}").status_code == 200
        assert client.get(f"/time_entries/{hidden['id']}").status_code == 404
        users = {row["id"] for row in client.walk("/users")}
        assert owner in users
        stranger = next(row["id"] for row in account.rows("users") if row["id"] not in users)
        assert client.get(f"/users/{stranger}/project_assignments").status_code == 404
        assert client.get("/pto/balances", user_id=stranger).status_code == 404
        assert client.get("/pto/balances", user_id=owner).status_code == 200
        assert {row["user"]["id"] for row in client.walk("/pto/allocations")} <= users
        for path in ("/roles", f"/users/{owner}/cost_rates"):
            assert client.get(path).status_code == 403
        assert client.get("/invoices").status_code == (403 if role == "member" else 200)
        report = client.get("/reports/time/tasks", **days)
        assert report.status_code == (403 if role == "member" else 200)
        if role == "member":
            assert {row["user"]["id"] for row in entries} == {owner}
            assert users == {owner}
            continue
        hours = sum(row["rounded_hours"] for row in entries if row["spent_date"] >= days["from"])
        assert sum(row["total_hours"] for row in report.json()["results"]) == hours
        budgets = client.get("/reports/project_budget").json()["results"]
        assert 0 < len(budgets) < everything["projects"]
    assert 0 < total["member"] < total["manager"] < everything["time_entries"]
    assert server.owned_by("administrator") == admin["id"]
    assert len(client.walk("/time_entries")) == everything["time_entries"]
    # the same person, with less to say from now on
    account.edit("users", admin["id"], access_roles=["member"])
    assert client.get("/users/me").json()["access_roles"] == ["member"]
    assert len(client.walk("/time_entries")) < everything["time_entries"]
    with pytest.raises(ValueError, match="no administrator"):
        server.owned_by("administrator")
    with pytest.raises(ValueError, match="no role"):
        server.owned_by("king")


# ---------------------------------------------------------------- refusals and sign-in


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/clients?per_page=0", 422),
        ("/clients?per_page=2001", 422),
        ("/clients?per_page=x", 422),
        ("/clients?page=0", 422),
        ("/clients?page=-1", 422),
        ("/clients?cursor=nonsense", 422),
        ("/clients?cursor=W3RydWUse30sMV0", 200),
        ("/clients?from=b&to=a", 200),
        ("/time_entries?from=20260101&to=2026-01-02", 200),
        ("/clients?is_active=maybe", 422),
        ("/clients?updated_since=yesterday", 422),
        ("/time_entries?from=2026-02-30", 422),
        ("/time_entries?from=01.02.2026", 422),
        ("/time_entries?user_id=x", 422),
        ("/time_entries?from=2026-02-02&to=2026-02-01", 422),
        ("/invoices?state=lost", 422),
        ("/reports/time/team", 422),
        ("/reports/time/team?from=2026-01-01", 422),
        ("/reports/time/team?from=2026-01-01&to=2025-01-01", 422),
        ("/reports/time/team?from=2025-01-01&to=2026-01-02", 422),
        ("/reports/time/team?from=2025-01-01&to=2026-01-01", 200),
        ("/reports/time/team?from=20250101&to=20260101", 200),
        ("/clients?per_page=2000", 200),
        ("/roles?updated_since=whatever", 200),
        ("/clients/1", 404),
        ("/clients/99999999999999999999999", 404),
        ("/invoices/1/messages", 404),
        ("/users/1/teammates", 404),
        ("/nothing", 404),
    ],
)
def test_statuses(path: str, status: int, still: Client) -> None:
    response = still.get(path)
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"].startswith("application/json")
    if status == 422:
        assert response.json()["message"]


def test_only_managers_have_teammates(still: Client) -> None:
    account = still.server.account
    managers = account.parents("teammates")
    assert managers
    assert any(account.rows("teammates", manager) for manager in managers)
    for user in account.rows("users"):
        status = still.get(f"/users/{user['id']}/teammates").status_code
        assert status == (200 if "manager" in user["access_roles"] else 422)
        assert (user["id"] in managers) == (status == 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"User-Agent": ""}, 400),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic sandbox-token"}, 401),
        ({"Authorization": None}, 401),
        ({"Harvest-Account-Id": "1"}, 404),
        ({"Harvest-Account-Id": None}, 404),
        ({}, 200),
    ],
)
def test_sign_in(headers: dict[str, str | None], status: int, still: Client) -> None:
    sent = {
        name: value
        for name, value in (still.server.headers() | headers).items()
        if value is not None
    }
    session = requests.Session()
    session.headers.clear()
    response = session.get(still.server.base_url + "/clients", headers=sent, timeout=5)
    assert response.status_code == status
    if status == 401:
        assert response.json()["error"] == "invalid_token"
    token = {"access_token": still.server.token}
    assert requests.get(still.server.base_url + "/clients", token, timeout=5).status_code == 401


def test_accounts(client: Client) -> None:
    server = client.server
    url = server.id_url + "/accounts"
    assert client.get(url).json()["accounts"] == server.accounts
    server.accounts.append({"id": 7, "name": "Plan", "product": "forecast"})
    assert len(client.get(url).json()["accounts"]) == 2
    client.session.headers["Harvest-Account-Id"] = "7"
    assert client.get("/clients").status_code == 404
    client.session.headers["Authorization"] = "Bearer wrong"
    assert client.get(url).status_code == 401


@pytest.mark.parametrize("encoding", ["data", "json"])
def test_oauth2(encoding: str, client: Client) -> None:
    server = client.server
    url = server.id_url + "/oauth2/token"
    asked = {
        "grant_type": "refresh_token",
        "client_id": server.client_id,
        "client_secret": server.client_secret,
        "refresh_token": server.refresh_token,
    }
    server.token_lifetime = 60
    got = requests.post(url, **{encoding: asked}, timeout=5).json()  # type: ignore[arg-type]
    assert got["token_type"] == "bearer"
    assert got["expires_in"] == 60
    assert got["refresh_token"] == server.refresh_token
    client.session.headers["Authorization"] = f"Bearer {got['access_token']}"
    assert client.get("/clients").status_code == 200
    server.account.clock.advance(61)
    assert client.get("/clients").status_code == 401
    for wrong, status, error in (
        ("client_secret", 401, "invalid_client"),
        ("refresh_token", 400, "invalid_grant"),
        ("grant_type", 400, "unsupported_grant_type"),
    ):
        response = requests.post(url, **{encoding: asked | {wrong: "x"}}, timeout=5)  # type: ignore[arg-type]
        assert (response.status_code, response.json()["error"]) == (status, error)


def test_permissions_and_features(client: Client) -> None:
    client.server.forbidden = {"invoices", "time_team"}
    days = {"from": "2026-01-01", "to": "2026-02-01"}
    assert client.get("/invoices").status_code == 403
    assert client.get("/invoices/1").status_code == 403
    assert client.get("/reports/time/team", **days).status_code == 403
    assert client.get("/reports/time/tasks", **days).status_code == 200
    client.server.account.company["expense_feature"] = False
    assert client.get("/company").json()["expense_feature"] is False
    for path in ("/expenses", "/expense_categories"):
        assert client.get(path).status_code == 403
    assert client.get("/reports/expenses/team", **days).status_code == 403
    assert client.get("/estimates").status_code == 200


# ---------------------------------------------------------------- limits, clock, latency


def test_limits_are_sliding_windows_for_each_token() -> None:
    account = Account.empty(users=1)
    with Server(
        account, tokens=["one", "two"], rate_limit=5, rate_window=0.6, report_rate_limit=2
    ) as server:
        client = Client(server)
        assert [client.get("/clients").status_code for _ in range(3)] == [200] * 3
        time.sleep(0.35)
        assert [client.get("/clients").status_code for _ in range(3)] == [200, 200, 429]
        time.sleep(0.3)
        # The first three have left the window; the two after them, and the refused one, have not.
        assert [client.get("/users").status_code for _ in range(4)] == [200] * 3 + [429]
        refused = client.get("/clients")
        assert refused.headers["Retry-After"] == "1"
        assert refused.headers["Content-Type"].startswith("text/html")
        assert "<html" in refused.text
        codes = [client.get("/reports/project_budget").status_code for _ in range(3)]
        assert codes == [200, 200, 429]
        assert int(client.get("/reports/project_budget").headers["Retry-After"]) in (899, 900)
        client.session.headers["Authorization"] = "Bearer two"
        assert client.get("/clients").status_code == 200
        assert server.stats()["limited"] == 5


def test_the_clock_is_the_accounts() -> None:
    clock = Clock(offset=-7200)
    account = Account.generate(time_entries=50, clock=clock)
    with Server(account) as server:
        client = Client(server)
        told = parsedate_to_datetime(client.get("/clients").headers["Date"])
        behind = datetime.now(timezone.utc) - told
        assert timedelta(seconds=7195) < behind < timedelta(seconds=7205)
        assert stamp(account.add("clients")["created_at"]) <= clock.now()
        clock.freeze(datetime(2031, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
        clock.advance(60)
        assert account.add("clients")["updated_at"] == "2031-01-02T03:05:05Z"
        told = parsedate_to_datetime(client.get("/clients").headers["Date"])
        assert told == clock.now()


def test_latency_does_not_add_up() -> None:
    with Server(Account.empty(), latency=0.3) as server:
        began = time.monotonic()
        threads = [
            threading.Thread(target=lambda: Client(server).get("/clients")) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 0.3 <= time.monotonic() - began < 0.9


# ---------------------------------------------------------------- reports


def money(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


WINDOWS = [("2025-06-01", "2026-05-31"), ("2026-01-01", "2026-03-31"), ("2020-01-01", "2020-02-01")]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("subject", ["clients", "projects", "tasks", "team"])
@pytest.mark.parametrize("fixed_fee", [None, True])
def test_time_reports(
    subject: str, window: tuple[str, str], fixed_fee: bool | None, still: Client
) -> None:
    account = still.server.account
    projects = {row["id"]: row for row in account.rows("projects")}
    kind = {"clients": "client", "projects": "project", "tasks": "task", "team": "user"}[subject]
    sums: dict[Any, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for entry in account.rows("time_entries", exact=True):
        if window[0] <= entry["spent_date"] <= window[1]:
            project = projects[entry["project"]["id"]]
            total = sums[entry[kind]["id"], project["client"]["currency"]]
            total[0] += entry["rounded_hours"]
            if entry["billable"]:
                total[1] += entry["rounded_hours"]
                if fixed_fee or not project["is_fixed_fee"]:
                    total[2] += entry["rounded_hours"] * (entry["billable_rate"] or 0)
    days = {"from_": window[0], "to": window[1]}
    rows = account.rows(f"time_{subject}", **days, include_fixed_fee=fixed_fee, exact=True)
    assert {
        (row[f"{kind}_id"], row["currency"]): (
            row["total_hours"],
            row["billable_hours"],
            row["billable_amount"],
        )
        for row in rows
    } == {key: (hours, billable, money(amount)) for key, (hours, billable, amount) in sums.items()}
    assert len(rows) == len(sums)
    query = {"from": window[0], "to": window[1]} | (
        {"include_fixed_fee": "true"} if fixed_fee else {}
    )
    served = still.walk(f"/reports/time/{subject}", per_page=5, **query)
    assert served == account.rows(f"time_{subject}", **days, include_fixed_fee=fixed_fee)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("subject", ["clients", "projects", "categories", "team"])
def test_expense_reports(subject: str, window: tuple[str, str], still: Client) -> None:
    account = still.server.account
    kind = {"clients": "client", "projects": "project", "team": "user"}.get(
        subject, "expense_category"
    )
    sums: dict[Any, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 2)
    for row in account.rows("expenses", exact=True):
        if window[0] <= row["spent_date"] <= window[1]:
            total = sums[row[kind]["id"], row["client"]["currency"]]
            total[0] += row["total_cost"]
            total[1] += row["total_cost"] * row["billable"]
    rows = account.rows(f"expenses_{subject}", from_=window[0], to=window[1], exact=True)
    assert {
        (row[f"{kind}_id"], row["currency"]): [row["total_amount"], row["billable_amount"]]
        for row in rows
    } == sums


@pytest.mark.parametrize("window", WINDOWS)
def test_uninvoiced_report(window: tuple[str, str], still: Client) -> None:
    account = still.server.account
    projects = {row["id"]: row for row in account.rows("projects")}
    sums: dict[int, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 4)
    for entry in account.rows("time_entries", exact=True):
        project = projects[entry["project"]["id"]]
        if window[0] <= entry["spent_date"] <= window[1] and project["is_billable"]:
            total = sums[project["id"]]
            total[0] += entry["rounded_hours"]
            if entry["billable"] and not entry["is_billed"]:
                total[1] += entry["rounded_hours"]
                total[3] += entry["rounded_hours"] * (entry["billable_rate"] or 0)
    for row in account.rows("expenses", exact=True):
        project = projects[row["project"]["id"]]
        if window[0] <= row["spent_date"] <= window[1] and project["is_billable"]:
            total = sums[project["id"]]
            if row["billable"] and not row["is_billed"]:
                total[2] += row["total_cost"]
    rows = account.rows("uninvoiced", from_=window[0], to=window[1], exact=True)
    listed = {id for id, each in projects.items() if each["is_active"] and each["is_billable"]}
    assert {row["project_id"] for row in rows} == listed
    for row in rows:
        hours, unbilled, costs, amount = sums[row["project_id"]]
        assert (row["total_hours"], row["uninvoiced_hours"]) == (hours, unbilled)
        assert row["uninvoiced_expenses"] == costs
        if not projects[row["project_id"]]["is_fixed_fee"]:
            assert row["uninvoiced_amount"] == money(amount) + costs
    without = account.rows(
        "uninvoiced", from_=window[0], to=window[1], include_fixed_fee=False, exact=True
    )
    assert without == [row for row in rows if not projects[row["project_id"]]["is_fixed_fee"]]


def test_project_budget_report(still: Client) -> None:
    account = still.server.account
    month = account.clock.now().date().isoformat()[:7]
    entries, expenses, tasks, people = (defaultdict(list, {}) for _ in range(4))
    for stream, kept in (
        ("time_entries", entries),
        ("expenses", expenses),
        ("task_assignments", tasks),
        ("user_assignments", people),
    ):
        for row in account.rows(stream, exact=True):
            kept[row["project"]["id"]].append(row)
    rows = {row["project_id"]: row for row in account.rows("project_budget", exact=True)}
    projects = account.rows("projects", exact=True)
    projects = [project for project in projects if project["budget_by"] != "none"]
    assert set(rows) == {project["id"] for project in projects}
    monthly = 0
    for project in projects:
        id, by, row = project["id"], project["budget_by"], rows[project["id"]]
        mine = [
            entry
            for entry in entries[id]
            if not project["budget_is_monthly"] or entry["spent_date"].startswith(month)
        ]
        monthly += bool(project["budget_is_monthly"])
        if by in ("project", "task", "person"):
            spent = sum((entry["rounded_hours"] for entry in mine), Decimal(0))
        else:
            spent = sum(
                (e["rounded_hours"] * (e["billable_rate"] or 0) for e in mine if e["billable"]),
                Decimal(0),
            )
            if project["cost_budget_include_expenses"]:
                spent += sum(row["total_cost"] for row in expenses[id])
        budget = {
            "project": project["budget"],
            "project_cost": project["cost_budget"],
            "task": sum(row["budget"] or 0 for row in tasks[id]),
            "task_fees": sum(row["budget"] or 0 for row in tasks[id]),
            "person": sum(row["budget"] or 0 for row in people[id]),
        }[by]
        assert (row["budget"], row["budget_spent"]) == (budget, money(spent))
        assert row["budget_remaining"] == budget - money(spent)
    assert monthly
    active = still.get("/reports/project_budget", is_active="true").json()["results"]
    assert {row["project_id"] for row in active} == {p["id"] for p in projects if p["is_active"]}


# ---------------------------------------------------------------- changes


def test_add_edit_delete(client: Client) -> None:
    account = client.server.account
    account.clock.advance(60)
    now = account.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    for stream, table in TABLES.items():
        if stream in ("teammates", "pto_assignments") or table.kept_in:
            continue
        highest = max(row["id"] for row in account.rows(stream))
        row = account.add(stream)
        assert row["id"] > highest
        assert row["created_at"] == row["updated_at"] == now
        parent = account.columns_of(stream, row["id"]).get(LISTINGS[stream].parent[0])
        assert row in account.rows(stream, parent)
        account.delete(stream, row["id"])
        assert account.get(stream, row["id"]) is None
        again = account.add(stream)
        assert again["id"] > row["id"]
    entry = account.rows("time_entries")[5]
    account.clock.advance(60)
    edited = account.edit("time_entries", entry["id"], hours=3.14, notes="x")
    assert (edited["hours"], edited["rounded_hours"], edited["notes"]) == (3.14, 3.25, "x")
    assert edited["updated_at"] > now
    silent = account.edit("time_entries", entry["id"], notes="y", touch=False)
    assert silent == edited | {"notes": "y"}
    with pytest.raises(ValueError, match="no field"):
        account.edit("clients", account.rows("clients")[0]["id"], nonsense=1)
    with pytest.raises(ValueError, match="follows from"):
        account.edit("time_entries", entry["id"], is_billed=True)
    with pytest.raises(KeyError):
        account.delete("clients", 1)


def test_fields_of_additions(client: Client) -> None:
    account = client.server.account
    project = account.rows("projects")[2]
    entry = account.add(
        "time_entries", project_id=project["id"], spent_date=date(2026, 5, 1), hours=1.1
    )
    assert entry["project"]["id"] == project["id"]
    assert (entry["spent_date"], entry["hours"], entry["rounded_hours"]) == (
        "2026-05-01",
        1.1,
        1.25,
    )
    contact = account.add("contacts", client={"id": project["client"]["id"]}, first_name="Zoë")
    assert contact["client"]["id"] == project["client"]["id"]
    invoice = account.add(
        "invoices",
        client_id=project["client"]["id"],
        tax=10,
        discount=None,
        line_items=[{"quantity": 3, "unit_price": 33.335, "project_id": project["id"]}],
    )
    assert invoice["line_items"][0]["project"]["id"] == project["id"]
    check_money(account)


def test_payments_settle_an_invoice(client: Client) -> None:
    account = client.server.account
    invoice = next(row for row in account.rows("invoices") if row["state"] == "open")
    account.clock.advance(60)
    payment = account.add(
        "invoice_payments", invoice_id=invoice["id"], amount=invoice["due_amount"]
    )
    paid = account.get("invoices", invoice["id"])
    assert paid
    assert paid["state"] == "paid"
    assert paid["due_amount"] == 0
    assert paid["updated_at"] == payment["updated_at"] > invoice["updated_at"]
    account.delete("invoice_payments", payment["id"])
    open_again = account.get("invoices", invoice["id"])
    assert open_again
    assert open_again["state"] == "open"
    assert open_again["paid_at"] is None
    check_money(account)


def test_bill_and_delete_the_invoice(client: Client) -> None:
    account = client.server.account
    before = account.rows("uninvoiced", from_="2025-06-01", to="2026-05-31")
    row = next(row for row in before if row["uninvoiced_hours"] > 0)
    account.clock.advance(60)
    invoice = account.bill(row["project_id"], state="open")
    assert invoice is not None
    mine = [
        entry
        for entry in account.rows("time_entries")
        if (entry["invoice"] or {}).get("id") == invoice["id"]
    ]
    assert mine
    assert all(entry["is_billed"] and entry["is_locked"] for entry in mine)
    assert {entry["updated_at"] for entry in mine} == {invoice["updated_at"]}
    assert account.bill(row["project_id"]) is None
    check_money(account)
    account.add("invoice_messages", invoice_id=invoice["id"])
    account.clock.advance(60)
    account.delete("invoices", invoice["id"])
    assert client.get(f"/invoices/{invoice['id']}/messages").status_code == 404
    for entry in mine:
        now = account.get("time_entries", entry["id"])
        assert now
        assert not now["is_billed"]
        assert now["updated_at"] > entry["updated_at"]
    assert account.rows("uninvoiced", from_="2025-06-01", to="2026-05-31") == before


def test_deleting_takes_along_what_belongs_to_it(client: Client) -> None:
    account = client.server.account
    project = account.rows("time_entries")[50]["project"]["id"]
    user = account.rows("time_entries")[0]["user"]["id"]
    role = account.rows("roles")[-1]
    account.delete("projects", project)
    account.delete("users", user)
    account.delete("pto_types", account.rows("pto_requests")[0]["pto_type"]["id"])
    account.delete("pto_holiday_calendars", account.rows("pto_holiday_calendars")[0]["id"])
    account.delete("clients", account.rows("projects")[0]["client"]["id"])
    account.delete("roles", role["id"])
    for stream in ("time_entries", "expenses", "user_assignments"):
        for row in account.rows(stream):
            assert row["project"]["id"] != project
            assert row["user"]["id"] != user
    assert not any(role["name"] in row["roles"] for row in account.rows("users"))
    check_references(account)
    check_money(account)


def test_changes_repeat_and_stay_sound() -> None:
    def run(seed: int) -> tuple[list[str], dict[str, list[Row]]]:
        account = Account.generate(seed=9, time_entries=300, today=TODAY)
        account.clock.freeze(datetime(2026, 5, 20, 12, tzinfo=timezone.utc))
        lines = [str(change) for change in account.change(seed, 150)]
        check_money(account)
        check_references(account)
        check_rates(account)
        return lines, every_row(account)

    assert run(1) == run(1)
    assert len(run(1)[0]) == 150
    assert run(1)[0] != run(2)[0]


@pytest.mark.parametrize("kind", ["add", "edit", "delete", "bill"])
def test_kinds_of_change(kind: str, client: Client) -> None:
    account = client.server.account
    before = {name: {row["id"] for row in account.rows(name)} for name in WITH_ID}
    changes = account.change(1, 30, {kind})
    assert {change.kind for change in changes} == {kind}
    after = {name: {row["id"] for row in account.rows(name)} for name in WITH_ID}
    for change in changes:
        assert (change.id in before[change.stream]) == (kind in ("edit", "delete"))
        assert (change.id in after[change.stream]) == (kind != "delete")
    with pytest.raises(ValueError, match="no kind"):
        account.change(1, 1, {"explode"})


def test_every_change_reaches_updated_since_or_the_ids(client: Client) -> None:
    """An edit moves updated_at; nothing else but names nested in other rows changes silently."""
    account = client.server.account
    before = {name: {row["id"]: row for row in account.rows(name)} for name in WITH_ID}
    account.clock.advance(60)
    moment = account.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    account.change(5, 80)
    for name in WITH_ID:
        # Roles are read whole, and a teammate has no time of its own.
        if name in ("roles", "teammates", "project_assignments"):
            continue
        for row in account.rows(name):
            old = before[name].get(row["id"])
            flat = {key: value for key, value in row.items() if not isinstance(value, dict)}
            if row["updated_at"] < moment:
                assert old, name
                assert flat == {key: old[key] for key in flat}, name


def test_changing_while_serving(client: Client) -> None:
    account = client.server.account
    stop = threading.Event()
    failures: list[str] = []

    def read() -> None:
        own = Client(client.server)
        while not stop.is_set():
            response = own.get("/time_entries", per_page=100)
            body = response.json()
            if response.status_code != 200 or len(body["time_entries"]) != 100:
                failures.append(response.text)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(10):
        account.change(number, 10)
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures


# ---------------------------------------------------------------- faults and test hooks


def test_fault_status(client: Client) -> None:
    faults = client.server.faults
    faults.add("/clients", "status", code=429, retry_after=3, after=1)
    codes = [client.get("/clients").status_code for _ in range(3)]
    assert codes == [200, 429, 200]
    when = datetime(2026, 5, 20, 12, 0, 7, tzinfo=timezone.utc)
    faults.add("/clients", "status", code=429, retry_after=when)
    refused = client.get("/clients")
    assert parsedate_to_datetime(refused.headers["Retry-After"]) == when
    faults.add("/clients", "status", code=429)
    assert "Retry-After" not in client.get("/clients").headers
    fault = faults.add(r"/(users|roles)", "status", code=500, body={"message": "oh"}, times=None)
    assert [client.get("/users").status_code for _ in range(4)] == [500] * 4
    assert client.get("/roles").json() == {"message": "oh"}
    assert client.get("/users/me").status_code == 200
    assert fault.hits == 5
    faults.clear()
    assert client.get("/users").status_code == 200


def test_fault_when(client: Client) -> None:
    client.server.faults.add(
        "/time_entries", "status", code=502, when=lambda record: record.query.get("page") == "2"
    )
    pages = (1, 2, 2)
    codes = [client.get("/time_entries", page=page, per_page=9).status_code for page in pages]
    assert codes == [200, 502, 200]


def test_fault_broken_connections(client: Client) -> None:
    client.server.faults.add("/clients", "reset")
    with pytest.raises(requests.ConnectionError):
        client.get("/clients")
    client.server.faults.add("/clients", "truncate")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        client.get("/clients")
    assert client.get("/clients").status_code == 200
    assert [record.status for record in client.server.requests] == [0, 200, 200]


def test_fault_bodies(client: Client) -> None:
    faults = client.server.faults
    faults.add("/clients", "html")
    page = client.get("/clients")
    assert page.status_code == 200
    assert page.text.startswith("<!DOCTYPE html>")
    faults.add("/clients", "no_key")
    body = client.get("/clients").json()
    assert "clients" not in body
    assert body["links"]

    def blank(body: Row) -> None:
        body["clients"] = body["clients"][:1]

    faults.add("/clients", "mutate", change=blank)
    assert len(client.get("/clients").json()["clients"]) == 1
    faults.add("/clients", "mutate", change=lambda body: [])
    assert client.get("/clients").json() == []
    faults.add("/clients", "redirect", location="http://elsewhere.example.com/")
    moved = client.session.get(
        client.server.base_url + "/clients", allow_redirects=False, timeout=5
    )
    assert moved.status_code == 302
    assert moved.headers["Location"] == "http://elsewhere.example.com/"


def test_fault_slow(client: Client) -> None:
    client.server.faults.add("/clients", "slow", seconds=0.4)
    with pytest.raises(requests.Timeout):
        client.session.get(client.server.base_url + "/clients", timeout=0.1)
    assert client.get("/clients").elapsed < timedelta(seconds=0.3)


def test_fault_trickle(client: Client) -> None:
    whole = client.get("/clients").json()
    client.server.faults.add("/clients", "trickle", seconds=0.3)
    began = time.monotonic()
    assert client.get("/clients").json() == whole
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("path", ["/clients", "/time_entries", "/reports/project_budget"])
def test_fault_counts_and_edges(path: str, client: Client) -> None:
    faults = client.server.faults
    rows = client.walk(path, per_page=5)
    fault = faults.add(path, "overcount", times=None, more=4)
    body = client.get(path, per_page=len(rows)).json()
    assert (body["total_entries"], body["total_pages"]) == (len(rows) + 4, 2)
    assert body["links"]["next"] is None
    assert client.walk(path, per_page=5) == rows
    faults.remove(fault)
    faults.add(path, "repeat", times=None)
    again = client.walk(path, per_page=5)
    assert len(again) == len(rows) + (len(rows) - 1) // 5
    assert again[:7] == [*rows[:5], rows[4], rows[5]]
    assert client.get(path, per_page=5).json()["total_entries"] == len(rows)


def test_missing_streams(client: Client) -> None:
    client.server.missing = {"contacts"}
    assert client.get("/contacts").status_code == 404
    assert client.get("/clients").status_code == 200
    faults = client.server.faults
    faults.add("/clients", "status", code=408, times=2)
    assert [client.get("/clients").status_code for _ in range(3)] == [408, 408, 200]
    faults.add("/clients", "status", code=429, retry_after=0, times=12)
    assert [client.get("/clients").status_code for _ in range(13)] == [429] * 12 + [200]


@pytest.mark.parametrize("path", ["/clients", "/time_entries"])
def test_fault_links(path: str, client: Client) -> None:
    faults = client.server.faults
    faults.add(path, "next_loop")
    response = client.get(path, per_page=5)
    assert response.json()["links"]["next"] == response.url
    faults.add(path, "next_endless", times=None)
    following = client.server.base_url + path + "?per_page=2000"
    seen = set()
    for _ in range(5):
        assert following not in seen
        seen.add(following)
        following = client.get(following).json()["links"]["next"]
        assert following
    faults.clear()
    faults.add(path, "next_elsewhere", host="http://localhost:1")
    following = client.get(path, per_page=5).json()["links"]["next"]
    assert following.startswith("http://localhost:1/v2" + path)
    with pytest.raises(ValueError, match="no fault"):
        faults.add(path, "gremlins")


def test_before(client: Client) -> None:
    account = client.server.account
    first = client.get("/clients", per_page=3).json()
    victim = account.rows("clients")[4]["id"]
    seen = []

    def delete(record: Any) -> None:
        seen.append(record.query["cursor"])
        account.delete("clients", victim)

    client.server.before("/clients", delete)
    second = client.get(first["links"]["next"]).json()
    assert victim not in [row["id"] for row in second["clients"]]
    assert second["total_entries"] == first["total_entries"] - 1
    client.get(first["links"]["next"])
    assert len(seen) == 1


def test_respond(client: Client) -> None:
    client.server.respond("/clients", {"clients": [1], "links": {"next": None}})
    assert client.get("/clients", per_page=3).json()["clients"] == [1]
    client.server.respond("/clients", None)
    assert client.get("/clients").json()["clients"] != [1]


def test_requests_are_recorded(client: Client) -> None:
    client.get("/clients", per_page=3)
    client.get("/nothing")
    one, two = client.server.requests
    assert (one.method, one.path, one.query, one.status) == (
        "GET",
        "/clients",
        {"per_page": "3"},
        200,
    )
    assert one.headers["harvest-account-id"] == client.server.account_id
    assert (two.status, two.at >= one.at) == (404, True)
    client.server.requests.clear()
    assert client.server.stats()["total"] == 0


# ---------------------------------------------------------------- command line


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
    )


@pytest.fixture
def running() -> Iterator[tuple[str, str]]:
    """A sandbox of the command line: what it printed, and its address."""
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--time-entries", "200"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("To stop"):
                break
        found = re.search(r"http://127.0.0.1:\d+", "".join(lines))
        assert found
        yield "".join(lines), found[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0


def test_command_line(running: tuple[str, str]) -> None:
    printed, url = running
    settings = dict(re.findall(r"export SOURCES__HARVEST__(\w+)=(\S+)", printed))
    assert set(settings) == {"BASE_URL", "ID_URL", "ACCESS_TOKEN", "ACCOUNT_ID"}
    assert "200 time entries" in printed
    headers = {
        "Authorization": f"Bearer {settings['ACCESS_TOKEN']}",
        "Harvest-Account-Id": settings["ACCOUNT_ID"],
    }
    path = settings["BASE_URL"] + "/time_entries"
    assert requests.get(path, headers=headers, timeout=5).json()["total_entries"] == 200
    changed = run("change", "--url", url, "--seed", "3", "--count", "4", "--kinds", "add,edit")
    assert changed.returncode == 0
    assert len(changed.stdout.splitlines()) == 4
    stats = requests.get(f"{url}/sandbox/stats", timeout=5).json()
    assert stats["requests"] == {"/time_entries": {"200": 1}}
    assert stats["rows"]["company"] == 1
    assert stats["limited"] == 0
    requests.post(f"{url}/sandbox/stats/reset", timeout=5)
    assert requests.get(f"{url}/sandbox/stats", timeout=5).json()["total"] == 0
    wrong = run("change", "--url", url, "--kinds", "explode")
    assert wrong.returncode == 1
    assert "explode" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_options_of_the_command_line() -> None:
    options = ["--time-entries", "60", "--port", "0", "--unforeseen", "--owner", "member"]
    options += ["--pages", "all=bare_page,clients=bare_cursor", "--paid-time-off", "404"]
    command = [sys.executable, "-m", "sandbox", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
        headers = {"Authorization": "Bearer sandbox-token", "Harvest-Account-Id": "1000001"}

        def get(path: str) -> Any:
            return requests.get(url + path, headers=headers, timeout=5)

        me = get("/users/me").json()
        assert me["access_roles"] == ["member"]
        assert set(UNFORESEEN) <= set(me)
        for path in ("/clients", "/time_entries"):
            assert set(get(path).json()) == {path[1:], "per_page", "links"}
        assert get("/pto/types").status_code == 404
        process.send_signal(signal.SIGINT)


def test_command_line_says_what_is_wrong() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("--port", str(port), "--time-entries", "10")
        assert result.returncode == 1
        assert len(result.stderr.splitlines()) == 1
        assert str(port) in result.stderr
    for wrong in (
        ["--port", "99999"],
        ["--time-entries", "-5"],
        ["--pages", "clients=spiral"],
        ["--pages", "clients"],
        ["--pages", "robots=page"],
        ["--owner", "king"],
        ["--paid-time-off", "maybe"],
    ):
        result = run(*wrong)
        assert result.returncode == 2, wrong
        assert wrong[1].split("=")[-1] in result.stderr or "robots" in result.stderr
        assert "Traceback" not in result.stderr
    result = run("change", "--url", f"http://127.0.0.1:{port}")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "python -m sandbox" in result.stderr


# ---------------------------------------------------------------- the house

MODULES = {file.stem: ast.parse(file.read_text()) for file in (ROOT / "sandbox").glob("*.py")}


def imported(tree: ast.AST) -> set[str]:
    """The modules of the sandbox that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or node.module == "sandbox"):
            names = [node.module] if node.module else [name.name for name in node.names]
            found |= {str(name).removeprefix("sandbox.").split(".")[0] for name in names}
    return found & set(MODULES)


def test_no_module_imports_itself_in_a_circle() -> None:
    arrows = {name: imported(tree) for name, tree in MODULES.items()}
    assert arrows["store"] >= {"clock", "listings", "tables"}
    # What imports nothing that is left can be taken away; what stays is a circle.
    while free := {name for name, others in arrows.items() if not others & set(arrows)}:
        arrows = {name: others for name, others in arrows.items() if name not in free}
    assert not arrows


@pytest.mark.parametrize("module", MODULES)
def test_no_module_uses_private_names_of_another(module: str) -> None:
    """A name with an underscore is used only by the module that defines it."""
    tree = MODULES[module]
    own: set[str] = set()
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Attribute):
            (own if isinstance(node.ctx, ast.Store) else used).add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            used |= {name.name for name in node.names}
    # of named tuples, by Python's own documentation
    own.add("_replace")
    private = {name for name in used - own if name.startswith("_") and not name.endswith("__")}
    assert not private


def test_the_sandbox_imports_nothing_of_the_source() -> None:
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.split(".")[0] == "harvest" for name in names), module
