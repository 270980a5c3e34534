"""harvest_pipeline.py, run as people run it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Dict

import duckdb

from sandbox import Server
from tests import processes

ROOT = Path(__file__).parent.parent


def environment(server: Server, **settings: str) -> Dict[str, str]:
    """Settings for the sandbox, as it prints them."""
    here = {
        "BASE_URL": server.base_url,
        "ID_URL": server.id_url,
        "ACCESS_TOKEN": server.token,
        "ACCOUNT_ID": server.account_id,
        "RATE_LIMIT": "100000",
        "REPORT_RATE_LIMIT": "100000",
        **settings,
    }
    return {**os.environ, **{f"SOURCES__HARVEST__{name}": text for name, text in here.items()}}


def run(
    *arguments: str, env: Dict[str, str], script: Path = ROOT / "harvest_pipeline.py"
) -> "subprocess.CompletedProcess[str]":
    """Runs harvest_pipeline.py in a process of its own."""
    if script.parent == ROOT:
        return processes.run_script(script, arguments, env)
    # a copy must import the harvest/ beside it, and not the one that a fork has
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def counts(dataset: str = "harvest_data", database: str = "harvest.duckdb") -> Dict[str, int]:
    """Rows of each table."""
    with duckdb.connect(database, read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = ?", [dataset]
        ).fetchall()
        return {
            name: connection.execute(f'SELECT count(*) FROM "{dataset}"."{name}"').fetchone()[0]  # type: ignore[index]
            for (name,) in tables
        }


def one_sentence(done: "subprocess.CompletedProcess[str]") -> str:
    """The message of a run that failed as it should."""
    assert done.returncode == 1
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "[WARNING]" not in line]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    # dlt may have opened the database by then, but has created nothing in it
    assert not Path("harvest.duckdb").exists() or counts() == {}
    return lines[0]
