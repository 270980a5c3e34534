"""Filling in what a record needs, believably."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zlib import crc32

import orjson

from . import words
from .time_off import TimeOffMaker

Row = dict[str, Any]

TERMS = {"upon receipt": 0, "net 15": 15, "net 30": 30, "net 45": 45, "net 60": 60}
TAXES = {"EUR": 21.0, "GBP": 20.0, "USD": None}


LIVE_COMPANY: Row = {
    "currency": "EUR",
    "saml_sign_in_required": False,
    "day_entry_notes_required": False,
}
"""What live accounts say of themselves beyond the documentation."""


def company() -> Row:
    """The agency itself, as `/company` gives it."""
    documented = {
        "base_uri": "https://studio-tamarisk.example.com",
        "full_domain": "studio-tamarisk.example.com",
        "name": "Studio Tamarisk",
        "is_active": True,
        "week_start_day": "Monday",
        "wants_timestamp_timers": True,
        "time_format": "hours_minutes",
        "date_format": "%Y-%m-%d",
        "plan_type": "simple-v4",
        "expense_feature": True,
        "invoice_feature": True,
        "estimate_feature": True,
        "approval_feature": True,
        "team_feature": True,
        "clock": "12h",
        "currency_code_display": "iso_code_none",
        "currency_symbol_display": "symbol_before",
        "decimal_symbol": ".",
        "thousands_separator": ",",
        "color_scheme": "orange",
        "weekly_capacity": 126000,
    }
    return documented | LIVE_COMPANY


def hundredths(value: Decimal) -> int:
    """An amount as the database keeps it, rounded half up."""
    return int((value * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def chance(text: str, sides: int) -> int:
    """A number from 0 up to `sides`, excluded, that is always the same for a text."""
    return crc32(text.encode()) % sides


def product(one: float, other: float) -> int:
    """The product of two decimal numbers, in hundredths."""
    return hundredths(Decimal(str(one)) * Decimal(str(other)))


def rate_of(project: Row, assignment: Row, task: Row, default: int | None) -> int | None:
    """What an hour costs the client, by the way the project is billed; hundredths."""
    if not project["is_billable"] or not task["billable"]:
        return None
    if project["bill_by"] == "Project":
        rate = project["hourly_rate"]
    elif project["bill_by"] == "Tasks":
        rate = task["hourly_rate"]
    elif project["bill_by"] == "People":
        rate = default if assignment["use_default_rates"] else assignment["hourly_rate"]
    else:
        rate = None
    return int(rate) if rate is not None else None


class Maker(TimeOffMaker):
    """Completes records of all kinds. Each table has a method of its name."""

    # ---------------------------------------------------------------- one method per table

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
        """A project of one of the eight ways of billing and budgeting."""
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

    def estimate_item_categories(self, given: Row) -> Row:
        return {"name": f"Category {self.rng.randrange(2, 1000)}"}

    def invoice_item_categories(self, given: Row) -> Row:
        name = f"Category {self.rng.randrange(2, 1000)}"
        return {"name": name, "use_as_service": 0, "use_as_expense": 0}

    def _bill(self, given: Row, number: str) -> Row:
        """What invoices and estimates have in common, sums included."""
        rng = self.rng
        client = self.some("clients", given, "client_id")
        currency = given.get("currency") or self.account.columns_of("clients", client)["currency"]
        row: Row = {
            "client_id": client,
            "creator_id": self.account.pick("users", rng),
            "client_key": f"{rng.getrandbits(160):040x}",
            "number": number,
            "purchase_order": rng.choice(["", None, str(rng.randrange(1000, 9999))]),
            "tax": TAXES.get(currency),
            "discount": rng.choice([None, None, None, 5.0, 10.0]),
            "subject": rng.choice(words.PROJECTS),
            "notes": rng.choice(
                ["", None, "Thank you for your business. Payment terms: as agreed."]
            ),
            "currency": currency,
            "issue_date": (given.get("created_at") or self.now)[:10],
        } | given
        if currency == "USD" and "tax" not in given:
            row |= rng.choice([{}, {}, {"tax": 8.25, "tax2": 1.5}])
        lines = orjson.loads(given.get("line_items") or "null")
        if lines is None:
            item = {"kind": "Service", "description": row["subject"]}
            lines = [item | {"quantity": rng.randrange(4, 80) / 2, "unit_price": 112.5}]
        subtotal = taxed = taxed2 = 0
        for line in lines:
            line.setdefault("id", self.account.next_id("line_items"))
            amount = product(line.setdefault("quantity", 1.0), line.setdefault("unit_price", 1.0))
            line["amount"] = amount / 100
            line.setdefault("kind", "Service")
            line.setdefault("description", None)
            line.setdefault("taxed", row["tax"] is not None)
            line.setdefault("taxed2", row.get("tax2") is not None)
            subtotal += amount
            taxed += amount * line["taxed"]
            taxed2 += amount * line["taxed2"]
        share = 100 - (row["discount"] or 0)

        def percent(of: int, rate: float | None) -> int:
            return product(of / 100, (rate or 0) / 100)

        sums: Row = {
            "discount_amount": percent(subtotal, row["discount"]),
            "tax_amount": percent(percent(taxed, share), row["tax"]),
            "tax2_amount": percent(percent(taxed2, share), row.get("tax2")),
        }
        sums["amount"] = subtotal - sums["discount_amount"]
        sums["amount"] += sums["tax_amount"] + sums["tax2_amount"]
        if row["tax"] is None:
            sums["tax_amount"] = None
        row |= {name: value for name, value in sums.items() if name not in given}
        return row | {"line_items": lines}

    def invoices(self, given: Row) -> Row:
        rng = self.rng
        row = self._bill(given, str(self.account.next_id("invoice_numbers")))
        for line in row["line_items"]:
            project = self.account.columns_of("projects", line.pop("project_id", None))
            nested = {name: project[name] for name in ("id", "name", "code")} if project else None
            line.setdefault("project", nested)
        term = row.get("payment_term") or rng.choice(list(TERMS))
        issued = date.fromisoformat(row["issue_date"])
        row |= {"payment_term": term, "state": row.get("state") or "draft"}
        row.setdefault("due_date", (issued + timedelta(days=TERMS.get(term, 21))).isoformat())
        row.setdefault("payment_options", rng.choice(["[]", '["credit_card"]', '["ach","paypal"]']))
        row.setdefault("due_amount", row["amount"])
        if row["state"] != "draft":
            row.setdefault("sent_at", row.get("created_at") or self.now)
        return row | {"line_items": orjson.dumps(row["line_items"]).decode()}

    def estimates(self, given: Row) -> Row:
        row = self._bill(given, str(self.account.next_id("estimate_numbers")))
        state = row.setdefault("state", "draft")
        created = row.get("created_at") or self.now
        if state != "draft":
            row.setdefault("sent_at", created)
        if state in ("accepted", "declined"):
            row.setdefault(f"{state}_at", created)
        return row | {"line_items": orjson.dumps(row["line_items"]).decode()}

    def _message(self, parent: Row, subject: str) -> Row:
        rng = self.rng
        user = self.account.columns_of("users", parent["creator_id"])
        sender = f"{user['first_name']} {user['last_name']}" if user else None
        email = user.get("email")
        client = self.account.columns_of("clients", parent["client_id"])
        first, last, mail = self.person()
        people: list[Row] = [{"name": f"{first} {last}", "email": f"{mail}@example.org"}]
        copy = rng.random() < 0.4
        if copy and user:
            people.append({"name": sender, "email": email})
        return {
            "sent_by": sender,
            "sent_by_email": email,
            "sent_from": sender,
            "sent_from_email": email,
            "recipients": orjson.dumps(people).decode(),
            "subject": f"{subject} #{parent['number']} from Studio Tamarisk",
            "body": f"Dear {client['name']},\r\n\r\nplease find our {subject.lower()} attached.",
            "send_me_a_copy": int(copy),
        }

    def invoice_messages(self, given: Row) -> Row:
        invoice = self.some("invoices", given, "invoice_id", active=False)
        parent = self.account.columns_of("invoices", invoice)
        reminder = bool(given.get("reminder"))
        subject = "Invoice reminder" if reminder else "Invoice"
        if given.get("thank_you"):
            subject = "Receipt, with thanks for paying, for invoice"
        return self._message(parent, subject) | {
            "invoice_id": invoice,
            "include_link_to_client_invoice": int(parent["payment_options"] != "[]"),
            "attach_pdf": 1,
            "thank_you": 0,
            "reminder": 0,
        }

    def estimate_messages(self, given: Row) -> Row:
        estimate = self.some("estimates", given, "estimate_id", active=False)
        message = self._message(self.account.columns_of("estimates", estimate), "Estimate")
        return message | {"estimate_id": estimate}

    def invoice_payments(self, given: Row) -> Row:
        rng = self.rng
        invoice = given.get("invoice_id") or self.account.pick("invoices", rng, "state = 'open'")
        invoice = self.some("invoices", {"invoice_id": invoice}, "invoice_id", active=False)
        due = self.account.columns_of("invoices", invoice)["due_amount"]
        user = self.account.columns_of("users", self.account.pick("users", rng))
        card = rng.random() < 0.4
        gateway = {"id": 1201, "name": "Examplepay"} if card else {"id": None, "name": None}
        paid = (given.get("created_at") or self.now)[:10]
        return {
            "invoice_id": invoice,
            "amount": max(0, due) if rng.random() < 0.7 else max(0, due) // 2,
            "paid_at": f"{paid}T00:00:00Z",
            "paid_date": paid,
            "recorded_by": f"{user['first_name']} {user['last_name']}" if user else None,
            "recorded_by_email": user.get("email"),
            "notes": rng.choice([None, "", "Bank transfer", "Paid by cheque #4321"]),
            "transaction_id": f"ch_{rng.getrandbits(48):012x}" if card else None,
            "payment_gateway": orjson.dumps(gateway).decode(),
        }

    def expense_categories(self, given: Row) -> Row:
        name, unit, price, _ = self.rng.choice(words.EXPENSE_CATEGORIES)
        name = f"{name} {self.rng.randrange(2, 1000)}"
        return {"name": name, "unit_name": unit, "unit_price": price, "is_active": 1}

    def _assignment(self, given: Row) -> Row:
        """An active project assignment that suits the project and the user that are given."""
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
