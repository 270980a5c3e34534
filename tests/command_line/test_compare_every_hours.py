"""The option and the setting that let a run leave out its comparison."""

import json
from pathlib import Path
from typing import Any, Dict, Tuple

import duckdb
import pytest

from sandbox import Server
from tests.copy import Copy
from tests.script import environment, one_sentence, run

STREAMS = ("clients", "time_entries")


@pytest.fixture
def env(server: Server) -> Dict[str, str]:
    Copy(server).begin(*STREAMS, healed=True)
    return environment(server)


def stored(client: Any) -> str:
    with duckdb.connect("harvest.duckdb", read_only=True) as connection:
        query = "SELECT name FROM harvest_data.clients WHERE id = ?"
        ((name,),) = connection.execute(query, [client["id"]]).fetchall()
    return str(name)


def load(env: Dict[str, str], *arguments: str) -> Tuple[str, int]:
    """Runs the script: its last line, and the exit code."""
    done = run("-q", "--resources", ",".join(STREAMS), *arguments, env=env)
    assert done.stderr == ""
    return done.stdout.splitlines()[-1], done.returncode


def test_a_comparison_is_left_out_until_it_is_due(server: Server, env: Dict[str, str]) -> None:
    client = min(server.account.rows("clients"), key=lambda row: row["updated_at"])
    line, code = load(env, "--compare-every-hours", "24")
    # none was noted before: each run compared
    assert line.startswith("Compared with Harvest in")
    server.account.edit("clients", client["id"], touch=False, name="Silent")
    line, code = load(env, "--compare-every-hours", "24")
    assert (line, code) == ("Compared with Harvest 0 hours ago.", 0)
    assert stored(client) != "Silent"
    done = run("verify", "--resources", "clients", "-q", env=env)
    # which compares always
    assert done.returncode == 1
    assert "1 different" in done.stdout
    # it is due, or everything is to be compared
    for arguments in (("--compare-every-hours", "0.0000001"), ("--deep",)):
        line, code = load(env, "--compare-every-hours", "24", *arguments)
        assert line.startswith("Compared with Harvest in"), arguments
    assert stored(client) == "Silent"


@pytest.mark.long
def test_the_setting(server: Server, env: Dict[str, str]) -> None:
    client = min(server.account.rows("clients"), key=lambda row: row["updated_at"])
    daily = {**env, "SOURCES__HARVEST__COMPARE_EVERY_HOURS": "24"}
    assert load(daily)[0].startswith("Compared with Harvest in")
    server.account.edit("clients", client["id"], touch=False, name="Silent")
    assert load(daily) == ("Compared with Harvest 0 hours ago.", 0)
    done = run("-q", "--resources", "clients", "--json", env=daily)
    assert done.returncode == 0
    assert json.loads(done.stdout)["compared"]["hours_since_comparison"] == pytest.approx(0, abs=1)
    # the option counts more than the setting
    assert load(daily, "--compare-every-hours", "0")[0].startswith("Compared with Harvest in")
    assert stored(client) == "Silent"


@pytest.mark.parametrize("given", ["often", "-1", "nan"])
def test_what_is_no_number_of_hours(env: Dict[str, str], given: str) -> None:
    before = Path("harvest.duckdb").read_bytes()
    for done in (
        run("-q", "--compare-every-hours", given, env=env),
        run("-q", env={**env, "SOURCES__HARVEST__COMPARE_EVERY_HOURS": given}),
    ):
        assert done.returncode in (1, 2)
        assert "Traceback" not in done.stderr
        assert "compar" in done.stderr
        assert given in done.stderr
    assert Path("harvest.duckdb").read_bytes() == before


def test_a_wrong_share_is_refused_before_the_load(server: Server) -> None:
    done = run("-q", "--max-deleted-share", "7", env=environment(server))
    assert "max" in one_sentence(done)
    assert server.requests == []
