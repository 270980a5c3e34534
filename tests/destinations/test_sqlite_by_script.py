"""SQLite as people load it: by the script, which loads one table at a time into it."""

import os
import sqlite3
from contextlib import closing
from typing import Any, Callable, Dict, List

import pytest

from sandbox import Account, Server
from tests.script import environment, run

pytest.importorskip("sqlalchemy")

STREAMS = "clients,users,roles,tasks,time_entries,expenses,invoices,time_team,expenses_team"


def ids(table: str) -> List[Any]:
    # dlt attaches a file for each dataset
    with closing(sqlite3.connect("copy__harvest_data.db")) as connection:
        return sorted(key for (key,) in connection.execute(f"SELECT id FROM {table}"))


@pytest.mark.long
def test_it_is_loaded_compared_and_repaired(generated: Callable[..., Account]) -> None:
    account = generated(seed=7, time_entries=120, years=0.8)
    with Server(account, limits=False) as server:
        env: Dict[str, str] = {
            **environment(server),
            "DESTINATION__SQLALCHEMY__CREDENTIALS": f"sqlite:///{os.path.abspath('copy.db')}",
        }
        where = ("-q", "--destination", "sqlalchemy", "--resources", STREAMS)
        for _ in range(2):
            done = run(*where, env=env)
            assert (done.returncode, done.stderr) == (0, "")
            assert "Compared with Harvest in" in done.stdout
        assert ids("time_entries") == sorted(row["id"] for row in account.rows("time_entries"))
        account.delete("time_entries", account.rows("time_entries")[3]["id"])
        assert run("verify", *where, env=env).returncode == 1
        done = run(*where, env=env)
        assert (done.returncode, done.stderr) == (0, "")
        assert "1 deleted row removed" in done.stdout
        assert ids("time_entries") == sorted(row["id"] for row in account.rows("time_entries"))
        done = run("verify", *where, env=env)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
