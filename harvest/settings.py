"""The streams of the Harvest API v2 with all their facts, and its constants."""

from dataclasses import dataclass, field
from typing import Any, Dict, Literal, Mapping, Optional, Tuple

VERSION = "0.1.0"
"""The version of the source, as CHANGELOG.md has it."""

BASE_URL = "https://api.harvestapp.com/v2"
ID_URL = "https://id.getharvest.com/api/v2"
TOKENS_PAGE = "https://id.getharvest.com/developers"
USER_AGENT = "dlt-harvest (https://dlthub.com/docs/dlt-ecosystem/verified-sources)"

PER_PAGE = 2000
"""The most rows that Harvest puts on a page.
https://help.getharvest.com/api-v2/introduction/overview/pagination/"""

ADMINISTRATOR = "Administrator"
MANAGER = "Administrator, or Manager for the projects and people that they manage"
INVOICES = "Administrator, or Manager with permission for invoices and estimates"


@dataclass(frozen=True)
class Report:
    """The facts about a report that sums up time entries or expenses.

    Attributes:
        made_of (Tuple[str, ...]): The streams that it sums up.
        subject (str): The object of those rows that it groups by, such as `project`.
        key (str): Its column with the id of the group, such as `client_id`.
        total (str): Its column with the sum of the first stream's `amount`.
        billable_only (bool): It leaves out projects that are not billable.
    """

    made_of: Tuple[str, ...]
    subject: str
    key: str
    total: str
    billable_only: bool = False


@dataclass(frozen=True)
class Stream:
    """One stream of the API: where it is read, and how its table stays up to date.

    Attributes:
        name (str): Name of the resource and of its table.
        path (str): Path below the base URL; `{id}` stands for the parent's id.
        kind (str): A `list` is read by `updated_since`, a `whole` replaced by each run,
            a `child` read for each row of its parent, a `report` in windows of time, a
            `yearly` for this year and the last.
        key (Tuple[str, ...]): Columns that identify a row; `user__id` is `id` of
            `user`.
        rows_under (Optional[str]): Field of the answer that holds the rows, if it is
            not the name; empty when the answer itself is the row.
        params (Mapping[str, str]): Query parameters; `{id}` stands for the parent's id.
        parent (str): The stream whose rows are the parents of a `child`.
        parent_role (str): Only parents with this among their `access_roles` have it.
        per_year (bool): It is asked for once for each year.
        feature (str): Field of `company` that says whether the account uses it.
        section (str): The section of Harvest that an account may not have.
        permission (str): The role in Harvest that may read it, in words.
        dated (str): The column with its day, which `start_date` bounds.
        backfilled (bool): It can be read from one day to another, by `from` and `to`.
        fixed_fees (bool): It takes `include_fixed_fee`.
        rate_limit (str): Which of Harvest's two rate limits counts its requests.
        amount (str): The column that is summed up to compare it with Harvest.
        summed_by (str): The report that sums up `amount`.
        report (Optional[Report]): What it sums up.
        refers_to (Mapping[str, str]): Streams by the column that holds their id, whose
            deletion deletes the row as well, besides the parent.
        part (str): A list in its rows that may be cut off, as `entries_count` tells. It
            is whole at `/{id}/entries`, below the path.
    """

    name: str
    path: str
    kind: Literal["list", "whole", "child", "report", "yearly"] = "list"
    key: Tuple[str, ...] = ("id",)
    rows_under: Optional[str] = None
    params: Mapping[str, str] = field(default_factory=dict)
    parent: str = ""
    parent_role: str = ""
    per_year: bool = False
    feature: str = ""
    section: str = ""
    permission: str = MANAGER
    dated: str = ""
    backfilled: bool = False
    fixed_fees: bool = False
    rate_limit: Literal["api", "reports"] = "api"
    amount: str = ""
    summed_by: str = ""
    report: Optional[Report] = None
    refers_to: Mapping[str, str] = field(default_factory=dict)
    part: str = ""

    @property
    def rows_in(self) -> str:
        """Return the field of the answer with the rows; empty for a single row."""
        return self.name if self.rows_under is None else self.rows_under

    @property
    def parent_key(self) -> str:
        """Return the column of a `child` that holds its parent's id: `invoice_id`."""
        return f"{self.parent[:-1]}_id" if self.parent else ""

    @property
    def primary_key(self) -> Tuple[str, ...]:
        """Return the key by which dlt merges rows; none if they come as a set."""
        may_repeat = self.section and self.kind != "list"
        return () if self.report or may_repeat else self.key

    @property
    def merge_key(self) -> Tuple[str, ...]:
        """Return the columns whose rows replace each other as a set."""
        if self.report:
            return ("period_start", "period_end")
        years = ("year",) if self.per_year else ()
        return (*((self.parent_key,) if self.parent else ()), *years)


_PEOPLE: Dict[str, Any] = {"permission": ADMINISTRATOR}
_EXPENSES: Dict[str, Any] = {"feature": "expense_feature"}
_INVOICES: Dict[str, Any] = {"feature": "invoice_feature", "permission": INVOICES}
_ESTIMATES: Dict[str, Any] = {"feature": "estimate_feature", "permission": INVOICES}
_PAID_TIME_OFF = "paid time off"
_SPENT: Dict[str, Any] = {"dated": "spent_date", "backfilled": True}
_ISSUED: Dict[str, Any] = {"dated": "issue_date", "amount": "amount"}


