"""Making up a whole agency with its history."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from random import Random
from typing import TYPE_CHECKING, Any

import orjson

from . import words
from .catalog import LISTINGS, TABLES
from .records import TERMS, Maker, Row, rate_of

if TYPE_CHECKING:
    from .account import Account


def reference(rng: Random) -> str:
    """A link from a time entry to a card in some other tool."""
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


REIMBURSED = '{"id":7105,"status":"reimbursed"}'
"""What an expense says of its reimbursement; nobody knows what Harvest sends, save that it is
mostly null."""


def clock_time(minutes: int) -> str:
    """Minutes since midnight on a twelve-hour clock, as the API writes it."""
    hour, minute = divmod(minutes % 1440, 60)
    return f"{(hour - 1) % 12 + 1}:{minute:02}{'am' if hour < 12 else 'pm'}"


class Agency:
    """The history of a whole agency, up to the midnight (UTC) before `today`.

    Args:
        account: what to fill; it must be empty.
        seed: what chance is drawn from.
        entries: how many time entries.
        years: how far back, or None for what suits the number of entries.
        today: the day on which the account is looked at.
    """

    def __init__(
        self, account: Account, seed: int, entries: int, years: float | None, today: date
    ) -> None:
        self.account = account
        self.rng = Random(seed)
        self.entries = entries
        self.size = max(1.0, entries / 2000)
        self.years = years or 2.5 * self.size**0.22
        self.today = today
        self.first = today - timedelta(days=round(self.years * 365.25))
        self.moment = datetime(today.year, today.month, today.day, tzinfo=timezone.utc)
        self.end = self.moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def build(self) -> None:
        """Makes everything, in the order in which it would have come about."""
        self.make_people()
        self.make_places()
        self.make_projects()
        self.make_entries()
        self.make_expenses()
        self.account.finish()
        self.make_estimates()
        self.make_invoices()
        # Draws of its own, so that everything else is as it was without it.
        self.rng = Random(f"{self.rng.random()}/time off")
        self.make_time_off()

    # ---------------------------------------------------------------- tools

    def at(self, day: date, early: int = 8, late: int = 22) -> str:
        """Some moment of a day, not later than the end."""
        seconds = self.rng.randrange(early * 3600, late * 3600)
        moment = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
        moment += timedelta(seconds=seconds)
        return min(moment.strftime("%Y-%m-%dT%H:%M:%SZ"), self.end)

    def later(self, created: str, days: int = 200) -> str:
        """The time of an update: often that of the creation, else up to some days later."""
        if self.rng.random() < 0.4:
            return created
        moment = datetime.strptime(created + "+0000", "%Y-%m-%dT%H:%M:%SZ%z")
        room = min(days * 86400, int((self.moment - moment).total_seconds()))
        moment += timedelta(seconds=self.rng.randrange(max(room, 0) + 1))
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def day(self, since: date, until: date) -> date:
        """Some day between two, both included."""
        return since + timedelta(days=self.rng.randrange(max(0, (until - since).days) + 1))

    def put(self, table: str, created: str, **given: Any) -> Row:
        """Adds a record that was created at a certain time."""
        given.setdefault("updated_at", self.later(created))
        row = Maker(self.account, self.rng, created).make(table, {"created_at": created} | given)
        row["id"] = self.account.insert(table, row)
        return row

    # ---------------------------------------------------------------- who and where

    def make_people(self) -> None:
        rng, opening = self.rng, self.first - timedelta(days=40)
        for name in words.ROLES:
            self.put("roles", self.at(opening), name=name)
        for name, billable, rate, default, active in words.TASKS:
            self.put(
                "tasks",
                self.at(opening),
                name=name,
                billable_by_default=billable,
                default_hourly_rate=rate,
                is_default=default,
                is_active=active,
            )
        for name, unit, price, active in words.EXPENSE_CATEGORIES:
            self.put(
                "expense_categories",
                self.at(opening),
                name=name,
                unit_name=unit,
                unit_price=price,
                is_active=active,
            )
        for name in ("Service", "Product"):
            self.put("estimate_item_categories", self.at(opening), name=name)
            uses = {
                "use_as_service": int(name == "Service"),
                "use_as_expense": int(name != "Service"),
            }
            self.put("invoice_item_categories", self.at(opening), name=name, **uses)
        count = max(13, math.ceil(1.15 * self.entries / (self.years * 660)))
        span = (self.today - self.first).days
        self.people: list[Row] = []
        for number in range(count):
            # Half are there from the start; the others come one after the other.
            joined = max(0, number - count // 2) * span * 0.8 / count
            hired = self.first + timedelta(days=round(joined))
            left = None
            if number % 6 == 5:
                left = self.day(hired + timedelta(days=90), self.today)
            given: Row = {}
            if number < len(words.PEOPLE):
                first, last, mail = words.PEOPLE[number]
                given = {"first_name": first, "last_name": last, "email": f"{mail}@example.com"}
            role = words.ROLES[number % 4] if number else "Founder"
            more = ["Finance"] if number == 3 else []
            access = ["administrator"] if number == 0 else ["member"]
            if number % 7 == 1:
                access = ["manager", "project_creator", "billable_rates_manager"]
                del access[1 + number % 3 :]
            user = self.put(
                "users",
                self.at(hired - timedelta(days=rng.randrange(1, 20))),
                roles=orjson.dumps([role, *more] if number != 11 else []).decode(),
                access_roles=orjson.dumps(access).decode(),
                is_contractor=int(number % 5 == 4),
                is_active=int(left is None or left >= self.today),
                has_access_to_all_future_projects=int(number < 2),
                **given,
            )
            user |= {"hired": hired, "left": left, "manager": access[0] == "manager"}
            self.people.append(user)
            self.make_rates(user)
        managers = [user for user in self.people if user["manager"]]
        for number, user in enumerate(self.people):
            if not user["manager"] and number and user["is_active"]:
                manager = managers[number % len(managers)]["id"]
                self.account.insert("teammates", {"user_id": manager, "teammate_id": user["id"]})

    def make_rates(self, user: Row) -> None:
        """A first rate without a start, then a rise now and then."""
        rng = self.rng
        for table, amount in (
            ("billable_rates", rng.randrange(80, 140) * 100),
            ("cost_rates", rng.randrange(35, 65) * 100),
        ):
            starts: list[date | None] = [None]
            day = user["hired"] + timedelta(days=rng.randrange(200, 500))
            while day < (user["left"] or self.today) and len(starts) < 6:
                starts.append(day.replace(day=1))
                day += timedelta(days=rng.randrange(330, 800))
            history: list[tuple[str, int]] = []
            for number, start in enumerate(starts):
                following = starts[number + 1] if number + 1 < len(starts) else None
                created = self.at(start) if start else user["created_at"]
                self.put(
                    table,
                    created,
                    updated_at=self.at(following) if following else created,
                    user_id=user["id"],
                    amount=amount,
                    start_date=start.isoformat() if start else None,
                    end_date=(following - timedelta(days=1)).isoformat() if following else None,
                )
                history.append((start.isoformat() if start else "", amount))
                amount += rng.randrange(2, 12) * 100 + rng.choice([0, 0, 48])
            user[table] = history
            column = "default_hourly_rate" if table == "billable_rates" else "cost_rate"
            user[column] = history[-1][1]
            self.account.set_column("users", user["id"], column, history[-1][1])

    def make_places(self) -> None:
        rng = self.rng
        count = round(18 * self.size**0.35)
        self.clients: list[Row] = []
        for number in range(count):
            name, currency = words.CLIENTS[number % len(words.CLIENTS)]
            if number >= len(words.CLIENTS):
                name += f" {number // len(words.CLIENTS) + 1}"
            since = self.day(self.first - timedelta(days=30), self.first)
            if number > count // 2:
                since = self.day(self.first, self.today - timedelta(days=60))
            client = self.put(
                "clients",
                self.at(since),
                name=name,
                currency=currency,
                is_active=int(number % 9 != 8),
            )
            self.clients.append(client | {"since": since})
            for _ in range(rng.randrange(0, 4)):
                self.put(
                    "contacts",
                    self.at(self.day(since, self.today - timedelta(days=1))),
                    client_id=client["id"],
                )
        since = self.first - timedelta(days=35)
        self.own = self.put(
            "clients", self.at(since), name="Studio Tamarisk (internal)", currency="EUR"
        ) | {"since": since}

    # ---------------------------------------------------------------- projects

    def make_projects(self) -> None:
        rng = self.rng
        count = round(34 * self.size**0.45)
        self.tasks = {
            row["name"]: row
            for row in (
                self.account.columns_of("tasks", id) for id in self.account.ids(LISTINGS["tasks"])
            )
        }
        yesterday = self.today - timedelta(days=1)
        internal = self.put_project(self.own, self.first, None, "Internal", 4)
        time_off = self.put_project(self.own, self.first, None, "Time Off", 4)
        plans = []
        for number in range(count - 2):
            client = self.clients[number % len(self.clients)]
            since = max(client["since"], self.first)
            latest = max(since, self.today - timedelta(days=20))
            starts = since if number % 5 == 0 else self.day(since, latest)
            ends: date | None = starts + timedelta(days=rng.randrange(90, 700))
            if ends and ends >= yesterday:
                ends = None
            plans.append((starts, ends, client, number))
        plans.sort(key=lambda plan: (plan[0], plan[3]))
        self.projects = [internal, time_off]
        for starts, ends, client, number in plans:
            name = f"{words.PROJECTS[number % len(words.PROJECTS)]}"
            if number >= len(words.PROJECTS):
                name += f" {number // len(words.PROJECTS) + 1}"
            self.projects.append(self.put_project(client, starts, ends, name, number % 8))
        for project in self.projects:
            everyone = project in (internal, time_off)
            self.make_team(project, self.people if everyone else None)

    def put_project(
        self, client: Row, starts: date, ends: date | None, name: str, kind: int
    ) -> Row:
        created = self.at(starts - timedelta(days=self.rng.randrange(0, 12)))
        archived = ends is not None and self.rng.random() < 0.7
        given = {"client_id": client["id"], "name": name}
        plan = Maker(self.account, self.rng, created).project(given, kind)
        plan |= {
            "is_active": int(not archived),
            "starts_on": self.rng.choice([starts.isoformat(), starts.isoformat(), None]),
            "ends_on": ends.isoformat() if ends and self.rng.random() < 0.8 else None,
        }
        project = self.put("projects", created, **plan)
        return project | {"begin": starts, "end": ends, "client": client, "team": []}

    def make_team(self, project: Row, people: list[Row] | None) -> None:
        rng = self.rng
        last = project["end"] or self.today
        there = [
            user
            for user in self.people
            if user["hired"] <= last and (user["left"] or self.today) >= project["begin"]
        ]
        team = people or rng.sample(there, min(len(there), rng.randrange(3, 7)))
        if project["client"] is self.own:
            names = ["Holiday"] if project["name"] == "Time Off" else ["Meetings", "Research"]
        else:
            names = rng.sample(
                ["Design", "Development", "Research", "Content"], rng.randrange(2, 5)
            )
            names += ["Project Management", "Meetings"][: rng.randrange(1, 3)]
        tasks = [
            self.put(
                "task_assignments",
                project["created_at"],
                project_id=project["id"],
                task_id=self.tasks[name]["id"],
                is_active=int(rng.random() < 0.95),
            )
            for name in names
        ]
        for number, user in enumerate(team):
            joined = max(project["begin"], user["hired"])
            left = user["left"]
            assignment = self.put(
                "user_assignments",
                max(self.at(joined), project["created_at"]),
                project_id=project["id"],
                user_id=user["id"],
                is_project_manager=int(number == 0),
                is_active=int(user["is_active"] and (not project["end"] or rng.random() < 0.8)),
            )
            until = min(last, left or self.today)
            project["team"].append((user, assignment, tasks, joined, until))

    # ---------------------------------------------------------------- time

    def make_entries(self) -> None:
        count = self.entries
        running = min(3, count // 10)
        columns = [name for name in TABLES["time_entries"].columns()]
        plan = self.plan(count - running)
        self.account.insert_entries(columns, self.entry_rows(columns, plan, running))

    def plan(self, count: int) -> Iterator[tuple[date, Row, bool, int]]:
        """How many entries each person makes each day: (day, person, on holiday, how many)."""
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

    # ---------------------------------------------------------------- money

    def make_expenses(self) -> None:
        rng = self.rng
        count = round(220 * self.size**0.75) if self.entries else 0
        members = [
            (project, *member) for project in self.projects[2:] for member in project["team"]
        ]
        members = [member for member in members if member[4] <= member[5]]
        plans = sorted(
            (self.day(member[4], min(member[5], self.today - timedelta(days=1))), number, member)
            for number, member in enumerate(rng.choices(members, k=count))
        )
        for day, _, (project, user, assignment, *_) in plans:
            written = day + timedelta(days=rng.choice([0, 0, 1, 3]))
            created = self.at(written)
            closed = int((self.today - day).days > 50 and rng.random() < 0.7)
            self.put(
                "expenses",
                created,
                updated_at=self.later(created, 12),
                spent_date=day.isoformat(),
                project_id=project["id"],
                user_id=user["id"],
                user_assignment_id=assignment["id"],
                is_closed=closed,
                is_submitted=int(not closed and (self.today - day).days > 14 and day.day < 10),
                is_explicitly_locked=int(closed and day.day == 28),
                reimbursement=REIMBURSED if day.day == 27 and day.month % 4 == 0 else None,
            )

    def make_estimates(self) -> None:
        rng = self.rng
        count = round(14 * self.size**0.45) if self.entries else 0
        self.estimates: list[Row] = []
        days = sorted(self.day(self.first, self.today - timedelta(days=3)) for _ in range(count))
        for number, day in enumerate(days):
            state = ["accepted", "sent", "declined", "draft", "accepted"][number % 5]
            client = rng.choice([c for c in [*self.clients, self.own] if c["since"] <= day])
            created = self.at(day, 8, 12)
            sent = self.at(day, 13, 18)
            answered = self.at(min(day + timedelta(days=rng.randrange(1, 15)), self.today))
            times: Row = {"sent_at": sent if state != "draft" else None}
            if state in ("accepted", "declined"):
                times[f"{state}_at"] = answered
            estimate = self.put(
                "estimates",
                created,
                client_id=client["id"],
                state=state,
                updated_at=max([created, *(time for time in times.values() if time)]),
                creator_id=self.people[rng.randrange(2)]["id"],
                **times,
            )
            self.estimates.append(estimate)
            if state != "draft":
                self.put("estimate_messages", sent, estimate_id=estimate["id"], updated_at=sent)
            if state in ("accepted", "declined"):
                self.put(
                    "estimate_messages",
                    answered,
                    estimate_id=estimate["id"],
                    updated_at=answered,
                    event_type="accept" if state == "accepted" else "decline",
                )

    def make_invoices(self) -> None:
        """Bills each project in stretches, most of them up to some weeks ago."""
        rng = self.rng
        wanted = 58 * self.size**0.55 if self.entries else 0
        billable = [project for project in self.projects[2:] if project["is_billable"]]
        lives = [((p["end"] or self.today) - p["begin"]).days + 30 for p in billable]
        plans: list[tuple[date, date, Row]] = []
        for project, life in zip(billable, lives, strict=True):
            pieces = max(1, round(wanted * life / sum(lives)))
            stop = min(
                project["end"] or self.today, self.today - timedelta(days=rng.choice([5, 30]))
            )
            step = max(7, (stop - project["begin"]).days // pieces)
            begin = project["begin"]
            for _ in range(pieces):
                end = begin + timedelta(days=step)
                if end <= stop:
                    plans.append((end, begin, project))
                begin = end + timedelta(days=1)
        plans.sort(key=lambda plan: (plan[0], plan[2]["id"]))
        made = 0
        for number, (end, begin, project) in enumerate(plans):
            issued = min(end + timedelta(days=rng.randrange(5, 10)), self.today - timedelta(days=1))
            age = (self.today - issued).days
            if age <= 25 or number >= len(plans) - 2:
                state = "open" if made % 2 else "draft"
            elif age <= 75:
                state = "open" if made % 2 else "paid"
            else:
                state = {3: "closed", 6: "open"}.get(made % 11, "paid")
            made += self.make_invoice(number, project, begin, end, issued, state)

    def make_invoice(
        self, number: int, project: Row, begin: date, end: date, issued: date, state: str
    ) -> bool:
        """Makes one invoice and what follows on it; False where there is nothing to bill."""
        rng = self.rng
        created = self.at(issued, 8, 11)
        sent = self.at(issued, 12, 18)
        term = rng.choice(list(TERMS)) if number % 9 else "custom"
        fields: Row = {
            "state": "draft" if state == "draft" else "open",
            "issue_date": issued,
            "created_at": created,
            "updated_at": created if state == "draft" else sent,
            "payment_term": term,
            "subject": f"{project['name']} {end:%m/%Y}",
            "sent_at": None if state == "draft" else sent,
            "creator_id": self.people[rng.randrange(2)]["id"],
        }
        if number % 7 == 0:
            fields["retainer"] = {"id": 90210 + number}
        if number % 11 == 0:
            fields["recurring_invoice_id"] = 31000 + number
        mine = [e for e in self.estimates if e["client_id"] == project["client_id"]]
        if mine and rng.random() < 0.5:
            fields["estimate_id"] = rng.choice(mine)["id"]
        if project["is_fixed_fee"]:
            fields["line_items"] = [
                {
                    "description": f"Part of the fixed fee for {project['name']}",
                    "quantity": 1.0,
                    "unit_price": project["fee"] // 400 / 1.0,
                    "project_id": project["id"],
                }
            ]
        invoice = self.account.bill(project["id"], from_=begin, to=end, **fields)
        if invoice is None:
            return False
        id, due = invoice["id"], round(invoice["amount"] * 100)
        updated = invoice["updated_at"]
        if state == "draft":
            return True
        event = rng.choice([None, None, "send"])
        self.put("invoice_messages", sent, invoice_id=id, updated_at=sent, event_type=event)
        late = issued + timedelta(days=TERMS.get(term, 21) + 10)
        overdue = self.at(late)
        if overdue < self.end and (state == "open" or rng.random() < 0.2):
            remind = late.isoformat()
            reminder: Row = {"reminder": 1, "send_reminder_on": remind}
            self.put("invoice_messages", overdue, invoice_id=id, updated_at=overdue, **reminder)
        changes: Row = {}
        if state == "closed":
            closed = self.at(min(late + timedelta(days=60), self.today - timedelta(days=1)))
            changes = {"state": "closed", "closed_at": closed}
            self.put(
                "invoice_messages", closed, invoice_id=id, updated_at=closed, event_type="close"
            )
            updated = max(updated, closed)
        parts = [due]
        if state == "open":
            parts = [due // 3] if rng.random() < 0.3 else []
        elif state == "closed":
            parts = []
        elif rng.random() < 0.2:
            parts = [due // 2, due - due // 2]
        paid = issued
        for part in parts:
            paid = min(paid + timedelta(days=rng.randrange(3, 35)), self.today - timedelta(days=1))
            recorded = max(self.at(paid), sent)
            self.put(
                "invoice_payments",
                recorded,
                invoice_id=id,
                amount=part,
                updated_at=recorded,
                paid_at=f"{paid}T00:00:00Z",
                paid_date=paid.isoformat(),
            )
            updated = max(updated, recorded)
        if state == "paid":
            changes = {
                "state": "paid",
                "paid_at": f"{paid}T00:00:00Z",
                "paid_date": paid.isoformat(),
            }
            if rng.random() < 0.5:
                self.put(
                    "invoice_messages", updated, invoice_id=id, updated_at=updated, thank_you=1
                )
        changes |= {"due_amount": due - sum(parts), "updated_at": updated}
        for column, value in changes.items():
            self.account.set_column("invoices", id, column, value)
        return True

    # ---------------------------------------------------------------- paid time off

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
        """Makes the types; gives the ids of those that are in use."""
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
        """Makes the requests of a person for a year, some of them for days to come."""
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
