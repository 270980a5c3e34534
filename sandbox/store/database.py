"""The database that an account is kept in, row by row."""

from __future__ import annotations

import itertools
import sqlite3
import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

import orjson

from ..clock import Clock
from .columns import Row
from .fields import LIVE, Fields
from .listings import LISTINGS, Listing
from .tables import TABLES

NUMBERS = {
    "line_items": 53341450,
    "invoice_numbers": 1000,
    "estimate_numbers": 1000,
    "pto_request_days": 2210450,
    "pto_holidays": 41900,
}
"""What is numbered without being a table of its own, and from where."""

Conditions = tuple[tuple[str, Any], ...]


class Store:
    """The rows of an account. Every method may be called from any thread.

    Args:
        clock: the account's time.
        fields: which fields the rows have.
        project_codes: whether projects have codes; without, the code of every one is null.

    Attributes:
        clock: as above.
        project_codes: as above.
        lock: holds off changes while it is held.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        fields: Fields | None = None,
        project_codes: bool = True,
    ) -> None:
        self.clock = clock or Clock()
        self.project_codes = project_codes
        self.lock = threading.RLock()
        self._version = 0
        self._cache: OrderedDict[Any, Any] = OrderedDict()
        self._highest: dict[str, int] = {}
        # One connection, guarded by the lock: an in-memory database belongs to its connection.
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._db.text_factory = bytes
        self._select: dict[str, str] = {}
        for name, table in TABLES.items():
            if not table.kept_in:
                self._db.execute(table.create(name))
        self.fields = fields or LIVE

    @property
    def fields(self) -> Fields:
        """Return which fields the account sends; set it to change that at once."""
        return self._fields

    @fields.setter
    def fields(self, fields: Fields) -> None:
        with self.lock:
            self._fields = fields
            for name, table in TABLES.items():
                expression, joins = table.select(fields)
                # The ids come in the order wanted, and CROSS JOIN keeps SQLite to it.
                self._select[name] = (
                    f"SELECT {expression} FROM json_each(?) wanted"
                    f" CROSS JOIN {table.kept_in or name} t ON t.id = wanted.value {joins}"
                )

    def finish(self) -> None:
        """Add indexes and foreign keys, once the bulk of the rows is in."""
        for name, table in TABLES.items():
            for number, columns in enumerate(table.indexes):
                self._db.execute(f"CREATE INDEX {name}_{number} ON {name} ({columns})")
        for name in ("time_entries", "expenses"):
            self._db.execute(f"CREATE INDEX {name}_order ON {name} ({LISTINGS[name].order_by})")
        self._db.execute("PRAGMA foreign_keys = ON")

    def fill(self, other: Store) -> None:
        """Copy all rows into a new store, whose ids go on from there."""
        with self.lock:
            self._db.backup(other._db)
            other._highest = dict(self._highest)
        other._db.execute("PRAGMA foreign_keys = ON")

    def fragments(self, table: str, ids: Iterable[int]) -> list[bytes]:
        """Return the rows with these ids, in this order, each as JSON."""
        with self.lock:
            wanted = orjson.dumps(list(ids)).decode()
            rows = [row[0] for row in self._db.execute(self._select[table], (wanted,))]
            return self.fields.complete(table, rows)

    def get(self, stream: str, id: int) -> Row | None:
        """Return one record as the API gives it, or None."""
        found = self.fragments(stream, [id])
        row: Row | None = orjson.loads(found[0]) if found else None
        return row

    def rows_where(self, table: str, where: str, *values: Any) -> list[Row]:
        """Return the rows of a table that a condition holds for, by id."""
        with self.lock:
            found = self.query(f"SELECT id FROM {table} t WHERE {where} ORDER BY id", *values)
            return [orjson.loads(row) for row in self.fragments(table, [id for (id,) in found])]

    def ids(
        self, listing: Listing, parent: int | None = None, conditions: Conditions = ()
    ) -> array[int]:
        """Return the ids of a list in its order, kept until the account changes.

        A walk over a list asks for it page after page: found once, each page is a slice.
        """
        where, values = self._where(listing, parent, conditions)
        sql = f"SELECT id FROM {listing.stored_in} t WHERE {where} ORDER BY {listing.order_by}"
        found: array[int] = self.cached(
            (sql, values),
            lambda: array("q", itertools.chain.from_iterable(self._db.execute(sql, values))),
        )
        return found

    def before(
        self, listing: Listing, parent: int | None, conditions: Conditions, key: tuple[Any, int]
    ) -> int:
        """Count the rows of a list that come before the given sort key, or are it."""
        where, values = self._where(listing, parent, conditions)
        sign = ">=" if listing.newest_first else "<="
        return self.one(
            f"SELECT count(*) FROM {listing.stored_in} t"
            f" WHERE {where} AND ({listing.order}, id) {sign} (?, ?)",
            *values,
            *key,
        )

    def sort_key(self, listing: Listing, id: int) -> tuple[Any, int]:
        """Return the value that a list is sorted by, and the id, for one of its rows."""
        row = self.row(f"SELECT {listing.order} FROM {listing.stored_in} WHERE id = ?", id)
        value = row[0] if row else None
        return (value.decode() if isinstance(value, bytes) else value), id

    def cached(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` returns, made once until the account changes."""
        with self.lock:
            version, value = self._cache.pop(key, (-1, None))
            if version != self._version:
                value = make()
            self._cache[key] = (self._version, value)
            if len(self._cache) > 32:
                self._cache.popitem(last=False)
            return value

    def row(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        """Return the first row that a statement finds, if any; texts are bytes."""
        with self.lock:
            row: tuple[Any, ...] | None = self._db.execute(sql, values).fetchone()
            return row

    def one(self, sql: str, *values: Any) -> int:
        """Return the first number that a statement finds, or 0."""
        row = self.row(sql, *values)
        return int(row[0]) if row and row[0] is not None else 0

    def exists(self, table: str, id: int, where: str = "1") -> bool:
        """Return whether there is such a record, and a condition on `t` holds for it."""
        name = TABLES[table].kept_in or table
        return self.row(f"SELECT 1 FROM {name} t WHERE t.id = ? AND {where}", id) is not None

    def pick(self, table: str, rng: Random, where: str = "1", *values: Any) -> int | None:
        """Draw the id of a record that the condition holds for."""
        count = self.one(f"SELECT count(*) FROM {table} t WHERE {where}", *values)
        if not count:
            return None
        return self.one(
            f"SELECT id FROM {table} t WHERE {where} ORDER BY id LIMIT 1 OFFSET ?",
            *values,
            rng.randrange(count),
        )

    def columns_of(self, table: str, id: int | None) -> Row:
        """Return a record's plain column values; empty if there is none."""
        names = list(TABLES[table].columns())
        row = self.row(f"SELECT {', '.join(names)} FROM {table} WHERE id = ?", id)
        if row is None:
            return {}
        decoded = (value.decode() if isinstance(value, bytes) else value for value in row)
        return dict(zip(names, decoded, strict=True))

    def insert(self, table: str, columns: Row) -> int:
        """Put a row of plain column values into a table, and return its id."""
        columns.setdefault("id", self.next_id(table))
        self._highest[table] = max(self._highest.get(table, 0), columns["id"])
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        self.run(f"INSERT INTO {table} ({names}) VALUES ({marks})", [*columns.values()])
        return int(columns["id"])

    def insert_entries(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Put many time entries in at once."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        self._db.execute("BEGIN")
        self._db.executemany(f"INSERT INTO time_entries ({names}) VALUES ({marks})", rows)
        self._db.execute("COMMIT")
        self._highest["time_entries"] = self.one("SELECT max(id) FROM time_entries")
        self._version += 1

    def update(self, table: str, columns: Row, where: str, *values: Any) -> None:
        """Set plain column values of all rows that a condition holds for."""
        assignments = ", ".join(f"{column} = ?" for column in columns)
        self.run(f"UPDATE {table} SET {assignments} WHERE {where}", [*columns.values(), *values])

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Change rows by a statement."""
        with self.lock:
            self._db.execute(sql, values)
            self._version += 1

    def query(
        self, sql: str, *values: Any, named: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Return what a statement finds; texts are bytes."""
        with self.lock:
            return self._db.execute(sql, named or values).fetchall()

    def next_id(self, table: str) -> int:
        """Return an id higher than any given out before, also to records that are deleted."""
        first = TABLES[table].first_id if table in TABLES else NUMBERS[table]
        highest = self._highest.get(table, first - 1) + 1
        self._highest[table] = highest
        return highest

    def _where(
        self, listing: Listing, parent: int | None, conditions: Conditions
    ) -> tuple[str, tuple[Any, ...]]:
        tests = [listing.where]
        values = []
        if parent is not None:
            tests.append(f"t.{listing.parent[0]} = ?")
            values.append(parent)
        for sql, value in conditions:
            tests.append(f"({sql})")
            if value is not None:
                values.append(value)
        return " AND ".join(tests), tuple(values)
