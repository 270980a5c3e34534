"""The history of an agency: what all its chapters share."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from random import Random
from typing import Any

from .columns import Row
from .editor import Editor
from .records import Maker


class BaseAgency:
    """The history of a whole agency, up to the midnight (UTC) before `today`.

    Args:
        account: what to fill; it must be empty.
        seed: what chance is drawn from.
        entries: how many time entries.
        years: how far back, or None for what suits the number of entries.
        today: the day on which the account is looked at.
    """

    def __init__(
        self, account: Editor, seed: int, entries: int, years: float | None, today: date
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

    def at(self, day: date, early: int = 8, late: int = 22) -> str:
        """Draw a moment of a day, not later than the end."""
        seconds = self.rng.randrange(early * 3600, late * 3600)
        moment = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
        moment += timedelta(seconds=seconds)
        return min(moment.strftime("%Y-%m-%dT%H:%M:%SZ"), self.end)

    def later(self, created: str, days: int = 200) -> str:
        """Draw the time of an update: often that of the creation, else up to some days later."""
        if self.rng.random() < 0.4:
            return created
        moment = datetime.strptime(created + "+0000", "%Y-%m-%dT%H:%M:%SZ%z")
        room = min(days * 86400, int((self.moment - moment).total_seconds()))
        moment += timedelta(seconds=self.rng.randrange(max(room, 0) + 1))
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

    def day(self, since: date, until: date) -> date:
        """Draw a day between two, both included."""
        return since + timedelta(days=self.rng.randrange(max(0, (until - since).days) + 1))

    def put(self, table: str, created: str, **given: Any) -> Row:
        """Add a record that was created at a certain time."""
        given.setdefault("updated_at", self.later(created))
        row = Maker(self.account, self.rng, created).make(table, {"created_at": created} | given)
        row["id"] = self.account.insert(table, row)
        return row
