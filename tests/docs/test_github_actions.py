"""examples/github_actions.yml: its commands, run as GitHub would, each time on a new machine."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Dict, Iterator

import psycopg2
import pytest
import yaml

from sandbox import Server
from tests.script import ROOT, environment


@pytest.fixture
def workflow() -> Any:
    # with all values as text: YAML takes the key `on` for a truth value
    return yaml.load((ROOT / "examples" / "github_actions.yml").read_text(), yaml.BaseLoader)


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """Address of a PostgreSQL without the schema that the script makes, before and after."""

    def clean() -> None:
        with closing(psycopg2.connect(postgres)) as connection, connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS harvest_data CASCADE")
            connection.commit()

    clean()
    yield postgres
    clean()


def valued(text: str, values: Dict[str, str]) -> str:
    """A text with its expressions replaced by what they come to."""
    return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: values[found[1]], text)


def test_it_is_a_workflow_that_never_runs_twice_at_once(workflow: Any) -> None:
    assert workflow["on"]["schedule"] == [{"cron": "17 * * * *"}]
    assert workflow["concurrency"] == {"group": "harvest", "cancel-in-progress": "false"}
    assert workflow["permissions"] == {"contents": "read"}
    assert list(workflow["jobs"]) == ["load"]


@pytest.mark.long
def test_the_second_run_reads_what_changed(
    workflow: Any, server: Server, database: str, tmp_path: Path
) -> None:
    job = workflow["jobs"]["load"]
    values = {
        "secrets.HARVEST_ACCESS_TOKEN": server.token,
        # not set, which GitHub makes an empty text
        "secrets.HARVEST_ACCOUNT_ID": "",
        "secrets.POSTGRES_CREDENTIALS": database,
        "inputs.full_refresh && '--full-refresh' || ''": "",
    }

    def run(name: str) -> None:
        """Runs all steps in a folder that is empty, on a machine that has run nothing before."""
        machine = tmp_path / name
        folder = machine / "work"
        settings = {
            **environment(server),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(machine),
            "DLT_DATA_DIR": str(machine / "dlt"),
            # what the step installs is here already, and is not fetched again
            "PIP_NO_INDEX": "1",
            **{key: valued(text, values) for key, text in job["env"].items()},
        }
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                folder.mkdir(parents=True)
                for file in ("harvest_pipeline.py", "requirements.txt"):
                    shutil.copy(ROOT / file, folder)
                shutil.copytree(ROOT / "harvest", folder / "harvest")
            elif "run" in step:
                done = subprocess.run(
                    # GitHub's own way of running a step
                    ["bash", "-e", "-c", step["run"]],
                    cwd=folder,
                    env=settings,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, done.stderr
        assert not list(folder.glob("*.duckdb"))

    def loaded() -> Dict[str, int]:
        counts = {}
        with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
            for stream in server.account.counts():
                cursor.execute(f"SELECT count(*) FROM harvest_data.{stream}")
                (counts[stream],) = cursor.fetchone()
        return counts

    run("first")
    assert loaded() == server.account.counts()
    server.account.add("time_entries")
    server.requests.clear()
    run("second")
    assert loaded() == server.account.counts()
    # the first one is the load's, and the comparison follows
    entries = next(record for record in server.requests if record.path == "/time_entries")
    assert "updated_since" in entries.query
