"""The history of an agency: people, and the clients whom they work for."""

from __future__ import annotations

import math
from datetime import date, timedelta

import orjson

from . import words
from .agency import BaseAgency
from .columns import Row


class PeopleHistory(BaseAgency):
    """Makes people with their rates, categories and tasks, and clients."""

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
        """Make a first rate without a start, then a rise now and then."""
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
