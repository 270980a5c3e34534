"""Records of time entries and expenses."""

from __future__ import annotations

import orjson

from . import words
from .amounts import product, rate_of
from .columns import Row
from .maker import BaseMaker


class TrackedMaker(BaseMaker):
    """Completes records of time entries and expenses."""

    def expense_categories(self, given: Row) -> Row:
        name, unit, price, _ = self.rng.choice(words.EXPENSE_CATEGORIES)
        name = f"{name} {self.rng.randrange(2, 1000)}"
        return {"name": name, "unit_name": unit, "unit_price": price, "is_active": 1}

    def _assignment(self, given: Row) -> Row:
        """Return an active assignment that suits the project and the user that are given."""
        tests, values = ["is_active"], []
        for column in ("project_id", "user_id"):
            if given.get(column) is not None:
                tests.append(f"{column} = ?")
                values.append(given[column])
        found = self.account.pick("user_assignments", self.rng, " AND ".join(tests), *values)
        if found is None:
            wanted = {name: given[name] for name in ("project_id", "user_id") if given.get(name)}
            row = self.make("user_assignments", wanted)
            found = self.account.insert("user_assignments", row)
        return self.account.columns_of("user_assignments", found)

    def expenses(self, given: Row) -> Row:
        rng = self.rng
        assignment = self._assignment(given)
        project = self.account.columns_of("projects", assignment["project_id"])
        category = self.account.columns_of(
            "expense_categories", self.some("expense_categories", given, "expense_category_id")
        )
        units = 1 if category["unit_price"] is None else rng.randrange(5, 400)
        units = given.get("units") or units
        cost = rng.randrange(400, 60000)
        if category["unit_price"] is not None:
            cost = product(units, category["unit_price"])
        id = given.get("id") or self.account.next_id("expenses")
        name, kind = rng.choice(words.RECEIPTS)
        receipt = {
            "url": f"https://studio-tamarisk.example.com/expenses/{id}/receipt",
            "file_name": name,
            "file_size": rng.randrange(9000, 900000),
            "content_type": kind,
        }
        return {
            "id": id,
            "project_id": project["id"],
            "user_id": assignment["user_id"],
            "user_assignment_id": assignment["id"],
            "expense_category_id": category["id"],
            "receipt": orjson.dumps(receipt).decode() if rng.random() < 0.55 else None,
            "notes": rng.choice(words.EXPENSE_NOTES),
            "units": units,
            "total_cost": cost,
            "billable": int(project["is_billable"] and rng.random() < 0.8),
            "is_closed": 0,
            "is_submitted": 0,
            "is_explicitly_locked": 0,
            "spent_date": (given.get("created_at") or self.now)[:10],
        }

    def time_entries(self, given: Row) -> Row:
        rng = self.rng
        assignment = self._assignment(given)
        project = self.account.columns_of("projects", assignment["project_id"])
        tests, values = "project_id = ?", [project["id"]]
        if given.get("task_id") is not None:
            tests, values = f"{tests} AND task_id = ?", [*values, given["task_id"]]
        found = self.account.pick("task_assignments", rng, tests, *values)
        if found is None:
            wanted = {"project_id": project["id"]}
            wanted |= {"task_id": given["task_id"]} if given.get("task_id") else {}
            row = self.make("task_assignments", wanted)
            found = self.account.insert("task_assignments", row)
        task = self.account.columns_of("task_assignments", found)
        user = self.account.columns_of("users", assignment["user_id"])
        hours = given.get("hours", rng.randrange(10, 800))
        rate = rate_of(project, assignment, task, user["default_hourly_rate"])
        return {
            "spent_date": (given.get("created_at") or self.now)[:10],
            "user_id": user["id"],
            "user_assignment_id": assignment["id"],
            "project_id": project["id"],
            "task_id": task["task_id"],
            "task_assignment_id": task["id"],
            "hours": hours,
            "hours_without_timer": hours,
            "notes": rng.choice(words.NOTES),
            "is_closed": 0,
            "is_submitted": 0,
            "is_explicitly_locked": 0,
            "is_running": 0,
            "billable": int(project["is_billable"] and task["billable"]),
            "budgeted": int(project["budget_by"] != "none"),
            "billable_rate": rate,
            "cost_rate": user["cost_rate"],
        }
