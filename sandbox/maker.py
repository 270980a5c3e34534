"""Filling in what a record needs: what all kinds of record have in common."""

from __future__ import annotations

from random import Random

from . import words
from .columns import Row
from .store import Store
from .tables import TABLES


class BaseMaker:
    """Completes rows. Each table has a method of its name, in a class that inherits from this.

    Everything is in the terms of the database: money and hours in hundredths, 0 and 1, and
    lists as JSON.

    Args:
        account: where related records are found, and made when there are none.
        rng: what chance is drawn from.
        now: the time of creation.
    """

    def __init__(self, account: Store, rng: Random, now: str) -> None:
        self.account = account
        self.rng = rng
        self.now = now

    def make(self, table: str, given: Row) -> Row:
        """Return a whole row of a table, from what is given of it."""
        columns = TABLES[table].columns()
        row: Row = {name: None for name in columns if name != "id"}
        if "created_at" in columns:
            created = given.get("created_at") or self.now
            row |= {"created_at": created, "updated_at": created}
        row |= getattr(self, table)(dict(given))
        # The maker completes the line items that it is given.
        return row | {name: value for name, value in given.items() if name != "line_items"}

    def some(self, table: str, given: Row, column: str, active: bool = True) -> int:
        """Return the id that is given for a related record, else any, else that of a new one."""
        if given.get(column) is not None:
            return int(given[column])
        found = self.account.pick(table, self.rng, "is_active") if active else None
        found = found or self.account.pick(table, self.rng)
        return found or self.account.insert(table, self.make(table, {}))

    def person(self) -> tuple[str, str, str]:
        """Return a first name, a last name and a mail name."""
        first, last = self.rng.choice(words.FIRST_NAMES), self.rng.choice(words.LAST_NAMES)
        ascii_only = (first + "." + last).encode("ascii", "ignore").decode().lower()
        return first, last, f"{ascii_only}{self.rng.randrange(100, 1000)}"
