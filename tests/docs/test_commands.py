"""Every command and example of the README and of docs/, as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Tuple

import duckdb
import pytest

from sandbox import Server
from tests.script import ROOT, environment

PAGES = [
    # first: its first command loads what others compare
    "docs/command-line.md",
    "README.md",
    *(f"docs/{name}.md" for name in ("reconcile", "history", "streams", "how-to")),
    *(f"docs/{name}.md" for name in ("files", "performance", "troubleshooting")),
]
"""The pages whose commands run here. Those about other destinations need environments of their own:
test_docs.py, tests/bigquery and tests/engines have what they say."""


def sections_of(page: str) -> Dict[str, List[Tuple[str, str]]]:
    """The blocks of code below each heading: language and text."""
    _, *parts = re.split(r"^##? (.*)$", (ROOT / page).read_text(), flags=re.MULTILINE)
    return {
        title: re.findall(r"^```(sh|python|sql)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }


SECTIONS = {title: found for page in PAGES for title, found in sections_of(page).items()}
COMMANDS = list(
    dict.fromkeys(
        command
        for page in PAGES
        for command in re.findall(
            r"`(python harvest_pipeline\.py[^`\n]*)`", (ROOT / page).read_text()
        )
    )
)

ELSEWHERE = ("make test", "make models", "make app", "marimo", "delta_scan")
"""What is not run here: this itself, a server that does not end, and what fetches an extension."""
NOTEBOOK = "Ask questions in a notebook"
ELSEWHERE_TESTED = (NOTEBOOK, "What is uninvoiced")
"""Sections with tests of their own: test_notebook.py, where nothing is installed but what the
commands install, and test_uninvoiced.py."""

QUICK = "Your own account"
"""The section that make test runs; all others are for make test-all."""

FIRST = dict(SECTIONS["Your own account"])["python"].split("pipeline.run")[0]
"""What later examples take for granted."""


@pytest.fixture
def env(server: Server, tmp_path: Path) -> Dict[str, str]:
    """As after the steps of the README: packages are installed, and credentials are set."""
    return {
        **environment(server),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        # what is to be installed is here already, and is not fetched again
        "PIP_NO_INDEX": "1",
        # where several accounts are loaded
        "SECOND_TOKEN": server.token,
        "SECOND_ACCOUNT": server.account_id,
    }


def copied() -> None:
    shutil.copytree(ROOT / "harvest", "harvest", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "harvest_pipeline.py", ".")
    for file in ("requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / file, ".")


def do(command: List[str], env: Dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        command, env=env, cwd=folder, input="y\n" * 5, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize(
    "title",
    [
        pytest.param(title, marks=[] if title == QUICK else [pytest.mark.long])
        for title in SECTIONS
        if SECTIONS[title] and title not in ELSEWHERE_TESTED
    ],
)
def test_the_blocks_of_a_section(title: str, env: Dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "this-repository").symlink_to(ROOT)
    os.chdir(folder)
    if title != "In your own dlt project":
        copied()
    for kind, text in SECTIONS[title]:
        lines = [line for line in text.splitlines() if not any(word in line for word in ELSEWHERE)]
        block = "\n".join(lines)
        if kind == "sh":
            do(["bash", "-ec", block], env, ROOT if "make" in block else folder)
        elif kind == "python":
            do([sys.executable, "-c", block if block.startswith(FIRST) else FIRST + block],
               {**env, "PYTHONPATH": str(folder)}, folder)  # fmt: skip
        elif statement := "\n".join(line for line in lines if line[:2] != "--"):
            # the account is of these years, and not of those in which the page was written
            statement = re.sub(r"DATE '[\d-]+'", "CURRENT_DATE", statement)
            with duckdb.connect("harvest.duckdb") as engine:
                assert engine.sql(statement).fetchall()


@pytest.mark.long
def test_the_commands_in_the_text(env: Dict[str, str], postgres: str, tmp_path: Path) -> None:
    assert len(COMMANDS) >= 12
    copied()
    env["DESTINATION__POSTGRES__CREDENTIALS"] = postgres
    for command in COMMANDS:
        assert do(["bash", "-c", command], env, tmp_path), f"{command} prints nothing"
