"""The notebook runs from end to end, and its answers are what the account itself says."""

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict, List

import matplotlib.font_manager  # noqa: F401  # the first import writes a cache, and says so
import nbformat
import pytest
from nbclient import NotebookClient

from sandbox import Account, Clock, Server
from tests.docs.test_commands import NOTEBOOK, SECTIONS
from tests.models.expected import Expected
from tests.script import ROOT

FILE = ROOT / "notebooks" / "explore_harvest.ipynb"

QUESTIONS = ("profit", "room", "money")
"""The cells that draw: each has one picture."""

TODAY = date(2026, 6, 30)


@pytest.fixture
def notebook() -> Any:
    """The notebook as it is committed."""
    return nbformat.read(FILE, as_version=4)


@pytest.fixture(autouse=True)
def _kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels keep no history in the user's home."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


def run(notebook: Any, folder: Path) -> None:
    """Executes the notebook as a user would who opens it in a folder."""
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, kernel_name="python3", timeout=300, resources=place).execute()


def cells(notebook: Any) -> Dict[str, Any]:
    return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


def printed(notebook: Any) -> Dict[str, str]:
    """What each cell has written, errors and warnings not excepted."""
    return {
        name: "".join(output.text for output in cell.outputs if output.output_type == "stream")
        for name, cell in cells(notebook).items()
    }


def drawn(notebook: Any) -> Dict[str, int]:
    """How many pictures the cells have that draw any."""
    counts = {
        name: sum("image/png" in output.get("data", {}) for output in cell.outputs)
        for name, cell in cells(notebook).items()
    }
    return {name: count for name, count in counts.items() if count}


def warned(notebook: Any) -> List[str]:
    return [
        output.text
        for cell in cells(notebook).values()
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    ]


def numbers(text: str) -> List[float]:
    """The numbers of a text, in their order."""
    return [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*\.?\d*", text)]


def by_currency(text: str) -> Dict[str, List[float]]:
    """The numbers of each line, under the currency that the line begins with."""
    return {line[:3]: numbers(line) for line in text.splitlines()}


def test_the_committed_file_has_its_outputs(notebook: Any) -> None:
    code = cells(notebook)
    assert [cell.execution_count for cell in code.values()] == list(range(1, len(code) + 1))
    assert drawn(notebook) == dict.fromkeys(QUESTIONS, 1)
    assert not warned(notebook)
    # what only this or that machine has: folders, moments, tracebacks
    assert not any(cell.metadata for cell in notebook.cells)
    text = FILE.read_text(encoding="utf-8")
    assert len(text) < 400_000
    written = re.sub(r'"image/png": "[^"]*"', "", text)
    assert not re.search(r"/(tmp|root|home|Users)/|\\Users\\|Traceback|Warning", written)


@pytest.mark.long
def test_from_a_clone_to_the_pictures(tmp_path: Path) -> None:
    """With the commands of the README, and nothing installed but what they install."""
    ((kind, commands),) = SECTIONS[NOTEBOOK]
    assert kind == "sh"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        if (file := ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, tmp_path / name)
    # without this environment's own commands
    here = str(Path(sys.executable).parent)
    paths = [path for path in os.environ["PATH"].split(os.pathsep) if path != here]
    env = {**os.environ, "PATH": os.pathsep.join(paths)}
    done = subprocess.run(
        ["bash", "-ec", commands], cwd=tmp_path, env=env, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "notebooks" / "explore_harvest.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/png;base64,') == len(QUESTIONS)
    assert "Traceback" not in page


@pytest.mark.long
def test_the_sandbox(notebook: Any, tmp_path: Path) -> None:
    """Opened in `notebooks/`, it finds the source and the sandbox in the folder above."""
    for name in ("harvest", "models", "sandbox"):
        (tmp_path / name).symlink_to(ROOT / name)
    folder = tmp_path / "notebooks"
    folder.mkdir()
    before = printed(notebook)
    run(notebook, folder)
    said = printed(notebook)
    # the committed outputs are those of the committed code
    assert said == before
    assert drawn(notebook) == dict.fromkeys(QUESTIONS, 1)
    assert not warned(notebook)
    clock = Clock()
    clock.freeze(datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=timezone.utc))
    account = Account.generate(seed=5, time_entries=14_000, years=2.5, clock=clock)
    expected = Expected(account, TODAY)
    assert numbers(said["profit"]) == pytest.approx(profit(expected), abs=0.51)
    assert numbers(said["room"]) == pytest.approx(room(expected), abs=0.51)
    assert by_currency(said["money"]) == {
        currency: pytest.approx(sums, abs=0.51) for currency, sums in money(expected).items()
    }


def profit(expected: Expected) -> List[float]:
    """Months, revenue, cost and profit of the last twelve, in the account's currency."""
    sums: Dict[date, List[float]] = defaultdict(lambda: [0.0, 0.0])
    for (_, currency, month), row in expected.profitability().items():
        if currency == expected.own:
            sums[month][0] += float(row["revenue"])
            sums[month][1] += float(row["time_cost"] + row["expense_cost"])
    last = [sums[month] for month in sorted(sums)[-12:]]
    revenue, cost = sum(each[0] for each in last), sum(each[1] for each in last)
    return [len(last), revenue, cost, revenue - cost]


def room(expected: Expected) -> List[float]:
    """Weeks, hours, billable hours and net capacity of the last 26 whole weeks."""
    weeks: Dict[date, List[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for (_, week), row in expected.utilization().items():
        if week + timedelta(days=6) < TODAY:
            for place, name in enumerate(("hours", "billable_hours", "net_capacity_hours")):
                weeks[week][place] += float(row[name])
    last = [weeks[week] for week in sorted(weeks)[-26:]]
    return [len(last), *(sum(each[place] for each in last) for place in range(3))]


def money(expected: Expected) -> Dict[str, List[float]]:
    """What is to be billed, and what is owed, by currency."""
    sums: Dict[str, List[float]] = defaultdict(lambda: [0.0, 0.0])
    for (_, currency), row in expected.work_in_progress().items():
        sums[currency][0] += float(row.get("uninvoiced_amount", 0))
    for row in expected.invoices:
        if row["state"] == "open":
            sums[row["currency"]][1] += float(row["due_amount"])
    return dict(sums)


@pytest.mark.long
def test_an_account_of_ones_own(
    notebook: Any, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line is changed, and the rest is in the configuration.

    This account has expenses switched off, so that tables are missing that the models read.
    """
    (tmp_path / "models").symlink_to(ROOT / "models")
    server.account.company["expense_feature"] = False
    settings = cells(notebook)["settings"]
    assert settings.source == "OWN_ACCOUNT = False"
    settings.source = "OWN_ACCOUNT = True"
    for name, value in (
        ("ACCESS_TOKEN", server.token),
        ("ACCOUNT_ID", server.account_id),
        ("BASE_URL", server.base_url),
        ("ID_URL", server.id_url),
        ("REPORT_RATE_LIMIT", "100000"),
        ("RATE_LIMIT", "100000"),
    ):
        monkeypatch.setenv(f"SOURCES__HARVEST__{name}", value)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    run(notebook, tmp_path)
    assert "400 time entries" in printed(notebook)["models"]
    assert drawn(notebook) == dict.fromkeys(QUESTIONS, 1)
    assert all("expense_feature is switched off" in warning for warning in warned(notebook))
    assert (tmp_path / "harvest_notebook.duckdb").exists()
