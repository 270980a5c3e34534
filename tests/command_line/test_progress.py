"""What a person sees of a run while it goes on: on a terminal, and in a log."""

import json
import os
import re
import subprocess
import sys
import time
from itertools import pairwise
from typing import Dict, Tuple

import pytest

from harvest.cli.commands import load
from harvest.cli.progress import Progress
from harvest.streams.account import account_of
from sandbox import Account, Server
from tests.copy import Copy
from tests.script import ROOT, environment, run

pty = pytest.importorskip("pty")

LIMITS = {"RATE_LIMIT": "8", "RATE_WINDOW": "2"}
STREAMS = "invoices,invoice_messages,clients,time_entries"


def on_a_terminal(*arguments: str, env: Dict[str, str]) -> Tuple[str, str]:
    """Runs the script with a terminal as stderr. Returns stdout, and what the terminal got."""
    screen, end = pty.openpty()
    command = [sys.executable, str(ROOT / "harvest_pipeline.py"), *arguments]
    env = {**env, "TERM": "xterm", "COLUMNS": "200", "LINES": "24"}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=end, text=True) as going:
        os.close(end)
        seen = b""
        while True:
            try:
                seen += os.read(screen, 65536)
            except OSError:
                break
        assert going.stdout
        said = going.stdout.read()
    os.close(screen)
    assert going.returncode == 0, seen
    return said, seen.decode()


def plain(seen: str) -> str:
    """Line by line, without colours and movements of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen).replace("\r", "\n")


def test_a_terminal_shows_streams_and_what_they_wait_for(server: Server) -> None:
    said, seen = on_a_terminal("--resources", STREAMS, env=environment(server, **LIMITS))
    text = plain(seen)
    invoices = server.account.counts()["invoices"]
    rows = [
        tuple(map(int, found))
        for found in re.findall(r"^  invoice_messages +(\d+) pages +(\d+) rows$", text, re.M)
    ]
    # each step of the load counts anew
    falls = [(one, other) for one, other in pairwise(rows) if other[0] < one[0]]
    assert len(falls) <= 3
    assert len(set(rows)) > 1
    assert rows[-1][0] <= invoices
    assert re.search(r"^0:\d\d:\d\d  reading, \d+ requests, \d streams read, \d+ rows", text, re.M)
    assert re.search(r"waiting for Harvest's rate limit: [12] s to go \(\d s so far", text)
    # it is wiped away, and the cursor is back
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")
    assert seen.rstrip().endswith("\x1b[2K")
    # results only
    assert said.startswith("clients ")
    assert "\x1b" not in said
    assert "reading" not in said


@pytest.mark.long
def test_quiet(server: Server) -> None:
    _, seen = on_a_terminal("--quiet", "--resources", "clients", env=environment(server))
    assert seen == ""


@pytest.mark.long
def test_results_for_programs(server: Server) -> None:
    env = environment(server)
    said, seen = on_a_terminal("--json", "--resources", "clients", env=env)
    assert json.loads(said)["rows"]["clients"] == server.account.counts()["clients"]
    assert seen != ""


@pytest.mark.long
def test_warnings_go_above_it(server: Server) -> None:
    server.forbidden = {"clients"}
    _, seen = on_a_terminal("--resources", "clients,tasks", env=environment(server))
    lines = [line for line in plain(seen).splitlines() if "WARNING" in line]
    assert len(lines) == 1, seen
    assert re.match(r"\d{4}-\d\d-\d\d .*clients is not read", lines[0])


@pytest.mark.long
def test_a_log_gets_a_line_now_and_then(
    account: Account, capfd: pytest.CaptureFixture[str]
) -> None:
    with Server(account, rate_limit=20, rate_window=2) as server:
        copy = Copy(server, rate_limit=20, rate_window=2)
        source = copy.source("clients", "invoices", "invoice_payments")
        progress = Progress(account_of(source).client.rate_limits, every=0.5)
        copy.pipeline.collector = progress
        with progress.shown():
            copy.pipeline.run(source)
    out, err = capfd.readouterr()
    assert out == ""
    assert "\x1b" not in err
    lines = [line for line in err.splitlines() if "[WARNING]" not in line]
    assert len(lines) >= 4
    assert all(re.match(r"0:00:\d\d  \w+.*, \d+ requests", line) for line in lines), lines
    assert any("; waiting for Harvest's rate limit: " in line for line in lines)


@pytest.mark.long
def test_a_short_run_says_nothing_in_a_log(server: Server) -> None:
    done = run("--resources", "clients,tasks", env=environment(server))
    assert done.stderr == ""


def test_other_displays_of_dlt_get_the_pages(
    copy: Copy, capsys: pytest.CaptureFixture[str]
) -> None:
    from dlt.common.runtime.collector import LogCollector

    copy.pipeline.collector = LogCollector(0, dump_system_stats=False)
    copy.run("clients", "invoice_messages")
    out = capsys.readouterr().out
    count = copy.server.account.counts()["invoices"]
    assert f"invoice_messages (pages): {count} " in out
    assert "clients (pages): 1 " in out


def test_a_rate_limit_counts_what_it_holds_back(account: Account) -> None:
    """Once, however many requests are held back at the same time."""
    with Server(account, rate_limit=10, rate_window=1) as server:
        copy = Copy(server, rate_limit=10, rate_window=1)
        source = copy.source("estimates", "estimate_messages")
        limit, _ = account_of(source).client.rate_limits
        before = limit.sent
        copy.pipeline.run(source)
        sent = limit.sent - before
        assert sent == len(server.requests)
        assert (sent - 1) // 10 * 0.5 < limit.waited < (sent - 1) // 10 * 1.05 + 1
        assert limit.wait == 0
        waited = limit.waited
        time.sleep(0.1)
        assert limit.waited == waited


def test_what_is_left_after_a_step(account: Account, capfd: pytest.CaptureFixture[str]) -> None:
    """Where a load takes long, its first tables are there, and it says what is not."""
    with Server(account, limits=False, latency=0.05) as server:
        copy = Copy(server)
        source = copy.source("time_entries", "clients", "invoices", "invoice_payments")
        progress = Progress(account_of(source).client.rate_limits, every=0.02)
        with progress.shown():
            done = load(source, progress=progress, deleted=None, step_seconds=(0, 0.3))
    said = capfd.readouterr().err
    invoices, entries = len(account.rows("invoices")), len(account.rows("time_entries"))
    assert re.search(
        rf"^time_entries: {entries:,} rows are there; still reading invoice_payments: \d+ of"
        rf" {invoices:,} invoices, about \d+ seconds$",
        said,
        re.M,
    )
    assert re.search(r"reading, .*\d+ % of what is below records, about \d+ seconds to go", said)
    assert re.search(r"loading, \d+ requests, .*\d+ of \d+ files", said)
    assert done.rows["time_entries"] == entries
    assert done.rows["invoice_payments"] == len(account.rows("invoice_payments"))
