"""Tables that somebody changed by hand: the load says so, and a full refresh restores them."""

import os
import uuid
from itertools import combinations
from typing import Any, Dict, Iterator, List, Tuple

import dlt
import duckdb
import psycopg2
import pytest
from dlt.pipeline.helpers import pipeline_drop

from sandbox import Server
from tests.copy import Copy
from tests.script import environment, run

SOME = ("clients", "roles", "time_entries", "invoices", "invoice_payments", "time_team")


class Place:
    """A dataset, and what people do to it."""

    def __init__(self, server: Server, address: str) -> None:
        self.server = server
        self.address = address
        self.arguments = ["--resources", ",".join(SOME)]
        self.env = environment(server)
        if address:
            self.arguments += ["--destination", "postgres"]
            self.env["DESTINATION__POSTGRES__CREDENTIALS"] = address

    def run(self, *arguments: str) -> Any:
        return run(*arguments, *self.arguments, env=self.env)

    def load(self, *arguments: str) -> None:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr

    def do(self, sql: str) -> List[Any]:
        connection: Any
        if self.address:
            connection = psycopg2.connect(self.address)
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(sql)
        else:
            connection = duckdb.connect("harvest.duckdb")
            cursor = connection.execute(sql)
        rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return [*rows]

    def check(self) -> None:
        """Asserts that the tables are whole, and of the right types."""
        os.environ.update(
            {name: text for name, text in self.env.items() if name.startswith("DESTINATION__")}
        )
        copy = Copy(
            self.server,
            "postgres" if self.address else "duckdb",
            dataset="harvest_data",
        )
        copy.pipeline.sync_destination()
        copy.check(*SOME)
        kinds = self.do(
            "SELECT data_type FROM information_schema.columns WHERE table_schema = 'harvest_data'"
            " AND table_name = 'time_entries' AND column_name IN ('hours', 'spent_date')"
        )
        assert {kind.upper().split("(")[0] for (kind,) in kinds} <= {"DECIMAL", "NUMERIC", "DATE"}


@pytest.fixture
def place(server: Server, destination: str, request: pytest.FixtureRequest) -> Iterator[Place]:
    if destination == "duckdb":
        yield Place(server, "")
        return
    postgres = request.getfixturevalue("postgres")
    name = f"hand_{uuid.uuid4().hex[:8]}"
    owner = psycopg2.connect(postgres)
    owner.autocommit = True
    owner.cursor().execute(f"CREATE DATABASE {name}")
    yield Place(server, postgres.replace("/postgres?", f"/{name}?"))
    owner.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")
    owner.close()


BROKEN: Dict[str, List[str]] = {
    "DROP TABLE harvest_data.clients": ["table clients is missing"],
    "DROP TABLE harvest_data.roles": ["table roles is missing"],
    "DROP TABLE harvest_data.invoices__line_items": ["invoices__line_items is missing"],
    "DROP TABLE harvest_data.time_team": ["table time_team is missing"],
    "ALTER TABLE harvest_data.time_entries DROP COLUMN notes": ["column notes of time_entries"],
    "ALTER TABLE harvest_data.time_entries DROP COLUMN _dlt_id": ["_dlt_id of time_entries"],
    "ALTER TABLE harvest_data.time_entries ALTER rounded_hours TYPE double precision": [
        "time_entries.rounded_hours is double where it was decimal"
    ],
    "ALTER TABLE harvest_data.time_entries ALTER spent_date TYPE varchar": [
        "time_entries.spent_date is text where it was date"
    ],
    "DROP TABLE harvest_data._dlt_loads": ["_dlt_loads"],
    "DROP TABLE harvest_data._dlt_version": ["_dlt_version"],
    "DROP TABLE harvest_data._dlt_pipeline_state": ["_dlt_pipeline_state"],
    "DELETE FROM harvest_data._dlt_loads": [],
    "DELETE FROM harvest_data._dlt_version": [],
    "DELETE FROM harvest_data._dlt_pipeline_state": [],
}
"""What people do, and what the load says; nothing where it heals that."""


@pytest.mark.long
@pytest.mark.parametrize("sql", list(BROKEN))
def test_changed_by_hand(place: Place, sql: str) -> None:
    place.load()
    place.do(sql)
    done = place.run()
    if words := BROKEN[sql]:
        assert done.returncode == 1, done.stdout
        lines = [each for each in done.stderr.splitlines() if "[WARNING]" not in each]
        assert len(lines) == 1, done.stderr
        (line,) = lines
        for word in (*words, "--full-refresh", "harvest_data"):
            assert word in line
    else:
        assert done.returncode == 0, done.stderr
        place.check()
    place.load("--full-refresh")
    place.check()
    # and from there as ever
    place.load()
    place.check()


OWN = ("_dlt_loads", "_dlt_version", "_dlt_pipeline_state")


@pytest.mark.long
@pytest.mark.parametrize("tables", [each for n in (1, 2, 3) for each in combinations(OWN, n)])
def test_tables_of_dlts_own_that_were_dropped(place: Place, tables: Tuple[str, ...]) -> None:
    """A full refresh makes a whole copy of them, each alone and all together."""
    place.load()
    for table in tables:
        place.do(f"DROP TABLE harvest_data.{table}")
    place.load("--full-refresh")
    place.check()
    assert place.run("verify").returncode == 0
    place.load()
    place.check()


@pytest.mark.long
def test_dropped_by_dlt(place: Place) -> None:
    """As after `dlt pipeline harvest drop clients`: verify says so, and the load heals it."""
    place.load()
    os.environ.update(
        {name: text for name, text in place.env.items() if name.startswith("DESTINATION__")}
    )
    if place.address:
        # another destination than the script's has a working directory of its own
        pipeline = dlt.pipeline("harvest", destination="postgres", dataset_name="harvest_data")
        pipeline.sync_destination()
    else:
        pipeline = dlt.attach("harvest")
    pipeline_drop(pipeline, resources=["clients"])()
    done = place.run("verify")
    assert done.returncode == 1, done.stderr
    assert "the table clients is missing" in done.stdout
    place.load()
    place.check()
    assert place.run("verify").returncode == 0
