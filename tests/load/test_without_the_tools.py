"""What is behind the source can be deleted: it loads without it."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from sandbox import Server
from tests.script import ROOT, environment

LOAD = """
import dlt
from harvest import harvest_source
pipeline = dlt.pipeline("harvest", destination="duckdb", dataset_name="harvest_data")
source = harvest_source()
pipeline.run(source.with_resources("clients", "invoices", "invoice_payments", "time_team"))
print(len(pipeline.dataset().clients.arrow()))
"""


@pytest.mark.parametrize(
    "deleted",
    [
        pytest.param(["cli"], marks=pytest.mark.long),
        pytest.param(["history.py", "cli"], marks=pytest.mark.long),
        ["reconcile", "history.py", "steps.py", "cli"],
    ],
    ids=str,
)
def test_it_loads_without(deleted: List[str], server: Server, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "harvest", tmp_path / "harvest")
    for name in deleted:
        path = tmp_path / "harvest" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=tmp_path, env=environment(server), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(server.account.rows("clients"))
