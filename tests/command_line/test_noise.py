"""A run without trouble prints no warning, wherever it loads."""

from typing import Dict, List

import duckdb
import pytest

from sandbox import Server
from tests.script import counts, environment, one_sentence, run

SOME = ("--resources", "clients,invoices,invoice_payments,time_team,roles", "-q")


@pytest.fixture
def env(server: Server) -> Dict[str, str]:
    return {**environment(server), "DESTINATION__FILESYSTEM__BUCKET_URL": "lake"}


def quiet(*arguments: str, env: Dict[str, str]) -> None:
    done = run(*arguments, *SOME, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize(
    "destination",
    [
        "duckdb",
        pytest.param("filesystem", marks=pytest.mark.long),
        pytest.param("postgres", marks=pytest.mark.long),
    ],
)
def test_runs_into_a_destination(
    env: Dict[str, str], destination: str, request: pytest.FixtureRequest
) -> None:
    if destination == "postgres":
        env["DESTINATION__POSTGRES__CREDENTIALS"] = request.getfixturevalue("postgres")
    into = ("--destination", destination, "--dataset", "quiet_data")
    quiet(*into, env=env)
    quiet(*into, "--full-refresh", env=env)


@pytest.mark.long
def test_coming_back_to_another_dataset(env: Dict[str, str]) -> None:
    for dataset in ("one", "two", "one"):
        quiet("--no-reconcile", "--dataset", dataset, env=env)


@pytest.mark.parametrize(("given", "there"), [("Agency One", "agency_one"), ("harvest.data", "")])
def test_the_name_of_a_dataset(env: Dict[str, str], given: str, there: str) -> None:
    """It is the one that is there, or is refused."""
    done = run("--no-reconcile", "--dataset", given, *SOME, env=env)
    if not there:
        assert "has a dot in its name" in one_sentence(done)
        return
    assert done.returncode == 0, done.stderr
    assert f"loaded into {there} (" in done.stdout
    assert counts(there)["clients"]


@pytest.mark.long
def test_tables_of_another_program(server: Server, env: Dict[str, str]) -> None:
    with duckdb.connect("harvest.duckdb") as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute("CREATE TABLE shop.users (id INTEGER, name VARCHAR)")
        connection.execute("CREATE TABLE shop.orders (id INTEGER)")
    arguments: List[str] = ["--dataset", "shop", "--resources", "clients,users", "-q"]
    for more in ([], ["--full-refresh"]):
        done = run(*arguments, *more, env=env)
        assert done.returncode == 1
        assert "shop has a table of another program" in done.stderr
        assert "users" in done.stderr
        assert "orders" not in done.stderr
    assert {*counts("shop")} == {"users", "orders"}
    assert all(record.path not in ("/clients", "/users") for record in server.requests)
    # beside tables of other names there is room
    assert run("--dataset", "shop", "--resources", "clients", "-q", env=env).returncode == 0
