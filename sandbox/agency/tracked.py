"""What people record: time entries and expenses."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple

import orjson

from ..clock import stamp
from ..store.amounts import product
from ..store.columns import Row
from ..store.tables import TABLES
from . import story, words
from .filling import Filling, Record
from .past import Past
from .people import Person
from .projects import Project

REIMBURSED = '{"id":7105,"status":"reimbursed"}'
"""What an expense says of its reimbursement; nobody knows what Harvest sends, save that it is
mostly null."""


class Place(NamedTuple):
    """What a time entry is written on: the columns of four records."""

    project: Row
    assignment: Row
    task: Row


def rate_of(place: Place, default: int | None) -> int | None:
    """Return the price of an hour, by the way the project is billed, in hundredths."""
    project, assignment, task = place
    if not project["is_billable"] or not task["billable"]:
        return None
    by = project["bill_by"]
    if by == "Project":
        rate = project["hourly_rate"]
    elif by == "Tasks":
        rate = task["hourly_rate"]
    elif by == "People":
        rate = default if assignment["use_default_rates"] else assignment["hourly_rate"]
    else:
        rate = None
    return int(rate) if rate is not None else None


def time_entry(place: Place, day: str, hours: int, default: int | None, cost: int | None) -> Row:
    """Return a time entry as it is when it was just written.

    Args:
        place: what it is written on.
        day: its day.
        hours: in hundredths.
        default: the billable rate of its person on that day.
        cost: the cost rate of its person on that day.
    """
    project, assignment, task = place
    return {
        "spent_date": day,
        "user_id": assignment["user_id"],
        "user_assignment_id": assignment["id"],
        "project_id": project["id"],
        "task_id": task["task_id"],
        "task_assignment_id": task["id"],
        "hours": hours,
        "hours_without_timer": hours,
        "is_closed": 0,
        "is_submitted": 0,
        "is_explicitly_locked": 0,
        "is_running": 0,
        "billable": int(project["is_billable"] and task["billable"]),
        "budgeted": int(project["budget_by"] != "none"),
        "billable_rate": rate_of(place, default),
        "cost_rate": cost,
    }


def _expense_categories(fill: Filling, given: Row) -> Row:
    _, unit, price, _ = fill.rng.choice(words.EXPENSE_CATEGORIES)
    name = words.new_name(fill.rng, "expense_categories")
    return {"name": name, "unit_name": unit, "unit_price": price, "is_active": 1}


def _some_of(fill: Filling, table: str, given: Row, columns: tuple[str, ...], where: str) -> Row:
    """Return an assignment that suits what is given, made if there is none."""
    wanted = {name: given[name] for name in columns if given.get(name) is not None}
    tests = " AND ".join([where, *(f"{name} = ?" for name in wanted)])
    found = fill.store.pick(table, fill.rng, tests, *wanted.values())
    if found is None:
        found = fill.store.insert(table, fill.row(table, wanted))
    return fill.store.columns_of(table, found)


def _assignment(fill: Filling, given: Row) -> Row:
    return _some_of(fill, "user_assignments", given, ("project_id", "user_id"), "is_active")


def _time_entries(fill: Filling, given: Row) -> Row:
    rng = fill.rng
    assignment = _assignment(fill, given)
    on = given | {"project_id": assignment["project_id"]}
    task = _some_of(fill, "task_assignments", on, ("project_id", "task_id"), "1")
    project = fill.store.columns_of("projects", assignment["project_id"])
    user = fill.store.columns_of("users", assignment["user_id"])
    day = (given.get("created_at") or fill.now)[:10]
    hours = given.get("hours", rng.randrange(10, 800))
    place = Place(project, assignment, task)
    entry = time_entry(place, day, hours, user["default_hourly_rate"], user["cost_rate"])
    return entry | {"notes": rng.choice(words.NOTES)}


def _expenses(fill: Filling, given: Row) -> Row:
    rng = fill.rng
    assignment = _assignment(fill, given)
    project = fill.store.columns_of("projects", assignment["project_id"])
    category = fill.some_row("expense_categories", given, "expense_category_id")
    priced = category["unit_price"] is not None
    units = given.get("units") or (rng.randrange(5, 400) if priced else 1)
    cost = rng.randrange(400, 40000)
    id = given.get("id") or fill.store.next_id("expenses")
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
        "total_cost": product(units, category["unit_price"]) if priced else cost,
        "billable": int(project["is_billable"] and rng.random() < 0.8),
        "is_closed": 0,
        "is_submitted": 0,
        "is_explicitly_locked": 0,
        "spent_date": (given.get("created_at") or fill.now)[:10],
    }


RECORDS: dict[str, Record] = {
    "expense_categories": _expense_categories,
    "time_entries": _time_entries,
    "expenses": _expenses,
}


def _reference(rng: Random) -> str:
    """Draw a link from a time entry to a card in some other tool."""
    card = rng.randrange(10000, 99999)
    return orjson.dumps(
        {
            "id": str(card),
            "group_id": str(card // 100),
            "account_id": rng.choice([None, "7001"]),
            "permalink": f"https://boards.example.org/cards/{card}",
            "service": "boards.example.org",
            "service_icon_url": rng.choice([None, "https://cache.example.com/icons/boards.png"]),
        }
    ).decode()


def _clock_time(minutes: int) -> str:
    """Return minutes since midnight on a twelve-hour clock, as the API writes it."""
    hour, minute = divmod(minutes % 1440, 60)
    return f"{(hour - 1) % 12 + 1}:{minute:02}{'am' if hour < 12 else 'pm'}"


def _clock(seconds: int) -> str:
    minutes, second = divmod(seconds % 86400, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}"


def _rate_on(rates: list[tuple[str, int]], day: str) -> int:
    return rates[bisect_right(rates, (day, 1 << 60)) - 1][1]


def _plan(past: Past, people: list[Person], count: int) -> Iterator[tuple[date, Person, float]]:
    """Draw who writes an entry on which day, and of how many hours, day by day."""
    slots: list[tuple[date, Person, float]] = []
    day, total = past.first, 0.0
    while day < past.today:
        for person in people:
            if person.works(day):
                # Autumn is busy, and nobody writes down every hour.
                busy = 0.98 if day.month in (10, 11) else 0.93
                hours = person.hours[day.weekday()] * min(1.1, past.rng.gauss(busy, 0.09))
                slots.append((day, person, hours))
                total += hours
        day += timedelta(days=1)
    # Each slot gets its share; what is left over is carried on, so that the sum is exact.
    given, made = 0, 0.0
    for day, person, hours in slots:
        made += hours
        number = round(count * made / total) - given
        given += number
        for _ in range(number):
            yield day, person, hours / number


def _handled(past: Past, day: date) -> Row:
    """Draw when an entry of a day was written, changed and approved."""
    random = past.rng.random
    seconds = 52000 + int(random() * 30000)
    written = day
    if random() < 0.12:
        # not later than now, but not many at that very second either
        written = max(day, min(day + timedelta(days=1 + int(random() * 4)), past.yesterday))
    created = min(f"{written}T{_clock(seconds)}Z", past.end)
    updated, closed, submitted, locked = created, 0, 0, 0
    chance, age = random(), (past.today - day).days
    if age > 50 and chance < 0.75:
        closed, locked = 1, int(chance < 0.004)
        approved = written + timedelta(days=1 + int(random() * 9))
        updated = f"{approved}T{_clock(int(random() * 86400))}Z"
    elif chance > 0.7:
        moved = written + timedelta(days=int((chance - 0.7) * 60))
        moved = max(written, min(moved, past.yesterday))
        updated = min(f"{moved}T{_clock(seconds + int(random() * 4000))}Z", past.end)
    elif age > 14 and chance < 0.3:
        submitted = 1
    return {
        "created_at": created,
        "updated_at": max(updated, created),
        "is_closed": closed,
        "is_submitted": submitted,
        "is_explicitly_locked": locked,
    }


class _Desk:
    """Where a person has something to do, looked up anew each month."""

    def __init__(self, projects: list[Project]) -> None:
        self._internal: dict[int, tuple[Place, ...]] = {}
        self._seats: dict[int, list[tuple[date, date, list[Place]]]] = defaultdict(list)
        for number, project in enumerate(projects):
            for seat in project.team:
                places = [Place(project.row, seat.assignment, task) for task in project.tasks]
                if number == 0:
                    self._internal[seat.person.id] = tuple(places)
                else:
                    # Most of the work is not meetings.
                    places = [
                        place for place in places for _ in range(1 + 4 * place.task["billable"])
                    ]
                    self._seats[seat.person.id].append((seat.since, seat.until, places))

    def place(self, rng: Random, person: Person, day: date) -> Place:
        """Draw what a person works on during a day."""
        if rng.random() < story.BILLABLE_TIME:
            open_ = [
                places for since, until, places in self._seats[person.id] if since <= day <= until
            ]
            if open_:
                return rng.choice(rng.choice(open_))
        return rng.choice(self._internal[person.id])


def record(past: Past, people: list[Person], projects: list[Project]) -> None:
    """Make the time entries."""
    running = min(3, past.entries // 10)
    columns = [name for name in TABLES["time_entries"].columns()]
    rows = _entries(past, people, projects, past.entries - running, running)
    past.store.insert_entries(columns, ([row.get(name) for name in columns] for row in rows))


def _entries(
    past: Past, people: list[Person], projects: list[Project], count: int, running: int
) -> Iterator[Row]:
    rng, desk = past.rng, _Desk(projects)
    random = rng.random
    id = TABLES["time_entries"].first_id
    for day, person, share in _plan(past, people, count):
        text = day.isoformat()
        hours = max(5, int(share * 100 * (0.75 + 0.5 * random())))
        if random() < 0.35:
            hours = max(25, hours // 25 * 25)
        place = desk.place(rng, person, day)
        default, cost = _rate_on(person.rates, text), _rate_on(person.costs, text)
        row = time_entry(place, text, hours, default, cost) | _handled(past, day)
        id += 1 + int(random() * 3)
        row |= {"id": id, "notes": words.NOTES[int(random() * len(words.NOTES))]}
        row["external_reference"] = _reference(rng) if random() < 0.06 else None
        if person.id % 3 == 0:
            begin = 480 + int(random() * 500) // 5 * 5
            row["started_time"] = _clock_time(begin)
            row["ended_time"] = _clock_time(begin + hours * 60 // 100)
        yield row
    there = [person for person in people if person.active]
    for person in there[1 : 1 + running]:
        id += 1
        yield _running(past, person, desk) | {"id": id}


def _running(past: Past, person: Person, desk: _Desk) -> Row:
    """Make an entry of somebody west of Greenwich who has not stopped the timer yet."""
    minutes = past.rng.randrange(5, 110)
    began = stamp(past.moment - timedelta(minutes=minutes))
    before = past.rng.choice([0, 0, 75])
    place = desk.place(past.rng, person, past.yesterday)
    day = past.yesterday.isoformat()
    hours = before + minutes * 100 // 60
    entry = time_entry(place, day, hours, person.rates[-1][1], person.costs[-1][1])
    return entry | {
        "hours_without_timer": before,
        "is_running": 1,
        "timer_started_at": began,
        "started_time": _clock_time(1440 - minutes),
        "created_at": began,
        "updated_at": began,
    }


def spend(past: Past, projects: list[Project]) -> None:
    """Make the expense categories and the expenses."""
    rng = past.rng
    names = ("name", "unit_name", "unit_price", "is_active")
    for values in words.EXPENSE_CATEGORIES:
        given: dict[str, Any] = dict(zip(names, values, strict=True))
        past.put("expense_categories", past.at(past.opening), **given)
    count = round(110 * max(1.0, past.entries / 2000) ** 0.75) if past.entries else 0
    seats = [
        (project.id, seat)
        for project in projects[1:]
        for seat in project.team
        if seat.since <= min(seat.until, past.yesterday)
    ]
    plans = sorted(
        (past.day(seat.since, min(seat.until, past.yesterday)), number, project, seat)
        for number, (project, seat) in enumerate(rng.choices(seats, k=count))
    )
    for day, _, project_id, seat in plans:
        age = (past.today - day).days
        created = past.at(day + timedelta(days=rng.choice([0, 0, 1, 3])))
        closed = int(age > 50 and rng.random() < 0.7)
        past.put(
            "expenses",
            created,
            updated_at=past.later(created, 12),
            spent_date=day.isoformat(),
            project_id=project_id,
            user_id=seat.person.id,
            user_assignment_id=seat.assignment["id"],
            is_closed=closed,
            is_submitted=int(not closed and age > 14 and day.day < 10),
            is_explicitly_locked=int(closed and day.day == 28),
            reimbursement=REIMBURSED if day.day == 27 and day.month % 4 == 0 else None,
        )
