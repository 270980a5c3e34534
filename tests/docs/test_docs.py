"""The pages in docs/: what they say about the tables is so, and what they say to do works."""

import json
import re
import shutil
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Set, Tuple

import duckdb
import psycopg2
import pytest
import requests
import yaml

from harvest.settings import STREAMS
from sandbox import Server
from tests.copy import Copy
from tests.script import ROOT

DOCS = ROOT / "docs"


def sections(page: str) -> Dict[str, str]:
    """The text below each heading of the second level."""
    parts = re.split(r"^## (.*)\n", (DOCS / page).read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def blocks(text: str, language: str) -> List[str]:
    """The code of a language, also where it is indented as part of a list."""
    found = re.findall(rf"^( *)```(?:{language})\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


# ---------------------------------------------------------------- migrating-from-*.md

MIGRATIONS = ("migrating-from-airbyte.md", "migrating-from-tap-harvest.md")

SCHEMA = yaml.safe_load((ROOT / "harvest" / "schema.yaml").read_text())["tables"]


def mapping(page: str, section: str) -> List[Dict[str, Set[str]]]:
    """The rows of a table: what is in code spans, by the heading of the column."""
    lines = [line for line in sections(page)[section].splitlines() if line.startswith("| ")]
    headings, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in lines)
    return [
        {
            heading: set(re.findall("`([^`]+)`", cell))
            for heading, cell in zip(headings, row, strict=True)
        }
        for row in rows
    ]


@pytest.mark.parametrize("page", MIGRATIONS)
def test_every_stream_is_mapped(page: str) -> None:
    named = [name for row in mapping(page, "Streams") for name in row["here"]]
    assert set(named) >= set(STREAMS)
    tables = [name for name in named if name in STREAMS]
    # external_reference, which has become columns of time_entries
    assert sorted(tables) == sorted([*STREAMS, *["time_entries"] * ("tap" in page)])


@pytest.mark.parametrize("page", MIGRATIONS)
def test_what_is_mapped_to_exists(page: str) -> None:
    streams, columns = mapping(page, "Streams"), mapping(page, "Columns")
    assert len(columns) > 20
    for row in streams + columns:
        for name in row["here"]:
            table, _, column = name.partition(".")
            assert table in SCHEMA, name
            assert not column or column in SCHEMA[table]["columns"], name
    for row in streams:
        of_row = {column for table in row["here"] for column in SCHEMA[table]["columns"]}
        for name in row["what differs"]:
            table, _, column = name.partition(".")
            assert name in of_row | SCHEMA.keys() or column in SCHEMA[table]["columns"], name


Ask = Callable[[str], List[Tuple[Any, ...]]]


@pytest.fixture
def ask(server: Server, postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """Asks a PostgreSQL that has the account in the schema harvest_data."""

    def ask(sql: str) -> List[Tuple[Any, ...]]:
        with closing(psycopg2.connect(postgres)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            connection.commit()
            return list(cursor.fetchall()) if cursor.description else []

    def clean() -> None:
        for schema in ("harvest_data", "airbyte", "airbyte_names", "tap", "tap_names"):
            ask(f"DROP SCHEMA IF EXISTS {schema} CASCADE")

    clean()
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    copy = Copy(server, "postgres", dataset="harvest_data")
    copy.run()
    yield ask
    # the views are not in the way of a run that replaces the tables under them
    copy.run(full_refresh=True)
    clean()


def views(page: str, ask: Ask) -> None:
    (section,) = (name for name in sections(page) if name.startswith("Views"))
    (sql,) = blocks(sections(page)[section], "sql")
    ask(sql)


@pytest.mark.long
def test_the_views_and_questions_of_migrating(server: Server, ask: Ask) -> None:
    """Of one load, and all views beside each other."""
    the_views_with_the_columns_of_airbyte(server, ask)
    the_views_with_the_names_of_tap_harvest(server, ask)
    for page, schema in zip(MIGRATIONS, ("airbyte", "tap"), strict=True):
        the_questions_that_compare(page, schema, ask)


def the_views_with_the_columns_of_airbyte(server: Server, ask: Ask) -> None:
    views("migrating-from-airbyte.md", ask)
    account = server.account

    objects = ("user", "client", "project", "task", "invoice")
    listed = ", ".join(f'"{name}"' for name in objects)
    found = {
        id: values for id, *values in ask(f"SELECT id, {listed} FROM airbyte_names.time_entries")
    }
    assert found == {
        row["id"]: [row[name] for name in objects] for row in account.rows("time_entries")
    }
    assert any(values[-1] for values in found.values())
    found = dict(ask("SELECT id, line_items FROM airbyte_names.invoices"))
    assert found == {row["id"]: row["line_items"] for row in account.rows("invoices")}
    found = dict(
        ask("SELECT parent_id || '/' || id, payment_gateway FROM airbyte_names.invoice_payments")
    )
    assert found == {
        f"{invoice}/{row['id']}": row["payment_gateway"]
        for invoice, rows in account.children("invoice_payments").items()
        for row in rows
    }
    periods = ask('SELECT DISTINCT "from", "to", period_start FROM airbyte_names.time_projects')
    assert {(f"{day.year}0101", f"{day.year}1231", day) for *_, day in periods} == set(periods)


def the_views_with_the_names_of_tap_harvest(server: Server, ask: Ask) -> None:
    views("migrating-from-tap-harvest.md", ask)
    account = server.account

    def of(view: str, *columns: str) -> Set[Tuple[Any, ...]]:
        return set(ask(f"SELECT {', '.join(columns)} FROM tap_names.{view}"))

    assert of("user_roles", "user_id", "role_id") == {
        (user, role["id"]) for role in account.rows("roles") for user in role["user_ids"]
    }
    assert of("project_users", "id", "project_id", "user_id") == {
        (row["id"], row["project"]["id"], row["user"]["id"])
        for row in account.rows("user_assignments")
    }
    assert of("project_tasks", "id", "project_id", "task_id") == {
        (row["id"], row["project"]["id"], row["task"]["id"])
        for row in account.rows("task_assignments")
    }
    own = [
        (user, row)
        for user, rows in account.children("project_assignments").items()
        for row in rows
    ]
    assert of("user_projects", "id", "user_id", "project_id", "client_id") == {
        (row["id"], user, row["project"]["id"], row["client"]["id"]) for user, row in own
    }
    assert of("user_project_tasks", "user_id", "project_task_id") == {
        (user, task["id"]) for user, row in own for task in row["task_assignments"]
    }
    assert of("invoice_line_items", "id", "invoice_id", "project_id") == {
        (item["id"], row["id"], (item["project"] or {}).get("id"))
        for row in account.rows("invoices")
        for item in row["line_items"]
    }
    assert of("estimate_line_items", "id", "estimate_id") == {
        (item["id"], row["id"]) for row in account.rows("estimates") for item in row["line_items"]
    }
    entries = account.rows("time_entries")
    referring = [row for row in entries if row["external_reference"]]
    assert referring
    assert of("time_entry_external_reference", "time_entry_id", "external_reference_id") == {
        (row["id"], row["external_reference"]["id"]) for row in referring
    }
    assert of("external_reference", "id", "group_id", "permalink", "service") == {
        tuple(
            row["external_reference"][name] for name in ("id", "group_id", "permalink", "service")
        )
        for row in referring
    }
    ids = ("user", "client", "project", "task", "task_assignment", "user_assignment", "invoice")
    assert of("time_entries", "id", *(f"{name}_id" for name in ids)) == {
        (row["id"], *((row[name] or {}).get("id") for name in ids)) for row in entries
    }


def the_questions_that_compare(page: str, schema: str, ask: Ask) -> None:
    counts, only_there = blocks(sections(page)["Changing over"], "sql")
    ask(f"CREATE SCHEMA {schema}")
    ask(f"CREATE TABLE {schema}.time_entries AS SELECT id, hours FROM harvest_data.time_entries")
    ask(f"INSERT INTO {schema}.time_entries VALUES (1, 2.5)")
    ((_, there, here, hours_there, hours_here),) = ask(counts)
    assert there == here + 1
    assert hours_there == hours_here + Decimal("2.5")
    assert ask(only_there) == [(1,)]


# ---------------------------------------------------------------- adding-a-stream.md


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A copy of the source and the sandbox, changed as adding-a-stream.md says."""
    for name in ("harvest", "sandbox"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "harvest_pipeline.py", tmp_path)
    changes = 0
    # each block belongs to the file that the heading above it names
    page = (DOCS / "adding-a-stream.md").read_text()
    parts = re.split(r"^###? (.*)\n", page, flags=re.MULTILINE)
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        if not (file := re.search(r"`(\w+/.*)`$", heading)):
            continue
        path = tmp_path / file[1]
        for block in blocks(text, "diff"):
            marked = block.splitlines()
            after = [line[1:] for line in marked if line[0] == " "]
            added = [line[1:] for line in marked if line[0] == "+"]
            # the lines that are there, then the new ones
            assert after
            assert [" " + line for line in after] + ["+" + line for line in added] == marked
            lines = path.read_text().splitlines()
            places = [
                number
                for number in range(len(after), len(lines) + 1)
                if lines[number - len(after) : number] == after
            ]
            assert len(places) == 1, f"{after!r} is not one place of {file[1]}"
            lines[places[0] : places[0]] = added
            path.write_text("\n".join(lines) + "\n")
            changes += 1
    assert changes == 7
    return tmp_path


@pytest.fixture
def settings(changed: Path) -> Iterator[Dict[str, str]]:
    """What the changed sandbox prints when it is started: settings to paste."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0", "--no-limits"],
        cwd=changed,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        printed = ""
        while "To stop" not in printed:
            line = process.stdout.readline()
            assert line, "the sandbox has ended"
            printed += line
        yield dict(re.findall(r"^export (\w+)=(.*)$", printed, re.MULTILINE))
    finally:
        process.kill()
        process.communicate()


@pytest.mark.long
def test_a_stream_can_be_added_as_it_says(
    changed: Path, settings: Dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    commands = blocks(sections("adding-a-stream.md")["5. Try it"], "sh")
    assert commands[0] == "python -m sandbox\n"
    python, *arguments = commands[1].split()
    assert python == "python"
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=changed, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    headers = {
        "Authorization": f"Bearer {settings['SOURCES__HARVEST__ACCESS_TOKEN']}",
        "Harvest-Account-Id": settings["SOURCES__HARVEST__ACCOUNT_ID"],
        "User-Agent": "tests",
    }
    url = f"{settings['SOURCES__HARVEST__BASE_URL']}/contractors"
    expected = requests.get(url, headers=headers, timeout=60).json()["contractors"]
    with duckdb.connect(str(changed / "harvest.duckdb"), read_only=True) as connection:
        found = connection.execute(
            "SELECT * EXCLUDE (_dlt_id, _dlt_load_id) FROM harvest_data.contractors ORDER BY id"
        )
        names = [column[0] for column in found.description or ()]
        types = {column[0]: str(column[1]) for column in found.description or ()}
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    assert len(expected) > 0
    assert [row["id"] for row in rows] == sorted(row["id"] for row in expected)
    assert names == list(expected[0])
    assert types["updated_at"] == "TIMESTAMP WITH TIME ZONE"

    # the report, with what it is compared with
    streams = ["--resources", "time_users,time_entries,users"]
    for command in ([], ["verify", "--json"]):
        done = subprocess.run(
            [sys.executable, *arguments[:1], *command, *streams],
            cwd=changed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    outcomes = {each["stream"]: each["outcome"] for each in json.loads(done.stdout)["streams"]}
    assert outcomes == dict.fromkeys(("users", "time_entries", "time_users"), "equal")
    with duckdb.connect(str(changed / "harvest.duckdb"), read_only=True) as connection:
        (reported,) = connection.execute(
            "SELECT sum(total_hours) FROM harvest_data.time_users"
        ).fetchall()
        (stored,) = connection.execute(
            "SELECT sum(rounded_hours) FROM harvest_data.time_entries"
        ).fetchall()
    assert reported == stored
