"""Records of paid time off."""

from __future__ import annotations

from datetime import date, timedelta

import orjson

from . import words
from .columns import Row
from .maker import BaseMaker

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
