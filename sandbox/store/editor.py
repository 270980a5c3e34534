"""Changes to the records of an account, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

import orjson

from .columns import Row, columns_for
from .database import Store
from .tables import ROUNDED, TABLES

Complete = Callable[[Store, Random, str, str, Row], Row]
"""What fills in a row: the store, chance, the time, the table, and what is given."""


class Editor:
    """Adds, edits, deletes and bills the records of a store.

    Args:
        store: what is changed.
        complete: fills in the rows that are added.
        seed: what chance is drawn from.

    Attributes:
        added: how many records were added.
    """

    def __init__(self, store: Store, complete: Complete, seed: int = 0) -> None:
        self.store = store
        self._complete = complete
        self._seed = seed
        self.added = 0

    def add(self, stream: str, **fields: Any) -> Row:
        """Add a record; whatever is left out is filled in believably.

        Args:
            stream: a collection whose records have ids (a teammate is added with `user_id`,
                the manager, and `teammate_id`).
            **fields: as the API names them, a nested record as `client_id=1` or
                `client={"id": 1}`; per-parent records take `invoice_id`, `estimate_id` or
                `user_id`.

        Returns:
            The record as the API gives it.
        """
        with self.store.lock:
            rng = Random(f"{self._seed}/{self.added}")
            self.added += 1
            table = TABLES[stream].kept_in or stream
            given = columns_for(table, fields)
            now = self.store.clock.stamp()
            id = self.store.insert(table, self._complete(self.store, rng, now, table, given))
            if table == "users":
                self.store.insert("pto_assignments", {"user_id": id})
            self._settle(table, id, now)
            row = self.store.get(table, id)
            assert row is not None
            return row

    def edit(self, stream: str, id: int, *, touch: bool = True, **fields: Any) -> Row:
        """Change a record.

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
        with self.store.lock:
            table = TABLES[stream].kept_in or stream
            if not self.store.exists(table, id):
                raise KeyError(f"{stream} has no record {id}.")
            columns = columns_for(table, fields)
            if table == "pto_requests" and columns.get("status") in ("approved", "denied"):
                columns.setdefault("reviewed_at", self.store.clock.stamp())
                columns.setdefault("reviewer_id", first_administrator(self.store))
            if table == "time_entries" and "hours" in columns:
                columns.setdefault("hours_without_timer", columns["hours"])
            if touch and "updated_at" in TABLES[table].columns() and "updated_at" not in columns:
                columns["updated_at"] = self.store.clock.stamp()
            if table == "roles" and "name" in columns:
                self._rename_role(id, columns["name"])
            if columns:
                self.store.update(table, columns, "id = ?", id)
            self._settle(table, id, self.store.clock.stamp() if touch else None)
            row = self.store.get(table, id)
            assert row is not None
            return row

    def delete(self, stream: str, id: int) -> None:
        """Delete a record without a trace, and what cannot be without it.

        What merely pointed to it stays and is changed: the entries of a deleted invoice, say,
        become unbilled, and are marked as updated.

        Raises:
            KeyError: there is no such record.
        """
        with self.store.lock:
            table = TABLES[stream].kept_in or stream
            if not self.store.exists(table, id):
                raise KeyError(f"{stream} has no record {id}.")
            owners = self._owners(table, id)
            now = self.store.clock.stamp()
            for other, definition in TABLES.items():
                for column, kind in definition.columns().items() if not definition.kept_in else ():
                    if kind.startswith(f"@{table}.") and kind.endswith("?"):
                        emptied: Row = {column: None}
                        if "updated_at" in definition.columns():
                            emptied["updated_at"] = now
                        self.store.update(other, emptied, f"{column} = ?", id)
            if table == "roles":
                self._rename_role(id, None)
            self.store.run(f"DELETE FROM {table} WHERE id = ?", [id])
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
        """Make an invoice of the billable entries and expenses that are not yet on one.

        Args:
            project: the project; left out, the one with the most uninvoiced entries.
            from_: the first day to bill.
            to: the last day to bill.
            **fields: fields of the invoice, such as `state`.

        Returns:
            The invoice, or None where there is nothing to bill.
        """
        with self.store.lock:
            where = "t.billable AND t.invoice_id IS NULL AND NOT t.is_running"
            if project is None:
                project = self.store.one(
                    f"SELECT project_id FROM time_entries t WHERE {where}"
                    " GROUP BY project_id ORDER BY count(*) DESC, project_id LIMIT 1"
                )
            period = (project, str(from_ or "0000"), str(to or "9999"))
            where = "project_id = ? AND spent_date BETWEEN ? AND ? AND invoice_id IS NULL"
            where += " AND billable"
            entries = f"{where} AND NOT is_running"
            items = self.store.query(
                f"""SELECT k.name, t.billable_rate, sum({ROUNDED}), min(t.spent_date),
                    max(t.spent_date) FROM time_entries t JOIN tasks k ON k.id = t.task_id
                    WHERE {entries} GROUP BY t.task_id, t.billable_rate
                    ORDER BY t.task_id, t.billable_rate""",
                *period,
            )
            costs = self.store.query(
                f"""SELECT c.name, sum(t.total_cost), min(t.spent_date), max(t.spent_date)
                    FROM expenses t JOIN expense_categories c ON c.id = t.expense_category_id
                    WHERE {where} GROUP BY c.id ORDER BY c.id""",
                *period,
            )
            if not items and not costs:
                return None
            days = [day.decode() for row in items + costs for day in row[-2:]]
            lines = [("Service", name, hours, rate or 0) for name, rate, hours, *_ in items]
            lines += [("Product", name, 100, cost) for name, cost, *_ in costs]
            client = self.store.one("SELECT client_id FROM projects WHERE id = ?", project)
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
            self.store.run(f"UPDATE time_entries SET {billed} WHERE {entries}", values)
            self.store.run(f"UPDATE expenses SET {billed} WHERE {where}", values)
            return invoice

    def _owners(self, table: str, id: int) -> list[int]:
        column = {
            "invoice_payments": "invoice_id",
            "billable_rates": "user_id",
            "cost_rates": "user_id",
        }.get(table)
        return [self.store.one(f"SELECT {column} FROM {table} WHERE id = ?", id)] if column else []

    def _settle(self, table: str, id: int, now: str | None) -> None:
        for owner in self._owners(table, id):
            self._settle_owner(table, owner, now)

    def _settle_owner(self, table: str, owner: int, now: str | None) -> None:
        """Bring up to date what Harvest works out of a record's children."""
        touched = {"updated_at": now} if now else {}
        if table == "invoice_payments":
            paid = self.store.one(
                "SELECT sum(amount) FROM invoice_payments WHERE invoice_id = ?", owner
            )
            invoice = self.store.columns_of("invoices", owner)
            columns: Row = {"due_amount": invoice["amount"] - paid}
            last = self.store.row(
                "SELECT paid_at, paid_date FROM invoice_payments WHERE invoice_id = ?"
                " ORDER BY paid_date DESC, id DESC LIMIT 1",
                owner,
            )
            # An invoice over nothing has nothing due, though nobody has paid it.
            if last and columns["due_amount"] <= 0 and invoice["state"] in ("draft", "open"):
                columns |= {"state": "paid", "paid_at": last[0].decode(), "closed_at": None}
                columns["paid_date"] = last[1].decode()
            elif columns["due_amount"] > 0 and invoice["state"] == "paid":
                columns |= {"state": "open", "paid_at": None, "paid_date": None}
            self.store.update("invoices", columns | touched, "id = ?", owner)
            return
        self._settle_rates(table, owner, now)

    def _settle_rates(self, table: str, user: int, now: str | None) -> None:
        """End each rate on the day before the next, and give the user the present one."""
        rates = self.store.query(
            f"SELECT id, start_date, end_date, amount FROM {table} WHERE user_id = ?"
            " ORDER BY ifnull(start_date,''), id",
            user,
        )
        touched = {"updated_at": now} if now else {}
        for number, (id, _, end, _) in enumerate(rates):
            ends = None
            if number + 1 < len(rates) and rates[number + 1][1]:
                next_start = date.fromisoformat(rates[number + 1][1].decode())
                ends = (next_start - timedelta(days=1)).isoformat()
            if ends != (end.decode() if end else None):
                self.store.update(table, {"end_date": ends} | touched, "id = ?", id)
        column = "default_hourly_rate" if table == "billable_rates" else "cost_rate"
        today = self.store.clock.now().date().isoformat()
        present = [row[3] for row in rates if row[1] is None or row[1].decode() <= today]
        self.store.update("users", {column: (present or [None])[-1]} | touched, "id = ?", user)

    def _rename_role(self, id: int, name: str | None) -> None:
        """Give its people the new name of a role, which they know it by, or none."""
        old = self.store.columns_of("roles", id)["name"]
        for user, roles in self.store.query(
            "SELECT DISTINCT u.id, u.roles FROM users u, json_each(u.roles) r WHERE r.value = ?",
            old,
        ):
            renamed = [name if role == old else role for role in orjson.loads(roles)]
            kept = orjson.dumps([role for role in renamed if role]).decode()
            columns = {"roles": kept, "updated_at": self.store.clock.stamp()}
            self.store.update("users", columns, "id = ?", user)


def is_manager(store: Store, user: int) -> bool:
    """Return whether a user may have teammates assigned."""
    row = store.row("SELECT access_roles FROM users WHERE id = ?", user)
    return row is not None and "manager" in orjson.loads(row[0])


def first_administrator(store: Store) -> int | None:
    """Return the id of the first administrator, if any."""
    found = store.row(
        "SELECT id FROM users WHERE access_roles LIKE '%administrator%' ORDER BY id LIMIT 1"
    )
    return int(found[0]) if found else None
