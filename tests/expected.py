"""What a copy has to hold, from Harvest's documentation alone: keys, parents and windows.

Nothing of the source is used here: a mistake of it would otherwise be expected, too.
"""

from datetime import date, timedelta
from typing import Any, Dict, Iterable, List, Tuple

from sandbox import BALANCES, LISTINGS, REPORTS, Account

STREAMS = ("company", BALANCES, *LISTINGS, *REPORTS)

PARENTS = {
    "invoice_messages": "invoice_id",
    "invoice_payments": "invoice_id",
    "estimate_messages": "estimate_id",
    "billable_rates": "user_id",
    "cost_rates": "user_id",
    "project_assignments": "user_id",
    "teammates": "user_id",
    "pto_balances": "user_id",
}
"""The column that says whose row it is, in lists that Harvest gives record by record."""

_SUBJECTS = {
    "clients": "client_id",
    "projects": "project_id",
    "tasks": "task_id",
    "team": "user_id",
    "categories": "expense_category_id",
    "uninvoiced": "project_id",
}
"""What a report has a row of in each window and currency."""

_KEYS: Dict[str, Tuple[str, ...]] = {
    "company": (),
    "project_budget": ("project_id",),
    "pto_assignments": ("user__id",),
    "pto_balances": ("user_id", "year", "pto_type__id"),
    # Somebody can be the teammate of several managers.
    "teammates": ("user_id", "id"),
}

OTHERS = (
    *("client", "project", "user", "creator", "reviewer", "task", "user_assignment"),
    *("task_assignment", "invoice", "estimate", "expense_category", "pto_type"),
    *("holiday_calendar", "work_schedule", "effective_work_schedule"),
)
"""Objects in a row that repeat another record as it was when the row was read."""

MONTHS = {"year": 12, "quarter": 3, "month": 1}


def is_report(stream: str) -> bool:
    """Whether a stream has rows for windows of days."""
    return stream in REPORTS and stream != "project_budget"


def key(stream: str) -> Tuple[str, ...]:
    """The columns that tell the rows of a stream apart."""
    if is_report(stream):
        subject = stream.rsplit("_", 1)[-1]
        return (_SUBJECTS[subject], "currency", "period_start")
    return _KEYS.get(stream, ("id",))


def windows(period: str, days: Iterable[date]) -> List[Tuple[date, date]]:
    """The windows of the calendar that some days lie in."""
    months = MONTHS[period]
    starts = {day.year * 12 + (day.month - 1) // months * months for day in days}

    def first(month: int) -> date:
        return date(month // 12, month % 12 + 1, 1)

    return [(first(each), first(each + months) - timedelta(days=1)) for each in sorted(starts)]


def rows(
    account: Account, stream: str, period: str, more: Iterable[date] = ()
) -> List[Dict[str, Any]]:
    """The rows of a stream as Harvest gives them, with the columns that a copy adds.

    Args:
        account: what is copied.
        stream: name of the stream.
        period: windows of the reports.
        more: days whose windows are there as well, though nothing was recorded in them.
    """
    found: List[Dict[str, Any]] = []
    this = date.today().year
    if stream in PARENTS:
        for parent, children in account.children(stream, exact=True).items():
            found += [{PARENTS[stream]: parent, **child} for child in children]
    elif is_report(stream):
        dated = account.rows("time_entries") + account.rows("expenses")
        days = [date.fromisoformat(row["spent_date"]) for row in dated]
        days += [date.today() + timedelta(days=1), *more]
        for start, end in windows(period, days):
            added = {"period_start": str(start), "period_end": str(end)}
            report = account.rows(stream, from_=start, to=end, exact=True)
            found += [{**added, **row} for row in report]
    elif stream == "pto_allocations":
        for year in (this - 1, this):
            found += [{**row, "year": year} for row in account.rows(stream, year=year)]
    else:
        found = account.rows(stream, exact=True)
    return found
