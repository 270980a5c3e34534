"""Records of people, clients, projects and tasks."""

from __future__ import annotations

import orjson

from . import words
from .amounts import chance
from .columns import Row
from .maker import BaseMaker


class PlaceMaker(BaseMaker):
    """Completes records of people, clients, projects and tasks."""

    def clients(self, given: Row) -> Row:
        rng = self.rng
        name, currency = rng.choice(words.CLIENTS)
        street = f"{rng.randrange(1, 200)} Example Street"
        return {
            "name": f"{name} {rng.randrange(2, 1000)}",
            "is_active": 1,
            "address": rng.choice(
                [f"{street}\r\nSpringfield", f"{street}\n1011 AB Oudeveen", None]
            ),
            "statement_key": f"{rng.getrandbits(128):032x}",
            "currency": currency,
        }

    def contacts(self, given: Row) -> Row:
        rng = self.rng
        first, last, mail = self.person()
        return {
            "client_id": self.some("clients", given, "client_id"),
            "title": rng.choice(words.TITLES),
            "first_name": first,
            "last_name": rng.choice([last, last, None]),
            "email": f"{mail}@example.org",
            "phone_office": rng.choice([f"+1 555 01{rng.randrange(100):02}", "", None]),
            "phone_mobile": rng.choice([f"+1 555 01{rng.randrange(100):02}", "", None]),
            "fax": rng.choice(["", None]),
            "invoice_recipient_status": words.RECIPIENTS[chance(mail, 5)],
        }

    def users(self, given: Row) -> Row:
        rng = self.rng
        first, last, mail = self.person()
        return {
            "first_name": first,
            "last_name": last,
            "email": f"{mail}@example.com",
            "telephone": rng.choice(["", "", None, "+1 555 0142"]),
            "timezone": rng.choice(words.ZONES),
            "has_access_to_all_future_projects": 0,
            "is_contractor": 0,
            "is_active": 1,
            "weekly_capacity": rng.choice([126000, 144000, 144000, 72000]),
            "default_hourly_rate": rng.choice([9500, 10000, 12050, None]),
            "cost_rate": rng.choice([4500, 5000, 6225, None]),
            "roles": orjson.dumps([rng.choice(words.ROLES[:4])]).decode(),
            "access_roles": '["member"]',
            "avatar_url": f"https://cache.example.com/avatars/{rng.randrange(40)}.png?1498516481",
            "employee_id": f"E-{chance(mail, 900) + 100}" if chance(mail, 3) else None,
            "calendar_integration_enabled": int(chance(mail, 4) == 0),
            "calendar_integration_source": "google" if chance(mail, 4) == 0 else None,
            "saml_exempt": int(chance(mail, 7) == 0),
        }

    def roles(self, given: Row) -> Row:
        return {"name": f"{self.rng.choice(words.ROLES)} {self.rng.randrange(2, 100)}"}

    def tasks(self, given: Row) -> Row:
        name, billable, rate, _, _ = self.rng.choice(words.TASKS)
        return {
            "name": f"{name} {self.rng.randrange(2, 1000)}",
            "billable_by_default": billable,
            "default_hourly_rate": rate,
            "is_default": 0,
            "is_active": 1,
        }

    def projects(self, given: Row) -> Row:
        return self.project(given, self.rng.randrange(8))

    def project(self, given: Row, kind: int) -> Row:
        """Return a project of one of the eight ways of billing and budgeting."""
        rng = self.rng
        name = given.get("name") or f"{rng.choice(words.PROJECTS)} {rng.randrange(2, 1000)}"
        client = self.some("clients", given, "client_id")
        code = rng.choice([f"P{rng.randrange(10, 999)}", name[:2].upper(), "", None])
        row: Row = {
            "client_id": client,
            "name": name,
            "code": code if self.account.project_codes else None,
            "is_active": 1,
            "is_billable": 1,
            "is_fixed_fee": 0,
            "bill_by": "Project",
            "budget_by": "none",
            "budget_is_monthly": 0,
            "notify_when_over_budget": rng.randrange(2),
            "over_budget_notification_percentage": 80.0,
            "show_budget_to_all": rng.randrange(2),
            "cost_budget_include_expenses": 0,
            "notes": rng.choice(["", None, "Kick-off in week 3.\nContact: see card"]),
            "starts_on": (given.get("created_at") or self.now)[:10],
        }
        hourly = rng.choice([9000, 11000, 12500, 14950])
        if kind == 0:
            row |= {"hourly_rate": hourly, "budget_by": "project", "budget": 20000}
        elif kind == 1:
            row |= {"bill_by": "People", "budget_by": "project_cost", "cost_budget": 2500000}
            row |= {"cost_budget_include_expenses": rng.randrange(2)}
        elif kind == 2:
            row |= {"bill_by": "Tasks", "budget_by": "task"}
        elif kind == 3:
            row |= {"bill_by": "People", "budget_by": "task_fees", "is_fixed_fee": 1}
            row |= {"fee": rng.randrange(40, 400) * 10000}
        elif kind == 4:
            row |= {"bill_by": "none", "is_billable": 0}
            row |= {"over_budget_notification_percentage": None}
        elif kind == 5:
            row |= {"hourly_rate": hourly, "budget_by": "project", "budget": 4000}
            row |= {"budget_is_monthly": 1}
        elif kind == 6:
            row |= {"bill_by": "People", "budget_by": "person"}
        else:
            row |= {"hourly_rate": hourly}
        return row

    def user_assignments(self, given: Row) -> Row:
        project = self.account.columns_of("projects", self.some("projects", given, "project_id"))
        budgeted = project["budget_by"] == "person"
        own_rate = self.rng.random() < 0.3
        return {
            "project_id": project["id"],
            "user_id": self.some("users", given, "user_id"),
            "is_active": 1,
            "is_project_manager": int(self.rng.random() < 0.2),
            "use_default_rates": int(not own_rate),
            "hourly_rate": self.rng.choice([8800, 10500, 13000]) if own_rate else None,
            "budget": self.rng.randrange(20, 200) * 100 if budgeted else None,
        }

    def task_assignments(self, given: Row) -> Row:
        project = self.account.columns_of("projects", self.some("projects", given, "project_id"))
        task = self.account.columns_of("tasks", self.some("tasks", given, "task_id"))
        budget = {"task": self.rng.randrange(20, 200) * 100, "task_fees": 800000}
        return {
            "project_id": project["id"],
            "task_id": task["id"],
            "is_active": 1,
            "billable": int(project["is_billable"] and task["billable_by_default"]),
            "hourly_rate": task["default_hourly_rate"],
            "budget": budget.get(project["budget_by"]),
        }

    def billable_rates(self, given: Row) -> Row:
        return {
            "user_id": self.some("users", given, "user_id"),
            "amount": self.rng.randrange(80, 160) * 100,
            "start_date": self.now[:10],
        }

    def cost_rates(self, given: Row) -> Row:
        return self.billable_rates(given) | {"amount": self.rng.randrange(35, 75) * 100}

    def teammates(self, given: Row) -> Row:
        return {"user_id": given["user_id"], "teammate_id": given["teammate_id"]}
