"""The notebook runs from end to end, and its answers are what the account itself says."""

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from statistics import median
from typing import Any, Dict, List

import duckdb
import matplotlib.font_manager  # noqa: F401  # the first import writes a cache, and says so
import nbformat
import pytest
from nbclient import NotebookClient

from sandbox import Account, Clock, Server
from tests.docs.test_commands import NOTEBOOK, SECTIONS
from tests.script import ROOT

FILE = ROOT / "notebooks" / "explore_harvest.ipynb"

QUESTIONS = (
    *("hours", "utilization", "budgets", "uninvoiced", "ageing", "payment", "rates"),
    "raised",
)
"""The cells that draw: each has one picture."""

TODAY = date(2026, 6, 30)

Row = Dict[str, Any]


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
    assert len(text) < 1_000_000
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
    for name in ("harvest", "sandbox"):
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
    # the queries can be pasted
    with duckdb.connect(str(tmp_path / "harvest_notebook_sandbox.duckdb")) as connection:
        connection.sql("USE harvest_data")
        code = "\n".join(cell.source for cell in cells(notebook).values())
        queries = re.findall(r'ask\("""(.*?)"""\)', code, re.DOTALL)
        assert len(queries) == len(QUESTIONS) + 1
        for query in queries:
            assert connection.sql(query).fetchall()

    clock = Clock()
    clock.freeze(datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=timezone.utc))
    account = Account.generate(seed=5, time_entries=14_000, years=2.5, clock=clock)
    facts = Facts(account)
    assert numbers(said["hours"]) == pytest.approx(facts.hours(), abs=0.06)
    assert numbers(said["utilization"]) == pytest.approx(facts.utilization(), abs=0.06)
    # in the budgets' lines the unit comes last
    head, *lines = said["budgets"].splitlines()
    over = {line.split()[-2]: numbers(line) for line in lines}
    active, expected = facts.budgets()
    assert numbers(head) == [active, sum(count for count, _ in expected.values())]
    assert over == {unit: pytest.approx(row, abs=0.006) for unit, row in expected.items()}
    assert by_currency(said["uninvoiced"]) == {
        currency: pytest.approx(row, abs=0.006) for currency, row in facts.uninvoiced().items()
    }
    assert by_currency(said["ageing"]) == {
        currency: pytest.approx(row, abs=0.006) for currency, row in facts.ageing().items()
    }
    count, middle, _, _, _, late = numbers(said["payment"])
    assert [count, middle, late] == pytest.approx(facts.payment(), abs=0.06)
    assert by_currency(said["rates"]) == {
        currency: pytest.approx(row, abs=0.06) for currency, row in facts.rates().items()
    }
    assert numbers(said["raised"]) == pytest.approx(facts.raised(), abs=0.006)


