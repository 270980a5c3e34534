"""The past of an agency: its days, and records that were made on them."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from random import Random
from typing import Any

from ..clock import stamp
from ..store.columns import Row
from ..store.database import Store
from . import story, words
from .filling import Filling, Record


class Past:
    """The days of an agency, up to the midnight (UTC) before `today`.

    Args:
        store: what to fill; it must be empty.
        seed: what chance is drawn from.
        entries: how many time entries there are.
        years: how far back it goes, or None for what suits the number of entries.
        today: the day on which the account is looked at.
        records: what completes a row of each table.

    Attributes:
        size: how much larger than the smallest agency it is.
        first: the first day of work.
        opening: when what is there from the start was made.
        moment: the end, as a moment.
        end: the end, as text.
    """

    def __init__(
        self,
        store: Store,
        seed: int,
        entries: int,
        years: float | None,
        today: date,
        records: dict[str, Record],
    ) -> None:
        self.store = store
        self.rng = Random(seed)
        self.entries = entries
        grown = 2.5 * max(1.0, entries / 2000) ** 0.22
        self.years = years or min(grown, max(0.5, entries / story.ENTRIES_A_YEAR))
        self.size = max(1.0, entries / (story.ENTRIES_A_YEAR * self.years))
        self.today = today
        self.first = today - timedelta(days=round(self.years * 365.25))
        self.opening = self.first - timedelta(days=40)
        self.moment = datetime(today.year, today.month, today.day, tzinfo=timezone.utc)
        self.end = stamp(self.moment)
        self._records = records

    @property
    def yesterday(self) -> date:
        """Return the last whole day."""
        return self.today - timedelta(days=1)

    def at(self, day: date, early: int = 8, late: int = 22) -> str:
        """Draw a moment of a day, not later than the end."""
        seconds = self.rng.randrange(early * 3600, late * 3600)
        moment = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
        return min(stamp(moment + timedelta(seconds=seconds)), self.end)

    def later(self, created: str, days: int = 200) -> str:
        """Draw the time of an update: often that of the creation, else up to some days later."""
        if self.rng.random() < 0.4:
            return created
        moment = datetime.strptime(created + "+0000", "%Y-%m-%dT%H:%M:%SZ%z")
        room = min(days * 86400, int((self.moment - moment).total_seconds()))
        return stamp(moment + timedelta(seconds=self.rng.randrange(max(room, 0) + 1)))

    def day(self, since: date, until: date) -> date:
        """Draw a day between two, both included."""
        return since + timedelta(days=self.rng.randrange(max(0, (until - since).days) + 1))

    def put(self, table: str, created: str, **given: Any) -> Row:
        """Add a record that was created at a certain time."""
        given.setdefault("updated_at", self.later(created))
        fill = Filling(self.store, self.rng, created, self._records)
        row = fill.row(table, {"created_at": created} | given)
        row["id"] = self.store.insert(table, row)
        return row

    def rows(self, table: str) -> list[Row]:
        """Return the plain column values of all records of a table, by id."""
        found = self.store.query(f"SELECT id FROM {table} ORDER BY id")
        return [self.store.columns_of(table, id) for (id,) in found]

    @staticmethod
    def schedule(number: int) -> int:
        """Return which of the work schedules a person has, by the number of the person."""
        return {3: 1, 6: 2}.get(number % 8, 0) % len(words.WORK_SCHEDULES)
