"""The streams of the Harvest API v2 as one table of plain data, and the API's constants."""

from dataclasses import dataclass
from typing import Dict, Literal, Tuple

BASE_URL = "https://api.harvestapp.com/v2"
ID_URL = "https://id.getharvest.com/api/v2"
USER_AGENT = "dlt-harvest (https://dlthub.com/docs/dlt-ecosystem/verified-sources)"

PER_PAGE = 2000
"""The most rows that Harvest puts on a page (https://help.getharvest.com/api-v2/introduction/overview/pagination/)."""


@dataclass(frozen=True)
class Stream:
    """One stream of the API: where it is read, and how its table is kept fresh.

    Attributes:
        name (str): Name of the resource and of its table.
        path (str): Path below the base URL; `{id}` stands for the parent's id.
        kind (str): `list` is read incrementally by `updated_since`, `whole` is read and replaced
            as a whole, `child` is read for each parent, `report` in windows of time.
        key (Tuple[str, ...]): Columns that identify a row.
        numbered (bool): The list is paged by plain page number, so its rows shift when others
            come or go.
        parent (str): For a `child`, the stream whose rows are its parents.
        parent_role (str): Only parents with this among their `access_roles` have it.
        feature (str): Field of `company` that tells whether the account uses this part of Harvest.
    """

    name: str
    path: str
    kind: Literal["list", "whole", "child", "report"] = "list"
    key: Tuple[str, ...] = ("id",)
    numbered: bool = False
    parent: str = ""
    parent_role: str = ""
    feature: str = ""

    @property
    def field(self) -> str:
        """Field of the answer that holds the rows."""
        return "results" if self.path.startswith("/reports/") else self.name

    @property
    def parent_key(self) -> str:
        """Column of a `child` row that holds its parent's id, such as `invoice_id`."""
        return f"{self.parent[:-1]}_id"

    @property
    def permission(self) -> str:
        """The role in Harvest that may read the stream, in words."""
        if self.name in ("users", "roles") or self.parent == "users":
            return "Administrator"
        if self.feature in ("invoice_feature", "estimate_feature"):
            return "Administrator, or Manager with permission for invoices and estimates"
        return "Administrator, or Manager for the projects and people that they manage"


STREAMS: Dict[str, Stream] = {
    stream.name: stream
    for stream in (
        Stream("company", "/company", "whole", key=()),
        Stream("clients", "/clients"),
        Stream("contacts", "/contacts"),
        Stream("projects", "/projects"),
        Stream("tasks", "/tasks"),
        Stream("task_assignments", "/task_assignments"),
        Stream("user_assignments", "/user_assignments"),
        Stream("roles", "/roles", "whole"),
        Stream("users", "/users"),
        Stream("billable_rates", "/users/{id}/billable_rates", "child", parent="users"),
        Stream("cost_rates", "/users/{id}/cost_rates", "child", parent="users"),
        Stream("project_assignments", "/users/{id}/project_assignments", "child", parent="users"),
        Stream(
            "teammates",
            "/users/{id}/teammates",
            "child",
            key=("user_id", "id"),
            parent="users",
            parent_role="manager",
            feature="team_feature",
        ),
        Stream("time_entries", "/time_entries", numbered=True),
        Stream("expenses", "/expenses", numbered=True, feature="expense_feature"),
        Stream("expense_categories", "/expense_categories", feature="expense_feature"),
        Stream("invoices", "/invoices", numbered=True, feature="invoice_feature"),
        Stream(
            "invoice_messages",
            "/invoices/{id}/messages",
            "child",
            parent="invoices",
            feature="invoice_feature",
        ),
        Stream(
            "invoice_payments",
            "/invoices/{id}/payments",
            "child",
            parent="invoices",
            feature="invoice_feature",
        ),
        Stream("invoice_item_categories", "/invoice_item_categories", feature="invoice_feature"),
        Stream("estimates", "/estimates", numbered=True, feature="estimate_feature"),
        Stream(
            "estimate_messages",
            "/estimates/{id}/messages",
            "child",
            parent="estimates",
            feature="estimate_feature",
        ),
        Stream("estimate_item_categories", "/estimate_item_categories", feature="estimate_feature"),
        *(
            Stream(
                f"{kind}_{subject}",
                f"/reports/{kind}/{subject}",
                "report",
                key=(f"{key}_id", "currency", "period_start"),
                numbered=True,
                feature=feature,
            )
            for kind, subject, key, feature in (
                ("time", "clients", "client", ""),
                ("time", "projects", "project", ""),
                ("time", "tasks", "task", ""),
                ("time", "team", "user", ""),
                ("expenses", "clients", "client", "expense_feature"),
                ("expenses", "projects", "project", "expense_feature"),
                ("expenses", "categories", "expense_category", "expense_feature"),
                ("expenses", "team", "user", "expense_feature"),
            )
        ),
        Stream(
            "uninvoiced",
            "/reports/uninvoiced",
            "report",
            key=("project_id", "currency", "period_start"),
            numbered=True,
        ),
        Stream(
            "project_budget",
            "/reports/project_budget",
            "whole",
            key=("project_id",),
            numbered=True,
        ),
    )
}
"""Every stream by name, in the order in which a reader would ask for them."""
