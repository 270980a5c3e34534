"""The agency is one that people recognise: its figures keep the ranges of its story."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from statistics import median
from typing import Any

import pytest

from sandbox import Account
from sandbox.agency.story import EUROS, RANGES

Row = dict[str, Any]
TODAY = date(2026, 6, 17)


def days(first: str, last: str) -> int:
    """Count the days between two, both included."""
    return (date.fromisoformat(last) - date.fromisoformat(first)).days + 1


class Figures:
    """What an agency would work out of its data."""

    def __init__(self, account: Account) -> None:
        self.entries = account.rows("time_entries")
        self.expenses = account.rows("expenses")
        self.users = account.rows("users")
        self.clients = {row["id"]: row for row in account.rows("clients")}
        self.projects = {row["id"]: row for row in account.rows("projects")}
        self.invoices = account.rows("invoices")
        self.budgets = account.rows("project_budget")
        self.payments = account.children("invoice_payments")

    def people(self) -> dict[str, float]:
        capacity = sum(
            user["weekly_capacity"] / 3600 * days(min(mine), max(mine)) / 7
            for user in self.users
            if (mine := [e["spent_date"] for e in self.entries if e["user"]["id"] == user["id"]])
        )
        hours = sum(entry["hours"] for entry in self.entries)
        teams = {role for user in self.users for role in user["roles"]}
        return {
            "people": len(self.users),
            "people who left": sum(not user["is_active"] for user in self.users),
            "contractors": sum(user["is_contractor"] for user in self.users),
            "part-time people": sum(user["weekly_capacity"] < 144000 for user in self.users),
            "teams": len(teams - {"Management", "Finance"}),
            "clients": len(self.clients),
            "currencies": len({row["currency"] for row in self.clients.values()}),
            "utilization": hours / capacity,
            "billable share of hours": sum(e["hours"] for e in self.entries if e["billable"])
            / hours,
        }

    def euros(self, project: int) -> float:
        return EUROS[self.projects[project]["client"]["currency"]]

    def earned(self, project: Row) -> float:
        """Return the part of a fixed fee that falls on the days until today."""
        last = min(project["ends_on"], TODAY.isoformat())
        share = days(project["starts_on"], last) / days(project["starts_on"], project["ends_on"])
        return float(project["fee"] * share)

    def margins(self) -> dict[str, float]:
        revenue: dict[int, float] = defaultdict(float)
        cost: dict[int, float] = defaultdict(float)
        for entry in self.entries:
            id = entry["project"]["id"]
            cost[id] += entry["hours"] * entry["cost_rate"]
            if entry["billable"] and not self.projects[id]["is_fixed_fee"]:
                revenue[id] += entry["hours"] * (entry["billable_rate"] or 0) * self.euros(id)
        for expense in self.expenses:
            id = expense["project"]["id"]
            cost[id] += expense["total_cost"] * self.euros(id)
            if expense["billable"] and not self.projects[id]["is_fixed_fee"]:
                revenue[id] += expense["total_cost"] * self.euros(id)
        for id, project in self.projects.items():
            if project["is_fixed_fee"] and id in cost:
                revenue[id] += self.earned(project) * self.euros(id)
        total = sum(revenue.values())
        losing = [
            id for id in cost if self.projects[id]["is_billable"] and revenue[id] < cost[id] * 0.95
        ]
        return {"margin": (total - sum(cost.values())) / total, "losing projects": len(losing)}

    def realization(self) -> dict[str, float]:
        standard: dict[int, float] = defaultdict(float)
        for entry in self.entries:
            if entry["invoice"]:
                amount = entry["rounded_hours"] * (entry["billable_rate"] or 0)
                standard[entry["invoice"]["id"]] += amount * self.euros(entry["project"]["id"])
        invoiced = 0.0
        for invoice in self.invoices:
            if invoice["id"] in standard:
                time = sum(i["amount"] for i in invoice["line_items"] if i["kind"] == "Service")
                time *= 1 - (invoice["discount"] or 0) / 100
                invoiced += time * EUROS[invoice["currency"]]
        return {"realization": invoiced / sum(standard.values())}

    def receivables(self) -> dict[str, float]:
        took = [
            days(invoice["issue_date"], max(p["paid_date"] for p in self.payments[invoice["id"]]))
            for invoice in self.invoices
            if invoice["state"] == "paid" and invoice["amount"]
        ]
        old = (TODAY - timedelta(days=150)).isoformat()
        unpaid = Counter(
            invoice["client"]["id"]
            for invoice in self.invoices
            if invoice["issue_date"] < old and invoice["due_amount"]
        )
        return {
            "median days to payment": median(took),
            "share of invoices paid late": sum(each > 50 for each in took) / len(took),
            "clients that do not pay": len(unpaid),
        }

    def uninvoiced(self) -> dict[str, float]:
        recent = total = 0.0
        since = (TODAY - timedelta(days=45)).isoformat()
        for entry in self.entries:
            project = self.projects[entry["project"]["id"]]
            if entry["invoice"] or not entry["billable"] or project["is_fixed_fee"]:
                continue
            amount = entry["hours"] * (entry["billable_rate"] or 0) * self.euros(project["id"])
            total += amount
            recent += amount * (entry["spent_date"] >= since)
        return {"uninvoiced share of the last 45 days": recent / total}

    def overruns(self) -> dict[str, float]:
        used = [
            row["budget_spent"] / row["budget"]
            for row in self.budgets
            if row["budget"] and not row["budget_is_monthly"]
        ]
        return {
            "share of budgets overrun": sum(each > 1 for each in used) / len(used),
            "highest overrun": max(used),
        }

    def all(self) -> dict[str, float]:
        """Return all figures that the story speaks of."""
        return {
            **self.people(),
            **self.margins(),
            **self.realization(),
            **self.receivables(),
            **self.uninvoiced(),
            **self.overruns(),
        }


@pytest.mark.parametrize("seed", range(1, 11))
def test_an_agency_keeps_the_ranges_of_its_story(seed: int) -> None:
    figures = Figures(Account.generate(seed=seed, today=TODAY)).all()
    assert figures.keys() == RANGES.keys()
    outside = {
        name: (value, RANGES[name])
        for name, value in figures.items()
        if not RANGES[name][0] <= value <= RANGES[name][1]
    }
    assert not outside
