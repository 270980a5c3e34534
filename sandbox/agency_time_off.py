"""The history of an agency: paid time off."""

from __future__ import annotations

from datetime import date, timedelta

from . import words
from .agency_money import MoneyHistory
from .columns import Row
from .records import Maker


class TimeOffHistory(MoneyHistory):
    """Makes paid time off."""

    def make_time_off(self) -> None:
        opening = self.first - timedelta(days=30)
        kinds = self.make_time_off_types(opening)
        this = self.today.year
        calendars = []
        for name in ("Nederland", "United States"):
            created = self.at(opening)
            maker = Maker(self.account, self.rng, created)
            entries = maker.holidays(created, [this - 1, this, this + 1])
            calendars.append(
                self.put("pto_holiday_calendars", created, name=name, entries=entries)["id"]
            )
        schedules = []
        for name, default, hours in words.WORK_SCHEDULES:
            days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
            given = {f"{day}_hours": each for day, each in zip(days, hours, strict=True)}
            created = self.at(opening)
            schedules.append(
                self.put("pto_work_schedules", created, name=name, is_default=default, **given)[
                    "id"
                ]
            )
        for number, user in enumerate(self.people):
            assigned = {
                "user_id": user["id"],
                "holiday_calendar_id": [*calendars, None][number % 3],
                "work_schedule_id": [None, None, *schedules][number % 5],
            }
            self.account.insert("pto_assignments", assigned)
            last = min(user["left"] or self.today, self.today)
            for year in range(user["hired"].year, last.year + 1):
                self.make_allocations(user, year, kinds)
                self.make_requests(user, year, kinds)

    def make_time_off_types(self, opening: date) -> list[int]:
        """Make the types; return the ids of those that are in use."""
        kinds = []
        names = (
            *("name", "color", "icon", "accrual_type", "accrual_schedule"),
            *("default_days_per_year", "max_carryover_days", "requires_approval", "is_active"),
        )
        for values in words.TIME_OFF_TYPES:
            given: Row = dict(zip(names, values, strict=True))
            if given["accrual_type"] == "accrued":
                given |= {"accrual_leave_hours": 4.0, "accrual_max_hours_per_year": 48.0}
            type_ = self.put("pto_types", self.at(opening), visible_to_all=1, **given)
            if given["is_active"]:
                kinds.append(type_["id"])
        return kinds

    def make_allocations(self, user: Row, year: int, kinds: list[int]) -> None:
        begins = max(date(year, 1, 2), user["hired"])
        if begins >= self.today:
            return
        for kind in kinds[:1] + kinds[2:3]:
            created = self.at(begins)
            carried = self.rng.choice([0.0, 0.0, 2.5, 4.0])
            days = self.rng.choice([None, None, 30.0, 27.5])
            self.put(
                "pto_allocations",
                created,
                updated_at=self.later(created, 90),
                user_id=user["id"],
                pto_type_id=kind,
                year=year,
                carryover_days=carried,
                days_per_year=days,
            )

    def make_requests(self, user: Row, year: int, kinds: list[int]) -> None:
        """Make the requests of a person for a year, some of them for days to come."""
        rng = self.rng
        begins = max(date(year, 1, 2), user["hired"])
        ends = min(date(year, 12, 20), user["left"] or self.today + timedelta(days=60))
        if begins > ends or begins >= self.today:
            return
        for _ in range(rng.randrange(1, 5)):
            start = self.day(begins, ends)
            asked = min(start - timedelta(days=rng.randrange(3, 60)), self.today)
            created = self.at(max(asked, self.first))
            status = rng.choice(["approved"] * 5 + ["denied"])
            if start >= self.today and rng.random() < 0.7:
                status = "pending"
            self.put(
                "pto_requests",
                created,
                updated_at=self.later(created, 6),
                user_id=user["id"],
                pto_type_id=rng.choice(kinds[:1] * 3 + kinds),
                start_date=start.isoformat(),
                status=status,
            )
