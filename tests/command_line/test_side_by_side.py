"""Runs at the same time that have nothing to do with each other do not wait for each other."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List

import pytest

from sandbox import Server
from tests.script import ROOT, counts, environment

SCRIPT = """
import sys
import dlt
from harvest import harvest_source
from harvest.cli import main

NAME = sys.argv.pop()
sys.exit(main(lambda: dlt.pipeline(NAME, destination="duckdb", dataset_name=f"{NAME}_data"),
              harvest_source))
"""
STREAMS = ("--resources", "clients,time_entries,invoices,invoice_payments")


def begun(env: Dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SCRIPT, *arguments]
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_pipelines_at_the_same_minute(server: Server, tmp_path: Path) -> None:
    """Two accounts, say, each with a pipeline of its own in the same folder of dlt's."""
    server.service.latency = 0.3
    env = {**environment(server), "PYTHONPATH": str(ROOT)}
    both = [begun(env, *STREAMS, name) for name in ("agency_one", "agency_two")]
    ended: List[str] = [each.communicate()[1] for each in both]
    assert [each.returncode for each in both] == [0, 0], ended
    for name in ("agency_one", "agency_two"):
        found = counts(f"{name}_data", f"{name}.duckdb")
        assert found["time_entries"] == server.account.counts()["time_entries"]


@pytest.mark.long
def test_verify_while_another_run_loads(server: Server) -> None:
    """It takes no lock of ours, but DuckDB itself lets one program have its file."""
    env = {**environment(server), "PYTHONPATH": str(ROOT)}
    first = begun(env, *STREAMS, "agency_one")
    assert first.wait() == 0
    server.service.latency = 0.5
    load = begun(env, "--full-refresh", *STREAMS, "agency_one")
    reading = begun(env, "verify", *STREAMS, "agency_one")
    _, said = reading.communicate()
    assert "Another run" not in said
    said = load.communicate()[1]
    # if the load comes second, it ends before it reads anything
    if load.returncode:
        assert "is open in another program" in said
        load = begun(env, "--full-refresh", *STREAMS, "agency_one")
        said = load.communicate()[1]
    assert load.returncode == 0, said


def test_a_load_waits_for_a_reader_of_the_file(server: Server) -> None:
    """It came while Harvest was read; DuckDB lets one program have the file."""
    env = {**environment(server), "PYTHONPATH": str(ROOT)}
    assert begun(env, *STREAMS, "agency_one").wait() == 0
    holding = "import duckdb, time; c = duckdb.connect('agency_one.duckdb'); time.sleep(4)"
    readers: List[subprocess.Popen[bytes]] = []

    def read(record: object) -> None:
        readers.append(subprocess.Popen([sys.executable, "-c", holding]))
        time.sleep(1)

    server.before("/time_entries", read)
    load = begun(env, "--full-refresh", *STREAMS, "agency_one")
    said = load.communicate()[1]
    assert load.returncode == 0, said
    assert readers
    assert readers[0].wait() == 0
