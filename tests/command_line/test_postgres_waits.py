"""PostgreSQL: who reads a table does not stop a load, and a load does not stop who reads."""

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import closing
from typing import Any, Dict, Iterator

import psycopg2
import pytest

from sandbox import Server
from tests.script import ROOT, environment, one_sentence, run

SOME = ("--destination", "postgres", "--resources", "roles,tasks", "--no-reconcile")


@pytest.fixture
def address(postgres: str) -> Iterator[str]:
    """A database of the test's own."""
    name = f"waits_{uuid.uuid4().hex[:8]}"
    with closing(psycopg2.connect(postgres)) as owner:
        owner.autocommit = True
        owner.cursor().execute(f"CREATE DATABASE {name}")
        yield postgres.replace("/postgres?", f"/{name}?")
        owner.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def env(server: Server, address: str) -> Dict[str, str]:
    # less than the ten seconds by default: what credentials say themselves counts
    return {
        **environment(server),
        "DESTINATION__POSTGRES__CREDENTIALS": f"{address}&options=-clock_timeout%3D300ms",
    }


def open_session(address: str, statement: str) -> Any:
    session = psycopg2.connect(address, application_name="a_report")
    session.cursor().execute(statement)
    return session


@pytest.mark.long
def test_a_reader_holds_nothing_up(server: Server, address: str, env: Dict[str, str]) -> None:
    assert run(*SOME, env=env).returncode == 0
    server.account.add("roles", name="Another role")
    with closing(open_session(address, "SELECT * FROM harvest_data.roles")):
        done = run(*SOME, env=env)
        assert done.returncode == 0, done.stderr
    with closing(open_session(address, "SELECT COUNT(*) FROM harvest_data.roles")) as session:
        cursor = session.cursor()
        cursor.execute("SELECT COUNT(*) FROM harvest_data.roles")
        assert cursor.fetchone() == (server.account.counts()["roles"],)


def test_who_holds_a_table_is_named(server: Server, address: str, env: Dict[str, str]) -> None:
    assert run(*SOME, env=env).returncode == 0
    with closing(open_session(address, "LOCK TABLE harvest_data.roles")):
        message = one_sentence(run(*SOME, env=env))
    for word in ("roles", "a_report", "session", "idle in transaction"):
        assert word in message
    # what was read is loaded when the table is free
    done = run(*SOME, env=env)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_a_signal_ends_a_run_that_waits(server: Server, address: str, env: Dict[str, str]) -> None:
    env["DESTINATION__POSTGRES__CREDENTIALS"] = f"{address}&options=-clock_timeout%3D600s"
    assert run(*SOME, env=env).returncode == 0
    with closing(open_session(address, "LOCK TABLE harvest_data.roles")):
        command = [sys.executable, str(ROOT / "harvest_pipeline.py"), *SOME]
        with subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as going:
            _until_one_waits(address)
            going.send_signal(signal.SIGTERM)
            try:
                out, err = going.communicate(timeout=100)
            finally:
                going.kill()
    assert going.returncode == 143, err
    assert out == ""
    assert err.splitlines()[-1].startswith("stopped")


def _until_one_waits(address: str) -> None:
    with closing(psycopg2.connect(address)) as session:
        session.autocommit = True
        cursor = session.cursor()
        for _ in range(1200):
            cursor.execute("SELECT COUNT(*) FROM pg_locks WHERE NOT granted")
            found = cursor.fetchone()
            if found and found[0]:
                return
            time.sleep(0.1)
    raise AssertionError(f"nothing waits ({os.getpid()})")
