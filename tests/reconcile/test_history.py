"""Every version of a record: what an observer who looks after each run would have noted."""

import os
from collections import defaultdict
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import dlt
import pytest
from dlt.common.schema.utils import has_table_seen_data
from hypothesis import strategies as st

from harvest import HarvestError
from harvest.cli.commands import load
from harvest.history import keep_versions
from sandbox import Account, Fields, Server
from tests.chance import LONG, in_batches, play_sequences
from tests.copy import Copy, Row
from tests.failures.test_random import folder
from tests.helpers import check, sql
from tests.lakes import Delta, Parquet
from tests.processes import Run
from tests.script import environment, run
from tests.sums import script_load
from tests.versions import SOME, check_stamps, documented_queries, kept, one_history, record


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    return generated(seed=3, time_entries=80, years=0.4)


class Observer:
    """Looks at the tables after each run, and notes what is new."""

    def __init__(self, copy: Copy) -> None:
        self.copy = copy
        self.seen: Dict[Tuple[str, int], List[Optional[Row]]] = defaultdict(list)

    def look(self, ended: bool = True) -> None:
        """Notes each record that is not as it last was.

        Args:
            ended: the run came to its end; only then what is not there is deleted.
        """
        pipeline = self.copy.pipeline
        pipeline.sync_destination()
        if not pipeline.default_schema_name:
            return
        for stream in SOME:
            if not has_table_seen_data(pipeline.default_schema.tables.get(stream, {})):
                continue
            here = {row["id"]: record(row) for row in self.copy.table(stream)}
            for key, row in here.items():
                notes = self.seen[stream, key]
                if not notes or notes[-1] != row:
                    notes.append(row)
            if ended:
                for (name, key), notes in self.seen.items():
                    if name == stream and key not in here and notes[-1] is not None:
                        notes.append(None)

    def check(self) -> None:
        """Asserts that exactly what was seen is kept, in its order."""
        for stream in SOME:
            versions = kept(self.copy, stream)
            expected = {key: notes for (name, key), notes in self.seen.items() if name == stream}
            assert versions.keys() == expected.keys(), stream
            for key, rows in versions.items():
                found = [None if row["deleted_at"] else record(row) for row in rows]
                assert found == expected[key], f"{stream} {key}"
                check_stamps(rows)


class Step(NamedTuple):
    """Changes to the account, and the run that follows.

    Attributes:
        seed: what is changed by chance.
        count: how many changes.
        silent: how many of them leave `updated_at` alone.
        dies_at: at which of its dealings with files the run dies, in thousandths.
        full_refresh: everything is read again.
    """

    seed: int
    count: int
    silent: int
    dies_at: Optional[int]
    full_refresh: bool


steps = st.lists(
    st.builds(
        Step,
        st.integers(0, 10_000),
        st.integers(0, 12),
        st.integers(0, 2),
        st.one_of(st.none(), st.integers(1, 1000)),
        st.sampled_from([False, False, False, True]),
    ),
    min_size=2,
    max_size=5 if LONG else 4,
)


def change(account: Account, step: Step) -> None:
    account.change(seed=step.seed, count=step.count, kinds={"add", "edit", "delete"})
    for number in range(step.silent):
        stream = SOME[(step.seed + number) % len(SOME)]
        rows = account.rows(stream)
        row = rows[step.seed % len(rows)]
        active = {"is_active": not row["is_active"]}
        account.edit(stream, row["id"], touch=False, **active)
    account.clock.advance(5)


def play(server: Server, destination: str, sequence: List[Step]) -> None:
    copy = Copy(server, destination)
    # a place of its own, so that nothing is known but what the database says
    copy.pipeline = dlt.pipeline(
        "harvest",
        pipelines_dir=os.path.abspath("reading"),
        destination=destination,
        dataset_name="harvest_data",
    )
    how: Dict[str, Any] = {"destination": destination, "max_deleted_share": 1, "history": "all"}
    observer = Observer(copy)
    for step in [*sequence, Step(0, 0, 0, None, False)]:
        change(server.account, step)
        if step.dies_at is not None:
            moment = step.dies_at * 600 // 1000
            died = Run(
                *SOME, dies_at=moment, full_refresh=step.full_refresh, **how, **copy.settings
            )
            observer.look(ended=died.end()[0] == 0)
        else:
            load(copy.source(*SOME), full_refresh=step.full_refresh, **how)
            observer.look()
            observer.check()
            copy.check(*SOME, names=False)


@pytest.mark.long
@in_batches
def test_any_history(destination: str, batch: int, tmp_path: Path) -> None:
    def any_history(number: int, sequence: List[Step]) -> None:
        account = Account.generate(seed=number, time_entries=40, years=0.4)
        with folder(tmp_path), Server(account, limits=False, page_size=7) as server:
            try:
                play(server, destination, sequence)
            finally:
                if destination == "postgres":
                    copy = Copy(server, destination, dataset="harvest_data")
                    sql(copy, "DROP SCHEMA IF EXISTS harvest_data CASCADE")
                    sql(copy, "DROP SCHEMA IF EXISTS harvest_data_staging CASCADE")

    play_sequences(any_history, st.integers(0, 99), steps, batch=batch, few=8, many=10)


@pytest.mark.parametrize("deleted", ["remove", pytest.param("mark", marks=pytest.mark.long)])
def test_versions_on_duckdb(server: Server, deleted: str) -> None:
    one_history(Copy(server), deleted=deleted)


