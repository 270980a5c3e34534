"""Reports, summed from the time entries and expenses each time they are asked for."""

from __future__ import annotations

from typing import Any

from ..store.database import Store
from ..store.table import json_object, to_json
from ..store.tables import ROUNDED

# Each subject: what to join, the fields that name it (SQL gives JSON), and its sort order.
_CLIENT = {"client_id": "client.id", "client_name": "json_quote(client.name)"}
_PROJECT = {
    "project_id": "project.id",
    "project_name": "json_quote(CASE WHEN project.code > ''"
    " THEN '['||project.code||'] '||project.name ELSE project.name END)",
}
_USER = {
    "user_id": "subject.id",
    "user_name": "json_quote(subject.first_name||' '||subject.last_name)",
    "is_contractor": to_json("bool", "subject.is_contractor"),
}
_CAPACITY = {
    "weekly_capacity": to_json("int", "subject.weekly_capacity"),
    "avatar_url": to_json("text", "subject.avatar_url"),
}


def _by(column: str, table: str) -> tuple[str, str]:
    return f"t.{column}", f"JOIN {table} subject ON subject.id = t.{column}"


# name -> (what to group by, join, fields)
_TIME = {
    "time_clients": ("client.id", "", _CLIENT),
    "time_projects": ("project.id", "", _CLIENT | _PROJECT),
    "time_tasks": (
        *_by("task_id", "tasks"),
        {"task_id": "subject.id", "task_name": "json_quote(subject.name)"},
    ),
    "time_team": (*_by("user_id", "users"), _USER | _CAPACITY),
}
_EXPENSES = {
    "expenses_clients": ("client.id", "", _CLIENT),
    "expenses_projects": ("project.id", "", _CLIENT | _PROJECT),
    "expenses_categories": (
        *_by("expense_category_id", "expense_categories"),
        {
            "expense_category_id": "subject.id",
            "expense_category_name": "json_quote(subject.name)",
        },
    ),
    "expenses_team": (*_by("user_id", "users"), _USER),
}

REPORTS = {
    **{name: "/reports/" + name.replace("_", "/") for name in (*_TIME, *_EXPENSES)},
    "uninvoiced": "/reports/uninvoiced",
    "project_budget": "/reports/project_budget",
}
"""Report streams and their paths."""

_PLACE = "JOIN projects project ON project.id = t.project_id"
_PLACE += " JOIN clients client ON client.id = project.client_id"
_WINDOW = "t.spent_date BETWEEN :first AND :last"


def _cents(ten_thousandths: str) -> str:
    """Return hundredths of an hour times hundredths of money, as money rounded half up."""
    return f"((({ten_thousandths})+50)/100/100.0)"


def _seen_projects(seen: str) -> str:
    """Return the SQL condition on the projects of which somebody sees all hours."""
    if seen == "1":
        return seen
    return f"project.id IN (SELECT t.project_id FROM time_entries t WHERE {seen})"


def _subjects(
    table: str, group: str, join: str, fields: dict[str, str], sums: dict[str, str], seen: str
) -> str:
    row = json_object({**fields, **sums, "currency": "json_quote(client.currency)"})
    return f"""SELECT {row} FROM {table} t {_PLACE} {join} WHERE {_WINDOW} AND {seen}
        GROUP BY {group}, client.currency ORDER BY {group}, client.currency"""


_AMOUNT = f"{ROUNDED} * ifnull(t.billable_rate, 0)"
_TIME_SUMS = {
    "total_hours": f"(sum({ROUNDED})/100.0)",
    "billable_hours": f"(sum(t.billable * {ROUNDED})/100.0)",
    "billable_amount": _cents(
        f"sum(t.billable * (:fixed_fee OR NOT project.is_fixed_fee) * {_AMOUNT})"
    ),
}
_EXPENSE_SUMS = {
    "total_amount": "(sum(t.total_cost)/100.0)",
    "billable_amount": "(sum(t.billable * t.total_cost)/100.0)",
}

_UNINVOICED_ROW = json_object(
    _CLIENT
    | {
        "project_id": "project.id",
        "project_name": "json_quote(project.name)",
        "currency": "json_quote(client.currency)",
        "total_hours": "(ifnull(hours,0)/100.0)",
        "uninvoiced_hours": "(ifnull(open_hours,0)/100.0)",
        "uninvoiced_expenses": "(ifnull(costs,0)/100.0)",
        "uninvoiced_amount": "((CASE WHEN NOT project.is_fixed_fee"
        " THEN (ifnull(amount,0)+50)/100 + ifnull(costs,0)"
        # A fixed fee has no days: once the project has started, each window shows all that is
        # left of it, without expenses, and a negative amount where more was invoiced.
        " WHEN :last >= ifnull(project.starts_on, substr(project.created_at,1,10))"
        " THEN ifnull(project.fee,0) - ifnull(invoiced,0)"
        " ELSE 0 END)/100.0)",
    }
)


