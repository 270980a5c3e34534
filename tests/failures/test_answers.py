"""Bad answers: tried again where that helps, and one sentence where it does not."""

import re
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from itertools import cycle
from typing import Any, Callable, Dict, Tuple

import dlt
import pytest
from dlt.extract.exceptions import ResourceExtractionError
from dlt.pipeline.exceptions import PipelineStepFailed

from harvest.settings import STREAMS
from sandbox import Account, Server
from tests.copy import Copy
from tests.helpers import sentence, snapshot
from tests.processes import Run
from tests.script import ROOT, environment, run

SCRIPT = ROOT / "harvest_pipeline.py"
SOME = ("clients", "tasks", "invoices", "invoice_messages", "roles", "time_team")

RATE = "Harvest's rate limit was reached (429)"
PASSING: Dict[str, Tuple[str, Dict[str, Any], str]] = {
    "429 in seconds": ("status", {"code": 429, "retry_after": 0}, RATE),
    "429 without saying": ("status", {"code": 429}, RATE),
    "408": ("status", {"code": 408}, "Harvest answered 408"),
    "500": ("status", {"code": 500}, "Harvest answered 500"),
    "502": ("status", {"code": 502}, "Harvest answered 502"),
    "503": ("status", {"code": 503, "retry_after": 0}, "Harvest answered 503"),
    "reset": ("reset", {}, "the connection broke"),
    "cut": ("truncate", {}, "the answer broke off"),
    "html": ("html", {}, "the answer is text/html and not whole JSON"),
    "no key": ("no_key", {}, "the answer has no "),
    "slow": ("slow", {"seconds": 1}, "no answer in time"),
}
"""Answers that may be better the next time: fault, its details, and how it is put in words."""

FINAL: Dict[str, Tuple[str, Dict[str, Any], str]] = {
    "400": ("status", {"code": 400}, "400"),
    "422": ("status", {"code": 422, "body": {"message": "Nonsense."}}, '(422) and says "Nonsense"'),
    "redirect elsewhere": (
        "redirect",
        {"location": "http://127.0.0.1:9/v2"},
        "leads to http://127.0.0.1:9",
    ),
}
"""Answers that would be the same the next time."""


PATHS = {
    "clients": "/clients",
    "invoices": "/invoices",
    "invoice_messages": "/invoices/[0-9]+/messages",
    "roles": "/roles",
    "time_team": "/reports/time/team",
}
"""A stream of each kind."""


