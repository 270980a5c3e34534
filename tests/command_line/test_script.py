"""harvest_pipeline.py as people run it: what it loads, and what it says when it cannot."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import duckdb
import pytest

from harvest.settings import STREAMS
from sandbox import Account, Server
from tests.copy import Copy
from tests.script import ROOT, counts, environment, one_sentence, run

NOWHERE = "http://127.0.0.1:9"


def test_it_loads_everything_and_says_where(server: Server) -> None:
    done = run("--no-reconcile", "-q", env=environment(server))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert f"with {len(server.requests)} requests" in done.stdout
    held = counts()
    for stream, rows in server.account.counts().items():
        assert held[stream] == rows, stream
    assert "harvest.duckdb" in done.stdout
    assert f"{'time_entries':<40}{held['time_entries']:>10,}" in done.stdout


@pytest.mark.long
def test_some_streams_into_another_dataset(server: Server) -> None:
    Copy(server).begin("clients", "tasks", "roles", healed=True)
    done = run("--resources", "clients, tasks", "--dataset", "other", env=environment(server))
    assert done.returncode == 0, done.stderr
    held = {name: n for name, n in counts("other").items() if not name.startswith("_dlt")}
    # all of them, though the pipeline has loaded them before into another dataset
    expected = server.account.counts()
    assert held == {"clients": expected["clients"], "tasks": expected["tasks"]}
    # and back: the first dataset goes on from where it stood
    server.requests.clear()
    assert run("--resources", "clients", env=environment(server)).returncode == 0
    (first, *_) = (each for each in server.requests if each.path == "/clients")
    assert "updated_since" in first.query
    assert counts()["clients"] == expected["clients"]


@pytest.mark.long
def test_accounts_side_by_side(server: Server) -> None:
    """A dataset each, in one database and by one script: what one does is nothing to the other."""
    streams = ("clients", "time_entries", "time_clients")
    with Server(Account.generate(seed=8, time_entries=60, years=0.5), limits=False) as other:
        other.account_id = "2000002"
        other.accounts[0]["id"] = 2000002
        sides = {"agency_one": server, "agency_two": other}
        for first in (True, False):
            for dataset, side in sides.items():
                if not first:
                    client = side.account.add("clients", name=f"A client of {dataset}")["id"]
                    side.account.edit("clients", client, address="Here")
                side.requests.clear()
                arguments = ("--dataset", dataset, "--resources", ",".join(streams))
                done = run(*arguments, env=environment(side))
                assert done.returncode == 0, done.stderr
                since = [
                    "updated_since" in record.query
                    for record in side.requests
                    if record.path == "/clients"
                ]
                # the comparison reads all of them
                assert since == [not first, False]
        with duckdb.connect("harvest.duckdb", read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for dataset, side in sides.items():
                for stream in ("clients", "time_entries"):
                    rows = connection.execute(f"SELECT id, updated_at FROM {dataset}.{stream}")
                    here = {(id, f"{at:%Y-%m-%dT%H:%M:%SZ}") for id, at in rows.fetchall()}
                    there = {(row["id"], row["updated_at"]) for row in side.account.rows(stream)}
                    assert here == there, (dataset, stream)
        before = counts("agency_one")
        done = run("--dataset", "agency_one", env=environment(other))
        assert done.returncode == 1
        assert "account 1000001, so that account 2000002 cannot be loaded" in done.stderr
        assert counts("agency_one") == before


@pytest.mark.long
def test_start_date(server: Server) -> None:
    day = sorted(row["updated_at"] for row in server.account.rows("time_entries"))[-50][:10]
    done = run("--resources", "time_entries", "--start-date", day, env=environment(server))
    assert done.returncode == 0, done.stderr
    expected = [row for row in server.account.rows("time_entries") if row["updated_at"] >= day]
    assert 0 < counts()["time_entries"] == len(expected) < 400


def test_full_refresh(server: Server) -> None:
    streams = ("clients", "tasks", "time_entries", "invoices", "invoice_messages", "time_team")
    some = ("--resources", ",".join(streams))
    Copy(server).begin(*streams, healed=True)
    gone = server.account.rows("time_entries")[5]["id"]
    server.account.delete("time_entries", gone)
    client = server.account.rows("clients")[0]
    server.account.edit("clients", client["id"], touch=False, name="Changed in silence")
    server.requests.clear()
    done = run("--full-refresh", "-q", *some, env=environment(server))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert all("updated_since" not in record.query for record in server.requests)
    for stream in streams[:-1]:
        assert counts()[stream] == server.account.counts()[stream], stream
    with duckdb.connect("harvest.duckdb") as connection:
        names = connection.execute("SELECT name FROM harvest_data.clients").fetchall()
    assert ("Changed in silence",) in names
    # incremental from there
    server.requests.clear()
    assert run("--no-reconcile", *some, env=environment(server)).returncode == 0
    assert all(
        "updated_since" in record.query
        for record in server.requests
        if STREAMS.get(record.path[1:], STREAMS["roles"]).kind == "list"
        and record.path[1:] != "users/me"
    )


def test_full_refresh_that_fails_half_way(server: Server) -> None:
    some = ("clients", "invoices", "invoice_payments", "task_assignments", "time_team")
    Copy(server).begin(*some, healed=True)
    before = counts()
    server.faults.add("/invoices/[0-9]+/payments", "status", code=422, after=3)
    server.faults.add("/task_assignments", "status", code=400)
    done = run("--full-refresh", "--resources", ",".join(some), env=environment(server))
    assert done.returncode == 1
    assert "task_assignments" in done.stderr
    assert counts() == before


def test_no_credentials(tmp_path: Path) -> None:
    message = one_sentence(run(env=dict(os.environ)))
    assert "secrets.toml" in message
    assert f"in {tmp_path}/.dlt or " in message
    assert not Path("harvest.duckdb").exists()
    # with the file as it comes with the repository
    (tmp_path / ".dlt").mkdir()
    secrets = (ROOT / ".dlt" / "secrets.toml").read_text()
    (tmp_path / ".dlt" / "secrets.toml").write_text(secrets)
    assert one_sentence(run(env=dict(os.environ))) == message


@pytest.mark.parametrize(
    ("settings", "arguments", "words"),
    [
        ({"ACCESS_TOKEN": "wrong"}, [], ["access token (401)", "developers"]),
        ({"ACCOUNT_ID": "7"}, [], ["account_id 7", "404"]),
        ({"BASE_URL": f"{NOWHERE}/v2"}, [], [NOWHERE, "refused", "base_url"]),
        ({"BASE_URL": "http://harvest.example/v2"}, [], ["base_url", "https://"]),
        ({}, ["--resources", "clients,clienst"], ["no stream clienst", "time_entries"]),
        ({}, ["--start-date", "2024-02-31"], ["start_date", "2024-02-31"]),
        ({"RATE_LIMIT": "many"}, [], ["rate_limit", "many", "int"]),
        ({}, ["--destination", "oracel"], ["destination oracel"]),
        *(
            pytest.param({name: value}, [], words, marks=pytest.mark.long)
            for name, value, words in (
                ("START_DATE", "soon", ["start_date", "soon"]),
                ("REPORT_PERIOD", "week", ["report_period", "week", "quarter"]),
                ("ON_FORBIDDEN", "cry", ["on_forbidden", "cry", "raise"]),
                ("RATE_LIMIT", "0", ["rate_limit", "more than 0"]),
            )
        ),
    ],
)
def test_bad_input(
    server: Server, settings: Dict[str, str], arguments: List[str], words: List[str]
) -> None:
    message = one_sentence(run(*arguments, env=environment(server, **settings)))
    for word in words:
        assert word in message


@pytest.fixture
def without_account(server: Server) -> Dict[str, str]:
    env = environment(server)
    del env["SOURCES__HARVEST__ACCOUNT_ID"]
    return env


def test_the_only_account_is_found(server: Server, without_account: Dict[str, str]) -> None:
    server.accounts.append({"id": 5, "name": "Plans", "product": "forecast"})
    assert run("--resources", "clients", env=without_account).returncode == 0
    assert counts()["clients"] == server.account.counts()["clients"]


def test_two_accounts(server: Server, without_account: Dict[str, str]) -> None:
    server.accounts.append({"id": 1000002, "name": "The other one", "product": "harvest"})
    message = one_sentence(run(env=without_account))
    assert "1000001" in message
    assert "1000002 (The other one)" in message
    assert "account_id" in message


def test_no_account(server: Server, without_account: Dict[str, str]) -> None:
    server.accounts[:] = [{"id": 5, "name": "Plans", "product": "forecast"}]
    assert "no Harvest account" in one_sentence(run(env=without_account))


def test_help_is_enough() -> None:
    done = run("--help", env=dict(os.environ))
    assert done.returncode == 0
    for word in ("--resources", "--start-date", "--destination", "--full-refresh", "verify"):
        assert word in done.stdout


def test_declaring_makes_no_request(server: Server) -> None:
    code = (
        "import harvest, harvest_pipeline\n"
        f"assert len(harvest.harvest_source().resources) == {len(STREAMS)}\n"
        "import sys; assert 'No such' not in sys.argv"
    )
    env = environment(server)
    for name in ("ACCESS_TOKEN", "ACCOUNT_ID"):
        del env[f"SOURCES__HARVEST__{name}"]
    env["PYTHONPATH"] = str(ROOT)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert server.requests == []
    assert not list(Path().glob("*.duckdb"))
