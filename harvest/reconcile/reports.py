"""Which windows of reports are no longer true: by stored entries, and by reading."""

from datetime import date, timedelta  # noqa: I251
from functools import cached_property
from typing import Any, Dict, List, Sequence, Tuple

from dlt.common import Decimal

from ..settings import STREAMS, Report, Stream
from ..typing import Row, Rows, Window
from .check import Check
from .comparison import TableComparison
from .prints import Group, Prints, WindowPrint, by_window, print_of, within
from .rows import Stored
from .sets import read_sets
from .sql import group_query
from .values import as_decimal, moment

SLACK = timedelta(seconds=10)
"""A report that was asked for so soon after a change may have been made before it."""
INVOICED = "invoices__line_items"
"""What was invoiced of each project."""


class ReportWindows:
    """The windows of the reports, beside the time entries and expenses stored.

    What is stored of these is read once: they must be repaired by then.

    Args:
        check (Check): The comparison.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self._stored = check.stored
        self._state = check.state
        self._groups: Dict[Tuple[str, str], List[Group]] = {}
        self._records: Dict[str, Dict[Any, Row]] = {}

    # ------------------------------------------------------- without a request

    def compare(self, found: TableComparison) -> Prints:
        """Find the windows that are not what the stored entries say.

        If they can be read again, that are also those that may have been read before
        the last change.

        Args:
            found (TableComparison): Takes the windows.
        """
        stream = STREAMS[found.stream]
        assert stream.report
        if why := self._why_not(stream.report):
            found.add_note(f"not compared with entries: {why}")
            if not self._check.deep:
                found.status = "not covered"
            return {}
        prints = self.prints(stream)
        twice = {key[-1] for key in found.twice}
        found.windows = [
            window
            for window, each in prints.items()
            if window[0] in twice or self._is_outdated(stream, window, each)
        ]
        return prints

    def _why_not(self, report: Report) -> str:
        """Return why a report cannot be compared with entries."""
        source = STREAMS[report.made_of[0]]
        columns = (source.dated, source.amount, "project__id")
        if source.name not in self._check.found or not self._stored.has(
            source.name, *columns
        ):
            return f"that takes {source.name}"
        if self._check.params(source):
            return "they count what is older than start_date, too"
        return ""

    def _is_outdated(self, stream: Stream, window: Window, seen: WindowPrint) -> bool:
        known, check = self._state.look(stream, window), self._check
        if known and (check.repairs or known != seen.digest):
            return known != seen.digest
        # with deleted="ignore", entries are here that no report counts any more
        if not seen.agrees and (check.proof or not check.repairs):
            return True
        if not check.repairs:
            return False
        assert stream.report
        made_of = [check.found.get(name) for name in stream.report.made_of]
        days = [day for each in made_of if each for day in each.days]
        if any(window[0] <= day <= window[1] for day in days):
            return True
        read_at = self._state.read_at(stream, window)
        return bool(
            read_at and seen.newest and moment(seen.newest) >= moment(read_at) - SLACK
        )

    def prints(self, stream: Stream) -> Prints:
        """Return the prints of the windows of a report."""
        report = stream.report
        assert report
        rows = by_window(self._stored.rows(stream.name))
        groups = [
            group
            for source in report.made_of
            for group in self._groups_of(source, report)
        ]
        described = self._described_by(report, groups)
        return {
            window: print_of(
                report,
                rows.get(window, []),
                within(groups, window),
                described,
                self._invoiced,
            )
            for window in self._state.windows(stream)
        }

    # --------------------------------------------------------------- by reading

    async def read(self, found: TableComparison, windows: Sequence[Window]) -> None:
        """Read windows of a report, and find those with other rows.

        Those with a running timer are left out: they grow all the time.

        Args:
            found (TableComparison): Takes them.
            windows (Sequence[Window]): The windows.
        """
        check, stream = self._check, STREAMS[found.stream]
        read = 0
        asked = dict.fromkeys(windows, True)
        async for key, rows, ours in read_sets(check, stream, asked):
            window: Any = key
            read += len(rows)
            if window not in found.windows:
                if self._is_same(stream, window, rows, ours):
                    continue
                found.windows.append(window)
            check.families[stream.name][window] = rows
        if check.deep:
            found.harvest = read

    def _is_same(
        self, stream: Stream, window: Window, rows: Rows, ours: List[Stored]
    ) -> bool:
        """Return whether the stored rows of a window are those of Harvest."""
        report = stream.report
        assert report
        groups = within(self._groups_of(report.made_of[0], report), window)
        running = {each.subject for each in groups if each.running}
        compared = TableComparison(stream.name)
        lost = self._check.compare(
            compared,
            [row for row in rows if row[report.key] not in running],
            [each for each in ours if each.columns[report.key] not in running],
        )
        return not lost and not compared.missing

    # ------------------------------------------------------- what is stored here

    def _groups_of(self, source: str, report: Report) -> List[Group]:
        """Return what a report sums up, by month, project, and what it groups by."""
        stored, stream = self._stored, STREAMS[source]
        column = f"{report.key[: -len('_id')]}__id"
        if stored.count(source) is None or (source, column) in self._groups:
            return self._groups.get((source, column), [])
        dated = stored.source(source, f"t.{stream.dated} IS NOT NULL")
        query = group_query(stream, column, stored.columns(source), dated)
        owners = self._owners(report, column)
        rows = stored.query(query)
        groups = self._groups[source, column] = [
            Group(
                source,
                date(int(y), int(m), 1),
                project,
                owners.get(project, subject),
                as_decimal(amount),
                bool(running),
                newest,
                str([as_decimal(each).normalize() for each in others]),
            )
            for y, m, project, subject, amount, running, newest, *others in rows
        ]
        return groups

    def _owners(self, report: Report, column: str) -> Dict[Any, Any]:
        """Return what the records of a report belong to, such as a client.

        Ids in entries are those of the time of reading; those of a project are newer.
        """
        subject = f"{report.subject}__id"
        if column == subject:
            return {}
        records = self._records_of(report, subject)
        return {key: row[column] for key, row in records.items() if row.get(column)}

    def _described_by(self, report: Report, groups: Sequence[Group]) -> Dict[Any, Rows]:
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
        names = {name: each for each in references for name in each["columns"]}
        name = names.get(column, {}).get("referenced_table", "")
        if name in STREAMS and name not in self._records:
            wanted = ("updated_at", *STREAMS[name].described_by)
            self._records[name] = {
                row["id"]: {each: row[each] for each in wanted if each in row}
                for row in self._stored.rows(name)
            }
        return self._records.get(name, {})

    @cached_property
    def _invoiced(self) -> Dict[Any, Decimal]:
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
