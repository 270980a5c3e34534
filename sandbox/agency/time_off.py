"""Paid time off: types, requests, calendars, schedules and allocations."""

from __future__ import annotations

from datetime import date, timedelta

import orjson

from ..store.columns import Row
from ..store.database import Store
from . import words
from .filling import Filling, Record
from .past import Past
from .people import Person

HOURS_A_DAY = 8.0
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _pto_types(fill: Filling, given: Row) -> Row:
    return {
        "name": words.new_name(fill.rng, "pto_types"),
        "color": fill.rng.choice(["#f5a623", "#4a90e2", "#7ed321"]),
        "icon": fill.rng.choice(["palm_tree", "thermometer", None]),
        "accrual_type": "fixed",
        "default_days_per_year": 5.0,
        "requires_approval": 1,
        "visible_to_all": fill.rng.randrange(2),
        "is_active": 1,
    }


def _pto_requests(fill: Filling, given: Row) -> Row:
    rng = fill.rng
    today = date.fromisoformat(fill.now[:10])
    start = date.fromisoformat(given.get("start_date") or str(today + timedelta(days=21)))
    end = start + timedelta(days=rng.choice([0, 0, 1, 4, 4, 9, 13]))
    end = date.fromisoformat(given.get("end_date") or str(end))
    days = [start + timedelta(days=number) for number in range((end - start).days + 1)]
    days = [day for day in days if day.weekday() < 5] or [start]
    part = len(days) == 1 and rng.random() < 0.3
    fraction = 0.5 if part else 1.0
    created = given.get("created_at") or fill.now
    status = given.get("status") or "pending"
    reviewed = status != "pending"
    stamps = {"created_at": created, "updated_at": created}
    taken = [
        {
            "id": fill.store.next_id("pto_request_days"),
            "date": day.isoformat(),
            "hours": HOURS_A_DAY * fraction,
            "day_fraction": fraction,
            **stamps,
        }
        for day in days
    ]
    return {
        "user_id": fill.some("users", given, "user_id"),
        "pto_type_id": fill.some("pto_types", given, "pto_type_id"),
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
        "reviewer_id": fill.store.pick("users", rng) if reviewed else None,
        "request_days": orjson.dumps(taken).decode(),
    }


def _holidays(store: Store, name: str, created: str, years: list[int]) -> str:
    """Return the entries of a calendar for some years, as JSON."""
    entries = [
        {
            "id": store.next_id("pto_holidays"),
            "name": holiday,
            "date": f"{year}-{day}",
            "created_at": created,
            "updated_at": created,
        }
        for year in years
        for holiday, day in words.HOLIDAYS.get(name, words.HOLIDAYS["Nederland"])
    ]
    return orjson.dumps(entries).decode()


def _pto_holiday_calendars(fill: Filling, given: Row) -> Row:
    name = given.get("name") or words.new_name(fill.rng, "pto_holiday_calendars")
    created = given.get("created_at") or fill.now
    entries = given.get("entries") or _holidays(fill.store, name, created, [int(created[:4])])
    return {"name": name, "entries": entries}


def _pto_work_schedules(fill: Filling, given: Row) -> Row:
    hours = {f"{day}_hours": fill.rng.choice([6.0, 7.5, 8.0]) for day in _WEEKDAYS[:5]}
    return {
        "name": words.new_name(fill.rng, "pto_work_schedules"),
        "is_default": 0,
        "is_active": 1,
        **{f"{day}_hours": 0.0 for day in _WEEKDAYS},
        **hours,
    }


def _pto_assignments(fill: Filling, given: Row) -> Row:
    return {"user_id": fill.some("users", given, "user_id")}


def _pto_allocations(fill: Filling, given: Row) -> Row:
    kind = fill.some_row("pto_types", given, "pto_type_id")
    days = given.get("days_per_year")
    return {
        "user_id": fill.some("users", given, "user_id"),
        "pto_type_id": kind["id"],
        "year": int((given.get("created_at") or fill.now)[:4]),
        "carryover_days": 0.0,
        "effective_days_per_year": kind["default_days_per_year"] if days is None else days,
        "effective_accrual_type": kind["accrual_type"],
        "effective_accrual_schedule": kind["accrual_schedule"],
        "effective_requires_approval": kind["requires_approval"],
    }


