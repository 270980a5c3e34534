"""Death at any moment, two runs at once, a full disk, a database that goes away."""

import os
import time
import uuid
from random import Random
from typing import Any, Callable, Iterator

import dlt
import duckdb
import psycopg2
import pytest

from sandbox import Account, Server
from tests.chance import in_batches
from tests.copy import Copy
from tests.processes import Run
from tests.script import environment, run

SOME = (
    "company",
    "clients",
    "roles",
    "users",
    "cost_rates",
    "time_entries",
    "invoices",
    "invoice_payments",
    "time_team",
)
"""Streams of every kind: written whole, merged, with lists, replaced by parent and by window."""

ALWAYS = {"substream_refresh_hours": 0, "report_lookback_days": 10_000}


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    """As small as an account can be that has something of everything."""
    return generated(seed=3, time_entries=60, years=0.5)


class Database:
    """A PostgreSQL database that can go away and come back."""

    def __init__(self, postgres: str) -> None:
        self._postgres = postgres
        self.name = f"going_{uuid.uuid4().hex[:8]}"
        self.address = postgres.replace("/postgres?", f"/{self.name}?")
        self._execute(f"CREATE DATABASE {self.name}")

    def _execute(self, *statements: str) -> None:
        connection = psycopg2.connect(self._postgres)
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def cut(self) -> None:
        """Ends all connections, in the middle of what they do."""
        self._execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'"
        )

    def leave(self) -> None:
        """Lets nobody in, and throws out who is there."""
        self._execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS false")
        self.cut()

    def come_back(self) -> None:
        self._execute(f"ALTER DATABASE {self.name} ALLOW_CONNECTIONS true")

    def drop(self) -> None:
        self._execute(f"DROP DATABASE {self.name} WITH (FORCE)")


@pytest.fixture
def database(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    made = Database(postgres)
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", made.address)
    yield made
    made.drop()


class Library:
    """The copy that `Run`s make in the present folder."""

    def __init__(self, server: Server, destination: str = "duckdb") -> None:
        self.server = server
        self.destination = destination
        self.copy = Copy(server, destination, **ALWAYS)
        # a place of its own, so that nothing is known but what the database says
        self.copy.pipeline = dlt.pipeline(
            "harvest",
            pipelines_dir=os.path.abspath("reading"),
            destination=destination,
            dataset_name="harvest_data",
        )

    def run(self, *streams: str, **how: Any) -> Run:
        return Run(
            *(streams or SOME), destination=self.destination, **{**self.copy.settings, **how}
        )

    def load(self) -> None:
        """An undisturbed run."""
        code, said = self.run().end()
        assert code == 0, said

    def check(self, *streams: str) -> None:
        """Asserts that the copy is right, without using what the runs know of it."""
        self.copy.pipeline.sync_destination()
        self.copy.check(*(streams or SOME), names=False)
        with self.copy.pipeline.sql_client() as client:
            # every load that has begun has ended
            left = client.execute_sql("SELECT load_id FROM _dlt_loads WHERE status <> 0")
            assert not left
            for table in self.copy.pipeline.default_schema.data_table_names():
                if table.split("__")[0] in (streams or SOME):
                    rows = client.execute_sql(
                        f'SELECT count(*), count(DISTINCT _dlt_id) FROM "{table}"'
                    )
                    assert rows[0][0] == rows[0][1], f"{table} has rows twice"

    def change(self, rng: Random) -> None:
        self.server.account.clock.advance(2)
        self.server.account.change(rng.randrange(10**6), 8, {"add", "edit", "bill"})


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.long)])
def library(server: Server, request: pytest.FixtureRequest) -> Library:
    if request.param == "postgres":
        # a database of the test's own
        request.getfixturevalue("database")
    return Library(server, request.param)


# ---------------------------------------------------------------- kill -9


@pytest.mark.long
@in_batches
def test_killed_at_any_moment(library: Library, batch: int) -> None:
    """Between any two dealings with files, of which all steps of a run are full."""
    rng = Random(batch)
    moves = library.run().moves()
    library.check()
    for round in range(3):
        library.change(rng)
        full_refresh = round == 2
        # dying twice in a row, too
        for _ in range(rng.choice((1, 2))):
            moment = rng.randrange(1, moves)
            code, said = library.run(dies_at=moment, full_refresh=full_refresh).end()
            assert code in (-9, 0), said
        library.change(rng)
        library.load()
        library.check()


