"""The wheel: installed into a new environment, it loads an account without this repository."""

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Dict
from zipfile import ZipFile

import pytest

from harvest.settings import VERSION
from sandbox import Server
from tests.script import ROOT, environment


def pip(*arguments: str, env: Dict[str, str]) -> None:
    command = [sys.executable, "-m", "pip", "-q", *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def wheel(tmp_path: Path, server: Server) -> Path:
    # hatchling is installed, and nothing is fetched
    how = ("wheel", "--no-deps", "--no-build-isolation", "--no-index")
    pip(*how, "--wheel-dir", str(tmp_path / "built"), str(ROOT), env=environment(server))
    (built,) = (tmp_path / "built").iterdir()
    return built


def test_a_wheel_in_a_new_environment(wheel: Path, server: Server, tmp_path: Path) -> None:
    env = environment(server)
    assert wheel.name == f"dlt_source_harvest-{VERSION}-py3-none-any.whl"
    with ZipFile(wheel) as packed:
        # the top-level name `harvest` belongs to another package on PyPI
        tops = {name.split("/")[0] for name in packed.namelist()}
        assert tops == {"dlt_source_harvest", f"dlt_source_harvest-{VERSION}.dist-info"}

    new = tmp_path / "new"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(new)], check=True)
    python = new / "bin" / "python"
    # what it depends on is not fetched, but found where the tests have it
    paths = sysconfig.get_paths(vars={"base": str(new), "platbase": str(new)})
    here = sysconfig.get_paths()["purelib"]
    Path(paths["purelib"], "here.pth").write_text(here)
    pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel), env=env)

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    script = str(new / "bin" / "harvest-dlt")
    assert run(script, "--version").startswith(f"harvest {VERSION}, ")
    assert "rows loaded into harvest_data" in run(script, "--resources", "clients,time_entries")
    assert (tmp_path / "harvest.duckdb").exists()
    # the settings have the same names as in a copy of harvest/
    code = "from dlt_source_harvest import harvest_source; print(len(harvest_source().resources))"
    assert int(run(str(python), "-c", code)) > 30
