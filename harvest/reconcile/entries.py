"""The parts of reports: stored time entries and expenses, and their projects."""

from functools import cached_property
from typing import (
    Any,
    Container,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

from dlt.common import Decimal

from ..settings import STREAMS
from ..typing import Row, Window
from . import sql, sql_reports
from .comparable import as_decimal, moment
from .comparison import Comparison
from .stored import StoredTables
from .totals import Group

INVOICED = "line_items"
"""The list of an invoice with what was invoiced of each project."""
RECORDS = {
    "client": "clients",
    "project": "projects",
    "user": "users",
    "task": "tasks",
    "expense_category": "expense_categories",
}
"""The streams whose names and facts reports repeat, by what refers to them."""


class Entries:
    """The time entries and expenses of a destination, as reports sum them up.

    They are read once, and must be repaired by then.

    Args:
        stored (StoredTables): The destination.
        compared (Mapping[str, Comparison]): The streams that are compared: only what is
            among them is as Harvest has it.
    """

    def __init__(
        self, stored: StoredTables, compared: Mapping[str, Comparison]
    ) -> None:
        self._stored = stored
        self._compared = compared
        self._groups: Dict[Any, List[Group]] = {}
        self._records: Dict[str, Dict[Any, Row]] = {}

    def why_not(self, source: str) -> str:
        """Return why time entries or expenses cannot be summed up; nothing if so."""
        stream, found = STREAMS[source], self._compared.get(source)
        columns = (stream.dated, stream.amount, "project__id")
        if found is None or not self._stored.has(found.table, *columns):
            return f"that takes {source}"
        if found.status == "not compared":
            return f"{source} are not compared"
        return ""

    def groups(self, source: str, windows: Tuple[Window, ...]) -> List[Group]:
        """Return what reports sum up in some windows; what is in none comes last."""
        if (source, windows) not in self._groups:
            self._groups[source, windows] = (
                [] if self.why_not(source) else self._summed_up(source, windows)
            )
        return self._groups[source, windows]

    def _summed_up(self, source: str, windows: Sequence[Window]) -> List[Group]:
        stored, stream = self._stored, STREAMS[source]
        name = self._compared[source].table
        there = stored.columns(name)
        reports = (each.report for each in STREAMS.values() if each.report)
        subjects = {f"{r.key[:-3]}__id": 0 for r in reports if source in r.made_of}
        columns = [each for each in subjects if each in there]
        table, where = stored.unmarked(name, sql.is_not_null(stream.dated))
        rows = stored.query(
            sql_reports.groups(table, stream, columns, windows, there, where)
        )
        return [self._group(source, windows, columns, row) for row in rows]

    def _group(
        self,
        source: str,
        windows: Sequence[Window],
        columns: Sequence[str],
        row: Sequence[Any],
    ) -> Group:
        number, rest = row[0], row[1 + len(columns) :]
        subjects = {
            name[: -len("__id")]: value
            for name, value in zip(columns, row[1:], strict=False)
        }
        # ids in entries are those of the time of reading, such as that of the client of
        # a project; those of the project itself are newer
        project = self.records("project").get(subjects.get("project"), {})
        subjects["client"] = project.get("client__id") or subjects.get("client")
        count, running, newest, *sums = rest
        return Group(
            source,
            None if number is None else windows[int(number)],
            subjects,
            int(count),
            bool(running),
            moment(newest) if newest else None,
            *(as_decimal(each) for each in sums),
        )

    def note_records(self, stream: str, rows: Iterable[Row]) -> None:
        """Take the stored rows of a stream that were read anyway."""
        for kind in (kind for kind, name in RECORDS.items() if name == stream):
            self._records[kind] = {row.get("id"): row for row in rows}

    def forget(self, streams: Container[str]) -> None:
        """Read the records of streams anew, which were repaired."""
        self._records = {
            kind: records
            for kind, records in self._records.items()
            if RECORDS[kind] not in streams
        }

    def records(self, kind: str) -> Dict[Any, Row]:
        """Return all projects, clients and the like by id; none if not compared."""
        found = self._compared.get(RECORDS[kind])
        if not found or found.status != "equal":
            return {}
        if kind not in self._records:
            self._records[kind] = {
                row.get("id"): row for row in self._stored.rows(found.table)
            }
        return self._records[kind]

    @cached_property
    def invoiced(self) -> Optional[Dict[Any, Decimal]]:
        """Return what was ever invoiced of each project; None if that is not known."""
        stored, found = self._stored, self._compared.get("invoices")
        if not found or found.status != "equal":
            return None
        items = f"{found.table}__{INVOICED}"
        if not stored.has(items, "project__id", "amount"):
            return {}
        invoices = stored.select(found.table, ["_dlt_id"])
        rows = stored.query(sql_reports.invoiced(stored.table(items), invoices))
        return {key: as_decimal(amount) for key, amount in rows}
