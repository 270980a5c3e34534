"""What --dry-run foretells is what the run then asks for; and it changes nothing."""

import hashlib
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List

import pytest

from harvest.settings import STREAMS
from sandbox import Account, Server
from tests.script import environment, one_sentence, run

PATHS = {re.sub("{id}", "{}", stream.path): name for name, stream in STREAMS.items()}
PATHS["/users/me"] = "owner"


@pytest.fixture(scope="module")
def account() -> Account:
    """Windows of reports that have long ended."""
    return Account.generate(seed=5, time_entries=300, years=2.5)


@pytest.fixture
def env(server: Server) -> Dict[str, str]:
    return environment(server)


def foreseen(*arguments: str, env: Dict[str, str]) -> Dict[str, Any]:
    done = run("--dry-run", "--json", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "[WARNING]" not in line] == []
    found: Dict[str, Any] = json.loads(done.stdout)
    assert sum(each["requests"] for each in found["streams"]) == found["requests"]
    return found


def requests(found: Dict[str, Any]) -> "Counter[str]":
    counted: Counter[str] = Counter()
    for each in found["streams"]:
        # one of its lists is asked
        name = "pto_requests" if each["stream"] == "paid time off" else each["stream"]
        counted[name] += each["requests"]
    return counted


def rows(found: Dict[str, Any]) -> Dict[str, int]:
    return {each["stream"]: each["rows"] for each in found["streams"]}


