"""The answers of the models are those of an independent computation, to the cent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import pytest

from sandbox import Account, Server
from tests.copy import Copy
from tests.models.conftest import Models
from tests.models.expected import Expected, differences

SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3, 4, 5))]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_figure_is_that_of_the_account(
    seed: int, models: Models, generated: Callable[..., Account], begun: datetime
) -> None:
    account = generated(seed=seed, time_entries=1200, years=1.5)
    with Server(account, limits=False) as server:
        Copy(server).begin()
    models.variables = {"harvest_today": str(begun.date())}
    models.dbt("run")
    expected = Expected(account, begun.date())
    for model, keys, figures in (
        ("project_profitability", ("project_id", "currency", "month"), expected.profitability()),
        ("utilization", ("user_id", "week_start"), expected.utilization()),
        ("work_in_progress", ("project_id", "currency"), expected.work_in_progress()),
        ("receivables", ("invoice_id",), expected.receivables()),
        ("effective_rates", ("project_id", "currency"), expected.effective_rates()),
    ):
        assert len(figures) > 3, model
        assert not differences(models.by(model, *keys), figures)[:10], model
    assert not budgets(models, account)
    assert not reports(models, account)
    assert missing(models) == expected_missing(expected)


def budgets(models: Models, account: Account) -> list[str]:
    """Compare what projects have spent today with Harvest's own report."""
    today = max(row["day"] for row in models.rows("budget_burn"))
    burned = {row["project_id"]: row for row in models.rows("budget_burn") if row["day"] == today}
    reported = {
        row["project_id"]: row
        for row in account.rows("project_budget", exact=True)
        if row["budget_by"] != "none" and row["is_active"]
    }
    assert len(reported) > 3
    assert burned.keys() == reported.keys()
    return [
        f"{project}: {burned[project]['spent_so_far']} of {burned[project]['budget']}, but {row}"
        for project, row in reported.items()
        if burned[project]["budget"] != row["budget"]
        or abs(burned[project]["spent_so_far"] - row["budget_spent"]) >= Decimal("0.01")
    ]


def reports(models: Models, account: Account) -> list[str]:
    """Compare hours and amounts with Harvest's time report of the whole time."""
    entries = models.rows("fct_time")
    first, last = (str(find(row["spent_date"] for row in entries)) for find in (min, max))
    reported = {
        (row["project_id"], row["currency"]): (row["total_hours"], row["billable_amount"])
        for row in account.rows("time_projects", from_=first, to=last, exact=True)
    }
    found: dict[tuple[int, str], list[Fraction]] = {}
    for row in entries:
        sums = found.setdefault((row["project_id"], row["currency"]), [Fraction(0), Fraction(0)])
        sums[0] += Fraction(row["hours"])
        sums[1] += Fraction(row["revenue"])
    assert found.keys() == reported.keys()
    return [
        f"{key}: {sums}, reported {reported[key]}"
        for key, sums in found.items()
        if sums[0] != Fraction(reported[key][0])
        or abs(sums[1] - Fraction(reported[key][1])) > Fraction(5, 1000)
    ]


def missing(models: Models) -> set[tuple[str, int | None, int | None]]:
    return {
        (row["problem"], row["user_id"], row["project_id"])
        for row in models.rows("missing_for_profitability")
        if row["problem"] != "no exchange rate"
    }


def expected_missing(expected: Expected) -> set[tuple[str, int | None, int | None]]:
    worked = [row for row in expected.entries if row["rounded_hours"] > 0]
    found: set[tuple[str, int | None, int | None]] = {
        ("no cost rate", row["user"]["id"], None) for row in worked if row["cost_rate"] is None
    }
    for row in worked:
        project = expected.projects[row["project"]["id"]]
        if row["billable"] and row["billable_rate"] is None and not project["is_fixed_fee"]:
            found.add(("no billable rate", row["user"]["id"], project["id"]))
    for project in expected.projects.values():
        for name, problem in (("fee", "fee"), ("starts_on", "start"), ("ends_on", "end")):
            if project["is_fixed_fee"] and project[name] is None:
                article = "an" if problem == "end" else "a"
                found.add((f"fixed fee without {article} {problem}", None, project["id"]))
                break
    return found
