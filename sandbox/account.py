"""A made-up Harvest account: what it holds, and how it changes."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any

import orjson

from . import changes, generate, records, reports, time_off
from .catalog import BALANCES, LISTINGS, ROUNDED, TABLES, Listing
from .fields import LIVE, Fields

Row = dict[str, Any]

NUMBERS = {
    "line_items": 53341450,
    "invoice_numbers": 1000,
    "estimate_numbers": 1000,
    "pto_request_days": 2210450,
    "pto_holidays": 41900,
}
"""What is numbered without being a table of its own, and from where."""
Conditions = tuple[tuple[str, Any], ...]


class Clock:
    """The account's time, which can stand still, jump, and differ from this machine's.

    Attributes:
        offset: seconds by which this clock is ahead of the machine's.
    """

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """The time, in UTC."""
        if self._frozen is not None:
            return self._frozen
        return datetime.now(timezone.utc) + timedelta(seconds=self.offset)

    def freeze(self, moment: datetime | None) -> None:
        """Stands still at `moment`, or goes on from this machine's time for None."""
        self._frozen = moment.astimezone(timezone.utc) if moment else None

    def advance(self, seconds: float) -> None:
        """Moves on by some seconds, standing still or not."""
        if self._frozen is not None:
            self._frozen += timedelta(seconds=seconds)
        else:
            self.offset += seconds

    def stamp(self) -> str:
        """The time as the API writes it."""
        return stamp(self.now())


