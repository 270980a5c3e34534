"""What the sandbox holds and serves, as data: tables, the shape of their rows, lists, filters.

Everything lives in an in-memory SQLite database. A row is turned into JSON by SQLite itself,
with an expression compiled from the table's fields, so that the server, the Python API and the
tests all see the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .fields import LIVE, Fields

# How a column is kept, by the kind that a field declares. Money and hours are hundredths.
SQL_TYPES = {
    "int": "INTEGER",
    "text": "TEXT",
    "bool": "INTEGER",
    "money": "INTEGER",
    "number": "REAL",
    "date": "TEXT",
    "time": "TEXT",
    "json": "TEXT",
}


def to_json(kind: str, column: str) -> str:
    """The SQL expression that writes a column of that kind as JSON."""
    if kind == "text":
        return f"json_quote({column})"
    if kind in ("date", "time"):
        return f"""ifnull('"'||{column}||'"','null')"""
    if kind == "bool":
        return f"CASE {column} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END"
    if kind == "money":
        return f"ifnull({column}/100.0,'null')"
    return f"ifnull({column},'null')"


def json_object(members: Mapping[str, str]) -> str:
    """The SQL expression that writes an object; printf makes one pass where || copies again."""
    template = ",".join(f'"{name}":%s' for name in members)
    return f"printf('{{{template}}}',{','.join(members.values())})"


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for pair in text.split():
        name, _, kind = pair.partition(":")
        yield name, kind


@dataclass(frozen=True)
class Table:
    """One table and the rows that the API makes of it.

    Attributes:
        fields: `name:kind` pairs in the order in which they are served. A kind that starts with
            `@` is a nested object, `@table.brief`, kept as the column `name_id`; it ends with `?`
            where the row outlives what it points to, else the row is deleted with it. A second
            brief, `@table.brief/other`, is how live accounts send it. A name that ends with `!`
            is a field that live accounts send and the documentation has not; one that ends
            with `~` is sent only where it is asked for.
        hidden: `name:kind` columns that are kept but not served.
        computed: fields that no column holds, as SQL expressions that give JSON.
        joins: nested objects that are reached another way than by `name_id`.
        briefs: how rows of this table look inside others: brief name -> (field, SQL or "").
        indexes: columns to index, besides the order of the lists.
        first_id: ids are given out from here.
        kept_in: the table whose rows these are, when it is another one.
    """

    fields: str
    hidden: str = ""
    computed: Mapping[str, str] = field(default_factory=dict)
    joins: Mapping[str, str] = field(default_factory=dict)
    briefs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    indexes: tuple[str, ...] = ()
    first_id: int = 1
    kept_in: str = ""

    def served(self, fields: Fields = LIVE) -> dict[str, str]:
        """Every field that is served, with its kind."""
        served = {}
        for name, kind in _pairs(self.fields):
            plain = name.rstrip("!~")
            if name.endswith("!") and fields.documented_only:
                continue
            if name.endswith("~") and plain not in fields.on_request:
                continue
            brief, slash, other = kind.rstrip("?").partition("/")
            if slash and not fields.documented_only:
                brief = brief.partition(".")[0] + "." + other
            served[plain] = brief
        return served

    def columns(self) -> dict[str, str]:
        """Every column that is kept, with its kind."""
        kept: dict[str, str] = {}
        for name, kind in _pairs(self.fields + " " + self.hidden):
            name = name.rstrip("!~")
            if kind.startswith("@"):
                if name not in self.joins:
                    kept[f"{name}_id"] = kind
            elif kind != "=":
                kept[name] = kind
        return kept

    def create(self, name: str) -> str:
        """The statement that creates the table."""
        lines = []
        for column, kind in self.columns().items():
            if kind.startswith("@"):
                target, _, brief = kind[1:].partition(".")
                action = "SET NULL" if brief.endswith("?") else "CASCADE"
                lines.append(f"{column} INTEGER REFERENCES {target}(id) ON DELETE {action}")
            else:
                key = " PRIMARY KEY" if column == "id" else ""
                lines.append(f"{column} {SQL_TYPES[kind]}{key}")
        for brief, members in self.briefs.items():
            # Stored when the row is written: nesting it then costs one look-up by id.
            expression = json_object(dict(self._member(member) for member in members))
            lines.append(f"{brief} TEXT GENERATED ALWAYS AS ({expression}) STORED")
        return f"CREATE TABLE {name} ({', '.join(lines)})"

    def _member(self, member: str) -> tuple[str, str]:
        name, _, sql = member.partition("=")
        return name, f"json_quote({sql})" if sql else to_json(self.columns()[name], name)

    def select(self, fields: Fields = LIVE) -> tuple[str, str]:
        """The expression that writes a row `t` as JSON, and the joins that it needs."""
        members, joins = {}, []
        for member, kind in self.served(fields).items():
            if kind.startswith("@"):
                target, _, brief = kind[1:].partition(".")
                on = self.joins.get(member, f"{member}.id = t.{member}_id")
                joins.append(f"LEFT JOIN {target} {member} ON {on}")
                members[member] = f"ifnull({member}.{brief},'null')"
            elif kind == "=":
                members[member] = self.computed[member]
            else:
                members[member] = to_json(kind, f"t.{member}")
        # What is reached through another join comes after it.
        joins.sort(key=lambda join: ".id = t." not in join)
        return json_object(members), " ".join(joins)


_STAMPS = " created_at:time updated_at:time"
_ASSIGNMENT = "id:int is_active:bool is_project_manager:bool use_default_rates:bool"
APPROVAL_STATUS = """CASE WHEN t.is_closed THEN 'approved' WHEN t.is_submitted THEN 'submitted'
    ELSE 'unsubmitted' END"""
"""How far the approval of an entry or an expense has come."""
_LOCKED = "(t.invoice_id IS NOT NULL OR t.is_closed OR t.is_explicitly_locked)"
_LOCK = {
    "is_locked": to_json("bool", _LOCKED),
    "is_billed": to_json("bool", "(t.invoice_id IS NOT NULL)"),
    "locked_reason": """CASE
        WHEN t.invoice_id IS NOT NULL AND t.is_closed THEN '"Invoiced and approved"'
        WHEN t.invoice_id IS NOT NULL THEN '"Invoiced"'
        WHEN t.is_closed THEN '"Approved"'
        WHEN t.is_explicitly_locked THEN '"Locked"' ELSE 'null' END""",
    "approval_status": f"""'"'||{APPROVAL_STATUS}||'"'""",
}
_MESSAGE = (
    "id:int sent_by:text sent_by_email:text sent_from:text sent_from_email:text recipients:json"
    " subject:text body:text send_me_a_copy:bool event_type:text"
)
_AMOUNTS = (
    " purchase_order:text amount:money tax:number tax_amount:money tax2:number tax2_amount:money"
    " discount:number discount_amount:money subject:text notes:text currency:text state:text"
)

_ACCRUAL = (
    " accrual_type:text accrual_schedule:text accrual_first_payday:date"
    " accrual_leave_hours:number accrual_worked_hours:number accrual_max_hours_per_year:number"
)
_WEEKLY = (
    "(s.monday_hours+s.tuesday_hours+s.wednesday_hours+s.thursday_hours+s.friday_hours"
    "+s.saturday_hours+s.sunday_hours)"
)

ROUNDED = "((t.hours+24)/25*25)"
"""Hours as reports and invoices count them: up to the next quarter, in hundredths."""

TABLES: dict[str, Table] = {
    "clients": Table(
        "id:int name:text is_active:bool address:text statement_key:text currency:text" + _STAMPS,
        briefs={"plain": ("id", "name"), "full": ("id", "name", "currency")},
        first_id=5735774,
    ),
    "contacts": Table(
        "id:int client:@clients.plain title:text first_name:text last_name:text email:text"
        " phone_office:text phone_mobile:text fax:text invoice_recipient_status!:text" + _STAMPS,
        indexes=("client_id",),
        first_id=4706479,
    ),
    "users": Table(
        "id:int first_name:text last_name:text email:text telephone:text timezone:text"
        " has_access_to_all_future_projects:bool is_contractor:bool is_active:bool"
        " weekly_capacity:int default_hourly_rate:money cost_rate:money roles:json"
        " access_roles:json avatar_url:text employee_id!:text calendar_integration_enabled!:bool"
        " calendar_integration_source!:text can_create_projects!:= permissions_profile!:="
        " permissions_claims!:= saml_exempt~:bool" + _STAMPS,
        computed={
            "can_create_projects": to_json(
                "bool",
                "(t.access_roles LIKE '%administrator%'"
                " OR t.access_roles LIKE '%project_creator%')",
            ),
            "permissions_profile": "ifnull(json_quote(json_extract(t.access_roles,'$[0]')),'null')",
            "permissions_claims": "(SELECT json_group_array(value) FROM"
            " (SELECT value FROM json_each(t.access_roles) ORDER BY key LIMIT -1 OFFSET 1))",
        },
        briefs={"plain": ("id", "name=first_name||' '||last_name")},
        first_id=1782884,
    ),
    "roles": Table(
        "id:int name:text user_ids:=" + _STAMPS,
        computed={
            "user_ids": "(SELECT json_group_array(id) FROM (SELECT u.id AS id FROM users u,"
            " json_each(u.roles) r WHERE r.value = t.name ORDER BY u.id))"
        },
        first_id=617628,
    ),
    "tasks": Table(
        "id:int name:text billable_by_default:bool default_hourly_rate:money is_default:bool"
        " is_active:bool" + _STAMPS,
        briefs={"plain": ("id", "name")},
        first_id=8083365,
    ),
    "projects": Table(
        "id:int client:@clients.full name:text code:text is_active:bool is_billable:bool"
        " is_fixed_fee:bool bill_by:text hourly_rate:money budget:money budget_by:text"
        " budget_is_monthly:bool notify_when_over_budget:bool"
        " over_budget_notification_percentage:number over_budget_notification_date:date"
        " show_budget_to_all:bool cost_budget:money cost_budget_include_expenses:bool fee:money"
        " notes:text starts_on:date ends_on:date currency!:=" + _STAMPS,
        computed={"currency": "json_quote(client.currency)"},
        briefs={
            "plain": ("id", "name"),
            "full": ("id", "name", "code"),
            "billed": ("id", "name", "code", "is_billable"),
        },
        indexes=("client_id",),
        first_id=14307913,
    ),
    "user_assignments": Table(
        _ASSIGNMENT + " project:@projects.full user:@users.plain hourly_rate:money budget:money"
        "" + _STAMPS,
        briefs={
            "brief": (
                *("id", "is_project_manager", "is_active", "budget"),
                *("created_at", "updated_at", "hourly_rate"),
            ),
            "live": (
                *("id", "is_project_manager", "is_active", "use_default_rates", "budget"),
                *("created_at", "updated_at", "hourly_rate"),
            ),
        },
        indexes=("project_id", "user_id"),
        first_id=125063975,
    ),
    "task_assignments": Table(
        "id:int project:@projects.full task:@tasks.plain is_active:bool billable:bool"
        " hourly_rate:money budget:money" + _STAMPS,
        briefs={
            "brief": (
                *("id", "billable", "is_active", "created_at", "updated_at"),
                *("hourly_rate", "budget"),
            )
        },
        indexes=("project_id", "task_id"),
        first_id=155502709,
    ),
    "project_assignments": Table(
        _ASSIGNMENT + " hourly_rate:money budget:money project:@projects.full/billed"
        " client:@clients.plain/full task_assignments:=" + _STAMPS,
        computed={
            "task_assignments": "(SELECT '['||ifnull(group_concat(item),'')||']' FROM (SELECT"
            " substr(a.brief,1,length(a.brief)-1)||',\"task\":'||k.plain||'}' AS item"
            " FROM task_assignments a JOIN tasks k ON k.id = a.task_id"
            " WHERE a.project_id = t.project_id ORDER BY a.id))"
        },
        joins={"client": "client.id = project.client_id"},
        kept_in="user_assignments",
    ),
    "billable_rates": Table(
        "id:int amount:money start_date:date end_date:date" + _STAMPS,
        hidden="user:@users.plain",
        indexes=("user_id",),
        first_id=1836493,
    ),
    "cost_rates": Table(
        "id:int amount:money start_date:date end_date:date" + _STAMPS,
        hidden="user:@users.plain",
        indexes=("user_id",),
        first_id=825301,
    ),
    "teammates": Table(
        "id:= first_name:= last_name:= email:=",
        hidden="id:int user:@users.plain teammate:@users.plain",
        computed={
            "id": "t.teammate_id",
            **{
                name: f"json_quote((SELECT {name} FROM users WHERE id = t.teammate_id))"
                for name in ("first_name", "last_name", "email")
            },
        },
        indexes=("user_id", "teammate_id"),
    ),
    "estimate_item_categories": Table("id:int name:text" + _STAMPS, first_id=1378703),
    "estimates": Table(
        "id:int client:@clients.plain line_items:json creator:@users.plain? client_key:text"
        " number:text" + _AMOUNTS + " issue_date:date sent_at:time accepted_at:time"
        " declined_at:time" + _STAMPS,
        briefs={"brief": ("id",)},
        indexes=("client_id", "creator_id"),
        first_id=1439814,
    ),
    "estimate_messages": Table(
        _MESSAGE + _STAMPS,
        hidden="estimate:@estimates.brief",
        indexes=("estimate_id",),
        first_id=2666236,
    ),
    "invoice_item_categories": Table(
        "id:int name:text use_as_service:bool use_as_expense:bool" + _STAMPS, first_id=1466292
    ),
    "invoices": Table(
        "id:int client:@clients.plain line_items:json estimate:@estimates.brief? retainer:json"
        " creator:@users.plain? client_key:text number:text due_amount:money"
        + _AMOUNTS
        + " period_start:date period_end:date issue_date:date due_date:date payment_term:text"
        " payment_options:json sent_at:time paid_at:time paid_date:date closed_at:time"
        " recurring_invoice_id:int" + _STAMPS,
        briefs={"brief": ("id", "number")},
        indexes=("client_id", "estimate_id", "creator_id"),
        first_id=13150378,
    ),
    "invoice_messages": Table(
        _MESSAGE + " include_link_to_client_invoice:bool attach_pdf:bool thank_you:bool"
        " reminder:bool send_reminder_on:date" + _STAMPS,
        hidden="invoice:@invoices.brief",
        indexes=("invoice_id",),
        first_id=27835207,
    ),
    "invoice_payments": Table(
        "id:int amount:money paid_at:time paid_date:date recorded_by:text recorded_by_email:text"
        " notes:text transaction_id:text payment_gateway:json" + _STAMPS,
        hidden="invoice:@invoices.brief",
        indexes=("invoice_id",),
        first_id=10112854,
    ),
    "expense_categories": Table(
        "id:int name:text unit_name:text unit_price:number is_active:bool" + _STAMPS,
        # Inside an expense the documentation makes the unit price a string.
        briefs={"brief": ("id", "name", "unit_price=CAST(unit_price AS TEXT)", "unit_name")},
        first_id=4195926,
    ),
    "expenses": Table(
        "id:int client:@clients.full project:@projects.full"
        " expense_category:@expense_categories.brief user:@users.plain"
        " user_assignment:@user_assignments.brief/live? receipt:json invoice:@invoices.brief?"
        " notes:text units:int total_cost:money billable:bool is_closed:bool approval_status:="
        " is_locked:= is_explicitly_locked!:bool is_billed:= locked_reason:= spent_date:date"
        " reimbursement!:json" + _STAMPS,
        hidden="is_submitted:bool",
        computed=_LOCK,
        joins={"client": "client.id = project.client_id"},
        indexes=(
            *("project_id", "user_id", "invoice_id"),
            *("expense_category_id", "user_assignment_id"),
        ),
        first_id=15296423,
    ),
    "time_entries": Table(
        "id:int spent_date:date user:@users.plain"
        " user_assignment:@user_assignments.brief/live? client:@clients.plain/full"
        " project:@projects.plain/full task:@tasks.plain"
        " task_assignment:@task_assignments.brief? external_reference:json"
        " invoice:@invoices.brief? hours:money hours_without_timer:money rounded_hours:="
        " notes:text is_locked:= is_explicitly_locked!:bool locked_reason:= is_closed:bool"
        " approval_status:= is_billed:="
        " timer_started_at:time started_time:text ended_time:text is_running:bool billable:bool"
        " budgeted:bool billable_rate:money cost_rate:money" + _STAMPS,
        hidden="is_submitted:bool",
        computed={**_LOCK, "rounded_hours": to_json("money", ROUNDED)},
        joins={"client": "client.id = project.client_id"},
        indexes=(
            *("task_id", "user_id", "invoice_id", "user_assignment_id", "task_assignment_id"),
            "updated_at",
            # Holds all that budgets need, so that summing them never touches the rows.
            "project_id, spent_date, hours, billable, budgeted, billable_rate",
        ),
        first_id=2**32 + 4096,
    ),
    "pto_types": Table(
        "id:int name:text color:text icon:text"
        + _ACCRUAL
        + " default_days_per_year:number max_carryover_days:number requires_approval:bool"
        " visible_to_all:bool is_active:bool" + _STAMPS,
        briefs={"plain": ("id", "name", "color", "icon")},
        first_id=30411,
    ),
    "pto_requests": Table(
        "id:int status:text start_date:date end_date:date days:number"
        " business_days_at_submission:number start_time_minutes:int end_time_minutes:int"
        " notes:text review_reason:text reviewed_at:time"
        + _STAMPS
        + " user:@users.plain pto_type:@pto_types.plain reviewer:@users.plain?"
        " request_days:json",
        indexes=("user_id", "pto_type_id", "reviewer_id"),
        first_id=880213,
    ),
    "pto_holiday_calendars": Table(
        "id:int name:text entries_count:= entries:json" + _STAMPS,
        computed={"entries_count": "json_array_length(t.entries)"},
        briefs={"plain": ("id", "name")},
        first_id=5120,
    ),
    "pto_work_schedules": Table(
        "id:int name:text is_default:bool is_active:bool weekly_hours:="
        " monday_hours:number tuesday_hours:number wednesday_hours:number"
        " thursday_hours:number friday_hours:number saturday_hours:number sunday_hours:number"
        + _STAMPS,
        computed={"weekly_hours": _WEEKLY.replace("s.", "t.")},
        briefs={"plain": ("id", "name")},
        first_id=7740,
    ),
    "pto_assignments": Table(
        "user:@users.plain holiday_calendar:@pto_holiday_calendars.plain?"
        " work_schedule:@pto_work_schedules.plain? effective_work_schedule:=",
        hidden="id:int",
        computed={
            "effective_work_schedule": "ifnull((SELECT "
            + json_object({"name": "json_quote(s.name)", "weekly_hours": _WEEKLY})
            + " FROM pto_work_schedules s WHERE s.id = t.work_schedule_id"
            " OR (t.work_schedule_id IS NULL AND s.is_default) LIMIT 1),'null')"
        },
        indexes=("user_id", "holiday_calendar_id", "work_schedule_id"),
    ),
    "pto_allocations": Table(
        "id:int year:int user:@users.plain pto_type:@pto_types.plain"
        + _ACCRUAL
        + " days_per_year:number carryover_days:number requires_approval:bool"
        " effective_days_per_year:number effective_accrual_type:text"
        " effective_accrual_schedule:text effective_requires_approval:bool" + _STAMPS,
        indexes=("user_id, year", "pto_type_id"),
        first_id=610077,
    ),
}


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
        """The table that really holds the rows."""
        return TABLES[self.table].kept_in or self.table

    @property
    def order_by(self) -> str:
        """The SQL order; the id settles ties."""
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
