"""The repository as a source of `dlt init`: the scaffolded project works as it comes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import Server
from tests.test_script import ROOT, counts, environment, run


def scaffold(destination: str) -> None:
    dlt = Path(sys.executable).with_name("dlt")
    done = subprocess.run(
        [str(dlt), "init", "harvest", destination, "--location", str(ROOT)],
        input="y\n" * 5,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "was added to your project" in done.stdout, done.stdout + done.stderr


def test_the_scaffolded_script_loads(tmp_path: Path, server: Server) -> None:
    scaffold("duckdb")
    assert (tmp_path / "harvest" / "harvest.schema.yaml").exists()
    assert "dlt[" in (tmp_path / "requirements.txt").read_text()
    assert "<configure me>" in (tmp_path / ".dlt" / "secrets.toml").read_text()
    env = environment(server)
    env.pop("PYTHONPATH", None)
    done = run(env=env, script=tmp_path / "harvest_pipeline.py")
    assert done.returncode == 0, done.stderr
    for stream, rows in server.account.counts().items():
        assert counts()[stream] == rows, stream


def test_its_placeholders_are_no_credentials(tmp_path: Path) -> None:
    scaffold("duckdb")
    done = run(env=dict(os.environ), script=tmp_path / "harvest_pipeline.py")
    assert done.returncode == 1
    assert "error: No Harvest credentials" in done.stderr


@pytest.mark.parametrize("destination", ["bigquery", "postgres"])
def test_other_destinations_scaffold(tmp_path: Path, destination: str) -> None:
    scaffold(destination)
    script = (tmp_path / "harvest_pipeline.py").read_text()
    assert f"destination='{destination}'" in script
    secrets = (tmp_path / ".dlt" / "secrets.toml").read_text()
    assert f"[destination.{destination}" in secrets
