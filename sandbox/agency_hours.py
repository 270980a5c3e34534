"""The history of an agency: time entries."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

import orjson

from . import words
from .agency_projects import ProjectHistory
from .amounts import rate_of
from .columns import Row
from .tables import TABLES


def reference(rng: Random) -> str:
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


def clock_time(minutes: int) -> str:
    """Return minutes since midnight on a twelve-hour clock, as the API writes it."""
    hour, minute = divmod(minutes % 1440, 60)
    return f"{(hour - 1) % 12 + 1}:{minute:02}{'am' if hour < 12 else 'pm'}"


class HourHistory(ProjectHistory):
    """Makes time entries."""

    def make_entries(self) -> None:
        count = self.entries
        running = min(3, count // 10)
        columns = [name for name in TABLES["time_entries"].columns()]
        plan = self.plan(count - running)
        self.account.insert_entries(columns, self.entry_rows(columns, plan, running))

    def plan(self, count: int) -> Iterator[tuple[date, Row, bool, int]]:
        """Draw how many entries each person makes each day: (day, person, on holiday, how many)."""
        rng = self.rng
        slots: list[tuple[date, Row, bool, float]] = []
        holidays: dict[tuple[int, int], tuple[date, date]] = {}
        day, total = self.first, 0.0
        while day < self.today:
            weekend = day.weekday() >= 5
            # August and the turn of the year are quiet, autumn is busy.
            season = 0.45 if day.month == 8 else 1.25 if day.month in (10, 11) else 1.0
            if (day.month, day.day) >= (12, 22) or (day.month, day.day) <= (1, 2):
                season = 0.12
            for user in self.people:
                if day < user["hired"] or (user["left"] and day > user["left"]):
                    continue
                key = (user["id"], day.year)
                if key not in holidays:
                    start = date(day.year, rng.choice([2, 5, 7, 8, 8, 9]), rng.randrange(1, 20))
                    holidays[key] = (start, start + timedelta(days=rng.randrange(10, 17)))
                away = holidays[key][0] <= day <= holidays[key][1]
                if weekend and (away or rng.random() > 0.03):
                    continue
                weight = season * (0.3 + 1.4 * rng.random()) * (0.25 if away else 1.0)
                slots.append((day, user, away, weight))
                total += weight
            day += timedelta(days=1)
        # Each slot gets its share; what is left over is carried on, so that the sum is exact.
        carried, given, made = 0.0, 0, 0.0
        for day, user, away, weight in slots:
            made += weight
            carried = count * made / total
            number = round(carried) - given
            if number:
                given += number
                yield day, user, away, number

    def entry_rows(
        self, columns: list[str], plan: Iterator[tuple[date, Row, bool, int]], running: int
    ) -> Iterator[list[Any]]:
        rng = self.rng
        random = rng.random
        table = TABLES["time_entries"]
        id = table.first_id
        by_user: dict[int, list[Any]] = {user["id"]: [] for user in self.people}
        for project in self.projects[2:]:
            for member in project["team"]:
                by_user[member[0]["id"]].append((project, *member))
        desk = {
            (project["name"], member[0]["id"]): (project, *member)
            for project in self.projects[:2]
            for member in project["team"]
        }
        yesterday = self.today - timedelta(days=1)
        closed_before = self.today - timedelta(days=50)
        submitted_before = self.today - timedelta(days=14)
        month: tuple[int, int] = (0, 0)
        choices: dict[int, list[Any]] = {}

        def entry(day: date, user: Row, place: Any, hours: int) -> Row:
            project, _, assignment, tasks, _, _ = place
            task = tasks[int(random() * len(tasks))]
            text = day.isoformat()
            rates = user["billable_rates"]
            costs = user["cost_rates"]
            default = rates[bisect_right(rates, (text, 1 << 60)) - 1][1]
            seconds = 52000 + int(random() * 30000)
            written = day
            if random() < 0.12:
                # not later than now, but not many at that very second either
                written = max(day, min(day + timedelta(days=1 + int(random() * 4)), yesterday))
            created = min(f"{written}T{self.clock(seconds)}Z", self.end)
            updated, closed, submitted, locked = created, 0, 0, 0
            chance = random()
            if day < closed_before and chance < 0.75:
                closed, locked = 1, int(chance < 0.004)
                approved = written + timedelta(days=1 + int(random() * 9))
                updated = f"{approved}T{self.clock(int(random() * 86400))}Z"
            elif chance > 0.7:
                moved = written + timedelta(days=int((chance - 0.7) * 60))
                moved = max(written, min(moved, yesterday))
                updated = min(f"{moved}T{self.clock(seconds + int(random() * 4000))}Z", self.end)
            elif day < submitted_before and chance < 0.3:
                submitted = 1
            started = ended = None
            if user["id"] % 3 == 0:
                begin = 480 + int(random() * 500) // 5 * 5
                started, ended = clock_time(begin), clock_time(begin + hours * 60 // 100)
            return {
                "spent_date": text,
                "user_id": user["id"],
                "user_assignment_id": assignment["id"],
                "project_id": project["id"],
                "task_id": task["task_id"],
                "task_assignment_id": task["id"],
                "external_reference": reference(rng) if random() < 0.06 else None,
                "hours": hours,
                "hours_without_timer": hours,
                "notes": words.NOTES[int(random() * len(words.NOTES))],
                "is_closed": closed,
                "is_submitted": submitted,
                "is_explicitly_locked": locked,
                "started_time": started,
                "ended_time": ended,
                "is_running": 0,
                "billable": int(project["is_billable"] and task["billable"]),
                "budgeted": int(project["budget_by"] != "none"),
                "billable_rate": rate_of(project, assignment, task, default),
                "cost_rate": costs[bisect_right(costs, (text, 1 << 60)) - 1][1],
                "created_at": created,
                "updated_at": max(updated, created),
            }

        for day, user, away, number in plan:
            if (day.year, day.month) != month:
                month = (day.year, day.month)
                choices = {}
            places = choices.get(user["id"])
            if places is None:
                places = choices[user["id"]] = [
                    place
                    for place in by_user[user["id"]]
                    if place[4] <= day + timedelta(days=15) and place[5] >= day
                ]
            for _ in range(number):
                if away:
                    place, hours = desk["Time Off", user["id"]], 800
                else:
                    place = desk["Internal", user["id"]]
                    if places and random() > 0.06:
                        place = places[int(random() * len(places))]
                        if not place[4] <= day <= place[5]:
                            place = desk["Internal", user["id"]]
                    hours = 5 + int(random() ** 1.6 * 700)
                    if random() < 0.35:
                        hours = max(25, hours // 25 * 25)
                row = entry(day, user, place, hours)
                id += 1 + int(random() * 3)
                row["id"] = id
                yield [row.get(name) for name in columns]
        # Somebody who works late, west of Greenwich, has not stopped the timer yet.
        day = self.today - timedelta(days=1)
        there = [user for user in self.people if user["is_active"]]
        for user in there[1 : 1 + running]:
            row = entry(day, user, desk["Internal", user["id"]], 75)
            minutes = rng.randrange(5, 110)
            began = (self.moment - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
            before = rng.choice([0, 0, 75])
            id += 1
            row |= {
                "id": id,
                "is_running": 1,
                "timer_started_at": began,
                "started_time": clock_time(1440 - minutes),
                "ended_time": None,
                "hours_without_timer": before,
                "hours": before + minutes * 100 // 60,
                "created_at": began,
                "updated_at": began,
                "is_closed": 0,
                "is_submitted": 0,
                "is_explicitly_locked": 0,
            }
            yield [row.get(name) for name in columns]

    @staticmethod
    def clock(seconds: int) -> str:
        minutes, second = divmod(seconds % 86400, 60)
        hour, minute = divmod(minutes, 60)
        return f"{hour:02}:{minute:02}:{second:02}"
