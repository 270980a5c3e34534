"""Believable changes to an account, drawn by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from ..store.columns import Row
from ..store.editor import Editor
from ..store.listings import LISTINGS
from . import words

KINDS = ("add", "edit", "delete", "bill")
"""The kinds of change that there are."""

# How often each kind comes about.
_WEIGHTS = {"add": 35, "edit": 40, "delete": 18, "bill": 7}


@dataclass(frozen=True)
class Change:
    """One change that was made.

    Attributes:
        kind: add, edit, delete or bill.
        stream: the collection it was made to.
        id: the record's id.
        parent: the id of the record that it belongs to, in a per-parent collection.
        what: in words.
    """

    kind: str
    stream: str
    id: int
    parent: int | None
    what: str

    def __str__(self) -> str:
        return f"{self.kind:6} {self.stream} {self.id}: {self.what}"


# Where things are added, and how often.
_ADD = {
    "time_entries": 30,
    "expenses": 8,
    "invoice_payments": 5,
    "invoice_messages": 5,
    "estimates": 3,
    "estimate_messages": 3,
    "clients": 3,
    "contacts": 3,
    "projects": 3,
    "user_assignments": 3,
    "task_assignments": 3,
    "billable_rates": 3,
    "cost_rates": 3,
    "users": 2,
    "tasks": 1,
    "roles": 1,
    "expense_categories": 1,
    "invoice_item_categories": 1,
    "estimate_item_categories": 1,
    "pto_requests": 5,
    "pto_allocations": 1,
    "pto_types": 1,
    "pto_holiday_calendars": 1,
    "pto_work_schedules": 1,
}

# What must hold of a record for an addition to belong to it; a table where nothing must.
_ADD_TO = {
    "invoice_payments": ("invoice_id", "invoices", "state = 'open' AND due_amount > 0"),
    "invoice_messages": ("invoice_id", "invoices", "state != 'draft'"),
    "estimate_messages": ("estimate_id", "estimates", "state != 'draft'"),
}

_Edit = Callable[[Random, Row], Row]


def _renamed(table: str) -> _Edit:
    return lambda rng, row: {"name": words.new_name(rng, table)}


# What is edited: how often, which records, and how.
_EDIT: dict[str, tuple[int, str, _Edit]] = {
    "time_entries": (
        30,
        "invoice_id IS NULL AND NOT is_running",
        lambda rng, row: rng.choice(
            [{"hours": rng.randrange(10, 900) / 100}, {"notes": rng.choice(words.NOTES)}]
        ),
    ),
    "expenses": (6, "invoice_id IS NULL", lambda rng, row: {"notes": _note(rng)}),
    "invoices": (5, "1", lambda rng, row: {"notes": _note(rng)}),
    "estimates": (
        3,
        "state IN ('draft','sent')",
        lambda rng, row: {"subject": rng.choice(words.PROJECTS)},
    ),
    "clients": (3, "1", _renamed("clients")),
    "contacts": (3, "1", lambda rng, row: {"phone_office": _phone(rng)}),
    "projects": (
        5,
        "1",
        lambda rng, row: rng.choice(
            [{"notes": _note(rng)}, {"name": words.new_name(rng, "projects")}]
        ),
    ),
    "user_assignments": (
        4,
        "1",
        lambda rng, row: rng.choice(
            [
                {"is_active": not row["is_active"]},
                {"use_default_rates": False, "hourly_rate": rng.randrange(80, 150)},
            ]
        ),
    ),
    "task_assignments": (3, "1", lambda rng, row: {"hourly_rate": rng.randrange(80, 150)}),
    "users": (3, "1", lambda rng, row: {"telephone": _phone(rng)}),
    "tasks": (2, "1", lambda rng, row: {"default_hourly_rate": rng.randrange(80, 150)}),
    "roles": (1, "1", _renamed("roles")),
    "expense_categories": (1, "1", lambda rng, row: {"is_active": not row["is_active"]}),
    "invoice_item_categories": (1, "1", _renamed("invoice_item_categories")),
    "estimate_item_categories": (1, "1", _renamed("estimate_item_categories")),
    "invoice_payments": (2, "1", lambda rng, row: {"notes": _note(rng)}),
    "pto_requests": (
        5,
        "status = 'pending'",
        lambda rng, row: {"status": rng.choice(["approved", "approved", "denied"])},
    ),
    "pto_types": (1, "1", _renamed("pto_types")),
    "pto_allocations": (2, "1", lambda rng, row: {"carryover_days": rng.randrange(11) / 2}),
    "pto_work_schedules": (1, "1", lambda rng, row: {"friday_hours": rng.randrange(17) / 2}),
    "pto_holiday_calendars": (1, "1", _renamed("pto_holiday_calendars")),
    "billable_rates": (2, "1", lambda rng, row: {"amount": rng.randrange(80, 170)}),
    "cost_rates": (2, "1", lambda rng, row: {"amount": rng.randrange(35, 80)}),
}

# What is deleted: how often, and which records.
_DELETE = {
    "time_entries": (30, "invoice_id IS NULL"),
    "expenses": (8, "invoice_id IS NULL"),
    "contacts": (3, "1"),
    "estimates": (3, "1"),
    "invoices": (4, "state IN ('draft','open')"),
    "invoice_payments": (4, "1"),
    "invoice_messages": (4, "1"),
    "estimate_messages": (3, "1"),
    "billable_rates": (2, "start_date IS NOT NULL"),
    "cost_rates": (2, "start_date IS NOT NULL"),
    "user_assignments": (2, "NOT is_active"),
    "task_assignments": (2, "NOT is_active"),
    "pto_requests": (4, "1"),
    "pto_allocations": (1, "1"),
    "pto_holiday_calendars": (1, "1"),
    # its entries are deleted with it: a tenth of all at the most, as people would not
    # lose half a year's work by a click, and the source refuses to
    "projects": (
        1,
        "id NOT IN (SELECT project_id FROM time_entries WHERE invoice_id > 0)"
        " AND id NOT IN (SELECT project_id FROM time_entries GROUP BY project_id"
        " HAVING count(*) > 0.1 * (SELECT count(*) FROM time_entries))",
    ),
}


def _note(rng: Random) -> str:
    return f"{rng.choice(words.NOTES[:8])} ({rng.randrange(1000)})"


def _phone(rng: Random) -> str:
    return f"+1 555 01{rng.randrange(100):02}"


def make(editor: Editor, rng: Random, count: int, kinds: list[str]) -> list[Change]:
    """Make `count` changes; fewer where the account has nothing that could change so.

    Raises:
        ValueError: there is no such kind.
    """
    if wrong := sorted(set(kinds) - set(KINDS)):
        raise ValueError(f"There is no kind of change {wrong[0]!r}; there are {', '.join(KINDS)}.")
    done: list[Change] = []
    # In a small account many a draw finds nothing to change; it must end all the same.
    for _ in range(count * 50):
        if len(done) == count or not kinds:
            break
        kind = rng.choices(kinds, [_WEIGHTS[kind] for kind in kinds])[0]
        change = _MAKERS[kind](editor, rng)
        if change:
            done.append(change)
    return done


def _drawn(rng: Random, table: dict[str, Any]) -> str:
    weights = [entry if isinstance(entry, int) else entry[0] for entry in table.values()]
    return rng.choices([*table], weights)[0]


def _parent(editor: Editor, stream: str, id: int) -> int | None:
    column = LISTINGS[stream].parent[0]
    parent: int | None = editor.store.columns_of(stream, id)[column] if column else None
    return parent


def _add(editor: Editor, rng: Random) -> Change | None:
    stream = _drawn(rng, _ADD)
    fields: Row = {}
    if stream in _ADD_TO:
        column, table, where = _ADD_TO[stream]
        parent = editor.store.pick(table, rng, where)
        if parent is None:
            return None
        fields[column] = parent
    if stream == "time_entries" or stream == "expenses":
        day = editor.store.clock.now().date() - timedelta(
            days=rng.choice([0, 0, 0, 1, 1, 2, 9, 40])
        )
        fields["spent_date"] = day
    row = editor.add(stream, **fields)
    what = f"{row['spent_date']}" if "spent_date" in row else "new"
    return Change("add", stream, row["id"], _parent(editor, stream, row["id"]), what)


def _edit(editor: Editor, rng: Random) -> Change | None:
    stream = _drawn(rng, _EDIT)
    _, where, edit = _EDIT[stream]
    id = editor.store.pick(stream, rng, where)
    if id is None:
        return None
    row = editor.store.columns_of(stream, id)
    fields = edit(rng, row)
    editor.edit(stream, id, **fields)
    what = ", ".join(f"{name} = {value!r}" for name, value in fields.items())
    return Change("edit", stream, id, _parent(editor, stream, id), what)


def _delete(editor: Editor, rng: Random) -> Change | None:
    stream = _drawn(rng, _DELETE)
    id = editor.store.pick(stream, rng, _DELETE[stream][1])
    if id is None:
        return None
    parent = _parent(editor, stream, id)
    editor.delete(stream, id)
    return Change("delete", stream, id, parent, "deleted")


def _bill(editor: Editor, rng: Random) -> Change | None:
    entry = editor.store.pick(
        "time_entries", rng, "invoice_id IS NULL AND billable AND NOT is_running"
    )
    if entry is None:
        return None
    row = editor.store.columns_of("time_entries", entry)
    invoice = editor.bill(row["project_id"], state=rng.choice(["draft", "open"]))
    if invoice is None:
        return None
    what = f"number {invoice['number']}, {invoice['amount']} {invoice['currency']}"
    return Change("bill", "invoices", invoice["id"], None, what)


_MAKERS = {"add": _add, "edit": _edit, "delete": _delete, "bill": _bill}