def _uninvoiced(seen: str) -> str:
    """Return the SQL of the uninvoiced report: each active billable project, busy or not."""
    return f"""
    SELECT {_UNINVOICED_ROW} FROM projects project
    JOIN clients client ON client.id = project.client_id
    LEFT JOIN (
        SELECT t.project_id, sum({ROUNDED}) AS hours,
            sum(t.billable * (t.invoice_id IS NULL) * {ROUNDED}) AS open_hours,
            sum(t.billable * (t.invoice_id IS NULL) * {_AMOUNT}) AS amount
        FROM time_entries t WHERE {_WINDOW} AND {seen} GROUP BY t.project_id
    ) worked ON worked.project_id = project.id
    LEFT JOIN (
        SELECT t.project_id, sum(t.billable * (t.invoice_id IS NULL) * t.total_cost) AS costs
        FROM expenses t WHERE {_WINDOW} AND {seen} GROUP BY t.project_id
    ) spent ON spent.project_id = project.id
    LEFT JOIN (
        SELECT json_extract(item.value, '$.project.id') AS project_id,
            sum(CAST(round(100 * json_extract(item.value, '$.amount')) AS INTEGER)) AS invoiced
        FROM invoices, json_each(invoices.line_items) item GROUP BY 1
    ) billed ON billed.project_id = project.id
    WHERE project.is_active AND project.is_billable AND (:fixed_fee OR NOT project.is_fixed_fee)
        AND {_seen_projects(seen)}
    ORDER BY project.id"""


_HOURS = "project.budget_by IN ('project','task','person')"
_BUDGET = """(CASE
    WHEN project.budget_by = 'project' THEN project.budget
    WHEN project.budget_by = 'project_cost' THEN project.cost_budget
    WHEN project.budget_by IN ('task','task_fees') THEN
        (SELECT sum(budget) FROM task_assignments a WHERE a.project_id = project.id)
    WHEN project.budget_by = 'person' THEN
        (SELECT sum(budget) FROM user_assignments a WHERE a.project_id = project.id)
    END)"""
_SPENT = f"""(CASE WHEN project.budget_by = 'none' THEN NULL
    WHEN {_HOURS} THEN ifnull(hours, 0)
    ELSE (ifnull(amount, 0)+50)/100 + CASE WHEN project.cost_budget_include_expenses THEN
        (SELECT ifnull(sum(total_cost), 0) FROM expenses x WHERE x.project_id = project.id
            AND (NOT project.budget_is_monthly OR x.spent_date BETWEEN :first AND :last))
        ELSE 0 END END)"""
_PROJECT_BUDGET_ROW = json_object(
    _CLIENT
    | {
        "project_id": "project.id",
        "project_name": "json_quote(project.name)",
        "budget_is_monthly": to_json("bool", "project.budget_is_monthly"),
        "budget_by": to_json("text", "project.budget_by"),
        "is_active": to_json("bool", "project.is_active"),
        "budget": to_json("money", "budget_is"),
        "budget_spent": to_json("money", "budget_spent"),
        "budget_remaining": to_json("money", "(budget_is - budget_spent)"),
    }
)


def _project_budget(seen: str) -> str:
    """Return the SQL of the budget report: each project that has a budget."""
    return f"""
    SELECT {_PROJECT_BUDGET_ROW} FROM (
        SELECT project.id AS pid, {_BUDGET} AS budget_is, {_SPENT} AS budget_spent
        FROM projects project LEFT JOIN (
            SELECT t.project_id, sum({ROUNDED}) AS hours,
                sum(t.billable * {_AMOUNT}) AS amount
            FROM time_entries t JOIN projects project ON project.id = t.project_id
            WHERE t.budgeted AND (NOT project.budget_is_monthly OR {_WINDOW})
            GROUP BY t.project_id
        ) spent ON spent.project_id = project.id
    ) t JOIN projects project ON project.id = t.pid
    JOIN clients client ON client.id = project.client_id
    WHERE project.budget_by <> 'none' AND (:active IS NULL OR project.is_active = :active)
        AND {_seen_projects(seen)}
    ORDER BY project.id"""


def rows(
    store: Store,
    name: str,
    first: str = "",
    last: str = "",
    fixed_fee: bool | None = None,
    active: bool | None = None,
    seen: str = "1",
) -> list[bytes]:
    """Return the rows of a report, each as JSON, summed from entries and expenses.

    Args:
        store: whose records are summed.
        name: the stream.
        first: the first day, of those reports that have dates.
        last: the last day.
        fixed_fee: include fixed-fee projects; by default the uninvoiced report does and the
            time reports, for amounts, do not.
        active: only active, or only archived, projects in the budget report.
        seen: the SQL condition on the entries and expenses `t` that count.
    """
    values: dict[str, Any] = {"first": first, "last": last}
    if name == "project_budget":
        # Monthly budgets are those of this month.
        month = store.clock.now().strftime("%Y-%m")
        sql = _project_budget(seen)
        values = {"first": f"{month}-01", "last": f"{month}-31", "active": active}
    elif name == "uninvoiced":
        sql = _uninvoiced(seen)
        values["fixed_fee"] = fixed_fee is None or bool(fixed_fee)
    elif name in _TIME:
        sql = _subjects("time_entries", *_TIME[name], _TIME_SUMS, seen)
        values["fixed_fee"] = bool(fixed_fee)
    else:
        sql = _subjects("expenses", *_EXPENSES[name], _EXPENSE_SUMS, seen)
    found: list[bytes] = store.cached(
        (sql, tuple(values.items())),
        lambda: [row for (row,) in store.query(sql, named=values)],
    )
    return store.fields.complete(name, found)
