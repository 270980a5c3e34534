"""Misbehaviour on purpose, and what tests can ask of a server."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from tests.sandbox.client import Client, Row


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


def test_fault_gather(client: Client) -> None:
    client.server.faults.add("/clients|/tasks", "gather", times=3)
    with ThreadPoolExecutor() as pool:
        first = [pool.submit(client.get, path) for path in ("/clients", "/tasks")]
        assert wait(first, timeout=0.3).done == set()
        assert client.get("/users").status_code == 200
        assert wait(first, timeout=0.1).done == set()
        assert client.get("/clients").status_code == 200
        assert [each.result().status_code for each in first] == [200, 200]
    assert client.get("/tasks").status_code == 200


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
    with pytest.raises(ValueError, match="gather needs times"):
        faults.add(path, "gather", times=None)


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
