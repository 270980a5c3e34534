"""What the sandbox lists, as data: paths, filters, order, and how lists page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .tables import APPROVAL_STATUS, TABLES

PAGES = ("cursor", "page", "bare_cursor", "bare_page", "whole")
"""How a list can page: by cursor or by page number, each with counts or bare of them, or not."""


@dataclass(frozen=True)
class Listing:
    """One list of the API.

    Attributes:
        table: the table whose rows it gives.
        path: below /v2; `{parent}` stands for the id of the parent.
        parent: the column that holds the parent's id, and the parent's table.
        filters: query parameter -> (kind of its value, SQL condition).
        order: the column to sort by, and whether the newest come first.
        pages: how it pages, one of `PAGES`.
        per_page: the default page size.
        where: rows that the list holds, whatever is asked.
        feature: the setting of the company that must be on.
        single: whether its records can be asked for one by one, by id.
    """

    table: str
    path: str
    parent: tuple[str, str] = ("", "")
    filters: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    order: str = "created_at"
    newest_first: bool = True
    pages: str = "cursor"
    per_page: int = 2000
    where: str = "1"
    feature: str = ""
    single: bool = True

    @property
    def stored_in(self) -> str:
        """Return the table that really holds the rows."""
        return TABLES[self.table].kept_in or self.table

    @property
    def order_by(self) -> str:
        """Return the SQL order; the id settles ties."""
        direction = "DESC" if self.newest_first else "ASC"
        return f"{self.order} {direction}, id {direction}"


_SINCE = {"updated_since": ("time", "t.updated_at >= ?")}
_ACTIVE = {"is_active": ("bool", "t.is_active = ?")}
_CLIENT = {"client_id": ("int", "t.client_id = ?")}
_USER = {"user_id": ("int", "t.user_id = ?")}
_USER_IDS = {"user_ids": ("ints", "t.user_id IN (SELECT value FROM json_each(?))")}
_PROJECT = {"project_id": ("int", "t.project_id = ?")}
_VIA_PROJECT = {
    "client_id": ("int", "t.project_id IN (SELECT id FROM projects WHERE client_id = ?)")
}
_APPROVAL = {
    "approval_status": ("unsubmitted|submitted|approved", f"({APPROVAL_STATUS}) = ?"),
}
_BILLED = {"is_billed": ("bool", "(t.invoice_id IS NOT NULL) = ?")}


def _dates(column: str) -> dict[str, tuple[str, str]]:
    return {"from": ("date", f"t.{column} >= ?"), "to": ("date", f"t.{column} <= ?")}


_INVOICE = ("invoice_id", "invoices")
_ESTIMATE = ("estimate_id", "estimates")
_USERS = ("user_id", "users")

LISTINGS: dict[str, Listing] = {
    "clients": Listing("clients", "/clients", filters=_ACTIVE | _SINCE),
    "contacts": Listing("contacts", "/contacts", filters=_CLIENT | _SINCE),
    "invoices": Listing(
        "invoices",
        "/invoices",
        filters=_CLIENT
        | {
            "project_id": (
                "int",
                "EXISTS (SELECT 1 FROM json_each(t.line_items) item"
                " WHERE json_extract(item.value, '$.project.id') = ?)",
            ),
            "state": ("draft|open|paid|closed", "t.state = ?"),
        }
        | _SINCE
        | _dates("issue_date"),
        order="issue_date",
        pages="page",
        per_page=100,
        feature="invoice_feature",
    ),
    "invoice_messages": Listing(
        "invoice_messages",
        "/invoices/{parent}/messages",
        _INVOICE,
        filters=_SINCE,
        feature="invoice_feature",
        single=False,
    ),
    "invoice_payments": Listing(
        "invoice_payments",
        "/invoices/{parent}/payments",
        _INVOICE,
        filters=_SINCE,
        feature="invoice_feature",
        single=False,
    ),
    "invoice_item_categories": Listing(
        "invoice_item_categories",
        "/invoice_item_categories",
        filters=_SINCE,
        feature="invoice_feature",
    ),
    "estimates": Listing(
        "estimates",
        "/estimates",
        filters=_CLIENT
        | {"state": ("draft|sent|accepted|declined", "t.state = ?")}
        | _SINCE
        | _dates("issue_date"),
        order="issue_date",
        pages="page",
        feature="estimate_feature",
    ),
    "estimate_messages": Listing(
        "estimate_messages",
        "/estimates/{parent}/messages",
        _ESTIMATE,
        filters=_SINCE,
        feature="estimate_feature",
        single=False,
    ),
    "estimate_item_categories": Listing(
        "estimate_item_categories",
        "/estimate_item_categories",
        filters=_SINCE,
        feature="estimate_feature",
    ),
    "expenses": Listing(
        "expenses",
        "/expenses",
        filters=_USER
        | _VIA_PROJECT
        | _PROJECT
        | _BILLED
        | _APPROVAL
        | _SINCE
        | _dates("spent_date"),
        order="spent_date",
        pages="page",
        feature="expense_feature",
    ),
    "expense_categories": Listing(
        "expense_categories",
        "/expense_categories",
        filters=_ACTIVE | _SINCE,
        feature="expense_feature",
    ),
    "tasks": Listing("tasks", "/tasks", filters=_ACTIVE | _SINCE),
    "time_entries": Listing(
        "time_entries",
        "/time_entries",
        filters=_USER
        | _VIA_PROJECT
        | _PROJECT
        | {
            "task_id": ("int", "t.task_id = ?"),
            "external_reference_id": (
                "text",
                "json_extract(t.external_reference, '$.id') = ?",
            ),
        }
        | _BILLED
        | {"is_running": ("bool", "t.is_running = ?")}
        | _APPROVAL
        | _SINCE
        | _dates("spent_date"),
        order="spent_date",
        pages="page",
    ),
    "user_assignments": Listing(
        "user_assignments", "/user_assignments", filters=_USER | _ACTIVE | _SINCE, single=False
    ),
    "task_assignments": Listing(
        "task_assignments", "/task_assignments", filters=_ACTIVE | _SINCE, single=False
    ),
    "projects": Listing("projects", "/projects", filters=_ACTIVE | _CLIENT | _SINCE),
    "roles": Listing("roles", "/roles"),
    "users": Listing("users", "/users", filters=_ACTIVE | _SINCE),
    "billable_rates": Listing(
        "billable_rates",
        "/users/{parent}/billable_rates",
        _USERS,
        order="ifnull(start_date,'')",
        newest_first=False,
    ),
    "cost_rates": Listing(
        "cost_rates",
        "/users/{parent}/cost_rates",
        _USERS,
        order="ifnull(start_date,'')",
        newest_first=False,
    ),
    "project_assignments": Listing(
        "project_assignments",
        "/users/{parent}/project_assignments",
        _USERS,
        filters=_SINCE,
        where="t.is_active AND t.project_id IN (SELECT id FROM projects WHERE is_active)",
        single=False,
    ),
    "teammates": Listing(
        "teammates",
        "/users/{parent}/teammates",
        _USERS,
        order="id",
        newest_first=False,
        feature="team_feature",
        single=False,
    ),
    "pto_requests": Listing(
        "pto_requests",
        "/pto/requests",
        filters=_USER
        | {"status": ("text", "t.status = ?"), "pto_type_id": ("int", "t.pto_type_id = ?")}
        | _SINCE
        | _dates("start_date"),
        single=False,
    ),
    "pto_types": Listing("pto_types", "/pto/types", filters=_ACTIVE | _SINCE, single=False),
    "pto_holiday_calendars": Listing(
        "pto_holiday_calendars", "/pto/holiday_calendars", pages="page", single=False
    ),
    "pto_work_schedules": Listing(
        "pto_work_schedules",
        "/pto/work_schedules",
        filters=_ACTIVE,
        pages="whole",
        single=False,
    ),
    "pto_assignments": Listing(
        "pto_assignments",
        "/pto/assignments",
        filters=_USER | _USER_IDS,
        order="id",
        newest_first=False,
        pages="whole",
        single=False,
    ),
    "pto_allocations": Listing(
        "pto_allocations",
        "/pto/allocations",
        filters={"year": ("int", "t.year = ?")}
        | _USER_IDS
        | {"pto_type_ids": ("ints", "t.pto_type_id IN (SELECT value FROM json_each(?))")},
        pages="whole",
        single=False,
    ),
}
"""The streams that are lists."""

PROJECT_LISTINGS: dict[str, Listing] = {
    "user_assignments": Listing(
        "user_assignments",
        "/projects/{parent}/user_assignments",
        ("project_id", "projects"),
        filters=_USER | _ACTIVE | _SINCE,
        pages="page",
    ),
    "task_assignments": Listing(
        "task_assignments",
        "/projects/{parent}/task_assignments",
        ("project_id", "projects"),
        filters=_ACTIVE | _SINCE,
        pages="page",
    ),
}
"""The same assignments, asked for project by project."""

BALANCES = "pto_balances"
"""The stream that is one object for each user and year, and no list."""
TIME_OFF = frozenset({BALANCES, *(name for name in LISTINGS if name.startswith("pto_"))})
"""The streams of paid time off."""
