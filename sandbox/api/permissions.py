"""Who may see what: administrators all of it, managers and members less."""

from __future__ import annotations

from typing import Any

import orjson

from ..store.database import Conditions, Store
from ..store.editor import first_administrator
from .reports import REPORTS

ROLES = ("administrator", "manager", "member")

_ASSIGNED = "(SELECT project_id FROM user_assignments WHERE user_id = {user} AND is_active)"
_MANAGED = "(SELECT project_id FROM user_assignments WHERE user_id = {user} AND is_project_manager)"
_TEAM = "(SELECT teammate_id FROM teammates WHERE user_id = {user})"
_CLIENTS = f"(SELECT client_id FROM projects WHERE id IN {_ASSIGNED})"
_OWN = "t.user_id = {user}"
_OWN_OR_TEAM = f"({_OWN} OR t.user_id IN {_TEAM})"
_TRACKED = f"({_OWN} OR t.user_id IN {_TEAM} OR t.project_id IN {_MANAGED})"

_EVERYONE = {
    "company": "1",
    "tasks": "1",
    "expense_categories": "1",
    "project_assignments": "1",
    "clients": f"t.id IN {_CLIENTS}",
    "projects": f"t.id IN {_ASSIGNED}",
    "task_assignments": f"t.project_id IN {_ASSIGNED}",
    "pto_types": "1",
    "pto_holiday_calendars": "1",
    "pto_work_schedules": "1",
    "pto_balances": "1",
}
_MEMBER = _EVERYONE | {
    "time_entries": _OWN,
    "expenses": _OWN,
    "users": "t.id = {user}",
    "user_assignments": _OWN,
    "pto_requests": _OWN,
    "pto_assignments": _OWN,
    "pto_allocations": _OWN,
}
_MANAGER = _EVERYONE | {
    "time_entries": _TRACKED,
    "expenses": _TRACKED,
    "users": "(t.id = {user} OR t.id IN " + _TEAM + " OR t.id IN (SELECT user_id FROM"
    f" user_assignments WHERE project_id IN {_MANAGED}))",
    "user_assignments": f"({_OWN} OR t.project_id IN {_MANAGED})",
    "contacts": f"t.client_id IN {_CLIENTS}",
    "invoices": f"t.client_id IN {_CLIENTS}",
    "invoice_messages": "1",
    "invoice_payments": "1",
    "invoice_item_categories": "1",
    "estimates": f"t.client_id IN {_CLIENTS}",
    "estimate_messages": "1",
    "estimate_item_categories": "1",
    "teammates": "1",
    "pto_requests": _OWN_OR_TEAM,
    "pto_assignments": _OWN_OR_TEAM,
    "pto_allocations": _OWN_OR_TEAM,
    "reports": _TRACKED,
}

_SEEN = {"manager": _MANAGER, "member": _MEMBER}

ALL = "1"
"""The condition that holds for every row."""


def condition(role: str, user: int, stream: str) -> str | None:
    """Return the SQL condition on the rows `t` that a user sees of a stream.

    What belongs to a record is seen by those who see the record.

    Args:
        role: administrator, manager or member.
        user: the user's id.
        stream: the stream, or `reports`, where the rows are entries and expenses.

    Returns:
        The condition, or None where the user is refused the stream.
    """
    if role not in _SEEN:
        return ALL
    found = _SEEN[role].get(stream)
    return found.format(user=int(user)) if found else None


class Permissions:
    """Whose tokens they are, and what that person may see.

    Args:
        store: whose users own the tokens.

    Attributes:
        owner: the id of the user whom the tokens belong to; None for the first administrator.
            What that user's access roles let through is what lists hold.
        forbidden: the names of streams that are answered 403; change it at will.
        missing: the names of streams that are answered 404; change it at will.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.owner: int | None = None
        self.forbidden: set[str] = set()
        self.missing: set[str] = set()

    def owned_by(self, role: str) -> int:
        """Give the tokens to the first active user of a role, and return the user's id.

        Args:
            role: administrator, manager or member.

        Raises:
            ValueError: there is no such role, or nobody who has it.
        """
        if role not in ROLES:
            raise ValueError(f"There is no role {role!r}; there are {', '.join(ROLES)}.")
        for user in self._store.rows_where("users", "is_active"):
            if user["access_roles"][:1] == [role]:
                self.owner = int(user["id"])
                return self.owner
        raise ValueError(
            f"The account has no {role}; add one: account.add('users', access_roles=[{role!r}])"
        )

    def current_user(self) -> int | None:
        """Return the id of the user whom the tokens belong to."""
        if self.owner is None or not self._store.exists("users", self.owner):
            self.owner = first_administrator(self._store)
        return self.owner

    def who(self) -> dict[str, Any]:
        """Return what `/accounts` says of the owner of the token."""
        user = self._store.get("users", self.current_user() or 0) or {}
        return {name: user.get(name) for name in ("id", "first_name", "last_name", "email")}

    def seen(self, stream: str) -> str | None:
        """Return the SQL condition on the rows that the owner sees, or None for none at all."""
        if stream in ("", "company"):
            return ALL
        owner = self.current_user()
        if owner is None:
            return ALL
        held = orjson.loads(self._store.columns_of("users", owner)["access_roles"] or "[]")
        role = next((role for role in ROLES if role in held), "member")
        return condition(role, owner, "reports" if stream in REPORTS else stream)

    def conditions_on(self, stream: str) -> Conditions:
        """Return the condition on the rows that the owner of the token sees."""
        seen = self.seen(stream) or ALL
        return () if seen == ALL else ((seen, None),)

    def is_seen(self, table: str, id: int) -> bool:
        """Return whether there is a record that the owner of the token sees."""
        return self._store.exists(table, id, self.seen(table) or "0")
