"""dbt, run as people run it, on what the source has loaded from a sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.script import ROOT

MODELS = ROOT / "models"
DBT = Path(sys.executable).with_name("dbt")

Row = dict[str, Any]


class Models:
    """The models on a database, in a folder of their own."""

    def __init__(self, folder: Path, project: Path = MODELS) -> None:
        self.database = folder / "harvest.duckdb"
        self.project = project
        self.variables: Row = {}
        self.env = {
            **os.environ,
            "HARVEST_DUCKDB": str(self.database),
            "DBT_TARGET_PATH": str(folder / "target"),
            "DBT_LOG_PATH": str(folder / "logs"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
        }

    def dbt(self, *arguments: str) -> str:
        """Run a command of dbt that must succeed; return what it says."""
        done = self.try_dbt(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def try_dbt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of dbt."""
        profiles = self.project if (self.project / "profiles.yml").exists() else MODELS
        where = ["--project-dir", str(self.project), "--profiles-dir", str(profiles)]
        given = ["--vars", json.dumps(self.variables)] if self.variables else []
        return subprocess.run(
            [str(DBT), *arguments, *where, *given],
            env=self.env, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def rows(self, table: str, schema: str = "harvest_models") -> list[Row]:
        """Return the rows of a model."""
        with duckdb.connect(str(self.database)) as connection:
            found = connection.execute(f"select * from {schema}.{table}")
            names = [column[0] for column in found.description or []]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def by(self, table: str, *keys: str) -> dict[Any, Row]:
        """Return the rows of a model by their key."""
        rows = self.rows(table)
        found = {tuple(row[key] for key in keys): row for row in rows}
        assert len(found) == len(rows)
        return found


@pytest.fixture
def models(tmp_path: Path) -> Models:
    """The models on the database that a `Copy` loads."""
    if not DBT.exists():
        pytest.skip("dbt is not installed: pip install --group models")
    return Models(tmp_path)


@pytest.fixture
def project(models: Models, tmp_path: Path) -> Callable[..., Models]:
    """Make a dbt project of one's own that has the models as a package, from git."""

    def make(seeds: dict[str, str], **variables: Any) -> Models:
        folder = tmp_path / "own"
        (folder / "seeds").mkdir(parents=True)
        for name, text in seeds.items():
            (folder / "seeds" / f"{name}.csv").write_text(text, encoding="utf-8")
        (folder / "dbt_project.yml").write_text(
            json.dumps(
                {"name": "own", "version": "1.0.0", "profile": "harvest", "vars": variables}
            ),
            encoding="utf-8",
        )
        (folder / "packages.yml").write_text(
            json.dumps({"packages": [{"git": committed(tmp_path), "subdirectory": "models"}]}),
            encoding="utf-8",
        )
        models.project = folder
        models.dbt("deps")
        return models

    return make


def committed(folder: Path) -> str:
    """Return the address of a git repository with the models as they are in this one."""
    clone = folder / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "models"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_bytes((ROOT / name).read_bytes())
    for command in ("init -q -b main", "add -A", "-c user.name=x -c user.email=x@example.org"):
        commit = ["commit", "-q", "-m", "x"] if "user" in command else []
        subprocess.run(["git", *command.split(), *commit], cwd=clone, check=True)
    return clone.as_uri()