RECORDS: dict[str, Record] = {
    "pto_types": _pto_types,
    "pto_requests": _pto_requests,
    "pto_holiday_calendars": _pto_holiday_calendars,
    "pto_work_schedules": _pto_work_schedules,
    "pto_assignments": _pto_assignments,
    "pto_allocations": _pto_allocations,
}


def allow(past: Past, people: list[Person]) -> None:
    """Make the rules of paid time off, and what everybody asked for; note who is away when."""
    kinds = _types(past)
    calendars = {name: _calendar(past, name) for name in words.HOLIDAYS}
    schedules = []
    for name, default, hours in words.WORK_SCHEDULES:
        given = {f"{day}_hours": each for day, each in zip(_WEEKDAYS, hours, strict=True)}
        made = past.put(
            "pto_work_schedules", past.at(past.opening), name=name, is_default=default, **given
        )
        schedules.append(made["id"])
    for number, person in enumerate(people):
        schedule = past.schedule(number)
        assigned = {
            "user_id": person.id,
            # Nobody has told the calendar of some people.
            "holiday_calendar_id": calendars[person.calendar] if number % 7 != 5 else None,
            "work_schedule_id": schedules[schedule] if schedule or number % 2 else None,
        }
        past.store.insert("pto_assignments", assigned)
        last = min(person.left or past.today, past.today)
        for year in range(person.hired.year, last.year + 1):
            person.away |= {
                date.fromisoformat(f"{year}-{day}") for _, day in words.HOLIDAYS[person.calendar]
            }
            _allocate(past, person, year, kinds)
            _ask(past, person, year, kinds)


def _types(past: Past) -> list[int]:
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
        made = past.put("pto_types", past.at(past.opening), visible_to_all=1, **given)
        if given["is_active"]:
            kinds.append(int(made["id"]))
    return kinds


def _calendar(past: Past, name: str) -> int:
    created, this = past.at(past.opening), past.today.year
    years = [*range(min(past.first.year, this - 1), this + 2)]
    entries = _holidays(past.store, name, created, years)
    return int(past.put("pto_holiday_calendars", created, name=name, entries=entries)["id"])


def _allocate(past: Past, person: Person, year: int, kinds: list[int]) -> None:
    begins = max(date(year, 1, 2), person.hired)
    if begins >= past.today:
        return
    for kind in kinds[:1] + kinds[2:3]:
        created = past.at(begins)
        past.put(
            "pto_allocations",
            created,
            updated_at=past.later(created, 90),
            user_id=person.id,
            pto_type_id=kind,
            year=year,
            carryover_days=past.rng.choice([0.0, 0.0, 2.5, 4.0]),
            days_per_year=past.rng.choice([None, None, 30.0, 27.5]),
        )


def _ask(past: Past, person: Person, year: int, kinds: list[int]) -> None:
    """Make the requests of a person for a year, some of them for days to come."""
    rng = past.rng
    summer = date(year, rng.choice([7, 7, 8, 8, 8]), rng.randrange(1, 18))
    stretches = [
        (summer, rng.randrange(11, 18), kinds[0]),
        (date(year, 12, rng.randrange(19, 24)), 8, kinds[0]),
        (past.day(date(year, 1, 10), date(year, 6, 20)), rng.randrange(3, 8), kinds[0]),
        (past.day(date(year, 1, 10), date(year, 12, 10)), rng.randrange(0, 3), kinds[1]),
        (past.day(date(year, 9, 1), date(year, 11, 30)), rng.randrange(0, 2), rng.choice(kinds)),
    ]
    begins = max(person.hired, past.first)
    ends = person.left or past.today + timedelta(days=60)
    for start, length, kind in stretches:
        if not begins <= start <= ends:
            continue
        end = start + timedelta(days=length)
        asked = min(start - timedelta(days=rng.randrange(3, 60)), past.today)
        status = "denied" if rng.random() < 0.08 else "approved"
        if start >= past.today and rng.random() < 0.7:
            status = "pending"
        created = past.at(max(asked, past.opening))
        past.put(
            "pto_requests",
            created,
            updated_at=past.later(created, 6),
            user_id=person.id,
            pto_type_id=kind,
            start_date=start.isoformat(),
            end_date=end.isoformat(),
            status=status,
        )
        if status == "approved":
            person.away |= {start + timedelta(days=number) for number in range(length + 1)}