@pytest.mark.parametrize(
    "moment",
    [
        # the rows are there, which dlt notes next
        r"os\.rename .*pending_transitions/_dlt_pipeline_state",
        r"os\.rename .*pending_transitions/removed_rows",
        # the package is ready to be loaded, and what it was made from is still there
        r"open \('[^']*normalize/extracted/[\d.]+', None",
    ],
    ids=["state", "removed", "normalized"],
)
def test_killed_between_a_step_and_its_note(library: Library, moment: str) -> None:
    library.load()
    account = library.server.account
    client = account.add("clients")["id"]
    library.load()
    account.delete("clients", client)
    library.change(Random(1))
    code, said = library.run(dies_before=moment).end()
    assert code == -9, said
    library.change(Random(2))
    library.load()
    library.check()
    with library.copy.pipeline.sql_client() as engine:
        rows = engine.execute_sql("SELECT stream, id FROM removed_rows")
        assert rows == [("clients", client)]
        states = engine.execute_sql("SELECT version FROM _dlt_pipeline_state")
        assert len(states) == len({*states})


@pytest.mark.long
def test_killed_at_any_time_of_the_first_run(library: Library) -> None:
    rng = Random(1)
    for _ in range(4):
        dying = library.run()
        time.sleep(rng.random() * 2)
        dying.kill()
        assert dying.end()[0] in (-9, 0)
        library.change(rng)
    library.load()
    library.check()


# ---------------------------------------------------------------- two at once


@pytest.mark.parametrize(("first", "later"), [(True, 0.4), (False, 0)])
@pytest.mark.long
def test_two_runs_at_once(library: Library, first: bool, later: float) -> None:
    """The second says so and stops, or both end right."""
    rng = Random(1)
    if not first:
        library.load()
        library.change(rng)
    one = library.run()
    time.sleep(later)
    two = library.run()
    ends = [one.end(), two.end()]
    assert 0 in (ends[0][0], ends[1][0]), ends
    for code, said in ends:
        assert code == 0 or said.startswith("Another run of this pipeline is under way"), said
    library.check()
    library.change(rng)
    library.load()
    library.check()


# ---------------------------------------------------------------- a full disk


@pytest.mark.long
@pytest.mark.parametrize("size", [20_000, 300_000])
def test_the_disk_is_full(server: Server, size: int) -> None:
    library = Library(server)
    rng = Random(size)
    code, said = library.run(file_size=size).end()
    assert code == 1
    assert "too large" in said.lower()
    library.change(rng)
    library.load()
    library.check()
    # and when there was something before
    library.change(rng)
    code, said = library.run(file_size=20_000, full_refresh=True).end()
    assert code == 1
    assert "too large" in said.lower()
    library.load()
    library.check()


# ---------------------------------------------------------------- databases that go away


@pytest.mark.long
def test_the_database_is_held_by_another_program(server: Server) -> None:
    library = Library(server)
    library.load()
    library.change(Random(1))
    with duckdb.connect("harvest.duckdb"):
        done = run("--resources", "clients,tasks", env=environment(server))
    assert done.returncode == 1
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "[WARNING]" not in line]
    assert len(lines) == 1
    assert "lock on file" in lines[0]
    library.load()
    library.check()


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.long
def test_the_database_goes_away_during_extraction(
    server: Server, database: Database, first: bool
) -> None:
    library = Library(server, "postgres")
    rng = Random(1)
    if not first:
        library.load()
        library.change(rng)
    server.before("/time_entries", lambda record: database.leave())
    code, said = library.run().end()
    assert code == 1
    assert "not currently accepting connections" in said
    assert "\n" not in said
    database.come_back()
    library.change(rng)
    library.load()
    library.check()


@pytest.mark.long
@in_batches
def test_the_database_goes_away_at_any_time(server: Server, database: Database, batch: int) -> None:
    library = Library(server, "postgres")
    rng = Random(batch)
    began = time.monotonic()
    library.load()
    lasts = time.monotonic() - began
    for goes in (database.cut, database.leave) * 2:
        library.change(rng)
        running = library.run()
        time.sleep(lasts * rng.uniform(0.2, 1))
        goes()
        code, said = running.end()
        assert code in (0, 1)
        assert "\n" not in said
        database.come_back()
        library.load()
        library.check()