def _child(name: str, parent: str, **facts: Any) -> Stream:
    """Return `invoice_messages`, which is at `/invoices/{id}/messages`."""
    last = name.removeprefix(f"{parent[:-1]}_")
    return Stream(name, f"/{parent}/{{id}}/{last}", "child", parent=parent, **facts)


def _pto(name: str, **facts: Any) -> Stream:
    """Return `pto_types`, which is at `/pto/types`."""
    return Stream(
        name, f"/{name.replace('_', '/', 1)}", section=_PAID_TIME_OFF, **facts
    )


def _report(name: str, report: Report, **facts: Any) -> Stream:
    return Stream(
        name,
        "/reports/" + name.replace("_", "/", 1),
        "report",
        key=(report.key, "currency", "period_start"),
        rows_under="results",
        rate_limit="reports",
        report=report,
        **facts,
    )


def _time(name: str, subject: str, key: str) -> Stream:
    report = Report(("time_entries",), subject, key, "total_hours")
    return _report(name, report, fixed_fees=True)


def _costs(name: str, subject: str, key: str) -> Stream:
    report = Report(("expenses",), subject, key, "total_amount")
    return _report(name, report, **_EXPENSES)


_ALL = (
    Stream("company", "/company", "whole", key=(), rows_under=""),
    Stream("clients", "/clients"),
    Stream("contacts", "/contacts"),
    Stream("projects", "/projects"),
    Stream("tasks", "/tasks"),
    Stream("task_assignments", "/task_assignments"),
    Stream("user_assignments", "/user_assignments"),
    Stream("roles", "/roles", "whole", permission=ADMINISTRATOR),
    Stream("users", "/users", permission=ADMINISTRATOR),
    _child("billable_rates", "users", **_PEOPLE),
    _child("cost_rates", "users", **_PEOPLE),
    _child(
        "project_assignments",
        "users",
        refers_to={"project__id": "projects"},
        **_PEOPLE,
    ),
    _child(
        "teammates",
        "users",
        key=("user_id", "id"),
        parent_role="manager",
        feature="team_feature",
        **_PEOPLE,
    ),
    Stream(
        "time_entries",
        "/time_entries",
        amount="rounded_hours",
        summed_by="time_clients",
        **_SPENT,
    ),
    Stream(
        "expenses",
        "/expenses",
        amount="total_cost",
        summed_by="expenses_clients",
        **_EXPENSES,
        **_SPENT,
    ),
    Stream("expense_categories", "/expense_categories", **_EXPENSES),
    Stream("invoices", "/invoices", **_INVOICES, **_ISSUED),
    _child("invoice_messages", "invoices", **_INVOICES),
    _child("invoice_payments", "invoices", **_INVOICES),
    Stream("invoice_item_categories", "/invoice_item_categories", **_INVOICES),
    Stream("estimates", "/estimates", **_ESTIMATES, **_ISSUED),
    _child("estimate_messages", "estimates", **_ESTIMATES),
    Stream("estimate_item_categories", "/estimate_item_categories", **_ESTIMATES),
    _pto("pto_requests", dated="start_date"),
    _pto("pto_types"),
    _pto("pto_holiday_calendars", kind="whole", part="entries"),
    _pto("pto_work_schedules", kind="whole"),
    _pto("pto_assignments", kind="whole", key=("user__id",)),
    _pto("pto_allocations", kind="yearly", per_year=True),
    Stream(
        "pto_balances",
        "/pto/balances",
        "child",
        key=("user_id", "year", "pto_type__id"),
        rows_under="balances",
        params={"user_id": "{id}"},
        parent="users",
        per_year=True,
        section=_PAID_TIME_OFF,
    ),
    _time("time_clients", "project", "client_id"),
    _time("time_projects", "project", "project_id"),
    _time("time_tasks", "task", "task_id"),
    _time("time_team", "user", "user_id"),
    _costs("expenses_clients", "project", "client_id"),
    _costs("expenses_projects", "project", "project_id"),
    _costs("expenses_categories", "expense_category", "expense_category_id"),
    _costs("expenses_team", "user", "user_id"),
    _report(
        "uninvoiced",
        Report(
            ("time_entries", "expenses"),
            "project",
            "project_id",
            "total_hours",
            billable_only=True,
        ),
        fixed_fees=True,
    ),
    Stream(
        "project_budget",
        "/reports/project_budget",
        "whole",
        key=("project_id",),
        rows_under="results",
        rate_limit="reports",
    ),
)

STREAMS: Dict[str, Stream] = {stream.name: stream for stream in _ALL}
"""Every stream by name, in the order in which a reader would ask for them."""

COMPANY = STREAMS["company"]
"""The account itself, with its settings."""

REPORTED: Tuple[str, ...] = tuple(
    dict.fromkeys(name for each in _ALL if each.report for name in each.report.made_of)
)
"""The streams that reports sum up: time entries and expenses."""
FAMILIES: Dict[str, Tuple[Stream, ...]] = {
    parent: tuple(each for each in _ALL if parent in (each.name, each.parent))
    for parent in dict.fromkeys(each.parent for each in _ALL if each.parent)
}
"""Each parent stream by name, with the streams below it."""
