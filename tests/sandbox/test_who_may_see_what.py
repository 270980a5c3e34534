"""Sign-in, permissions, refusals and rate limits."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import pytest
import requests

from sandbox import (
    BALANCES,
    LISTINGS,
    TIME_OFF,
    Account,
    Clock,
    Server,
)
from tests.sandbox.client import Client


@pytest.mark.parametrize(("answer", "status"), [("403", 403), ("404", 404), ("empty", 200)])
def test_an_account_without_paid_time_off(answer: str, status: int, client: Client) -> None:
    server = client.server
    user = server.account.rows("users")[0]["id"]
    server.api.paid_time_off = answer
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
        "client_id": server.sign_in.client_id,
        "client_secret": server.sign_in.client_secret,
        "refresh_token": server.sign_in.refresh_token,
    }
    server.sign_in.token_lifetime = 60
    got = requests.post(url, **{encoding: asked}, timeout=5).json()  # type: ignore[arg-type]
    assert got["token_type"] == "bearer"
    assert got["expires_in"] == 60
    assert got["refresh_token"] == server.sign_in.refresh_token
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


def test_missing_streams(client: Client) -> None:
    client.server.missing = {"contacts"}
    assert client.get("/contacts").status_code == 404
    assert client.get("/clients").status_code == 200
    faults = client.server.faults
    faults.add("/clients", "status", code=408, times=2)
    assert [client.get("/clients").status_code for _ in range(3)] == [408, 408, 200]
    faults.add("/clients", "status", code=429, retry_after=0, times=12)
    assert [client.get("/clients").status_code for _ in range(13)] == [429] * 12 + [200]


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
        assert account.add("clients")["created_at"] <= clock.stamp()
        clock.freeze(datetime(2031, 1, 2, 3, 4, 5, tzinfo=timezone.utc))
        clock.advance(60)
        assert account.add("clients")["updated_at"] == "2031-01-02T03:05:05Z"
        told = parsedate_to_datetime(client.get("/clients").headers["Date"])
        assert told == clock.now()