@pytest.mark.long
def test_an_account_of_ones_own(
    notebook: Any, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line is changed, and the rest is in the configuration. A later run sees a budget raised.

    This account has expenses switched off, so that tables are missing that the questions ask.
    """
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
    assert "Studio Tamarisk: 400 time entries" in printed(notebook)["ask"]
    assert drawn(notebook) == dict.fromkeys(QUESTIONS[:-1], 1)
    assert printed(notebook)["raised"] == "No budget in hours was changed since the first run.\n"
    assert all("expense_feature is switched off" in warning for warning in warned(notebook))
    assert (tmp_path / "harvest_notebook.duckdb").exists()

    account = server.account
    worked = {row["project"]["id"] for row in account.rows("time_entries")}
    project = next(
        row
        for row in account.rows("projects")
        if row["budget_by"] == "project" and not row["budget_is_monthly"] and row["id"] in worked
    )
    account.edit("projects", project["id"], budget=project["budget"] + 1000)
    run(notebook, tmp_path)
    assert drawn(notebook) == dict.fromkeys(QUESTIONS, 1)
    assert numbers(printed(notebook)["raised"])[0] == 1
    assert all("expense_feature is switched off" in warning for warning in warned(notebook))


class Facts:
    """The same answers, from the account's rows and without SQL, as the numbers printed."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.entries = account.rows("time_entries")
        self.projects = {row["id"]: row for row in account.rows("projects")}
        self.clients = {row["id"]: row for row in account.rows("clients")}
        self.monday = TODAY - timedelta(days=TODAY.weekday())

    def currency(self, row: Row) -> str:
        return str(self.clients[row["client"]["id"]]["currency"])

    def since(self, day: str) -> int:
        return (TODAY - date.fromisoformat(day)).days

    def hours(self) -> List[float]:
        past = [row for row in self.entries if row["spent_date"] < str(self.monday)]
        mondays = {
            day - timedelta(days=day.weekday())
            for day in (date.fromisoformat(row["spent_date"]) for row in past)
        }
        all_, billable = _hours(past), _hours(row for row in past if row["billable"])
        start = str(self.monday - timedelta(weeks=13))
        late = [row for row in past if row["spent_date"] >= start]
        share = _hours(row for row in late if row["billable"]) / _hours(late)
        return [all_, len(mondays), billable, 100 * billable / all_, 100 * share, 13]

    def utilization(self) -> List[float]:
        start = self.monday - timedelta(weeks=13)
        people = {
            row["id"]: row["weekly_capacity"] / 3600
            for row in self.account.rows("users")
            if row["is_active"] and row["created_at"] < str(start)
        }
        theirs = [
            row
            for row in self.entries
            if row["user"]["id"] in people and str(start) <= row["spent_date"] < str(self.monday)
        ]
        capacity, recorded = sum(people.values()), _hours(theirs) / 13
        billable = _hours(row for row in theirs if row["billable"]) / 13
        shares = 100 * recorded / capacity, 100 * billable / capacity
        return [len(people), capacity, recorded, shares[0], billable, shares[1]]

    def budgets(self) -> Any:
        rows = [
            row for row in self.account.rows("project_budget") if row["is_active"] and row["budget"]
        ]
        over: Dict[str, List[float]] = defaultdict(lambda: [0, 0.0])
        for row in rows:
            if row["budget_spent"] > row["budget"]:
                money = row["budget_by"] in ("project_cost", "task_fees")
                unit = self.currency(self.projects[row["project_id"]]) if money else "h"
                over[unit][0] += 1
                over[unit][1] += row["budget_spent"] - row["budget"]
        return len(rows), over

    def raised(self) -> List[float]:
        """The number of budgets that the notebook raises, and the hours beyond that budget."""
        rows = [
            row
            for row in self.account.rows("project_budget")
            if row["is_active"]
            and row["budget_by"] == "project"
            and not row["budget_is_monthly"]
            and row["budget_spent"] > row["budget"]
        ]
        least = min(rows, key=lambda row: row["budget_spent"] / row["budget"])
        return [1, least["budget_spent"] - least["budget"], 0]

    def uninvoiced(self) -> Dict[str, List[float]]:
        """All, those days, how much is older, and hours without a rate where there are any."""
        found: Dict[str, List[float]] = defaultdict(lambda: [0.0, 0.0, 90, 0.0])
        for row in self.entries + self.account.rows("expenses"):
            if not row["billable"] or row["is_billed"] or row["invoice"]:
                continue
            sums = found[self.currency(row)]
            amount = row.get("total_cost")
            if amount is None:
                if row["is_running"] or self.projects[row["project"]["id"]]["is_fixed_fee"]:
                    continue
                if row["billable_rate"] is None:
                    sums[3] += row["rounded_hours"]
                amount = row["rounded_hours"] * (row["billable_rate"] or 0)
            sums[0] += amount
            sums[1] += amount if self.since(row["spent_date"]) > 90 else 0
        return {name: sums if sums[3] else sums[:3] for name, sums in found.items()}

    def ageing(self) -> Dict[str, List[float]]:
        found: Dict[str, List[float]] = defaultdict(lambda: [0.0, 0, 0.0, 0])
        for row in self.account.rows("invoices"):
            if row["state"] == "open" and row["due_amount"] > 0:
                sums, late = found[row["currency"]], self.since(row["due_date"]) > 0
                sums[0] += row["due_amount"]
                sums[1] += 1
                sums[2] += row["due_amount"] * late
                sums[3] += late
        return dict(found)

    def payment(self) -> List[float]:
        rows = [row for row in self.account.rows("invoices") if row["state"] == "paid"]
        days = [self.since(row["issue_date"]) - self.since(row["paid_date"]) for row in rows]
        late = [row for row in rows if row["paid_date"] > row["due_date"]]
        return [len(rows), median(days), 100 * len(late) / len(rows)]

    def rates(self) -> Dict[str, List[float]]:
        earned: Dict[int, float] = defaultdict(float)
        last: Dict[int, str] = {}
        for invoice in self.account.rows("invoices"):
            for line in invoice["line_items"]:
                if invoice["state"] == "draft" or line["kind"] == "Product":
                    continue
                project = line["project"]["id"]
                last[project] = max(last.get(project, ""), invoice["period_end"])
                kept = (100 - (invoice["discount"] or 0)) / 100
                earned[project] += line["amount"] * kept * (invoice["state"] != "closed")
        worked: Dict[int, List[Row]] = defaultdict(list)
        for row in self.entries:
            if row["spent_date"] <= last.get(row["project"]["id"], ""):
                worked[row["project"]["id"]].append(row)
        # earned, hours, hours at their standard rates, projects
        found: Dict[str, List[float]] = defaultdict(lambda: [0.0, 0.0, 0.0, 0])
        for project, rows in worked.items():
            priced = [row for row in rows if row["billable"] and row["billable_rate"]]
            if priced:
                value = sum(row["rounded_hours"] * row["billable_rate"] for row in priced)
                sums = found[self.currency(self.projects[project])]
                sums[0] += earned[project]
                sums[1] += _hours(rows)
                sums[2] += _hours(rows) * value / _hours(priced)
                sums[3] += 1
        return {
            name: [money / hours, count, standard / hours, 100 * money / standard]
            for name, (money, hours, standard, count) in found.items()
        }


def _hours(rows: Any) -> float:
    return sum(row["rounded_hours"] for row in rows)
