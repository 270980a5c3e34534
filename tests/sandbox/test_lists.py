"""Lists: their rows, filters, and all the ways in which they page."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox import (
    LISTINGS,
    PAGES,
    REPORTS,
    Account,
    Server,
)
from tests.sandbox.client import STREAMS, TODAY, Client, Row


def test_lists_give_the_rows(still: Client) -> None:
    """Every list, page by page and record by record, is what the account holds."""
    for stream in LISTINGS:
        check_list(stream, still)


def check_list(stream: str, still: Client) -> None:
    account = still.server.account
    listing = LISTINGS[stream]
    parents = account.parents(stream) if listing.parent[0] else [None]
    for parent in parents[:8]:
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
        assert "?page=2" not in pages[-1]["links"]["next"]
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
    assert len(Account.empty(users=1).rows("users")) == 1


def brute(row: Row, name: str, value: Any) -> bool:
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


def test_each_filter(still: Client) -> None:
    for stream, listing in LISTINGS.items():
        for name in listing.filters:
            check_filter(stream, name, still)


def check_filter(stream: str, name: str, still: Client) -> None:
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
        assert found == [row for row in rows if brute(row, name, value)], (stream, name)


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
    rows = account.rows("project_assignments", me)
    mine = still.get("/users/me/project_assignments", per_page=len(rows) - 1).json()
    assert mine["project_assignments"] == rows[:-1]
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


def test_assignments_under_a_key(client: Client) -> None:
    rows = client.server.account.rows("pto_assignments")
    assert client.get("/pto/assignments").json() == rows
    client.server.api.assignments_key = "assignments"
    assert client.get("/pto/assignments").json() == {"assignments": rows}
    client.server.page_by("bare_cursor", "pto_assignments")
    assert client.walk("/pto/assignments", per_page=2) == rows


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
    client.server.api.page_size = 3
    body = client.get("/clients", per_page=2000).json()
    assert (len(body["clients"]), body["per_page"]) == (3, 3)
    assert client.walk("/clients") == client.server.account.rows("clients")
