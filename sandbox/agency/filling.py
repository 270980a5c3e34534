"""What all that completes records shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from zlib import crc32

from ..store.columns import Row
from ..store.database import Store
from ..store.tables import TABLES
from . import words


class Filling:
    """Completes rows, in the terms of the database: hundredths, 0 and 1, and lists as JSON.

    Args:
        store: where related records are found, and made when there are none.
        rng: what chance is drawn from.
        now: the time of creation.
        records: what completes a row of each table.
    """

    def __init__(self, store: Store, rng: Random, now: str, records: Mapping[str, Record]) -> None:
        self.store = store
        self.rng = rng
        self.now = now
        self._records = records

    def row(self, table: str, given: Row) -> Row:
        """Return a whole row of a table, from what is given of it."""
        columns = TABLES[table].columns()
        row: Row = {name: None for name in columns if name != "id"}
        if "created_at" in columns:
            created = given.get("created_at") or self.now
            row |= {"created_at": created, "updated_at": created}
        row |= self._records[table](self, dict(given))
        # Line items that are given are completed, not kept.
        return row | {name: value for name, value in given.items() if name != "line_items"}

    def some(self, table: str, given: Row, column: str, active: bool = True) -> int:
        """Return the id that is given for a related record, else any, else that of a new one."""
        if given.get(column) is not None:
            return int(given[column])
        found = self.store.pick(table, self.rng, "is_active") if active else None
        found = found or self.store.pick(table, self.rng)
        return found or self.store.insert(table, self.row(table, {}))

    def some_row(self, table: str, given: Row, column: str) -> Row:
        """Return the plain column values of the record that `some` finds."""
        return self.store.columns_of(table, self.some(table, given, column))

    def person(self) -> tuple[str, str, str]:
        """Return a first name, a last name and a mail name."""
        first, last = self.rng.choice(words.FIRST_NAMES), self.rng.choice(words.LAST_NAMES)
        ascii_only = (first + "." + last).encode("ascii", "ignore").decode().lower()
        return first, last, f"{ascii_only}{self.rng.randrange(100, 1000)}"


Record = Callable[[Filling, Row], Row]
"""What completes a row of a table."""


def always(text: str, sides: int) -> int:
    """Return a number from 0 up to `sides`, excluded, that is always the same for a text."""
    return crc32(text.encode()) % sides
