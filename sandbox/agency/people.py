"""People: users with their teams, rates and teammates."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date, timedelta

import orjson

from ..store.columns import Row
from . import story, words
from .filling import Filling, Record, always
from .past import Past

FULL_TIME = 144000
"""The seconds of a week of five days of eight hours."""


@dataclass
class Person:
    """Somebody who works at the agency.

    Attributes:
        id: the user's id.
        hired: the first day.
        left: the last day, if any.
        active: whether the user can still sign in.
        hours: of work from Monday to Sunday.
        calendar: the name of the holidays that the person has.
        rates: billable rates, each with its first day as text, in order.
        costs: cost rates likewise.
        away: the days of approved time off.
    """

    id: int
    hired: date
    left: date | None
    active: bool
    hours: tuple[float, ...]
    calendar: str
    rates: list[tuple[str, int]] = field(default_factory=list)
    costs: list[tuple[str, int]] = field(default_factory=list)
    away: set[date] = field(default_factory=set)

    def works(self, day: date) -> bool:
        """Return whether the person is there on a day."""
        return (
            self.hired <= day
            and (self.left is None or day <= self.left)
            and self.hours[day.weekday()] > 0
            and day not in self.away
        )


def _users(fill: Filling, given: Row) -> Row:
    rng = fill.rng
    first, last, mail = fill.person()
    return {
        "first_name": first,
        "last_name": last,
        "email": f"{mail}@example.com",
        "telephone": rng.choice(["", "", None, "+1 555 0142"]),
        "timezone": rng.choice(words.ZONES),
        "has_access_to_all_future_projects": 0,
        "is_contractor": 0,
        "is_active": 1,
        "weekly_capacity": rng.choice([FULL_TIME, FULL_TIME, 115200, 72000]),
        "default_hourly_rate": rng.choice([9500, 10000, 12050, None]),
        "cost_rate": rng.choice([4500, 5000, 6225, None]),
        "roles": orjson.dumps([rng.choice(words.TEAMS)]).decode(),
        "access_roles": '["member"]',
        "avatar_url": f"https://cache.example.com/avatars/{rng.randrange(40)}.png?1498516481",
        "employee_id": f"E-{always(mail, 900) + 100}" if always(mail, 3) else None,
        "calendar_integration_enabled": int(always(mail, 4) == 0),
        "calendar_integration_source": "google" if always(mail, 4) == 0 else None,
        "saml_exempt": int(always(mail, 7) == 0),
    }


def _roles(fill: Filling, given: Row) -> Row:
    return {"name": words.new_name(fill.rng, "roles")}


def _rate(low: int, high: int) -> Record:
    def rate(fill: Filling, given: Row) -> Row:
        return {
            "user_id": fill.some("users", given, "user_id"),
            "amount": fill.rng.randrange(low, high) * 100,
            "start_date": fill.now[:10],
        }

    return rate


def _teammates(fill: Filling, given: Row) -> Row:
    return {"user_id": given["user_id"], "teammate_id": given["teammate_id"]}


RECORDS: dict[str, Record] = {
    "users": _users,
    "roles": _roles,
    "billable_rates": _rate(80, 160),
    "cost_rates": _rate(35, 75),
    "teammates": _teammates,
}


def hire(past: Past) -> list[Person]:
    """Make the people of the agency, with their teams, rates and teammates."""
    for name in words.ROLES:
        past.put("roles", past.at(past.opening), name=name)
    count = max(story.PEOPLE, math.ceil(past.entries / (past.years * 360)))
    people = [_hire(past, number, count) for number in range(count)]
    managers = [each for number, each in enumerate(people) if number % 7 == 1]
    for number, person in enumerate(people):
        if person not in managers and number and person.active:
            manager = managers[number % len(managers)].id
            past.store.insert("teammates", {"user_id": manager, "teammate_id": person.id})
    return people


def _hire(past: Past, number: int, count: int) -> Person:
    rng, span = past.rng, (past.today - past.first).days
    # Two thirds are there from the start; the others come one after the other.
    joined = max(0, number - count * 2 // 3 + 1) * span * 1.6 / count
    hired = past.first + timedelta(days=round(joined))
    left = past.day(hired + timedelta(days=90), past.today) if number % 6 == 5 else None
    name: Row = {}
    if number < len(words.PEOPLE):
        first, last, mail = words.PEOPLE[number]
        name = {"first_name": first, "last_name": last, "email": f"{mail}@example.com"}
    roles = ["Management"] if number == 0 else [words.TEAMS[number % 3]]
    access = ["administrator"] if number == 0 else ["member"]
    if number % 7 == 1:
        access = ["manager", "project_creator", "billable_rates_manager"][: 1 + number % 3]
    hours = words.WORK_SCHEDULES[past.schedule(number)][2]
    active = left is None or left >= past.today
    user = past.put(
        "users",
        past.at(hired - timedelta(days=rng.randrange(1, 20))),
        roles=orjson.dumps([*roles, *(["Finance"] if number == 3 else [])]).decode(),
        access_roles=orjson.dumps(access).decode(),
        is_contractor=int(number % 5 == 4),
        is_active=int(active),
        has_access_to_all_future_projects=int(number < 2),
        weekly_capacity=round(sum(hours) * 3600),
        **name,
    )
    calendar = [*words.HOLIDAYS][number % len(words.HOLIDAYS)]
    person = Person(user["id"], hired, left, active, hours, calendar)
    person.rates = _raise(past, person, "billable_rates", story.RATES, user["created_at"])
    person.costs = _raise(past, person, "cost_rates", story.COSTS, user["created_at"])
    now = {"default_hourly_rate": person.rates[-1][1], "cost_rate": person.costs[-1][1]}
    past.store.update("users", now, "id = ?", person.id)
    return person


def _raise(
    past: Past, person: Person, table: str, between: tuple[int, int], created: str
) -> list[tuple[str, int]]:
    """Make a first rate without a start, then a rise now and then."""
    rng = past.rng
    starts: list[date | None] = [None]
    day = person.hired + timedelta(days=rng.randrange(200, 500))
    while day < (person.left or past.today) and len(starts) < 6:
        starts.append(day.replace(day=1))
        day += timedelta(days=rng.randrange(330, 800))
    history: list[tuple[str, int]] = []
    amount = rng.randrange(*between) * 100
    for number, start in enumerate(starts):
        following = starts[number + 1] if number + 1 < len(starts) else None
        made = past.at(start) if start else created
        past.put(
            table,
            made,
            updated_at=past.at(following) if following else made,
            user_id=person.id,
            amount=amount,
            start_date=start.isoformat() if start else None,
            end_date=(following - timedelta(days=1)).isoformat() if following else None,
        )
        history.append((start.isoformat() if start else "", amount))
        amount += amount // 100 * rng.randrange(2, 5) + rng.choice([0, 0, 48])
    return history
