"""The repository as a source of `dlt init`: the scaffolded project works as it comes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import Server
from tests.script import ROOT, counts, environment, run


def scaffold(destination: str, location: Path = ROOT) -> None:
    dlt = Path(sys.executable).with_name("dlt")
    done = subprocess.run(
        [str(dlt), "init", "harvest", destination, "--location", str(location)],
        input="y\n" * 5,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "was added to your project" in done.stdout, done.stdout + done.stderr


@pytest.mark.long
def test_the_scaffolded_script_loads(tmp_path: Path, server: Server) -> None:
    scaffold("duckdb")
    # its placeholders are no credentials
    done = run(env=dict(os.environ), script=tmp_path / "harvest_pipeline.py")
    assert done.returncode == 1
    assert "error: No Harvest credentials" in done.stderr
    assert (tmp_path / "harvest" / "schema.yaml").exists()
    assert "dlt[" in (tmp_path / "requirements.txt").read_text()
    assert "<configure me>" in (tmp_path / ".dlt" / "secrets.toml").read_text()
    env = environment(server)
    env.pop("PYTHONPATH", None)
    done = run(env=env, script=tmp_path / "harvest_pipeline.py")
    assert done.returncode == 0, done.stderr
    for stream, rows in server.account.counts().items():
        assert counts()[stream] == rows, stream


@pytest.mark.parametrize("destination", ["bigquery", "postgres"])
def test_other_destinations_scaffold(tmp_path: Path, destination: str) -> None:
    scaffold(destination)
    script = (tmp_path / "harvest_pipeline.py").read_text()
    assert f"destination='{destination}'" in script
    secrets = (tmp_path / ".dlt" / "secrets.toml").read_text()
    assert f"[destination.{destination}" in secrets
    ours = secrets.split("[sources.harvest]")[1].split("[")[0]
    names = ("access_token", "client_secret", "refresh_token")
    assert [name for name in names if f'{name} = "<configure me>"' in ours] == [*names]


def test_a_clone_without_symbolic_links(tmp_path: Path) -> None:
    """As on Windows: cloned into a folder named `sources`, it needs none."""
    clone = tmp_path / "around" / "sources"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "harvest", clone / "harvest", ignore=ignored)
    shutil.copy(ROOT / "harvest_pipeline.py", clone)
    identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "A clone")):
        subprocess.run(["git", *identity, *command], cwd=clone, check=True)
    scaffold("duckdb", location=tmp_path / "around")
    assert (tmp_path / "harvest" / "cli" / "__init__.py").exists()
