"""What the sandbox holds, as data: its tables and the fields of their rows."""

from __future__ import annotations

from .table import Table, json_object, to_json

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
