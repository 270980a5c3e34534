"""What reports are made of: stored time entries, expenses, and their projects."""

from datetime import date  # noqa: I251
from functools import cached_property
from typing import Any, Container, Dict, List, Sequence, Tuple

from dlt.common import Decimal

from ..settings import STREAMS, Report, Stream
from ..typing import Row, Rows
from .comparable import as_decimal
from .prints import Group
from .stored import StoredTables

INVOICED = "invoices__line_items"
"""What was invoiced of each project."""


class Entries:
    """The time entries and expenses of a destination, as reports sum them up.

    They are read once, and must be repaired by then.

    Args:
        stored (StoredTables): The destination.
    """

    def __init__(self, stored: StoredTables) -> None:
        self._stored = stored
        self._groups: Dict[Tuple[str, str], List[Group]] = {}
        self._records: Dict[str, Dict[Any, Row]] = {}

    def groups(self, source: str, report: Report) -> List[Group]:
        """Return what a report sums up, by month, project, and what it groups by."""
        column = f"{report.key[: -len('_id')]}__id"
        if (source, column) not in self._groups:
            there = self._stored.count(source) is not None
            found = self._summed_up(source, report, column) if there else []
            self._groups[source, column] = found
        return self._groups[source, column]

    def _summed_up(self, source: str, report: Report, column: str) -> List[Group]:
        stored, stream = self._stored, STREAMS[source]
        dated = stored.source(source, f"t.{stream.dated} IS NOT NULL")
        query = group_query(stream, column, stored.columns(source), dated)
        # ids in entries are those of the time of reading, such as that of the client of
        # a project; those of the project itself are newer
        owner = f"{report.subject}__id"
        owners = {} if column == owner else self._records_of(report, owner)
        return [
            Group(
                source,
                date(int(y), int(m), 1),
                project,
                owners.get(project, {}).get(column) or subject,
                as_decimal(amount),
                bool(running),
                newest,
                str([as_decimal(each).normalize() for each in others]),
            )
            for y, m, project, subject, amount, running, newest, *others in (
                stored.query(query)
            )
        ]

    def described_by(self, report: Report, groups: Sequence[Group]) -> Dict[Any, Rows]:
        """Return the records that groups belong to, by their project and subject."""
        projects = self._records_of(report, "project__id")
        clients = self._records_of(report, "client__id")
        subjects = self._records_of(report, f"{report.key[: -len('_id')]}__id")
        found: Dict[Any, Rows] = {}
        for group in groups:
            project = projects.get(group.project, {})
            client = clients.get(project.get("client__id"), {})
            subject = subjects.get(group.subject, {})
            found[group.project, group.subject] = [client, project, subject]
        return found

    def _records_of(self, report: Report, column: str) -> Dict[Any, Row]:
        """Return what reports repeat of the records that a column refers to, by id."""
        table = self._stored.schema.tables[report.made_of[0]]
        references: Any = table.get("references") or []
        names = {each["columns"][0]: each["referenced_table"] for each in references}
        name = names.get(column, "")
        if name and name not in self._records:
            wanted = ("updated_at", *STREAMS[name].described_by)
            self._records[name] = {
                row["id"]: {each: row[each] for each in wanted if each in row}
                for row in self._stored.rows(name)
            }
        return self._records.get(name, {})

    @cached_property
    def invoiced(self) -> Dict[Any, Decimal]:
        """Return what was invoiced of each project: that leaves less of a fixed fee."""
        stored = self._stored
        if not stored.has(INVOICED, "project__id") or not stored.has("invoices"):
            return {}
        rows = stored.query(
            f"SELECT i.project__id, SUM(i.amount) FROM {stored.name(INVOICED)} i"
            f" WHERE i._dlt_parent_id IN (SELECT t._dlt_id FROM"
            f" {stored.source('invoices')}) GROUP BY i.project__id"
        )
        return {key: as_decimal(amount) for key, amount in rows}


def group_query(stream: Stream, column: str, has: Container[str], source: str) -> str:
    """Return the query for what reports sum up, by month, project, and a subject.

    Args:
        stream (Stream): Time entries or expenses.
        column (str): The column of the subject.
        has (Container[str]): The columns that there are.
        source (str): What stands behind FROM.
    """
    amount, day = f"t.{stream.amount}", f"t.{stream.dated}"
    money = f"{amount} * t.billable_rate" if "billable_rate" in has else amount
    running = "t.is_running" if "is_running" in has else "1 = 0"
    billable = "t.billable" if "billable" in has else "1 = 1"
    unbilled = f"{billable} AND NOT t.is_billed" if "is_billed" in has else billable
    newest = "MAX(t.updated_at)" if "updated_at" in has else "NULL"
    subject = f"t.{column}" if column in has else "NULL"
    sums = [
        *(f"SUM(CASE WHEN {billable} THEN {each} END)" for each in (amount, money)),
        *(f"SUM(CASE WHEN {unbilled} THEN {each} END)" for each in (amount, money)),
    ]
    return (
        f"SELECT EXTRACT(YEAR FROM {day}) AS y, EXTRACT(MONTH FROM {day}) AS m,"
        f" t.project__id AS p, {subject} AS s, SUM({amount}) AS a,"
        f" MAX(CASE WHEN {running} THEN 1 ELSE 0 END) AS r, {newest} AS u,"
        " COUNT(*) AS n,"
        f" {', '.join(f'{each} AS f{n}' for n, each in enumerate(sums))}"
        f" FROM {source} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    )