def runtime(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    """Settings of dlt's [runtime]."""
    for name, value in settings.items():
        monkeypatch.setenv(f"RUNTIME__{name}", value)
    dlt.current.run_context().reload()


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    """As small as an account can be that has something of everything."""
    return generated(seed=3, time_entries=60, years=0.5)


@pytest.fixture
def copy(server: Server, monkeypatch: pytest.MonkeyPatch) -> Copy:
    runtime(monkeypatch, REQUEST_TIMEOUT="0.3")
    # windows small, as without a Retry-After a whole one is waited for
    return Copy(server, rate_window=0.1, report_rate_window=0.1)


@pytest.mark.parametrize("kind", PASSING)
def test_it_is_tried_again(copy: Copy, kind: str, said: pytest.LogCaptureFixture) -> None:
    fault, details, words = PASSING[kind]
    faults = {
        stream: copy.server.faults.add(path, fault, times=2, **details)
        for stream, path in PATHS.items()
    }
    read = copy.read(*SOME)
    for stream, each in faults.items():
        assert each.hits == 2
        assert f"{stream}: {words}" in said.text
    copy.check_read(read)


ENDING = [kind for kind in (*PASSING, *FINAL) if not kind.startswith("429")]
"""A rate limit that was reached is no attempt, however often: it only may not last for ever."""


@pytest.mark.parametrize(
    ("kind", "stream"),
    [
        # one of each stream
        pytest.param(kind, stream, marks=[pytest.mark.long] if number >= len(PATHS) else [])
        for number, (kind, stream) in enumerate(zip(ENDING, cycle(PATHS), strict=False))
    ],
)
def test_it_never_gets_better(copy: Copy, kind: str, stream: str) -> None:
    """Nothing of the run is loaded, and the next one goes on from the last good state."""
    fault, details, words = {**PASSING, **FINAL}[kind]
    account, server = copy.server.account, copy.server
    some = ("tasks", stream, *filter(None, [STREAMS[stream].parent]))
    copy.begin(*some)
    before = snapshot(copy)
    state = copy.pipeline.state["sources"]
    account.change(seed=5, count=25, kinds={"add", "edit", "bill"})
    account.edit("invoices", account.rows("invoices")[0]["id"], notes="edited")
    account.edit("tasks", account.rows("tasks")[0]["id"], name="edited")
    server.faults.add(PATHS[stream], fault, times=None, **details)
    with pytest.raises(PipelineStepFailed) as raised:
        copy.run(*some)
    message = sentence(raised.value)
    assert words in message
    if kind != "redirect elsewhere":
        assert message.startswith(f"{stream}: ")
        assert server.base_url + PATHS[stream].split("[")[0] in message
    hits = Counter(path for path in copy.requests() if re.fullmatch(PATHS[stream], path))
    # 5 is dlt's default for request_max_attempts
    assert set(hits.values()) <= ({1} if kind in FINAL else {1, 2, 3, 4, 5})
    assert max(hits.values()) == (1 if kind in FINAL else 5)
    assert snapshot(copy) == before
    assert copy.pipeline.state["sources"] == state
    server.faults.clear()
    copy.run(*some)
    copy.check(*{*some} - {"invoice_messages"}, names=False)


@pytest.mark.parametrize("kind", ["429 in seconds", "429 without saying"])
def test_a_rate_limit_is_no_attempt_but_ends(
    copy: Copy, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up after twelve times the longest delay, and says how long it waited."""
    fault, details, words = PASSING[kind]
    runtime(monkeypatch, REQUEST_TIMEOUT="0.3", REQUEST_MAX_RETRY_DELAY="0.15")
    copy.server.faults.add("/clients", fault, times=7, **details)
    copy.check_read(copy.read("clients"))
    endless = copy.server.faults.add("/clients", fault, times=None, **details)
    with pytest.raises(ResourceExtractionError) as raised:
        copy.read("clients")
    assert re.fullmatch(
        rf"clients: {re.escape(words)}; [12] s were waited already, and it would take 0 s more:"
        " run again later.",
        sentence(raised.value),
    )
    assert endless.hits > 7


def test_the_number_of_attempts_can_be_set(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime(monkeypatch, REQUEST_MAX_ATTEMPTS="2")
    copy.server.faults.add("/clients", "status", times=None, code=500)
    with pytest.raises(ResourceExtractionError) as raised:
        copy.read("clients")
    assert "could not be read in 2 attempts: Harvest answered 500" in sentence(raised.value)
    assert copy.requests() == ["/users/me", *["/clients"] * 2]
    runtime(monkeypatch, REQUEST_MAX_ATTEMPTS="8")
    copy.server.faults.clear()
    copy.server.faults.add("/clients", "status", times=7, code=500)
    copy.check_read(copy.read("clients"))


@pytest.mark.parametrize("path", ["/clients", "/reports/time/team"])
@pytest.mark.parametrize(
    ("code", "written"),
    [
        (429, "date"),
        *(pytest.param(code, "seconds", marks=pytest.mark.long) for code in (429, 503)),
    ],
)
def test_retry_after_is_obeyed(path: str, code: int, written: str) -> None:
    account = Account.generate(seed=3, time_entries=60, years=0.5)
    # a date counts by Harvest's clock
    account.clock.freeze(account.clock.now() - timedelta(hours=1))
    stream = "clients" if path == "/clients" else "time_team"
    with Server(account, limits=False) as server:
        when = 2 if written == "seconds" else account.clock.now() + timedelta(seconds=2)
        server.faults.add(path, "status", code=code, retry_after=when)
        Copy(server, rate_window=0.1, report_rate_window=0.1).read(stream, "roles")
        waited = [record.at for record in server.requests if record.path == path]
        assert waited[1] - waited[0] > 0.9


def test_a_report_waits_900_seconds_and_a_kill_ends_it(server: Server) -> None:
    copy = Copy(server)
    server.faults.add("/reports/.*", "status", times=None, code=429, retry_after=900)
    waiting = Run("time_team", "clients", **copy.settings)
    while not any(record.status == 429 for record in server.requests):
        time.sleep(0.01)
    time.sleep(1)
    # neither given up nor asked again
    assert waiting.process.is_alive()
    assert [record.path for record in server.requests].count("/reports/time/team") <= 4
    waiting.kill()
    assert waiting.end()[0] == -9
    server.faults.clear()
    copy.run("time_team", "clients")
    copy.check("time_team", "clients")


@pytest.mark.parametrize(
    ("waits", "streams"),
    [
        ("/reports/time/team", "roles,time_team"),
        # in this order: clients must not keep roles from being asked for, and what is below users
        # is not asked for yet when clients are refused
        pytest.param("/clients", "clients,roles,users,cost_rates", marks=pytest.mark.long),
    ],
)
def test_a_stream_that_fails_does_not_wait_for_one_that_waits(
    server: Server, waits: str, streams: str
) -> None:
    """Nor does the end of the program, which Python puts off for threads that are not through."""

    def one_waits() -> bool:
        return any(record.status == 429 for record in server.requests)

    def until_one_waits(_: Any) -> None:
        until = time.monotonic() + 30
        while not one_waits() and time.monotonic() < until:
            time.sleep(0.01)

    def refuse(record: Any) -> None:
        until_one_waits(record)
        time.sleep(0.5)
        server.forbidden = {"roles"}

    server.faults.add(waits, "status", times=None, code=429, retry_after=900)
    server.before("/users", until_one_waits)
    server.before("/roles", refuse)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--resources", streams],
        env=environment(server, ON_FORBIDDEN="raise"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert one_waits()
    assert done.returncode == 1
    assert "error: roles: Harvest refused it (403)" in done.stderr


def test_longer_than_an_hour_is_not_waited_for(copy: Copy) -> None:
    copy.server.faults.add("/clients", "status", code=429, retry_after=7200)
    # in a process that can be ended, if it does wait
    running = Run("clients", **copy.settings)
    running.process.join(60)
    if running.process.is_alive():
        running.kill()
    message = (
        "clients: Harvest's rate limit was reached (429); 0 s were waited already, and it would"
        " take 7,200 s more: run again later."
    )
    assert running.end() == (1, message)


# ---------------------------------------------------------------- links


LINKED = {
    "clients": "/clients",
    "users": "/users",
    "invoice_messages": "/invoices/[0-9]+/messages",
    "project_assignments": "/users/[0-9]+/project_assignments",
}


def linked(copy: Copy, stream: str) -> str:
    """The path of a list, or of what is below its first parent: of all, it would take long."""
    parent = STREAMS[stream].parent
    known = str(copy.server.account.rows(parent)[0]["id"]) if parent else ""
    return LINKED.get(stream, f"({STREAMS[stream].path})").replace("[0-9]+", known)


@pytest.mark.parametrize("fault", ["next_loop", "next_endless"])
@pytest.mark.parametrize("stream", LINKED)
def test_links_that_never_end(copy: Copy, stream: str, fault: str) -> None:
    """Where nothing is counted, nobody can tell whether rows are missing."""
    copy.server.page_by("bare_page")
    # they do end, so that this fails rather than hangs when nobody notices
    copy.server.faults.add(linked(copy, stream), fault, times=60)
    with pytest.raises(ResourceExtractionError) as raised:
        copy.read(stream, "tasks")
    assert sentence(raised.value).startswith(f"{stream}: Harvest's list never ends (http://127")
    most = Counter(record.path for record in copy.server.requests).most_common(1)[0][1]
    assert most < 20
    copy.server.faults.clear()
    copy.check_read(copy.read(stream, "tasks"))


@pytest.mark.parametrize("fault", ["next_loop", "next_endless"])
@pytest.mark.parametrize(
    "stream",
    [
        *("time_entries", "time_team", *LINKED),
        *(
            pytest.param(each, marks=pytest.mark.long)
            for each in ("expenses", "invoices", "project_budget")
        ),
    ],
)
def test_links_that_never_end_do_no_harm_where_rows_are_counted(
    copy: Copy, stream: str, fault: str
) -> None:
    copy.server.faults.add(linked(copy, stream), fault, times=None)
    copy.check_read(copy.read(stream))


@pytest.mark.parametrize("full_refresh", [False, True])
def test_a_row_that_comes_twice_is_stored_once(
    server: Server, destination: str, full_refresh: bool
) -> None:
    copy = Copy(server, destination)
    for stream in ("clients", "time_entries", "users"):
        rows = server.account.rows(stream)
        # its id as text, too
        twice = [*rows, rows[0], {**rows[1], "id": str(rows[1]["id"])}]
        about = {"total_pages": 1, "total_entries": len(twice), "links": {}}
        server.respond(f"/{stream}", {**about, stream: twice})
    copy.run("clients", "time_entries", "users", full_refresh=full_refresh)
    copy.check("clients", "time_entries", "users")


@pytest.mark.parametrize(
    "how",
    [
        {},
        pytest.param(
            {"start_date": "2020-01-01", "end_date": "2099-01-01"}, marks=pytest.mark.long
        ),
    ],
)
def test_two_sources_in_one_run_do_not_store_rows_twice(copy: Copy, how: Dict[str, str]) -> None:
    first, second = copy.source("time_entries", **how), copy.source("time_entries")
    with pytest.raises(PipelineStepFailed, match="time_entries is read by two sources in one run"):
        copy.pipeline.run([first, second])
    copy.pipeline.abort_packages()
    # different streams are no matter, nor is one after the other
    copy.pipeline.run([copy.source("clients"), copy.source("time_entries")])
    copy.pipeline.run(first)
    copy.pipeline.run(second)
    copy.check("clients", "time_entries")


def test_a_numbered_list_that_grows_for_ever(copy: Copy) -> None:
    def grow(body: Dict[str, Any]) -> None:
        body["total_pages"] = (body["page"] or 1) + 20

    # it does stop, so that this fails rather than hangs when nobody notices
    copy.server.faults.add("/time_entries", "mutate", times=150, change=grow)
    with pytest.raises(ResourceExtractionError) as raised:
        copy.read("time_entries")
    assert sentence(raised.value).startswith("time_entries: Harvest's list never ends")
    assert len(copy.requests()) < 100


# ---------------------------------------------------------------- the script


def test_the_network_is_gone(server: Server) -> None:
    settings = {"BASE_URL": "https://does-not-exist.invalid/v2"}
    done = run("--resources", "clients", env=environment(server, **settings))
    assert done.returncode == 1
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "[WARNING]" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("error: users/me: https://does-not-exist.invalid/v2/users/me ")
    assert "the host's name is not known: check base_url and the network" in lines[0]


def test_one_sentence_and_no_traceback(server: Server) -> None:
    env = environment(server, RATE_WINDOW="0.1")
    fault = server.faults.add("/clients", "html", times=None)
    done = run("--resources", "clients,tasks", env=env)
    assert (done.returncode, fault.hits) == (1, 5)
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "[WARNING]" not in line]
    assert lines == [
        f"error: clients: {server.base_url}/clients could not be read in 5 attempts: the answer is"
        " text/html and not whole JSON; run again later, and it goes on from the last good state."
    ]
    # the attempts are told of as they are made
    assert done.stderr.count("[WARNING]") == 4
    server.faults.clear()
    done = run("--resources", "clients,tasks", env=env)
    assert (done.returncode, done.stderr) == (0, "")
