"""dlt's working directories: each place has its own, and no command takes anything out of one."""

import os
import re
import shutil
from pathlib import Path
from typing import Any, List

import dlt
import duckdb
import pytest

from sandbox import Server
from tests.script import counts, environment, run

SOME = ("--resources", "clients,tasks")


def of_a_script(**how: Any) -> dlt.Pipeline:
    """The pipeline as a script of the user's own makes it."""
    return dlt.pipeline(
        "harvest", destination="duckdb", dataset_name=how.pop("dataset", "harvest_data"), **how
    )


def extracted(pipeline: dlt.Pipeline) -> None:
    pipeline.extract([{"id": 1, "text": "a note"}], table_name="notes")
    assert pipeline.has_pending_data


@pytest.mark.parametrize("arguments", [("verify",), ("--dry-run",)])
@pytest.mark.parametrize("is_loaded", [pytest.param(True, marks=pytest.mark.long), False])
def test_reading_leaves_the_packages_of_a_script(
    server: Server, arguments: List[str], is_loaded: bool
) -> None:
    env = environment(server)
    if is_loaded:
        assert run(*SOME, env=env).returncode == 0
    extracted(of_a_script())
    done = run(*arguments, *SOME, env=env)
    assert done.returncode == 0 or not is_loaded, done.stderr
    assert of_a_script().has_pending_data
    assert "notes" not in (counts() if Path("harvest.duckdb").exists() else {})


@pytest.mark.parametrize("is_loaded", [pytest.param(True, marks=pytest.mark.long), False])
def test_a_load_also_loads_the_packages_of_a_script(server: Server, is_loaded: bool) -> None:
    env = environment(server)
    if is_loaded:
        assert run(*SOME, env=env).returncode == 0
    extracted(of_a_script())
    done = run(*SOME, env=env)
    assert done.returncode == 0, done.stderr
    assert counts()["notes"] == 1
    assert counts()["clients"] == server.account.counts()["clients"]
    assert not of_a_script().has_pending_data


def test_another_dataset_leaves_the_directory_of_the_script(server: Server) -> None:
    """Also its packages, which belong to the dataset of the script."""
    env = environment(server)
    assert run(*SOME, env=env).returncode == 0
    extracted(of_a_script())
    assert run("--dataset", "other", *SOME, env=env).returncode == 0
    assert "notes" not in counts("other")
    kept = dlt.attach("harvest")
    assert kept.has_pending_data
    assert kept.dataset_name == "harvest_data"
    # and the other goes on from where it was
    server.requests.clear()
    assert run("--dataset", "other", *SOME, env=env).returncode == 0
    assert "updated_since" in next(r for r in server.requests if r.path == "/clients").query


@pytest.mark.long
def test_a_folder_of_another_project(server: Server, tmp_path: Path) -> None:
    """Two projects with pipelines of one name have a database each."""
    env = environment(server)
    for folder in ("one", "two", "one", "two"):
        (tmp_path / folder).mkdir(exist_ok=True)
        os.chdir(tmp_path / folder)
        server.account.clock.advance(60)
        server.account.add("clients", name=f"Added for {folder}")
        done = run(*SOME, env=env)
        assert done.returncode == 0, done.stderr
        assert str(tmp_path / folder / "harvest.duckdb") in done.stdout
        assert counts()["clients"] == server.account.counts()["clients"]


@pytest.mark.long
def test_a_dataset_restored_from_a_backup(server: Server) -> None:
    """The working directory has gone on: what came after the backup is read again."""
    env = environment(server)
    assert run("--no-reconcile", *SOME, env=env).returncode == 0
    shutil.copy("harvest.duckdb", "backup")
    for _ in range(2):
        server.account.clock.advance(60)
        server.account.add("clients", name="Added after the backup")
        assert run("--no-reconcile", *SOME, env=env).returncode == 0
    shutil.copy("backup", "harvest.duckdb")
    assert run("--no-reconcile", *SOME, env=env).returncode == 0
    assert counts()["clients"] == server.account.counts()["clients"]


@pytest.mark.long
@pytest.mark.parametrize("how", ["file", "schema"])
def test_a_dataset_that_was_dropped(server: Server, how: str) -> None:
    env = environment(server)
    assert run(*SOME, env=env).returncode == 0
    if how == "file":
        os.remove("harvest.duckdb")
    else:
        with duckdb.connect("harvest.duckdb") as connection:
            connection.execute("DROP SCHEMA harvest_data CASCADE")
    done = run("--no-reconcile", *SOME, env=env)
    assert done.returncode == 0, done.stderr
    assert counts()["clients"] == server.account.counts()["clients"]


@pytest.mark.long
def test_a_package_that_is_too_old(server: Server) -> None:
    """Another machine has loaded since: the sentence names a command that removes it."""
    env = environment(server)
    assert run(*SOME, env=env).returncode == 0
    extracted(of_a_script())
    there = {**env, "DLT_DATA_DIR": str(Path("there").absolute())}
    for _ in range(3):
        server.account.clock.advance(60)
        server.account.add("clients", name="Added meanwhile")
        assert run(*SOME, env=there).returncode == 0
    assert Path("there/pipelines/harvest").is_dir()
    assert of_a_script().has_pending_data
    done = run(*SOME, env=env)
    assert done.returncode == 1
    assert of_a_script().has_pending_data
    (command,) = re.findall(r"`(dlt pipeline .* abort-packages)`", done.stderr)
    # the command asks for a yes on a terminal, and does this
    assert command == "dlt pipeline harvest abort-packages"
    of_a_script().abort_packages()
    done = run(*SOME, env=env)
    assert done.returncode == 0, done.stderr
    assert "notes" not in counts()
    assert counts()["clients"] == server.account.counts()["clients"]
