"""A range of days once more, by `spent_date`: what arrives, and that nothing else is touched."""

import os
from typing import Any, Dict, List, Set

import pytest

from harvest import harvest_source
from sandbox import Server
from tests.copy import Copy
from tests.lakes import Delta
from tests.script import environment, one_sentence, run

DATED = ("time_entries", "expenses")


@pytest.fixture
def span(server: Server) -> List[str]:
    """First and last day of a backfill, on which there are rows, as there are before and after."""
    days = sorted({row["spent_date"] for row in server.account.rows("time_entries")})
    return [days[len(days) // 3], days[len(days) // 2]]


def within(server: Server, stream: str, first: str, last: str) -> Set[int]:
    rows = server.account.rows(stream)
    found = {row["id"] for row in rows if first <= row["spent_date"] <= last}
    assert len(found) < len(rows)
    return found


def ids(copy: Copy, stream: str) -> Set[int]:
    return {row["id"] for row in copy.table(stream)}


def stored_state(copy: Copy) -> Dict[str, Any]:
    """Where the pipeline stands, as the destination says."""
    copy.pipeline.sync_destination()
    state: Dict[str, Any] = copy.pipeline.state["sources"]["harvest"]
    return state


def edit_in_silence(server: Server, ids: Set[int]) -> None:
    """Changes time entries so that only a backfill can notice."""
    for id in ids:
        server.account.edit("time_entries", id, touch=False, notes="Changed in silence")


def changed(copy: Copy) -> Set[int]:
    return {row["id"] for row in copy.table("time_entries") if row["notes"] == "Changed in silence"}


def test_the_range_arrives_and_nothing_else(copy: Copy, span: List[str]) -> None:
    copy.run(start_date=span[0], end_date=span[1])
    for stream in DATED:
        assert ids(copy, stream) == within(copy.server, stream, *span), stream
    days = {str(row["spent_date"]) for row in copy.table("time_entries")}
    assert {min(days), max(days)} == set(span)
    # the company says whether there are expenses
    assert set(copy.requests()) == {"/users/me", "/company", "/time_entries", "/expenses"}
    assert "incremental" not in str(stored_state(copy))
    # the first normal run knows nothing of it
    copy.run(*DATED, "clients")
    copy.check(*DATED, "clients")


def test_one_day(copy: Copy, span: List[str]) -> None:
    copy.run(start_date=span[0], end_date=span[0])
    found = within(copy.server, "time_entries", span[0], span[0])
    assert ids(copy, "time_entries") == found != set()


def test_a_range_of_several_pages(copy: Copy, span: List[str]) -> None:
    copy.server.api.page_size = 200
    for number in range(410):
        copy.server.account.add("time_entries", spent_date=span[number % 2])
    copy.server.account.clock.advance(60)
    copy.run("time_entries", start_date=span[0], end_date=span[1])
    assert ids(copy, "time_entries") == within(copy.server, "time_entries", *span)
    # who asks, and the pages
    assert copy.requests() == ["/users/me", *["/time_entries"] * 3]


@pytest.mark.long
def test_what_was_loaded_before_stays(copy: Copy, span: List[str]) -> None:
    copy.begin(*DATED, "clients")
    before = stored_state(copy)
    account = copy.server.account
    account.clock.advance(60)
    inside = within(copy.server, "time_entries", *span)
    edit_in_silence(copy.server, {row["id"] for row in account.rows("time_entries")})
    deleted = min(inside)
    account.delete("time_entries", deleted)
    for _ in range(2):
        loaded = copy.run(start_date=span[0], end_date=span[1])
        assert loaded["time_entries"] == len(inside) - 1
        assert loaded.keys() <= {"time_entries", "expenses"}
        assert changed(copy) == inside - {deleted}
        assert len(copy.table("time_entries")) == 400
        assert stored_state(copy) == before
    # a normal run goes on from where the last one ended
    account.clock.advance(60)
    edited = max(inside)
    account.edit("time_entries", edited, notes="Changed aloud")
    copy.run(*DATED, "clients")
    (since,) = (
        record.query["updated_since"]
        for record in copy.server.requests
        if record.path == "/time_entries"
    )
    cursor = before["resources"]["time_entries"]["incremental"]["updated_at"]["last_value"]
    assert since < cursor
    assert edited not in changed(copy)
    state = stored_state(copy)["resources"]["time_entries"]["incremental"]
    assert state.keys() == {"updated_at"}
    assert state["updated_at"]["last_value"] > cursor


@pytest.mark.long
def test_delta(server: Server, span: List[str]) -> None:
    copy = Delta(server)
    copy.run(*DATED)
    before = stored_state(copy)
    server.account.clock.advance(60)
    edit_in_silence(server, {row["id"] for row in server.account.rows("time_entries")})
    for _ in range(2):
        copy.run(start_date=span[0], end_date=span[1])
        assert len(copy.table("time_entries")) == 400
        assert changed(copy) == within(server, "time_entries", *span)
        assert stored_state(copy) == before


# The end of an interval is not in it: it is the beginning of the next one.
@pytest.mark.parametrize("end", ["T00:00:00Z", "T00:00:01Z", "T12:00:00+00:00"])
def test_an_interval(
    copy: Copy, span: List[str], end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLT_INTERVAL_START", f"{span[0]}T00:00:00Z")
    monkeypatch.setenv("DLT_INTERVAL_END", f"{span[1]}{end}")
    copy.run(end_date="interval")
    found = within(copy.server, "time_entries", *span)
    if end == "T00:00:00Z":
        found -= within(copy.server, "time_entries", span[1], span[1])
    assert ids(copy, "time_entries") == found != set()
    # start_date bounds it
    copy.run(end_date="interval", start_date="2999-01-01")
    assert copy.requests() == []


def test_an_interval_in_another_time_zone(
    copy: Copy, span: List[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The days are those of the time zone in which the interval is."""
    monkeypatch.setenv("DLT_INTERVAL_START", f"{span[0]}T05:00:00Z")
    monkeypatch.setenv("DLT_INTERVAL_END", f"{span[1]}T04:00:00Z")
    monkeypatch.setenv("DLT_INTERVAL_TIMEZONE", "America/New_York")
    copy.run(end_date="interval")
    found = within(copy.server, "time_entries", *span)
    found -= within(copy.server, "time_entries", span[1], span[1])
    assert ids(copy, "time_entries") == found


def test_an_interval_never_bounds_a_normal_run(
    copy: Copy, span: List[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLT_INTERVAL_START", f"{span[0]}T00:00:00Z")
    monkeypatch.setenv("DLT_INTERVAL_END", f"{span[1]}T00:00:00Z")
    monkeypatch.setenv("DLT_ALLOW_EXTERNAL_SCHEDULERS", "true")
    copy.run(*DATED, "clients")
    copy.check(*DATED, "clients")
    # nor a backfill of given days
    edit_in_silence(copy.server, {row["id"] for row in copy.server.account.rows("time_entries")})
    copy.run(start_date=span[1], end_date=span[1])
    assert changed(copy) == within(copy.server, "time_entries", span[1], span[1])


def test_only_two_streams_are_declared() -> None:
    assert set(harvest_source(start_date="2024-01-01", end_date="2024-01-31").resources) == {*DATED}


@pytest.mark.long
def test_the_script(server: Server, span: List[str]) -> None:
    env = environment(server)
    assert run("--resources", "time_entries", env=env).returncode == 0
    deleted = sorted(within(server, "time_entries", *span))[:3]
    for id in deleted:
        server.account.delete("time_entries", id)
    found = within(server, "time_entries", *span)
    server.requests.clear()
    days = ("--start-date", span[0], "--end-date", span[1])
    done = run(*days, "--resources", "time_entries", env=env)
    assert done.returncode == 0, done.stderr
    assert f"{'time_entries':<40}{len(found):>10,}" in done.stdout
    # it compares nothing, and so removes nothing
    assert [record.path for record in server.requests] == ["/users/me", "/time_entries"]
    assert "Compared" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--end-date", "2024-01-31"], ["end_date is 2024-01-31", "start_date"]),
        (
            ["--start-date", "2024-02-01", "--end-date", "2024-01-31"],
            ["end_date is 2024-01-31", "2024-02-01", "later"],
        ),
        *(
            pytest.param(arguments.split(), words, marks=pytest.mark.long)
            for arguments, words in (
                ("--start-date 2024-01-01 --end-date soon", ["end_date is 'soon'"]),
                ("--start-date soon --end-date 2024-01-01", ["start_date is 'soon'"]),
                (
                    "--start-date 2024-01-01 --end-date 2024-01-31 --resources clients",
                    ["end_date", "time_entries and expenses", "not clients"],
                ),
                (
                    "verify --start-date 2024-01-01 --end-date 2024-01-31",
                    ["end_date", "verify"],
                ),
            )
        ),
        (
            ["--start-date", "2024-01-01", "--end-date", "2024-01-31", "--full-refresh"],
            ["end_date", "full refresh"],
        ),
        (["--end-date", "interval"], ["end_date", "DLT_INTERVAL_START", "Airflow"]),
    ],
)
def test_bad_input(server: Server, arguments: List[str], words: List[str]) -> None:
    message = one_sentence(run(*arguments, env=environment(server)))
    for word in words:
        assert word in message
    # some of it shows when the load begins
    assert {record.path for record in server.requests} <= {"/users/me"}


@pytest.mark.long
def test_a_full_refresh_leaves_the_table_alone(server: Server, span: List[str]) -> None:
    env = environment(server, START_DATE=span[0], END_DATE=span[1])
    assert run("--resources", "time_entries", env=env).returncode == 0
    before = os.path.getmtime("harvest.duckdb")
    assert run("--resources", "time_entries", "--full-refresh", env=env).returncode == 1
    assert os.path.getmtime("harvest.duckdb") == before