def made(server: Server, *arguments: str, env: Dict[str, str]) -> "Counter[str]":
    """Requests of a real run by stream."""
    server.requests.clear()
    done = run("--no-reconcile", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    paths = [re.sub(r"/\d+", "/{}", record.path) for record in server.requests]
    return Counter(PATHS[path] for path in paths)


def files() -> Dict[str, str]:
    """Everything in this folder but dlt's working directory."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path().rglob("*")
        if path.is_file() and path.parts[0] != "dlt"
    }


def test_the_first_run_and_the_next_ones(server: Server, env: Dict[str, str]) -> None:
    account = server.account
    for changed in (None, 3):
        account.clock.advance(60)
        for invoice in account.rows("invoices")[: changed or 0]:
            account.edit("invoices", invoice["id"], notes=f"changed with {changed}")
        account.clock.advance(60)
        before = files()
        found = foreseen(env=env)
        assert files() == before
        assert +requests(found) == made(server, env=env), changed
        if changed is None:
            counts = account.counts()
            assert before == {}
            known = {name: n for name, n in rows(found).items() if n is not None}
            assert {name: n for name, n in known.items() if not STREAMS[name].section} == {
                name: counts.get(name, 1)
                for name, stream in STREAMS.items()
                if stream.kind in ("list", "whole") and name != "project_budget"
                if not stream.section
            } | {"project_budget": rows(found)["project_budget"]}
        else:
            assert requests(found)["invoice_payments"] == changed
            assert rows(found)["invoices"] >= changed
            assert rows(found)["time_entries"] < 100


@pytest.mark.long
def test_other_windows_than_those_that_were_read(server: Server, env: Dict[str, str]) -> None:
    some = ("--resources", "time_entries,expenses,time_team,uninvoiced")
    made(server, *some, env=env)
    env["SOURCES__HARVEST__REPORT_PERIOD"] = "quarter"
    found = foreseen(*some, env=env)
    assert requests(found)["uninvoiced"] > 8
    assert +requests(found) == made(server, *some, env=env)


@pytest.mark.long
def test_lists_of_several_pages() -> None:
    account = Account.generate(seed=5, time_entries=4500, years=0.5)
    with Server(account, limits=False) as server:
        env, arguments = environment(server), ("--resources", "time_entries,expenses")
        found = foreseen(*arguments, env=env)
        assert rows(found)["time_entries"] == 4500
        assert requests(found)["time_entries"] == 3
        assert +requests(found) == made(server, *arguments, env=env)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--resources", "invoice_payments,time_clients"],
        *(
            pytest.param(part.split(), marks=pytest.mark.long)
            for part in (
                "--resources clients,time_entries",
                "--resources expenses_team,teammates",
                "--start-date {}",
                "--start-date {} --end-date {}",
                "--start-date 2024-01-01 --end-date 2099-01-01 --resources time_entries",
            )
        ),
    ],
)
def test_part_of_it(server: Server, env: Dict[str, str], arguments: List[str]) -> None:
    days = sorted(row["updated_at"][:10] for row in server.account.rows("time_entries"))
    arguments = [argument.format(days[len(days) // 2]) for argument in arguments]
    found = foreseen(*arguments, env=env)
    assert +requests(found) == made(server, *arguments, env=env)


@pytest.mark.long
def test_a_full_refresh(server: Server, env: Dict[str, str]) -> None:
    streams = ("--resources", "clients,invoices,invoice_messages,time_entries,uninvoiced")
    made(server, *streams, env=env)
    before = files()
    found = foreseen("--full-refresh", *streams, env=env)
    assert files() == before
    assert rows(found)["time_entries"] == 300
    # some of them: the others go on from where they were
    some = ("--full-refresh", "--resources", "invoices,invoice_messages,uninvoiced")
    assert +requests(foreseen(*some, env=env)) == made(server, *some, env=env)
    assert +requests(found) == made(server, "--full-refresh", *streams, env=env)


@pytest.mark.long
def test_delta(server: Server, env: Dict[str, str]) -> None:
    env |= {
        "SOURCES__HARVEST__TABLE_FORMAT": "delta",
        "DESTINATION__FILESYSTEM__BUCKET_URL": "lake",
    }
    arguments = ("--destination", "filesystem", "--resources", "invoices,invoice_payments")
    for _ in range(2):
        before = files()
        found = foreseen(*arguments, env=env)
        assert files() == before
        assert +requests(found) == made(server, *arguments, env=env)
    assert rows(found)["invoices"] == server.account.counts()["invoices"]


@pytest.mark.long
def test_what_is_switched_off_or_refused(server: Server, env: Dict[str, str]) -> None:
    with Server(Account.generate(seed=7, time_entries=100), limits=False) as other:
        other.account.company |= {"expense_feature": False, "team_feature": False}
        other.forbidden.add("clients")
        env = environment(other)
        found = foreseen(env=env)
        reads = {each["stream"]: each["reads"] for each in found["streams"]}
        assert "expense_feature is switched off" in reads["expenses_team"]
        assert "team_feature is switched off" in reads["teammates"]
        assert "Administrator" in reads["clients"]
        assert +requests(found) == made(other, env=env)


def test_it_asks_little(server: Server, env: Dict[str, str]) -> None:
    foreseen(env=env)
    asked = Counter(record.path for record in server.requests)
    # time entries and expenses: the newest and the oldest; users: to tell who is a manager, too
    twice = {path for path, n in asked.items() if n == 2}
    # paid time off: whether there is any, and its list; and of two years
    time_off = {"/pto/requests", "/pto/allocations"}
    assert twice == {"/time_entries", "/expenses", "/users"} | time_off, asked
    lists = {stream.path for stream in STREAMS.values() if "{" not in stream.path}
    reports = {stream.path for stream in STREAMS.values() if stream.report}
    assert asked.keys() == lists - reports - {"/pto/balances"} | {"/users/me"}
    whole = [record.path for record in server.requests if record.query.get("per_page") != "1"]
    assert sorted(whole) == ["/company", "/users", "/users/me"]


def test_the_speed_limits(server: Server, env: Dict[str, str]) -> None:
    env |= {"SOURCES__HARVEST__RATE_LIMIT": "10", "SOURCES__HARVEST__RATE_WINDOW": "2"}
    arguments = ("--resources", "roles,invoices,invoice_payments")
    found = foreseen(*arguments, env=env)
    assert found["seconds"] == (found["requests"] - 1) // 10 * 2 > 0
    env["SOURCES__HARVEST__REPORT_RATE_LIMIT"] = "1"
    found = foreseen("--resources", "time_clients,uninvoiced", env=env)
    assert found["seconds"] == 5 * 900


def test_in_words(server: Server, env: Dict[str, str]) -> None:
    done = run("--dry-run", "--resources", "time_entries,invoice_payments", env=env)
    assert done.returncode == 0
    assert re.search(r"^time_entries +300 +1   all$", done.stdout, re.MULTILINE)
    count = server.account.counts()["invoices"]
    assert re.search(rf"^invoice_payments +{count}   below {count} invoices$", done.stdout, re.M)
    assert "Nothing was loaded." in done.stdout


@pytest.mark.long
def test_another_account(server: Server, env: Dict[str, str]) -> None:
    made(server, "--resources", "clients", env=env)
    with Server(server.account, limits=False) as other:
        other.account_id = "2000002"
        other.accounts[0]["id"] = 2000002
        done = run("--dry-run", "--resources", "clients", env=environment(other))
    assert done.returncode == 1
    assert "account 2000002 cannot be loaded" in done.stderr


@pytest.mark.long
def test_bad_input(server: Server, env: Dict[str, str]) -> None:
    assert "clienst" in one_sentence(run("--dry-run", "--resources", "clienst", env=env))
    assert "end_date" in one_sentence(run("--dry-run", "--end-date", "interval", env=env))
    env["SOURCES__HARVEST__ACCESS_TOKEN"] = "wrong"
    assert "(401)" in one_sentence(run("--dry-run", env=env))
    assert not os.path.exists("harvest.duckdb")
