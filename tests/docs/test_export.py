"""What tools/export_to_verified_sources.py puts into a checkout is as it has to be there.

The checkout is a folder with the same layout and settings.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest
from packaging.requirements import Requirement

from harvest.settings import STREAMS
from tests.script import ROOT

SETTINGS = {
    "pyproject.toml": """
[project]
name = "dlt-verified-sources"
version = "0.1.0"
requires-python = ">=3.10, <3.15"
[tool.black]
include = '.*py$'
""",
    "tox.ini": """
[flake8]
ignore=E1,E2,E3,E4,F401,W391,W292,E501,E731,F811,A005
banned-modules = datetime = use dlt.common.pendulum
                 decimal = use dlt.common.decimal
                 decimal.Decimal = use dlt.common.Decimal
                 open = use dlt.common.open
                 requests = use dlt.sources.helpers.requests
extend-immutable-calls = dlt.sources.incremental
""",
    "mypy.ini": """
[mypy]
python_version=3.10
ignore_missing_imports=false
strict_optional=false
warn_redundant_casts=true
disallow_any_generics=true
disallow_untyped_defs=true
check_untyped_defs=true
warn_return_any=true
namespace_packages=true
warn_unused_ignores=true
[mypy-pyarrow.*]
ignore_missing_imports=true
""",
    "tests/test_dlt_init.py": "",
    "tests/__init__.py": "",
    "tests/utils.py": """
ALL_DESTINATIONS = ["duckdb"]

def assert_load_info(info):
    assert len(info.loads_ids) == 1
    info.raise_on_failed_jobs()

def select_data(p, sql):
    with p.sql_client() as client, client.execute_query(sql) as cursor:
        return list(cursor.fetchall())

def load_table_counts(p, *tables):
    return {name: select_data(p, f"SELECT count(*) FROM {name}")[0][0] for name in tables}
""",
}
"""Those of verified-sources, and of its helpers what the tests use."""

LINT = {
    "black": ["--check"],
    "flake8": ["--max-line-length=200", "--extend-ignore=W503"],
    "mypy": ["--config-file=mypy.ini"],
}


def python(*arguments: str, folder: Path, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Runs Python in a folder, without this repository on its path."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def export(
    checkout: Path, check: bool = True, root: Path = ROOT
) -> "subprocess.CompletedProcess[str]":
    # it formats with the version of verified-sources, which make test-export installs
    pytest.importorskip("black")
    script = root / "tools" / "export_to_verified_sources.py"
    return python(str(script), str(checkout), folder=root, check=check)


def files(folder: Path) -> List[str]:
    """What is in a folder, but for what Python left there when it ran it here."""
    here = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in here if "__pycache__" not in path.parts)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "verified-sources"
    (folder / "sources").mkdir(parents=True)
    (folder / "tests").mkdir()
    for name, text in SETTINGS.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.long
def test_everything_is_where_it_belongs(tmp_path: Path, checkout: Path) -> None:
    here = tmp_path / "here"
    for name in ("harvest", "sandbox", "tools"):
        shutil.copytree(ROOT / name, here / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "harvest_pipeline.py", here)
    for folder in ("harvest", "sandbox"):
        (here / folder / "__pycache__").mkdir()
        (here / folder / "__pycache__" / "left.pyc").touch()
    stale = checkout / "sources" / "harvest" / "gone.py"
    stale.parent.mkdir()
    stale.touch()
    export(checkout, root=here)
    source = [f"harvest/{name}" for name in files(ROOT / "harvest")]
    assert files(checkout / "sources") == [*source, "harvest_pipeline.py"]
    sandbox = [f"sandbox/{name}" for name in files(ROOT / "sandbox") if name != "demo.py"]
    assert files(checkout / "tests" / "harvest") == [
        *("__init__.py", *sandbox, "test_harvest_source.py"),
    ]
    assert not [*checkout.rglob("__pycache__")]
    for name in ("README.md", "schema.yaml", "requirements.txt"):
        exported = checkout / "sources" / "harvest" / name
        assert exported.read_bytes() == (ROOT / "harvest" / name).read_bytes()


def test_another_folder_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "sources" / "harvest" / "kept.py"
    kept.parent.mkdir(parents=True)
    kept.touch()
    done = export(tmp_path, check=False)
    assert done.returncode == 1
    assert "is no checkout of dlt-hub/verified-sources" in done.stderr
    assert files(tmp_path) == ["sources/harvest/kept.py"]


def test_requirements_name_dlt_without_extras() -> None:
    lines = ROOT.joinpath("harvest", "requirements.txt").read_text().splitlines()
    # a comment would stop `dlt init`, which reads each line as a requirement
    (dlt,) = [each for each in map(Requirement, lines) if each.name == "dlt"]
    assert not dlt.extras
    assert dlt.specifier


@pytest.mark.long
@pytest.mark.parametrize("tool", LINT)
def test_their_linters_pass(checkout: Path, tool: str) -> None:
    # they are in an environment of their own: make test-export
    pytest.importorskip("black")
    export(checkout)
    paths = ["sources/harvest", "sources/harvest_pipeline.py"]
    if tool == "mypy":
        # as in verified-sources, whose tests have no types
        python("-m", tool, *LINT[tool], *paths, folder=checkout)
    else:
        python("-m", tool, *LINT[tool], *paths, "tests/harvest", folder=checkout)


@pytest.mark.long
def test_it_can_be_imported(checkout: Path) -> None:
    export(checkout)
    for name, folder in (("harvest", checkout / "sources"), ("sources.harvest", checkout)):
        code = (
            f"import {name} as harvest; print(harvest.__file__);"
            " print(len(harvest.harvest_source(access_token='x').resources))"
        )
        place, resources = python("-c", code, folder=folder).stdout.split()
        assert place == str(checkout / "sources" / "harvest" / "__init__.py")
        assert resources == str(len(STREAMS))
    done = python("harvest_pipeline.py", "--help", folder=checkout / "sources")
    assert "--full-refresh" in done.stdout


def test_dlt_init_reads_it_where_nothing_but_dlt_is_installed(checkout: Path) -> None:
    """As verified-sources' own check of `dlt init` does: what is missing becomes a dummy."""
    export(checkout)
    code = """
import sys
from dlt.sources import SourceReference
from dlt.reflection.script_inspector import import_pipeline_script
for name in ("pyarrow", "msgspec"):
    assert name not in sys.modules
    sys.modules[name] = None
import_pipeline_script(sys.argv[1], "harvest_pipeline.py", ignore_missing_imports=True)
print(*SourceReference.SOURCES)
"""
    done = python("-c", code, str(checkout / "sources"), folder=checkout)
    assert "harvest" in done.stdout


@pytest.mark.long
def test_its_tests_pass(checkout: Path) -> None:
    export(checkout)
    python("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/harvest", folder=checkout)
