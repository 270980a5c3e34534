"""The figures, computed from the sandbox's answers with loops and fractions, and without SQL.

Written from Harvest's definitions, and not from the models.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sandbox import Account

Row = dict[str, Any]
Key = tuple[Any, ...]
Figures = dict[Key, dict[str, Any]]

ZERO = Fraction(0)


class Expected:
    """What the models must say of an account on a day."""

    def __init__(self, account: Account, today: date) -> None:
        self.account = account
        self.today = today
        self.entries = account.rows("time_entries", exact=True)
        self.expenses = account.rows("expenses", exact=True)
        self.projects = {row["id"]: row for row in account.rows("projects", exact=True)}
        self.clients = {row["id"]: row for row in account.rows("clients")}
        self.users = {row["id"]: row for row in account.rows("users", exact=True)}
        self.invoices = account.rows("invoices", exact=True)
        self.own = account.company["currency"]

    # ------------------------------------------------------------------ profit

    def profitability(self) -> Figures:
        """Revenue and cost by project, currency and month."""
        found: dict[Key, Row] = defaultdict(lambda: defaultdict(lambda: ZERO))
        for row in self.entries:
            sums = found[self._month_of(row)]
            hours = Fraction(row["rounded_hours"])
            sums["hours"] += hours
            sums["time_cost"] += hours * Fraction(row["cost_rate"] or 0)
            if row["billable"] and not self._is_fixed(row):
                sums["revenue"] += hours * Fraction(row["billable_rate"] or 0)
        for row in self.expenses:
            sums = found[self._month_of(row)]
            sums["expense_cost"] += Fraction(row["total_cost"])
            if row["billable"] and not self._is_fixed(row):
                sums["revenue"] += Fraction(row["total_cost"])
        for project in self.projects.values():
            for month, amount in self.fee_by_month(project).items():
                found[project["id"], self._currency(project), month]["revenue"] += amount
        for (_, currency, _), sums in found.items():
            # other currencies have no rate of exchange here; nothing needs none
            foreign = currency != self.own
            known = not foreign or not (sums["revenue"] or sums["expense_cost"])
            cost = sums["time_cost"] + sums["expense_cost"]
            sums["profit_account"] = sums["revenue"] - cost if known else None
        return {key: dict(sums) for key, sums in found.items()}

    def fee_by_month(self, project: Row) -> dict[date, Fraction]:
        """A fixed fee, by the months up to this one that its days fall into."""
        if not (project["is_fixed_fee"] and project["is_billable"]):
            return {}
        if project["fee"] is None or not project["starts_on"] or not project["ends_on"]:
            return {}
        start, end = _day(project["starts_on"]), _day(project["ends_on"])
        fee = max(Fraction(project["fee"]), self._invoiced(project))
        by_month: dict[date, Fraction] = defaultdict(lambda: ZERO)
        for day in _days(start, end):
            if day.replace(day=1) <= self.today:
                by_month[day.replace(day=1)] += fee / ((end - start).days + 1)
        return by_month

    def _invoiced(self, project: Row) -> Fraction:
        return sum(
            (
                Fraction(line["amount"])
                for invoice in self.invoices
                if invoice["currency"] == self._currency(project)
                for line in invoice["line_items"]
                if line["project"] and line["project"]["id"] == project["id"]
            ),
            ZERO,
        )

    # ------------------------------------------------------------------ people

    def utilization(self) -> Figures:
        """Hours and capacities by person and the week's first day."""
        hours: dict[Key, list[Fraction]] = defaultdict(lambda: [ZERO, ZERO])
        tracked: dict[int, list[date]] = defaultdict(list)
        for row in self.entries:
            day = _day(row["spent_date"])
            tracked[row["user"]["id"]].append(day)
            sums = hours[row["user"]["id"], self._week(day)]
            sums[0] += Fraction(row["rounded_hours"])
            sums[1] += Fraction(row["rounded_hours"]) if row["billable"] else 0
        found: Figures = {}
        for user in self.users.values():
            days = tracked[user["id"]] or [_day(user["created_at"][:10])]
            first, last = min(days), max(days)
            until = max(last, self.today) if user["is_active"] else last
            week = self._week(first)
            while week <= self._week(until):
                capacity = Fraction(user["weekly_capacity"], 3600)
                net = sum(
                    self._free(user, day)
                    for day in _days(week, week + timedelta(days=6))
                    if first <= day and (user["is_active"] or day <= last)
                )
                all_hours, billable = hours[user["id"], week]
                found[user["id"], week] = {
                    "hours": all_hours,
                    "billable_hours": billable,
                    "capacity_hours": capacity,
                    "net_capacity_hours": net,
                    "utilization": all_hours / capacity if capacity else None,
                    "net_utilization": all_hours / net if net else None,
                }
                week += timedelta(days=7)
        return found

    def _free(self, user: Row, day: date) -> Fraction:
        """Hours that a person can work on a day."""
        plan = self._plans.get(user["id"], {})
        hours = Fraction(user["weekly_capacity"], 3600) / 5 if day.weekday() < 5 else ZERO
        named = (plan.get("effective_work_schedule") or {}).get("name")
        schedule = self._schedules.get((plan.get("work_schedule") or {}).get("id"))
        if schedule := schedule or self._schedules.get(named):
            hours = Fraction(schedule[f"{day:%A}".lower() + "_hours"] or 0)
        if str(day) in self._holidays.get((plan.get("holiday_calendar") or {}).get("id"), ()):
            return ZERO
        return max(ZERO, hours - self._time_off.get((user["id"], str(day)), ZERO))

    @property
    def _plans(self) -> dict[int, Row]:
        return self._kept("plans", lambda: {
            row["user"]["id"]: row for row in self.account.rows("pto_assignments")
        })  # fmt: skip

    @property
    def _schedules(self) -> dict[Any, Row]:
        return self._kept("schedules", lambda: {
            key: row
            for row in self.account.rows("pto_work_schedules", exact=True)
            for key in (row["id"], row["name"])
        })  # fmt: skip

    @property
    def _holidays(self) -> dict[Any, set[str]]:
        return self._kept("holidays", lambda: {
            row["id"]: {entry["date"] for entry in row["entries"]}
            for row in self.account.rows("pto_holiday_calendars")
        })  # fmt: skip

    @property
    def _time_off(self) -> dict[Key, Fraction]:
        def read() -> dict[Key, Fraction]:
            found: dict[Key, Fraction] = defaultdict(lambda: ZERO)
            for row in self.account.rows("pto_requests", exact=True):
                for day in row["request_days"] if row["status"] == "approved" else ():
                    found[row["user"]["id"], day["date"]] += Fraction(day["hours"])
            return dict(found)

        return self._kept("time_off", read)

    def _kept(self, name: str, read: Any) -> Any:
        if name not in self.__dict__:
            self.__dict__[name] = read()
        return self.__dict__[name]

    # ------------------------------------------------------------------ money

    def work_in_progress(self) -> Figures:
        """What is on no invoice, by project and currency."""
        found: dict[Key, Row] = defaultdict(lambda: defaultdict(lambda: ZERO))
        for row in self.entries + self.expenses:
            if not row["billable"] or row["is_billed"] or row["invoice"]:
                continue
            key = row["project"]["id"], self._currency(row)
            amount, hours = Fraction(row.get("total_cost") or 0), ZERO
            if "rounded_hours" in row:
                hours = Fraction(row["rounded_hours"])
                amount = hours * Fraction(row["billable_rate"] or 0)
            else:
                found[key]["uninvoiced_expenses"] += amount
            found[key]["uninvoiced_hours"] += hours
            if not self._is_fixed(row):
                found[key]["uninvoiced_amount"] += amount
                age = (self.today - _day(row["spent_date"])).days
                name = "more_than_90" if age > 90 else "61_to_90" if age > 60 else "31_to_60"
                found[key][f"amount_{'0_to_30' if age <= 30 else name}"] += amount
        for project in self.projects.values():
            is_fixed = self._is_fixed({"project": project})
            if is_fixed and project["is_active"] and project["fee"] is not None:
                fee = Fraction(project["fee"]) - self._invoiced(project)
                found[project["id"], self._currency(project)]["uninvoiced_fee"] = fee
        counts = ("uninvoiced_hours", "uninvoiced_expenses", "uninvoiced_fee")
        return {key: dict(row) for key, row in found.items() if any(row[name] for name in counts)}

    def receivables(self) -> Figures:
        """What is due, how late, and how long it took, by invoice."""
        payments = self.account.children("invoice_payments", exact=True)
        found: Figures = {}
        for row in self.invoices:
            if row["state"] == "draft":
                continue
            paid = [_day(payment["paid_date"]) for payment in payments[row["id"]]]
            if row["state"] == "paid" and not paid:
                paid = [_day(row["paid_date"])]
            settled = max(paid) if row["state"] == "paid" else None
            until = {"open": self.today, "paid": settled}.get(row["state"])
            late = max(0, (until - _day(row["due_date"])).days) if until else 0
            bucket = {"paid": "paid", "closed": "written off"}.get(row["state"])
            steps = ((0, "not due"), (30, "1 to 30"), (60, "31 to 60"), (90, "61 to 90"))
            aged = next((name for most, name in steps if late <= most), "more than 90")
            found[(row["id"],)] = {
                "due_amount": row["due_amount"] if row["state"] == "open" else 0,
                "days_late": late,
                "bucket": bucket or aged,
                "days_to_payment": (settled - _day(row["issue_date"])).days if settled else None,
            }
        return found

    def effective_rates(self) -> Figures:
        """What an hour brings, by project and currency."""
        expenses = {
            row["name"]
            for row in self.account.rows("invoice_item_categories")
            if row["use_as_expense"] and not row["use_as_service"]
        }
        sums: dict[Key, dict[str, Fraction]] = defaultdict(lambda: defaultdict(lambda: ZERO))
        for row in self.entries:
            if _day(row["spent_date"]) > self.today:
                continue
            one = sums[row["project"]["id"], self._currency(row)]
            hours = Fraction(row["rounded_hours"])
            one["hours"] += hours
            if row["billable"]:
                one["standard_amount"] += hours * Fraction(row["billable_rate"] or 0)
                one["rated"] += hours if row["billable_rate"] is not None else 0
        for (project, _), one in sums.items():
            one["revenue"] = one["standard_amount"]
            if self._is_fixed({"project": {"id": project}}):
                one["revenue"] = self._earned(self.projects[project])
        for invoice in self.invoices:
            for line in invoice["line_items"] if invoice["state"] in ("open", "paid") else ():
                key = line["project"] and (line["project"]["id"], invoice["currency"])
                if line["kind"] not in expenses and key in sums:
                    share = 1 - Fraction(invoice["discount"] or 0) / 100
                    sums[key]["invoiced_for_time"] += Fraction(line["amount"]) * share
        return {
            key: {
                "revenue": one["revenue"],
                "invoiced_for_time": one["invoiced_for_time"],
                "revenue_per_hour": _over(one["revenue"], one["hours"]),
                "standard_rate": _over(one["standard_amount"], one["rated"]),
                "realization": _over(one["invoiced_for_time"], one["standard_amount"]),
            }
            for key, one in sums.items()
        }

    def _earned(self, project: Row) -> Fraction:
        if project["fee"] is None or not project["starts_on"] or not project["ends_on"]:
            return ZERO
        start, end = _day(project["starts_on"]), _day(project["ends_on"])
        passed = max(0, (min(self.today, end) - start).days + 1)
        fee = max(Fraction(project["fee"]), self._invoiced(project))
        return fee * passed / ((end - start).days + 1)

    # ------------------------------------------------------------------ helpers

    def _currency(self, row: Row) -> str:
        return str(self.clients[row["client"]["id"]]["currency"])

    def _is_fixed(self, row: Row) -> bool:
        project = self.projects[row["project"]["id"]]
        return bool(project["is_fixed_fee"] and project["is_billable"])

    def _month_of(self, row: Row) -> Key:
        month = _day(row["spent_date"]).replace(day=1)
        return row["project"]["id"], self._currency(row), month

    def _week(self, day: date) -> date:
        first = {"Saturday": 5, "Sunday": 6}.get(self.account.company["week_start_day"], 0)
        return day - timedelta(days=(day.weekday() - first) % 7)


def differences(here: dict[Key, Row], expected: Figures) -> list[str]:
    """Return the figures that are not equal to the cent."""
    found = [f"only here: {key}" for key in here.keys() - expected.keys()]
    found += [f"missing: {key}" for key in expected.keys() - here.keys()]
    for key in here.keys() & expected.keys():
        for name, value in expected[key].items():
            is_equal = here[key][name] == value
            if isinstance(value, (int, Fraction, Decimal)) and here[key][name] is not None:
                is_equal = abs(Fraction(here[key][name]) - Fraction(value)) < Fraction(5, 1000)
            if not is_equal:
                found.append(f"{key} {name}: {here[key][name]}, expected {value}")
    return found


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _over(amount: Fraction, hours: Fraction) -> Fraction | None:
    return amount / hours if hours else None
