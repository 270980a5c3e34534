"""Ordinary mistakes with a destination, made for real: one sentence, and the way out."""

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any, Dict

import psycopg2
import pytest

from sandbox import Server
from tests.script import counts, environment, one_sentence, run

FEW = ("--resources", "clients,roles,tasks")


def refused(server: Server, *arguments: str, **settings: str) -> str:
    """Loads with settings of a destination, and returns the sentence that it ends with."""
    return one_sentence(run(*arguments, *FEW, env={**environment(server), **settings}))


def role(postgres: str, **settings: str) -> Dict[str, str]:
    """The credentials of a new role that may do everything, with settings of its own."""
    name = f"loader_{uuid.uuid4().hex[:8]}"
    with psycopg2.connect(postgres) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD 'x'")
        for key, value in settings.items():
            cursor.execute(f"ALTER ROLE {name} SET {key} = '{value}'")
    address = postgres.replace("postgres:x@", f"{name}:x@")
    return {"DESTINATION__POSTGRES__CREDENTIALS": address}


def test_a_way_to_replace_tables_that_duckdb_has_not(server: Server) -> None:
    said = refused(server, DESTINATION__DUCKDB__REPLACE_STRATEGY="staging-optimized")
    assert "replace_strategy is staging-optimized" in said
    assert "insert-from-staging" in said


def test_a_database_file_that_is_a_folder(server: Server) -> None:
    Path("warehouse").mkdir()
    said = refused(server, DESTINATION__DUCKDB__CREDENTIALS="warehouse")
    assert "warehouse" in said
    assert [*Path("warehouse").iterdir()] == []


def test_a_database_file_that_is_something_else(server: Server) -> None:
    Path("harvest.txt").write_text("id,name\n" * 2000)
    said = refused(server, DESTINATION__DUCKDB__CREDENTIALS="harvest.txt")
    assert "harvest.txt is no DuckDB database" in said
    assert Path("harvest.txt").read_text() == "id,name\n" * 2000


def test_a_dataset_that_postgres_keeps_for_itself(server: Server, postgres: str) -> None:
    to = ("--destination", "postgres", "--dataset", "pg_harvest")
    said = refused(server, *to, DESTINATION__POSTGRES__CREDENTIALS=postgres)
    assert "cannot be named pg_harvest" in said


def test_a_role_that_only_reads(server: Server, postgres: str) -> None:
    settings = role(postgres, default_transaction_read_only="on")
    said = refused(server, "--destination", "postgres", **settings)
    assert "only read" in said


def test_a_role_whose_statements_may_take_no_time(server: Server, postgres: str) -> None:
    settings = role(postgres, statement_timeout="1ms")
    said = refused(server, "--destination", "postgres", **settings)
    assert "statement_timeout" in said
    assert "ALTER ROLE" in said


@pytest.mark.parametrize("password", ["p@ss", "p/ss", "p#ss", "p%ss"])
def test_a_password_with_a_character_that_an_address_has(
    server: Server, postgres: str, password: str
) -> None:
    address = f"postgresql://loader:{password}@127.0.0.1:1/warehouse"
    env = {**environment(server), "DESTINATION__POSTGRES__CREDENTIALS": address}
    for verbose in ((), ("-v",)):
        done = run("--destination", "postgres", *verbose, *FEW, env=env)
        assert done.returncode == 1
        assert done.stdout == ""
        assert "%40 for @" in done.stderr or "cannot be reached" in done.stderr, done.stderr
        for part in (password, "ss@", "ss@127"):
            assert part not in done.stderr


@pytest.mark.long
def test_sqlite_that_another_program_writes_to(server: Server) -> None:
    settings = {"DESTINATION__SQLALCHEMY__CREDENTIALS": "sqlite:///harvest.sqlite"}
    arguments = ("-q", "--destination", "sqlalchemy", *FEW)
    env = {**environment(server), **settings}
    assert run(*arguments, env=env).returncode == 0
    found = [*Path().glob("*harvest_data.sqlite")]
    assert len(found) == 1, found
    with closing(sqlite3.connect(found[0])) as other:
        other.execute("BEGIN EXCLUSIVE")
        said = one_sentence(run(*arguments, env=env))
    assert "The SQLite database is open in another program" in said
    assert run(*arguments, env=env).returncode == 0


@pytest.mark.long
def test_hundreds_of_new_fields_get_the_memory_that_they_take(server: Server) -> None:
    """140 MB are too little for merging them; nobody has to know."""
    fields = {f"field_{number}": f"a text of some length, {number}" for number in range(400)}
    for number in range(2_000):
        server.account.add("tasks", name=f"Task {number}")

    def wide(body: Dict[str, Any]) -> Dict[str, Any]:
        return {**body, "tasks": [{**row, **fields} for row in body["tasks"]]}

    server.faults.add("/tasks", "mutate", times=None, change=wide)
    done = run("-q", "--resources", "tasks", env=environment(server))
    assert (done.returncode, done.stderr) == (0, "")
    assert counts()["tasks"] == len(server.account.rows("tasks"))
