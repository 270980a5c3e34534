"""The app in a real browser: each page opens, and its numbers are those of the models."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests

from sandbox import Server
from tests.copy import Copy
from tests.models.conftest import Models
from tests.script import ROOT, environment, run

pytestmark = pytest.mark.long

PAGES = {
    "Are we making money?": ("Revenue", "Cost", "Profit", "Margin"),
    "Who has room?": ("People", "Hours", "Utilization", "Net", "Billable"),
    "What has to be billed?": ("To be billed", "Older than 90 days", "Hours", "Fixed fees"),
    "Who owes us?": ("Due", "Late", "Until payment"),
    "Is the copy right?": ("Hours", "Last comparison", "Last load", "Removed"),
}
"""The tabs, and the labels of their plain numbers."""

MONTHS = "month >= date_trunc('month', current_date) - interval {} month"
PROFIT = """select sum(revenue_account), sum(cost_account), sum(profit_account)
    from project_profitability where currency = '{currency}' and {when} and {client}"""


@pytest.fixture
def chromium() -> str:
    names = ("chromium", "google-chrome", "chromium-browser")
    found = next((path for path in map(shutil.which, names) if path), None)
    if not found:
        pytest.skip("there is no chromium: apt-get install chromium")
    pytest.importorskip("playwright")
    pytest.importorskip("marimo")
    return found


@pytest.fixture
def address(server: Server, models: Models, tmp_path: Path) -> Iterator[str]:
    """The app, served on an account that is loaded, compared and modelled."""
    Copy(server).begin(healed=True)
    models.dbt("run")
    (tmp_path / "verify.json").write_text(
        '{"equal": false, "streams": [{"stream": "clients", "outcome": "equal"},'
        ' {"stream": "tasks", "outcome": "different"}]}'
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "marimo", "run", str(ROOT / "notebooks" / "harvest_app.py")]
    with (tmp_path / "marimo.log").open("w") as log:
        app = subprocess.Popen(
            [*command, "--headless", "--no-token", "--host", "127.0.0.1", "--port", str(port)],
            cwd=tmp_path, env=os.environ.copy(), stdout=log, stderr=log,
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                assert app.poll() is None, (tmp_path / "marimo.log").read_text()
                try:
                    requests.get(f"{url}/health", timeout=5)
                    break
                except requests.ConnectionError:
                    time.sleep(0.1)
            yield url
        finally:
            app.terminate()
            app.wait()


@pytest.fixture
def page(address: str, chromium: str) -> Iterator[Any]:
    """A page of the browser that shows the app."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.set_default_timeout(60_000)
        errors: list[str] = []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.goto(address, wait_until="domcontentloaded")
        opened.get_by_role("tab", name="Who owes us?").wait_for(timeout=120_000)
        yield opened
        browser.close()
    assert not errors


