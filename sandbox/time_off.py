"""Records of paid time off, and the balances that follow from them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from . import words
from .maker import BaseMaker

if TYPE_CHECKING:
    from .account import Account

Row = dict[str, Any]

HOURS_A_DAY = 8.0
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def working_days(start: date, end: date) -> list[date]:
    """Return the days from Monday to Friday between two days, both included."""
    days = [start + timedelta(days=number) for number in range((end - start).days + 1)]
    return [day for day in days if day.weekday() < 5]


class TimeOffMaker(BaseMaker):
    """Completes records of paid time off."""

    def pto_types(self, given: Row) -> Row:
        name = f"Leave {self.rng.randrange(2, 1000)}"
        return {
            "name": name,
            "color": self.rng.choice(["#f5a623", "#4a90e2", "#7ed321"]),
            "icon": self.rng.choice(["palm_tree", "thermometer", None]),
            "accrual_type": "fixed",
            "default_days_per_year": 5.0,
            "requires_approval": 1,
            "visible_to_all": self.rng.randrange(2),
            "is_active": 1,
        }

    def pto_requests(self, given: Row) -> Row:
        rng = self.rng
        today = date.fromisoformat(self.now[:10])
        start = date.fromisoformat(given.get("start_date") or str(today + timedelta(days=21)))
        end = start + timedelta(days=rng.choice([0, 0, 1, 4, 4, 9, 13]))
        end = date.fromisoformat(given.get("end_date") or str(end))
        days = working_days(start, end) or [start]
        part = len(days) == 1 and rng.random() < 0.3
        fraction = 0.5 if part else 1.0
        created = given.get("created_at") or self.now
        status = given.get("status") or "pending"
        reviewed = status != "pending"
        return {
            "user_id": self.some("users", given, "user_id"),
            "pto_type_id": self.some("pto_types", given, "pto_type_id"),
            "status": status,
            "start_date": start.isoformat(),
            "end_date": end.isoformat(),
            "days": len(days) * fraction,
            "business_days_at_submission": float(len(days)),
            "start_time_minutes": 540 if part else None,
            "end_time_minutes": 780 if part else None,
            "notes": rng.choice(words.TIME_OFF_NOTES),
            "review_reason": "Too many of us are away then" if status == "denied" else None,
            "reviewed_at": given.get("updated_at") or created if reviewed else None,
            "reviewer_id": self.account.pick("users", rng) if reviewed else None,
            "request_days": orjson.dumps(
                [
                    {
                        "id": self.account.next_id("pto_request_days"),
                        "date": day.isoformat(),
                        "hours": HOURS_A_DAY * fraction,
                        "day_fraction": fraction,
                        "created_at": created,
                        "updated_at": created,
                    }
                    for day in days
                ]
            ).decode(),
        }

    def pto_holiday_calendars(self, given: Row) -> Row:
        name = f"Calendar {self.rng.randrange(2, 1000)}"
        created = given.get("created_at") or self.now
        return {"name": name, "entries": self.holidays(created, [int(created[:4])])}

    def holidays(self, created: str, years: list[int]) -> str:
        """Return the entries of a calendar for some years, as JSON."""
        entries = [
            {
                "id": self.account.next_id("pto_holidays"),
                "name": name,
                "date": f"{year}-{day}",
                "created_at": created,
                "updated_at": created,
            }
            for year in years
            for name, day in words.HOLIDAYS
        ]
        return orjson.dumps(entries).decode()

    def pto_work_schedules(self, given: Row) -> Row:
        hours = {f"{day}_hours": self.rng.choice([6.0, 7.5, 8.0]) for day in _WEEKDAYS[:5]}
        return {
            "name": f"Schedule {self.rng.randrange(2, 1000)}",
            "is_default": 0,
            "is_active": 1,
            **{f"{day}_hours": 0.0 for day in _WEEKDAYS},
            **hours,
        }

    def pto_assignments(self, given: Row) -> Row:
        return {"user_id": self.some("users", given, "user_id")}

    def pto_allocations(self, given: Row) -> Row:
        type_ = self.account.columns_of("pto_types", self.some("pto_types", given, "pto_type_id"))
        days = given.get("days_per_year")
        return {
            "user_id": self.some("users", given, "user_id"),
            "pto_type_id": type_["id"],
            "year": int((given.get("created_at") or self.now)[:4]),
            "carryover_days": 0.0,
            "effective_days_per_year": type_["default_days_per_year"] if days is None else days,
            "effective_accrual_type": type_["accrual_type"],
            "effective_accrual_schedule": type_["accrual_schedule"],
            "effective_requires_approval": type_["requires_approval"],
        }


def _text(value: Decimal) -> str:
    """Return a number as balances write it: a text with at least one decimal."""
    text = format(value.normalize(), "f")
    return text if "." in text else f"{text}.0"


def balances(account: Account, user: int, year: int, as_of: date) -> list[Row]:
    """Return what a user has and had of each kind of paid time off in a year.

    Args:
        account: whose records are counted.
        user: the user's id.
        year: the calendar year.
        as_of: the day until which taken days count as used.
    """
    allocations = {
        row["pto_type"]["id"]: row
        for row in account.rows_where("pto_allocations", "user_id = ? AND year = ?", user, year)
    }
    requests = account.rows_where("pto_requests", "user_id = ?", user)
    rows = []
    for type_ in account.rows_where("pto_types", "is_active"):
        allocation = allocations.get(type_["id"])
        taken = {"approved": [Decimal(0), Decimal(0)], "pending": [Decimal(0), Decimal(0)]}
        for request in requests:
            if request["pto_type"]["id"] != type_["id"] or request["status"] not in taken:
                continue
            for day in request["request_days"] or ():
                if day["date"][:4] == str(year):
                    taken[request["status"]][0] += Decimal(str(day["day_fraction"]))
                    taken[request["status"]][1] += Decimal(str(day["hours"]))
        rows.append(_balance(type_, allocation, taken, year, as_of))
    return rows


def _balance(
    type_: Row, allocation: Row | None, taken: dict[str, list[Decimal]], year: int, as_of: date
) -> Row:
    effective = {
        "accrual_type": type_["accrual_type"],
        "accrual_schedule": type_["accrual_schedule"],
        "requires_approval": type_["requires_approval"],
        "days_per_year": type_["default_days_per_year"],
    }
    if allocation:
        effective = {name: allocation[f"effective_{name}"] for name in effective}
    unlimited = effective["accrual_type"] == "unlimited"
    accrued = Decimal(str(effective["days_per_year"] or 0))
    carried = Decimal(str((allocation or {}).get("carryover_days") or 0))
    (used, used_hours), (pending, pending_hours) = taken["approved"], taken["pending"]
    available = accrued + carried
    share = available or Decimal(1)

    def limited(value: Decimal) -> str | None:
        return None if unlimited else _text(value)

    return {
        "pto_type": {name: type_[name] for name in ("id", "name", "color", "icon")},
        "is_requestable": type_["visible_to_all"],
        "year": year,
        "as_of": as_of.isoformat(),
        "is_unlimited": unlimited,
        "requires_approval": effective["requires_approval"],
        "effective_accrual_type": effective["accrual_type"],
        "accrual_schedule": effective["accrual_schedule"],
        "accrued_days": limited(accrued),
        "carryover_days": _text(carried),
        "available_days": limited(available),
        "used_days": _text(used),
        "pending_days": _text(pending),
        "remaining_days": limited(available - used - pending),
        "used_hours": _text(used_hours),
        "pending_hours": _text(pending_hours),
        "used_fraction": limited(round(used / share, 4)),
        "pending_fraction": limited(round(pending / share, 4)),
    }
