"""Which windows of the reports are no longer true, told from what the destination holds.

A report sums up time entries and expenses, and nothing says when an old one of them changes.
Instead of reading old windows again and again, a print is taken of all that a window is made of:
when the print changes, the window is read again.
"""

import hashlib
from collections import defaultdict
from datetime import date, datetime  # noqa: I251
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from dlt.common import Decimal

from .held import AMOUNTS, Held

REPORTS = {
    "time_clients": (["time_entries"], "project", "client_id", "total_hours"),
    "time_projects": (["time_entries"], "project", "project_id", "total_hours"),
    "time_tasks": (["time_entries"], "task", "task_id", "total_hours"),
    "time_team": (["time_entries"], "user", "user_id", "total_hours"),
    "expenses_clients": (["expenses"], "project", "client_id", "total_amount"),
    "expenses_projects": (["expenses"], "project", "project_id", "total_amount"),
    "expenses_categories": (
        *(["expenses"], "expense_category", "expense_category_id", "total_amount"),
    ),
    "expenses_team": (["expenses"], "user", "user_id", "total_amount"),
    "uninvoiced": (["time_entries", "expenses"], "project", "project_id", "total_hours"),
}
"""What a report is made from, and by which record; its key, and its column with their sum."""
NAMES = {
    "client": ("clients", "t.name", "t.currency"),
    "project": (
        *("projects", "t.client__id", "t.name", "t.code", "t.is_billable", "t.is_fixed_fee"),
        *("t.fee", "t.starts_on"),
    ),
    "task": ("tasks", "t.name"),
    "user": (
        *("users", "t.first_name", "t.last_name", "t.is_contractor", "t.weekly_capacity"),
        "t.avatar_url",
    ),
    "expense_category": ("expense_categories", "t.name"),
}
"""What reports repeat of other records or work amounts out from: their table and its columns."""

Window = Tuple[date, date]


class Group(NamedTuple):
    """The time entries or expenses of one month, one project, and one other record."""

    month: date
    project: int
    subject: int
    amount: Decimal
    newest: Optional[datetime]
    figures: str


class Look(NamedTuple):
    """What was seen of one window of a report.

    Attributes:
        digest (str): Hash of what it is made from, and of its rows.
        agrees (bool): Its hours, or costs, are the sums of those of the entries.
        newest (Optional[datetime]): The last change to what it is made from.
    """

    digest: str
    agrees: bool
    newest: Optional[datetime]


class Periods:
    """The windows of the reports in a destination, beside the entries and expenses in it."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._groups: Dict[Tuple[str, str], List[Group]] = {}
        self._names: Dict[str, Dict[Any, Tuple[Any, ...]]] = {}
        self._fees: Optional[Dict[Any, Decimal]] = None

    def look(self, report: str, windows: Sequence[Window]) -> Dict[Window, Look]:
        """Looks at windows, without asking Harvest anything.

        Args:
            report (str): The report.
            windows (Sequence[Window]): First and last days, of months, quarters or years.

        Returns:
            Dict[Window, Look]: What was seen of each.
        """
        sources, subject, key, total = REPORTS[report]
        rows: Dict[Window, List[Dict[str, Any]]] = defaultdict(list)
        for row in self._held.table(report):
            rows[row["period_start"], row["period_end"]].append(row)
        found = {}
        for window in windows:
            parts = sorted(str(sorted(row.items())) for row in rows[window])
            theirs: Dict[Any, Decimal] = defaultdict(Decimal)
            ours: Dict[Any, Decimal] = defaultdict(Decimal)
            stamps: List[Optional[datetime]] = []
            for row in rows[window]:
                theirs[row[key]] += row[total] or 0
            for source in sources:
                for group in self._made_of(source, subject):
                    if not window[0] <= group.month <= window[1]:
                        continue
                    project = self._named("project", group.project)
                    client = self._named("client", project[1])
                    records = (client, project, self._named(subject, group.subject))
                    parts.append(f"{group._replace(newest=None)} {[r[1:] for r in records]}")
                    if report == "uninvoiced" and project[5:6] == (True,):
                        parts.append(f"invoiced {self._invoiced().get(group.project)}")
                    stamps += [group.newest, *(record[0] for record in records)]
                    if source == sources[0]:
                        ours[project[1] if key == "client_id" else group.subject] += group.amount
            if report == "uninvoiced":
                # it leaves out projects that are not billable
                agrees = _filled({key: ours[key] for key in theirs}) == _filled(theirs)
            else:
                agrees = _filled(ours) == _filled(theirs)
            print_ = hashlib.sha256("\n".join(parts).encode()).hexdigest()
            found[window] = Look(print_, agrees, max(filter(None, stamps), default=None))
        return found

    def _made_of(self, source: str, subject: str) -> List[Group]:
        if (source, subject) not in self._groups:
            amount = f"t.{AMOUNTS[source]}"
            money = f"{amount} * t.billable_rate" if source == "time_entries" else amount
            billable = f"CASE WHEN t.billable THEN {amount} END"
            earned = f"CASE WHEN t.billable THEN {money} END"
            unbilled = f"CASE WHEN t.billable AND NOT t.is_billed THEN {amount} END"
            due = f"CASE WHEN t.billable AND NOT t.is_billed THEN {money} END"
            rows = self._held.query(
                "SELECT EXTRACT(YEAR FROM t.spent_date) AS y, EXTRACT(MONTH FROM t.spent_date)"
                f" AS m, t.project__id AS p, t.{subject}__id AS s, SUM({amount}) AS a,"
                f" MAX(t.updated_at) AS u, COUNT(*) AS n, SUM({billable}) AS b, SUM({earned}) AS e,"
                f" SUM({unbilled}) AS o, SUM({due}) AS d FROM {self._held.name(source)} t"
                " WHERE t.deleted_at IS NULL AND t.spent_date IS NOT NULL"
                " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
            )
            self._groups[source, subject] = [
                Group(date(int(y), int(m), 1), p, s, a or Decimal(0), u, str(figures))
                for y, m, p, s, a, u, *figures in rows
            ]
        return self._groups[source, subject]

    def _named(self, kind: str, key: Any) -> Tuple[Any, ...]:
        """When a record was last changed, and what reports depend on of it."""
        if kind not in self._names:
            table, *columns = NAMES[kind]
            self._names[kind] = {}
            if self._held.count(table) is not None:
                names = ", ".join(columns)
                sql = f"SELECT t.id, t.updated_at, {names} FROM {self._held.name(table)} t"
                self._names[kind] = {row[0]: row[1:] for row in self._held.query(sql)}
        return self._names[kind].get(key, (None, None))

    def _invoiced(self) -> Dict[Any, Decimal]:
        """What was invoiced of each project, which leaves less of a fixed fee to be invoiced."""
        if self._fees is None:
            self._fees = {}
            if self._held.count("invoices") is not None:
                items, invoices = map(self._held.name, ("invoices__line_items", "invoices"))
                sql = (
                    f"SELECT t.project__id, SUM(t.amount) AS a FROM {items} t"
                    f" JOIN {invoices} i ON t._dlt_parent_id = i._dlt_id WHERE i.deleted_at IS NULL"
                    " GROUP BY t.project__id"
                )
                self._fees = dict(self._held.query(sql))
        return self._fees


def _filled(sums: Dict[Any, Decimal]) -> Dict[Any, Decimal]:
    return {key: round(amount, 2) for key, amount in sums.items() if amount}
