"""The models on accounts that lack something, and on rows that change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from harvest.history import keep_versions
from sandbox import Account, Server
from tests.copy import Copy
from tests.helpers import heal
from tests.models.conftest import Models

pytestmark = pytest.mark.long

ANSWERS = (
    *("project_profitability", "missing_for_profitability", "utilization", "work_in_progress"),
    *("receivables", "budget_burn", "effective_rates"),
)


def test_an_account_with_no_rows_at_all(models: Models) -> None:
    with Server(Account.empty(), limits=False) as server:
        Copy(server, dataset="harvest_data").run()
    models.dbt("build")
    assert {name: models.rows(name) for name in ANSWERS} == {name: [] for name in ANSWERS}


def test_tables_that_were_not_loaded_count_as_empty(server: Server, models: Models) -> None:
    copy = Copy(server, dataset="harvest_data")
    copy.run("company", "clients", "projects", "users", "tasks", "time_entries")
    models.dbt("build")
    hours = sum(row["rounded_hours"] for row in server.account.rows("time_entries", exact=True))
    assert sum(row["hours"] for row in models.rows("project_profitability")) == hours
    assert models.rows("receivables") == []
    # without paid time off, net capacity is the weekly capacity
    whole = [row for row in models.rows("utilization") if row["is_complete"]]
    assert any(row["net_capacity_hours"] == row["capacity_hours"] for row in whole)
    assert all(row["time_off_hours"] == row["holiday_hours"] == 0 for row in whole)


@pytest.mark.parametrize("deleted", ["remove", "mark"])
def test_fct_time_follows_changes_and_deletions(
    deleted: str, server: Server, models: Models
) -> None:
    copy = Copy(server, dataset="harvest_data")
    copy.run()
    models.dbt("run")
    account = server.account
    first, second, third, *_ = [
        row for row in account.rows("time_entries") if not row["is_running"] and row["billable"]
    ]
    account.clock.advance(60)
    account.delete("time_entries", first["id"])
    account.edit("time_entries", second["id"], hours=second["hours"] + 1)
    # the entries of the project stay as they are, but their revenue does not
    account.edit("projects", third["project"]["id"], is_fixed_fee=True, fee=100)
    heal(copy, deleted=deleted)
    models.dbt("run")
    here = models.by("fct_time", "time_entry_id")
    expected = {row["id"]: row for row in account.rows("time_entries", exact=True)}
    assert {key for (key,) in here} == expected.keys()
    assert all(here[key,]["hours"] == row["rounded_hours"] for key, row in expected.items())
    assert here[third["id"],]["is_fixed_fee"]
    assert here[third["id"],]["revenue"] == 0
    # as if it had been made anew
    models.dbt("run", "--full-refresh", "--select", "fct_time")
    assert models.by("fct_time", "time_entry_id") == here


def test_what_has_not_changed_is_not_written_again(server: Server, models: Models) -> None:
    Copy(server, dataset="harvest_data").run("company", "clients", "projects", "time_entries")
    models.dbt("run")
    log = models.dbt("run", "--select", "fct_time", "--log-format", "json", "--log-level", "debug")
    assert '"rows_affected": 0' in log or "rows_affected" not in log
    assert len(models.rows("fct_time")) == len(server.account.rows("time_entries"))


def test_budgets_are_those_of_the_day_where_versions_are_kept(
    server: Server, models: Models
) -> None:
    account = server.account
    project = next(
        row
        for row in account.rows("projects")
        if row["budget_by"] == "project" and row["is_active"] and not row["budget_is_monthly"]
    )
    copy = Copy(server, dataset="harvest_data")
    for budget in (500, 800):
        account.clock.advance(60)
        account.edit("projects", project["id"], budget=budget)
        copy.run()
        keep_versions(copy.pipeline, copy.source(), ["projects"])
    models.dbt("run")
    rows = [row for row in models.rows("budget_burn") if row["project_id"] == project["id"]]
    assert rows
    # the first version that is known counts for the days before it
    assert {row["budget"] for row in rows if not row["is_budget_of_the_day"]} <= {500}
    newest = max(rows, key=lambda row: row["day"])
    assert (newest["budget"], newest["is_budget_of_the_day"]) == (800, True)


def test_rates_of_exchange_of_ones_own(server: Server, project: Callable[..., Models]) -> None:
    """In a dbt project that has the models as a package, from git."""
    Copy(server).begin()
    rates = "currency,valid_from,rate\nUSD,2000-01-01,0.5\nUSD,2026-01-01,0.25\nEUR,2000-01-01,9\n"
    own = project({"my_rates": rates}, harvest={"harvest_exchange_rates": "my_rates"})
    own.dbt("seed")
    own.dbt("run", "--select", "+fct_time")
    clients = {row["id"]: row["currency"] for row in server.account.rows("clients")}
    amounts = {"EUR": 1.0, "USD": 0.0}
    entries = own.by("fct_time", "time_entry_id")
    seen = set()
    for row in server.account.rows("time_entries"):
        here = entries[row["id"],]
        currency = clients[row["client"]["id"]]
        amount = float(here["billable_amount"])
        if not amount:
            continue
        rate: Any = {"EUR": 1, "USD": 0.25 if row["spent_date"] >= "2026-01-01" else 0.5}
        expected = rate.get(currency)
        if expected is None:
            assert here["billable_amount_account"] is None
        else:
            assert float(here["billable_amount_account"]) == pytest.approx(amount * expected)
        seen.add((currency, expected))
    assert len(seen) > len(amounts)


def test_another_day_can_count_as_today(server: Server, models: Models) -> None:
    Copy(server).begin()
    models.variables = {"harvest_today": "2026-01-31"}
    models.dbt("run")
    due = [row for row in models.rows("receivables") if row["state"] == "open" and row["due_date"]]
    assert due
    for row in due:
        assert row["days_late"] == max(0, (date(2026, 1, 31) - row["due_date"]).days)
