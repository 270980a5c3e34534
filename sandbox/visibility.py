"""Who may see what: administrators all of it, managers and members less."""

from __future__ import annotations

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