@pytest.mark.long
def test_versions_on_postgres(
    server: Server, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    one_history(Copy(server, "postgres"))


@pytest.mark.parametrize("lake", [Delta, Parquet])
@pytest.mark.long
def test_versions_in_files(
    server: Server, lake: Callable[..., Copy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(Path("lake").absolute()))
    copy = lake(server)
    one_history(copy, **({"table_format": "delta"} if lake is Delta else {}))


@pytest.mark.long
def test_the_documented_queries(server: Server, destination: str) -> None:
    documented_queries(Copy(server, destination))


@pytest.mark.long
def test_everything_that_has_updated_at(server: Server) -> None:
    copy = Copy(server)
    copy.run()
    added = keep_versions(copy.pipeline, copy.source(), "all")
    rows = {name: len(server.account.rows(name)) for name in added}
    assert added == rows
    assert {"time_entries", "projects", "users", "invoices", "pto_types"} <= added.keys()
    for stream in ("time_entries", "users"):
        versions = kept(copy, stream)
        assert {key: [record(row) for row in rows] for key, rows in versions.items()} == {
            row["id"]: [record(row)] for row in copy.table(stream)
        }


@pytest.mark.long
def test_what_a_killed_run_loaded_is_kept(server: Server) -> None:
    """The next run keeps it before it loads something newer."""
    copy = Copy(server)
    script_load(copy, resources=SOME, history="clients")
    account, key = server.account, server.account.rows("clients")[0]["id"]
    account.clock.advance(60)
    account.edit("clients", key, name="Once")
    # as if it had died after its load
    copy.run(*SOME)
    account.clock.advance(60)
    account.edit("clients", key, name="Twice")
    assert script_load(copy, resources=SOME, history="clients").versions == {"clients": 2}
    assert [row["name"] for row in kept(copy, "clients")[key]][1:] == ["Once", "Twice"]


def test_off_by_default(server: Server) -> None:
    copy = Copy(server)
    loaded = load(copy.source(*SOME))
    assert loaded.versions == {}
    tables = loaded.pipeline.default_schema.tables
    assert not [name for name in tables if name.endswith("_versions")]


@pytest.mark.long
def test_what_was_deleted_here_only(server: Server) -> None:
    """Rows and tables that somebody removed by hand are not deleted in Harvest."""
    copy = Copy(server)
    script_load(copy, resources=SOME, history="projects")
    before = kept(copy, "projects")
    sql(copy, "DELETE FROM {}projects")
    assert keep_versions(copy.pipeline, copy.source(*SOME), "projects") == {}
    # compared, and different
    assert not check(copy, *SOME).equal
    assert script_load(copy, resources=SOME, history="projects").versions == {}
    assert kept(copy, "projects") == before
    sql(copy, "ALTER TABLE {}projects DROP COLUMN budget")
    assert keep_versions(copy.pipeline, copy.source(*SOME), "projects") == {}
    assert script_load(copy, resources=SOME, history="projects", full_refresh=True).versions == {}
    assert kept(copy, "projects") == before


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE {}projects_versions", "ALTER TABLE {}projects_versions DROP COLUMN budget"],
)
@pytest.mark.long
def test_a_table_of_versions_that_somebody_changed(server: Server, statement: str) -> None:
    """It begins anew, or gets a version of what is not in it any more."""
    copy = Copy(server)
    script_load(copy, resources=SOME, history="projects")
    sql(copy, statement)
    script_load(copy, resources=SOME, history="projects")
    newest = {key: record(rows[-1]) for key, rows in kept(copy, "projects").items()}
    assert newest == {row["id"]: record(row) for row in copy.table("projects")}
    assert script_load(copy, resources=SOME, history="projects").versions == {}


@pytest.mark.long
def test_a_record_that_is_back(server: Server) -> None:
    """Whatever its last version says: what is there is not deleted."""
    copy = Copy(server)
    script_load(copy, resources=SOME, history="tasks")
    sql(copy, "UPDATE {}tasks_versions SET deleted_at = seen_at")
    count = len(server.account.rows("tasks"))
    assert script_load(copy, resources=SOME, history="tasks").versions == {"tasks": count}
    assert script_load(copy, resources=SOME, history="tasks").versions == {}


@pytest.mark.long
def test_a_field_that_is_new(server: Server) -> None:
    """A column that earlier versions have not got is null in them."""
    copy = Copy(server)
    script_load(copy, resources=SOME, history="clients")
    account = server.account
    account.fields = Fields(more={"clients": {"shoe_size": 43}})
    account.clock.advance(60)
    account.edit("clients", account.rows("clients")[0]["id"], name="Bigfoot")
    count = len(account.rows("clients"))
    # the comparison writes the column of the others
    assert script_load(copy, resources=SOME, history="clients").versions == {"clients": count}
    for rows in kept(copy, "clients").values():
        assert [each["shoe_size"] for each in rows] == [None, 43]


@pytest.mark.parametrize("history", ["projects,company", ["rates"], "time_team"])
def test_what_has_no_versions(copy: Copy, history: Any) -> None:
    with pytest.raises(HarvestError, match=r"history names (company|rates|time_team), but must be"):
        load(copy.source(), history=history)
    assert copy.server.requests == []


@pytest.mark.parametrize(
    "how",
    ["option", *(pytest.param(each, marks=pytest.mark.long) for each in ("environment", "toml"))],
)
def test_the_script_keeps_versions(server: Server, how: str) -> None:
    options = ["--resources", "clients,projects"]
    if how == "option":
        options += ["--history", "projects"]
    extra = {"HISTORY": "projects"} if how == "environment" else {}
    if how == "toml":
        Path(".dlt").mkdir(exist_ok=True)
        Path(".dlt/config.toml").write_text('[sources.harvest]\nhistory = ["projects"]\n')
    done = run(*options, env=environment(server, **extra))
    assert done.returncode == 0, done.stderr
    count = len(server.account.rows("projects"))
    assert done.stdout.endswith(f"Versions kept: {count} of projects.\n")