def stamp(moment: datetime) -> str:
    """A moment as the API writes it: UTC, to the second."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def stored(kind: str, value: Any) -> Any:
    """A JSON or Python value as the database keeps it."""
    if value is None:
        return None
    if kind == "money":
        return records.hundredths(Decimal(str(value)))
    if kind == "bool":
        return int(value)
    if kind == "number":
        return float(value)
    if kind == "time" and isinstance(value, datetime):
        return stamp(value)
    if kind in ("date", "time") and isinstance(value, date):
        return value.isoformat()
    if kind == "json" and not isinstance(value, str):
        return orjson.dumps(value).decode()
    return value


class Account:
    """A Harvest account. Every method may be called from any thread.

    `Account.generate` makes a whole agency, `Account.empty` one without data.

    Attributes:
        clock: the account's time.
        company: what `/company` answers; change its entries at will.
        seed: what the account was made from.
        project_codes: whether projects have codes; without, the code of every one is null.
        lock: holds off changes while it is held.
    """

    def __init__(
        self,
        seed: int = 0,
        clock: Clock | None = None,
        fields: Fields | None = None,
        project_codes: bool = True,
    ) -> None:
        self.clock = clock or Clock()
        self.seed = seed
        self.company: Row = records.company()
        self.project_codes = project_codes
        self.lock = threading.RLock()
        self._version = 0
        self._cache: OrderedDict[Any, Any] = OrderedDict()
        self._added = itertools.count()
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
        """Which fields the account sends; set it to change that at once."""
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
        """Indexes and foreign keys, left until the bulk of the rows is in."""
        for name, table in TABLES.items():
            for number, columns in enumerate(table.indexes):
                self._db.execute(f"CREATE INDEX {name}_{number} ON {name} ({columns})")
        for name in ("time_entries", "expenses"):
            self._db.execute(f"CREATE INDEX {name}_order ON {name} ({LISTINGS[name].order_by})")
        self._db.execute("PRAGMA foreign_keys = ON")

    # ---------------------------------------------------------------- making one

    @classmethod
    def generate(
        cls,
        seed: int = 1,
        time_entries: int = 2000,
        years: float | None = None,
        today: date | None = None,
        clock: Clock | None = None,
        *,
        documented_only: bool = False,
        unforeseen: bool = False,
        saml_exempt: bool = False,
        project_codes: bool = True,
    ) -> Account:
        """Makes an agency with all its history. The same arguments give the same account.

        Args:
            seed: what chance is drawn from.
            time_entries: how many time entries; everything else grows with it, more slowly.
            years: how far back it goes; by default two and a half for 2,000 entries, and more
                for more: seven for 200,000.
            today: the day on which the account is looked at. When it is not the clock's today
                the clock is moved to noon (UTC) of that day, and goes on from there.
            clock: the clock to use.
            documented_only: send only the fields that Harvest documents.
            unforeseen: add fields that nobody has declared to every row.
            saml_exempt: send `saml_exempt` of users, as accounts with single sign-on do.
            project_codes: give projects codes; False makes all of them null.
        """
        fields = Fields.of(documented_only, unforeseen, saml_exempt)
        account = cls(seed, clock, fields, project_codes)
        now = account.clock.now()
        if today is None:
            today = now.date()
        elif today != now.date():
            noon = datetime.combine(today, time(12), timezone.utc)
            account.clock.advance((noon - now).total_seconds())
        generate.Agency(account, seed, time_entries, years, today).build()
        return account

    @classmethod
    def empty(
        cls,
        users: int = 0,
        clock: Clock | None = None,
        *,
        documented_only: bool = False,
        unforeseen: bool = False,
        saml_exempt: bool = False,
    ) -> Account:
        """An account with a company and nothing else, or with some users, all administrators.

        Args:
            users: how many users it has.
            clock: the clock to use.
            documented_only: as in `generate`.
            unforeseen: as in `generate`.
            saml_exempt: as in `generate`.
        """
        account = cls(clock=clock, fields=Fields.of(documented_only, unforeseen, saml_exempt))
        account.finish()
        for _ in range(users):
            account.add("users", access_roles=["administrator"])
        return account

    # ---------------------------------------------------------------- looking at it

    def rows(
        self,
        stream: str,
        parent: int | None = None,
        *,
        from_: date | str | None = None,
        to: date | str | None = None,
        include_fixed_fee: bool | None = None,
        year: int | None = None,
        exact: bool = False,
    ) -> list[Row]:
        """The rows that the API gives for a stream, in its order.

        Args:
            stream: one of the 40 stream names.
            parent: the invoice, estimate or user whose rows are wanted; left out, the rows of
                all parents follow each other.
            from_: the first day of a report.
            to: the last day of a report.
            include_fixed_fee: as the report's parameter of that name.
            year: the year of balances and allocations of paid time off; left out, the balances
                of this year and the last, and the allocations of all years.
            exact: give numbers with a fraction as Decimal rather than float.
        """
        with self.lock:
            if stream == "company":
                fragments = [self.company_row()]
            elif stream in reports.REPORTS:
                if stream != "project_budget" and not (from_ and to):
                    raise ValueError(f"{stream} needs from_ and to.")
                first, last = str(from_), str(to)
                fragments = self.report(stream, first, last, include_fixed_fee)
            elif stream == BALANCES:
                this = self.clock.now().year
                users = self.parents(stream) if parent is None else [parent]
                fragments = [
                    row
                    for user in users
                    for each in ([year] if year else [this, this - 1])
                    for row in self.balances(user, each)
                ]
            else:
                listing = LISTINGS[stream]
                conditions = ((listing.filters["year"][1], year),) if year else ()
                parents = self.parents(stream) if listing.parent[0] and parent is None else [parent]
                fragments = []
                for each in parents:
                    fragments += self.fragments(listing.table, self.ids(listing, each, conditions))
        body = b"[" + b",".join(fragments) + b"]"
        loaded: list[Row] = json.loads(body, parse_float=Decimal) if exact else orjson.loads(body)
        return loaded

    def company_row(self) -> bytes:
        """What `/company` answers, as JSON."""
        left_out = records.LIVE_COMPANY if self.fields.documented_only else {}
        row = {name: value for name, value in self.company.items() if name not in left_out}
        return self.fields.complete("company", [orjson.dumps(row)])[0]

    def balances(self, user: int, year: int, as_of: date | None = None) -> list[bytes]:
        """The balances of paid time off of a user in a year, each as JSON."""
        today = self.clock.now().date()
        as_of = as_of or (today if year == today.year else date(year, 12, 31))
        with self.lock:
            rows = [orjson.dumps(row) for row in time_off.balances(self, user, year, as_of)]
        return self.fields.complete(BALANCES, rows)

    def rows_where(self, table: str, where: str, *values: Any) -> list[Row]:
        """The rows of a table that a condition holds for, by id."""
        with self.lock:
            ids = [
                row[0]
                for row in self._db.execute(
                    f"SELECT id FROM {table} t WHERE {where} ORDER BY id", values
                )
            ]
            return [orjson.loads(row) for row in self.fragments(table, ids)]

    def parents(self, stream: str) -> list[int]:
        """The ids of all the records that have a list of this stream, in their own order."""
        table = "users" if stream == BALANCES else LISTINGS[stream].parent[1]
        ids = self.ids(LISTINGS[table])
        if stream == "teammates":
            return [user for user in ids if self.is_manager(user)]
        return list(ids)

    def children(self, stream: str, *, exact: bool = False) -> dict[int, list[Row]]:
        """The rows of a per-parent stream under the id of each parent, empty lists included."""
        with self.lock:
            return {
                parent: self.rows(stream, parent, exact=exact) for parent in self.parents(stream)
            }

    def get(self, stream: str, id: int) -> Row | None:
        """One record as the API gives it, or None."""
        found = self.fragments(stream, [id])
        row: Row | None = orjson.loads(found[0]) if found else None
        return row

    def counts(self) -> dict[str, int]:
        """How many rows each stream holds; reports are left out, for they depend on dates."""
        with self.lock:
            counts = {"company": 1}
            for name, listing in LISTINGS.items():
                counts[name] = self._one(
                    f"SELECT count(*) FROM {listing.stored_in} t WHERE {listing.where}"
                )
            return counts

    def is_manager(self, user: int) -> bool:
        """Whether the user may have teammates assigned."""
        row = self._row("SELECT access_roles FROM users WHERE id = ?", user)
        return row is not None and "manager" in orjson.loads(row[0])

    def exists(self, table: str, id: int, where: str = "1") -> bool:
        """Whether there is such a record, and a condition on `t` holds for it."""
        name = TABLES[table].kept_in or table
        return self._row(f"SELECT 1 FROM {name} t WHERE t.id = ? AND {where}", id) is not None

    def current_user(self) -> int | None:
        """The id of the user whom a token belongs to: the first administrator."""
        found = self._row(
            "SELECT id FROM users WHERE access_roles LIKE '%administrator%' ORDER BY id LIMIT 1"
        )
        return int(found[0]) if found else None

    # ---------------------------------------------------------------- what the server asks

    def ids(
        self, listing: Listing, parent: int | None = None, conditions: Conditions = ()
    ) -> array[int]:
        """The ids of a list in its order, kept until the account changes.

        A walk over a list asks for it page after page: found once, each page is a slice.
        """
        where, values = self._where(listing, parent, conditions)
        sql = f"SELECT id FROM {listing.stored_in} t WHERE {where} ORDER BY {listing.order_by}"
        found: array[int] = self._cached(
            (sql, values),
            lambda: array("q", itertools.chain.from_iterable(self._db.execute(sql, values))),
        )
        return found

    def before(
        self, listing: Listing, parent: int | None, conditions: Conditions, key: tuple[Any, int]
    ) -> int:
        """How many rows of a list come before the given sort key, or are it."""
        where, values = self._where(listing, parent, conditions)
        sign = ">=" if listing.newest_first else "<="
        return self._one(
            f"SELECT count(*) FROM {listing.stored_in} t"
            f" WHERE {where} AND ({listing.order}, id) {sign} (?, ?)",
            *values,
            *key,
        )

    def sort_key(self, listing: Listing, id: int) -> tuple[Any, int]:
        """What a list is sorted by, for one of its rows."""
        row = self._row(f"SELECT {listing.order} FROM {listing.stored_in} WHERE id = ?", id)
        value = row[0] if row else None
        return (value.decode() if isinstance(value, bytes) else value), id

    def fragments(self, table: str, ids: Iterable[int]) -> list[bytes]:
        """The rows with these ids, in this order, each as JSON."""
        with self.lock:
            wanted = orjson.dumps(list(ids)).decode()
            rows = [row[0] for row in self._db.execute(self._select[table], (wanted,))]
            return self.fields.complete(table, rows)

    def report(
        self,
        name: str,
        first: str = "",
        last: str = "",
        fixed_fee: bool | None = None,
        active: bool | None = None,
        seen: str = "1",
    ) -> list[bytes]:
        """The rows of a report, each as JSON, summed from the entries and expenses of now."""
        today = self.clock.now().date()
        sql, values = reports.query(name, first, last, fixed_fee, today, active, seen)
        rows: list[bytes] = self._cached(
            (sql, tuple(values.items())),
            lambda: [row[0] for row in self._db.execute(sql, values)],
        )
        return self.fields.complete(name, rows)

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

    def _cached(self, key: Any, make: Callable[[], Any]) -> Any:
        with self.lock:
            version, value = self._cache.pop(key, (-1, None))
            if version != self._version:
                value = make()
            self._cache[key] = (self._version, value)
            if len(self._cache) > 32:
                self._cache.popitem(last=False)
            return value

    def _row(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        with self.lock:
            row: tuple[Any, ...] | None = self._db.execute(sql, values).fetchone()
            return row

    def _one(self, sql: str, *values: Any) -> int:
        row = self._row(sql, *values)
        return int(row[0]) if row and row[0] is not None else 0

    # ---------------------------------------------------------------- changing it

    def add(self, stream: str, **fields: Any) -> Row:
        """Adds a record; whatever is left out is filled in believably.

        Args:
            stream: a collection whose records have ids (a teammate is added with `user_id`,
                the manager, and `teammate_id`).
            **fields: as the API names them, a nested record as `client_id=1` or
                `client={"id": 1}`; per-parent records take `invoice_id`, `estimate_id` or
                `user_id`.

        Returns:
            The record as the API gives it.
        """
        with self.lock:
            rng = Random(f"{self.seed}/{next(self._added)}")
            table = TABLES[stream].kept_in or stream
            given = self._columns(table, fields)
            now = self.clock.stamp()
            id = self.insert(table, records.Maker(self, rng, now).make(table, given))
            if table == "users":
                self.insert("pto_assignments", {"user_id": id})
            self._settle(table, id, now)
            row = self.get(table, id)
            assert row is not None
            return row

    def edit(self, stream: str, id: int, *, touch: bool = True, **fields: Any) -> Row:
        """Changes a record.

        Args:
            stream: its collection.
            id: its id.
            touch: set `updated_at` to now; False makes a change that nothing betrays.
            **fields: what to change, as for `add`.

        Returns:
            The record as the API now gives it.

        Raises:
            KeyError: there is no such record.
        """
        with self.lock:
            table = TABLES[stream].kept_in or stream
            if not self.exists(table, id):
                raise KeyError(f"{stream} has no record {id}.")
            columns = self._columns(table, fields)
            if table == "pto_requests" and columns.get("status") in ("approved", "denied"):
                columns.setdefault("reviewed_at", self.clock.stamp())
                columns.setdefault("reviewer_id", self.current_user())
            if table == "time_entries" and "hours" in columns:
                columns.setdefault("hours_without_timer", columns["hours"])
            if touch and "updated_at" in TABLES[table].columns() and "updated_at" not in columns:
                columns["updated_at"] = self.clock.stamp()
            if table == "roles" and "name" in columns:
                self._rename_role(id, columns["name"])
            if columns:
                self._update(table, columns, "id = ?", id)
            self._settle(table, id, self.clock.stamp() if touch else None)
            row = self.get(table, id)
            assert row is not None
            return row

    def delete(self, stream: str, id: int) -> None:
        """Deletes a record without a trace, and what cannot be without it.

        What merely pointed to it stays and is changed: the entries of a deleted invoice, say,
        become unbilled, and are marked as updated.

        Raises:
            KeyError: there is no such record.
        """
        with self.lock:
            table = TABLES[stream].kept_in or stream
            if not self.exists(table, id):
                raise KeyError(f"{stream} has no record {id}.")
            owners = self._owners(table, id)
            now = self.clock.stamp()
            for other, definition in TABLES.items():
                for column, kind in definition.columns().items() if not definition.kept_in else ():
                    if kind.startswith(f"@{table}.") and kind.endswith("?"):
                        emptied = {column: None}
                        if "updated_at" in definition.columns():
                            emptied["updated_at"] = now
                        self._update(other, emptied, f"{column} = ?", id)
            if table == "roles":
                self._rename_role(id, None)
            self._db.execute(f"DELETE FROM {table} WHERE id = ?", (id,))
            self._version += 1
            for owner in owners:
                self._settle_owner(table, owner, now)

    def bill(
        self,
        project: int | None = None,
        *,
        from_: date | str | None = None,
        to: date | str | None = None,
        **fields: Any,
    ) -> Row | None:
        """Makes an invoice of the billable entries and expenses that are not yet on one.

        Args:
            project: the project; left out, the one with the most uninvoiced entries.
            from_: the first day to bill.
            to: the last day to bill.
            **fields: fields of the invoice, such as `state`.

        Returns:
            The invoice, or None where there is nothing to bill.
        """
        with self.lock:
            where = "t.billable AND t.invoice_id IS NULL AND NOT t.is_running"
            if project is None:
                project = self._one(
                    f"SELECT project_id FROM time_entries t WHERE {where}"
                    " GROUP BY project_id ORDER BY count(*) DESC, project_id LIMIT 1"
                )
            period = (project, str(from_ or "0000"), str(to or "9999"))
            where = "project_id = ? AND spent_date BETWEEN ? AND ? AND invoice_id IS NULL"
            where += " AND billable"
            entries = f"{where} AND NOT is_running"
            items = self._db.execute(
                f"""SELECT k.name, t.billable_rate, sum({ROUNDED}), min(t.spent_date),
                    max(t.spent_date) FROM time_entries t JOIN tasks k ON k.id = t.task_id
                    WHERE {entries} GROUP BY t.task_id, t.billable_rate
                    ORDER BY t.task_id, t.billable_rate""",
                period,
            ).fetchall()
            costs = self._db.execute(
                f"""SELECT c.name, sum(t.total_cost), min(t.spent_date), max(t.spent_date)
                    FROM expenses t JOIN expense_categories c ON c.id = t.expense_category_id
                    WHERE {where} GROUP BY c.id ORDER BY c.id""",
                period,
            ).fetchall()
            if not items and not costs:
                return None
            days = [day.decode() for row in items + costs for day in row[-2:]]
            lines = [("Service", name, hours, rate or 0) for name, rate, hours, *_ in items]
            lines += [("Product", name, 100, cost) for name, cost, *_ in costs]
            client = self._one("SELECT client_id FROM projects WHERE id = ?", project)
            fields.setdefault("client_id", client)
            fields.setdefault("period_start", min(days))
            fields.setdefault("period_end", max(days))
            fields.setdefault(
                "line_items",
                [
                    {
                        "kind": kind,
                        "description": name.decode(),
                        "quantity": quantity / 100,
                        "unit_price": price / 100,
                        "project_id": project,
                    }
                    for kind, name, quantity, price in lines
                ],
            )
            invoice = self.add("invoices", **fields)
            # The history that is made up has entries approved later than they were billed.
            billed = "invoice_id = ?, updated_at = max(updated_at, ?)"
            values = (invoice["id"], invoice["created_at"], *period)
            self._db.execute(f"UPDATE time_entries SET {billed} WHERE {entries}", values)
            self._db.execute(f"UPDATE expenses SET {billed} WHERE {where}", values)
            self._version += 1
            return invoice

    def change(
        self, seed: int, count: int = 10, kinds: Iterable[str] = changes.KINDS
    ) -> list[changes.Change]:
        """Makes `count` believable changes of all kinds; the same seed repeats them.

        Args:
            seed: what chance is drawn from.
            count: how many changes.
            kinds: which kinds to make, of add, edit, delete and bill.
        """
        with self.lock:
            return changes.make(self, Random(f"change/{seed}"), count, sorted(kinds))

    # ---------------------------------------------------------------- how it is kept

    def insert(self, table: str, columns: Row) -> int:
        """Puts a row of plain column values into a table, and gives its id."""
        columns.setdefault("id", self.next_id(table))
        self._highest[table] = max(self._highest.get(table, 0), columns["id"])
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        self._db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", [*columns.values()])
        self._version += 1
        return int(columns["id"])

    def insert_entries(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Puts many time entries in at once."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        self._db.execute("BEGIN")
        self._db.executemany(f"INSERT INTO time_entries ({names}) VALUES ({marks})", rows)
        self._db.execute("COMMIT")
        self._highest["time_entries"] = self._one("SELECT max(id) FROM time_entries")
        self._version += 1

    def set_column(self, table: str, id: int, column: str, value: Any) -> None:
        """Sets one plain column value, and nothing that follows from it."""
        self._update(table, {column: value}, "id = ?", id)

    def next_id(self, table: str) -> int:
        """An id higher than any given out before, also to records that are gone."""
        first = TABLES[table].first_id if table in TABLES else NUMBERS[table]
        highest = self._highest.get(table, first - 1) + 1
        self._highest[table] = highest
        return highest

    def pick(self, table: str, rng: Random, where: str = "1", *values: Any) -> int | None:
        """The id of any record that the condition holds for."""
        count = self._one(f"SELECT count(*) FROM {table} t WHERE {where}", *values)
        if not count:
            return None
        return self._one(
            f"SELECT id FROM {table} t WHERE {where} ORDER BY id LIMIT 1 OFFSET ?",
            *values,
            rng.randrange(count),
        )

    def columns_of(self, table: str, id: int | None) -> Row:
        """A record's plain column values; empty if there is none."""
        names = list(TABLES[table].columns())
        row = self._row(f"SELECT {', '.join(names)} FROM {table} WHERE id = ?", id)
        if row is None:
            return {}
        decoded = (value.decode() if isinstance(value, bytes) else value for value in row)
        return dict(zip(names, decoded, strict=True))

    def _update(self, table: str, columns: Row, where: str, *values: Any) -> None:
        assignments = ", ".join(f"{column} = ?" for column in columns)
        self._db.execute(
            f"UPDATE {table} SET {assignments} WHERE {where}", [*columns.values(), *values]
        )
        self._version += 1

    def _columns(self, table: str, fields: Row) -> Row:
        """Fields as the API names them, as the columns that keep them."""
        kinds = TABLES[table].columns()
        columns = {}
        for name, value in fields.items():
            if name == "approval_status" and "is_submitted" in kinds:
                columns["is_closed"] = int(value == "approved")
                columns["is_submitted"] = int(value == "submitted")
            elif name in kinds:
                columns[name] = stored(kinds[name].split("@")[0], value)
            elif f"{name}_id" in kinds:
                columns[f"{name}_id"] = value["id"] if isinstance(value, dict) else value
            elif TABLES[table].served().get(name) == "=":
                raise ValueError(f"{table}.{name} follows from other fields and cannot be set.")
            else:
                raise ValueError(f"{table} has no field {name!r}.")
        return columns

    def _owners(self, table: str, id: int) -> list[int]:
        column = {
            "invoice_payments": "invoice_id",
            "billable_rates": "user_id",
            "cost_rates": "user_id",
        }.get(table)
        return [self._one(f"SELECT {column} FROM {table} WHERE id = ?", id)] if column else []

    def _settle(self, table: str, id: int, now: str | None) -> None:
        for owner in self._owners(table, id):
            self._settle_owner(table, owner, now)

    def _settle_owner(self, table: str, owner: int, now: str | None) -> None:
        """Brings up to date what Harvest works out of a record's children."""
        touched = {"updated_at": now} if now else {}
        if table == "invoice_payments":
            paid = self._one("SELECT sum(amount) FROM invoice_payments WHERE invoice_id = ?", owner)
            invoice = self.columns_of("invoices", owner)
            columns: Row = {"due_amount": invoice["amount"] - paid}
            if columns["due_amount"] <= 0 and invoice["state"] in ("draft", "open"):
                last = self._row(
                    "SELECT paid_at, paid_date FROM invoice_payments WHERE invoice_id = ?"
                    " ORDER BY paid_date DESC, id DESC LIMIT 1",
                    owner,
                )
                assert last is not None
                columns |= {"state": "paid", "paid_at": last[0].decode(), "closed_at": None}
                columns["paid_date"] = last[1].decode()
            elif columns["due_amount"] > 0 and invoice["state"] == "paid":
                columns |= {"state": "open", "paid_at": None, "paid_date": None}
            self._update("invoices", columns | touched, "id = ?", owner)
            return
        self.settle_rates(table, owner, now)

    def settle_rates(self, table: str, user: int, now: str | None) -> None:
        """Ends each rate on the day before the next, and gives the user the present one."""
        rates = self._db.execute(
            f"SELECT id, start_date, end_date, amount FROM {table} WHERE user_id = ?"
            " ORDER BY ifnull(start_date,''), id",
            (user,),
        ).fetchall()
        touched = {"updated_at": now} if now else {}
        for number, (id, _, end, _) in enumerate(rates):
            ends = None
            if number + 1 < len(rates) and rates[number + 1][1]:
                next_start = date.fromisoformat(rates[number + 1][1].decode())
                ends = (next_start - timedelta(days=1)).isoformat()
            if ends != (end.decode() if end else None):
                self._update(table, {"end_date": ends} | touched, "id = ?", id)
        column = "default_hourly_rate" if table == "billable_rates" else "cost_rate"
        today = self.clock.now().date().isoformat()
        present = [row[3] for row in rates if row[1] is None or row[1].decode() <= today]
        self._update("users", {column: (present or [None])[-1]} | touched, "id = ?", user)

    def _rename_role(self, id: int, name: str | None) -> None:
        """A role is known to its people by name: they get the new one, or lose it."""
        old = self.columns_of("roles", id)["name"]
        for user, roles in self._db.execute(
            "SELECT DISTINCT u.id, u.roles FROM users u, json_each(u.roles) r WHERE r.value = ?",
            (old,),
        ).fetchall():
            renamed = [name if role == old else role for role in orjson.loads(roles)]
            kept = orjson.dumps([role for role in renamed if role]).decode()
            columns = {"roles": kept, "updated_at": self.clock.stamp()}
            self._update("users", columns, "id = ?", user)