def test_make_app_opens_what_make_models_has_left(
    server: Server, models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is looked for below the folder in which the pipeline was made."""
    pytest.importorskip("marimo")
    home = tmp_path / ".demo"
    home.mkdir()
    models.database = home / "harvest.duckdb"
    models.env["HARVEST_DUCKDB"] = str(models.database)
    env = {
        **environment(server),
        "DLT_DATA_DIR": str(home / "dlt"),
        "DESTINATION__DUCKDB__CREDENTIALS": str(models.database),
    }
    with monkeypatch.context() as inside:
        inside.chdir(home)
        assert run("-q", env=env).returncode == 0
    models.dbt("run")
    for name in ("pyproject.toml", "requirements.txt"):
        (tmp_path / name).touch()
    make = ["make", "--dry-run", "--file", str(ROOT / "Makefile"), "app"]
    said = subprocess.run(make, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    words = shlex.split(said[said.index("DLT_DATA_DIR=") :].replace("\\\n", " "))
    settings = dict(word.split("=", 1) for word in words if "=" in word)
    assert len(settings) > 2
    done = subprocess.run(
        [sys.executable, str(ROOT / "notebooks" / "harvest_app.py")],
        cwd=tmp_path, env={**os.environ, **settings}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def numbers(page: Any, tab: str) -> dict[str, str]:
    """Return what a tab says, by label."""
    page.get_by_role("tab", name=tab).click()
    panel = page.get_by_role("tabpanel")
    found = {}
    for label in PAGES[tab]:
        # the innermost element with the label and more
        card = panel.get_by_text(label, exact=True).first.evaluate(
            "e => { while (!e.innerText.includes('\\n')) e = e.parentElement; return e.innerText }"
        )
        found[label] = [line for line in card.splitlines() if line.strip()][1]
    return found


def until(page: Any, tab: str, label: str, expected: str) -> None:
    """Wait until a number is what it must be."""
    for _ in range(200):
        if numbers(page, tab)[label] == expected:
            return
        page.wait_for_timeout(100)
    assert numbers(page, tab)[label] == expected


def test_each_page_has_the_numbers_of_the_models(page: Any, models: Models) -> None:
    def ask(sql: str) -> tuple[Any, ...]:
        with duckdb.connect(str(models.database)) as connection:
            connection.sql("use harvest_models")
            row = connection.sql(sql).fetchone()
            assert row
            return row

    year = MONTHS.format(11)
    anyone = "true"
    revenue, cost, profit = ask(PROFIT.format(currency="EUR", when=year, client=anyone))
    said = numbers(page, "Are we making money?")
    assert said["Revenue"] == f"{revenue:,.0f} EUR"
    assert said["Cost"] == f"{cost:,.0f} EUR"
    assert said["Profit"] == f"{profit:,.0f} EUR"
    assert said["Margin"] == f"{100 * profit / revenue:.0f} %"

    hours, capacity, net = ask(
        "select sum(hours), sum(capacity_hours), sum(net_capacity_hours) from utilization join"
        " dim_people using (user_id) where is_active and is_complete and week_start >="
        " date_trunc('month', current_date) - interval 11 month"
    )
    said = numbers(page, "Who has room?")
    assert said["Hours"] == f"{hours:,.0f}"
    assert said["Utilization"] == f"{100 * hours / capacity:.0f} %"
    assert said["Net"] == f"{100 * hours / net:.0f} %"

    amount, old = ask(
        "select sum(uninvoiced_amount), sum(amount_more_than_90) from work_in_progress"
        " where currency = 'EUR'"
    )
    said = numbers(page, "What has to be billed?")
    assert said["To be billed"] == f"{amount:,.0f} EUR"
    assert said["Older than 90 days"] == f"{old:,.0f} EUR"

    due, late = ask(
        "select sum(due_amount), sum(due_amount) filter (days_late > 0) from receivables"
        " where currency = 'EUR' and state = 'open'"
    )
    said = numbers(page, "Who owes us?")
    assert said["Due"] == f"{due:,.0f} EUR"
    assert said["Late"] == f"{late or 0:,.0f} EUR"

    said = numbers(page, "Is the copy right?")
    assert said["Hours"] == "equal"
    assert said["Last comparison"] == "different"
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d", said["Last load"])


def test_filters_change_the_numbers(page: Any, models: Models) -> None:
    def ask(sql: str) -> Any:
        with duckdb.connect(str(models.database)) as connection:
            connection.sql("use harvest_models")
            return connection.sql(sql).fetchall()

    tab = "Are we making money?"
    before = numbers(page, tab)
    page.get_by_label("Period").select_option(label="Everything")
    ((revenue, _, _),) = ask(PROFIT.format(currency="EUR", when="true", client="true"))
    until(page, tab, "Revenue", f"{revenue:,.0f} EUR")
    assert numbers(page, tab)["Revenue"] != before["Revenue"]

    # in another currency there is no profit without a rate of exchange
    page.get_by_label("Currency").select_option(label="USD")
    ((revenue,),) = ask("select sum(revenue) from project_profitability where currency = 'USD'")
    until(page, tab, "Revenue", f"{revenue:,.0f} USD")
    assert numbers(page, tab)["Profit"] == "unknown"
    ((due,),) = ask(
        "select coalesce(sum(due_amount), 0) from receivables"
        " where currency = 'USD' and state = 'open'"
    )
    assert numbers(page, "Who owes us?")["Due"] == f"{due:,.0f} USD"

    page.get_by_label("Currency").select_option(label="EUR")
    ((client, revenue),) = ask(
        "select client_name, sum(revenue) from project_profitability"
        " where currency = 'EUR' and revenue > 0 group by 1 order by 2 limit 1"
    )
    page.get_by_text("Select...", exact=True).click()
    page.get_by_role("option", name=client, exact=True).click()
    page.keyboard.press("Escape")
    until(page, tab, "Revenue", f"{revenue:,.0f} EUR")

    # a person has one role or more
    ((role, people),) = ask(
        "with roles as (select unnest(string_split(roles, ', ')) as role, user_id from dim_people"
        " where is_active) select role, count(distinct user_id) from roles join utilization"
        " using (user_id) where is_complete group by 1 order by 2, 1 limit 1"
    )
    page.get_by_label("Team").select_option(label=role)
    until(page, "Who has room?", "People", str(people))


def test_it_fits_on_a_telephone_in_both_themes(page: Any) -> None:
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": 390, "height": 844})
        for tab in PAGES:
            assert numbers(page, tab)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390, f"{tab} is {wide} wide"
