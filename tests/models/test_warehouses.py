"""The models are SQL of warehouses too: compiled by their adapters of dbt, and parsed.

Nobody can run them here. The adapters are in an environment of their own: make test-warehouses.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlglot

from tests.script import ROOT

pytestmark = pytest.mark.long

PLACE = {"database": "warehouse", "schema": "harvest_models"}
PROFILES: dict[str, dict[str, Any]] = {
    "bigquery": {"method": "oauth-secrets", "token": "made-up", **PLACE},
    "databricks": {
        **{"host": "made-up.example", "http_path": "/sql", "token": "made-up"},
        **{"catalog": "warehouse", "schema": "harvest_models"},
    },
    "redshift": {"host": "made-up.example", "port": 5439, "user": "x", "password": "x", **PLACE},
    "snowflake": {"account": "x", "user": "x", "password": "x", "warehouse": "x", **PLACE},
}

COMPILE = """
import importlib, sys
from dbt.adapters.base.impl import BaseAdapter
from dbt.cli.main import dbtRunner

kind, has_versions, *arguments = sys.argv[1:]
importlib.import_module(f"dbt.adapters.{kind}")


def there(self, database, schema, identifier, *_, **__):
    # nothing is connected to: tables are there, and so are versions of records if wanted
    if identifier.endswith("_versions") and has_versions == "no":
        return None
    return self.Relation.create(
        database=database, schema=schema, identifier=identifier, type="table"
    )


def adapters(kind):
    yield kind
    for each in kind.__subclasses__():
        yield from adapters(each)


for each in adapters(BaseAdapter):
    each.get_relation = there
    each.set_relations_cache = lambda self, *_, **__: None
done = dbtRunner().invoke(["compile", "--quiet", "--no-populate-cache", *arguments])
sys.exit(0 if done.success else str(done.exception))
"""


@pytest.mark.parametrize("versions", ["yes", "no"])
@pytest.mark.parametrize("kind", PROFILES)
def test_each_model_is_understood(kind: str, versions: str, tmp_path: Path) -> None:
    pytest.importorskip(f"dbt.adapters.{kind}")
    outputs = {"warehouse": {"type": kind, "threads": 1, **PROFILES[kind]}}
    profile = {"harvest": {"target": "warehouse", "outputs": outputs}}
    (tmp_path / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    where = ["--project-dir", str(ROOT / "models"), "--profiles-dir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, kind, versions, *where],
        env={
            **os.environ,
            "DBT_TARGET_PATH": str(tmp_path / "target"),
            "DBT_LOG_PATH": str(tmp_path / "logs"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    models = {path.stem for path in (ROOT / "models").rglob("*.sql")}
    compiled = {path.stem: path for path in (tmp_path / "target" / "compiled").rglob("*.sql")}
    assert {"fct_time", "project_profitability", "budget_burn"} <= models & compiled.keys()
    for name in models & compiled.keys():
        text = compiled[name].read_text(encoding="utf-8")
        assert "{{" not in text, name
        assert sqlglot.parse_one(text, dialect=kind), name
