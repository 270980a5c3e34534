"""Which windows of reports are no longer true: by stored entries, and by reading."""

from datetime import date, timedelta  # noqa: I251
from typing import Any, Dict, List, Optional, Sequence, Tuple

from dlt.common import Decimal

from ..api.pagination import pages
from ..settings import STREAMS, Report, Stream
from ..streams.reports import window_params
from ..typing import Row, Rows, Window
from .check import Check, together
from .comparison import TableComparison
from .prints import Described, Group, Prints, WindowPrint, by_window, print_of, within
from .rows import RowForms, same
from .sql import group_query, is_one_of
from .state import SourceState
from .values import as_decimal, moment

SLACK = timedelta(seconds=10)
"""A report that was asked for so soon after a change may have been made before it."""
INVOICED = "invoices__line_items"
"""What was invoiced of each project."""


class ReportWindows:
    """The windows of the reports, beside the time entries and expenses stored.

    Args:
        check (Check): The comparison.
        state (SourceState): State of the source.
    """

    def __init__(self, check: Check, state: SourceState) -> None:
        self._check = check
        self._stored = check.stored
        self._state = state
        self._groups: Dict[Any, List[Group]] = {}
        self._described: Described = {}
        self._invoiced: Optional[Dict[Any, Decimal]] = None

    # ------------------------------------------------------- without a request

    def compare(self, found: TableComparison, loading: bool) -> Prints:
        """Find the windows that are not what the stored entries say.

        Args:
            found (TableComparison): Takes the windows.
            loading (bool): It is for reading again: also those that may have been read
                before the last change.
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
            if window[0] in twice or self._is_outdated(stream, window, each, loading)
        ]
        return prints

    def _why_not(self, report: Report) -> str:
        """Return why a report cannot be compared with entries."""
        source = report.made_of[0]
        if source not in self._check.found or not self._stored.has(
            source, *(STREAMS[source].dated, STREAMS[source].amount, "project__id")
        ):
            return f"that takes {source}"
        if source in self._check.starts:
            return "they count what is older than start_date, too"
        return ""

    def _is_outdated(
        self, stream: Stream, window: Window, seen: WindowPrint, loading: bool
    ) -> bool:
        assert stream.report
        known = self._state.look(stream, window)
        if known and known != seen.digest:
            return True
        # with deleted="ignore", entries are here that no report counts any more
        comparable = self._check.proof or not loading
        if comparable and not seen.agrees and (not known or not loading):
            return True
        if known or not loading:
            return False
        read_at = self._state.read_at(stream, window)
        found = self._check.found
        days = [
            d
            for name in stream.report.made_of
            if name in found
            for d in found[name].days
        ]
        if any(window[0] <= day <= window[1] for day in days):
            return True
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
            if self._stored.count(source) is not None
            for group in self._groups_of(source, report)
        ]
        described = self._described_by(report, groups)
        found = {}
        for window in self._state.windows(stream):
            inside = within(groups, window)
            found[window] = print_of(
                report, rows.get(window, []), inside, described, self._fees()
            )
        return found

    # --------------------------------------------------------------- by reading

    async def read(self, found: TableComparison, windows: Sequence[Window]) -> None:
        """Read windows of a report, and find those with other rows.

        Args:
            found (TableComparison): Takes them.
            windows (Sequence[Window]): The windows.
        """
        stream = STREAMS[found.stream]
        answers = await together(self._ask(stream, window) for window in windows)
        if self._check.deep:
            found.harvest = sum(len(rows) for _, rows in answers)
        forms = self._check.forms(stream)
        for window, (now, rows) in zip(windows, answers, strict=True):
            loaded = self._check.as_loaded(stream, rows)
            if window not in found.windows:
                if self._is_same(stream, window, loaded, forms):
                    continue
                found.windows.append(window)
            self._check.families[stream.name][window] = loaded
            self._check.read_at[stream.name, window] = now

    def _is_same(
        self, stream: Stream, window: Window, rows: Rows, forms: RowForms
    ) -> bool:
        """Return whether the stored rows of a window are those of Harvest.

        Those with a running timer are left out: they grow all the time.
        """
        report = stream.report
        assert report
        source = report.made_of[0]
        groups = self._groups_of(source, report) if self._stored.count(source) else []
        running = {each.subject for each in within(groups, window) if each.running}
        here = forms.of_rows(is_one_of(stream.merge_key, [window]))
        return same(
            (each.form for each in here if each.columns[report.key] not in running),
            (forms.of_harvest(row) for row in rows if row[report.key] not in running),
        )

    async def _ask(self, stream: Stream, window: Window) -> Tuple[str, Rows]:
        """Return Harvest's clock and the rows of a window."""
        client, now, rows = self._check.context.client, "", []
        params = window_params(self._check.context, stream, window)
        period = dict(zip(stream.merge_key, map(str, window), strict=True))
        async for page in pages(client, stream, params):
            now = now or page.now
            rows += [{**period, **row} for row in page.rows]
        return now, rows

    # ------------------------------------------------------- what is stored here

    def _groups_of(self, source: str, report: Report) -> List[Group]:
        """Return what a report sums up, by month, project, and what it groups by."""
        column = f"{report.key[: -len('_id')]}__id"
        if (source, column) not in self._groups:
            stored, stream = self._stored, STREAMS[source]
            has, alive = (
                stored.columns(source),
                (source, f"t.{stream.dated} IS NOT NULL"),
            )
            rows = stored.query(group_query(stream, column, has, stored.source(*alive)))
            owners = self._owners(report, column)
            self._groups[source, column] = [
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
        return self._groups[source, column]

    def _owners(self, report: Report, column: str) -> Dict[Any, Any]:
        """Return what the records of a report belong to, such as a client.

        Ids in entries are those of the time of reading; those of a project are newer.
        """
        subject = f"{report.subject}__id"
        if column == subject:
            return {}
        records = self._records(self._referenced(report, subject))
        return {key: row[column] for key, row in records.items() if row.get(column)}

    def _described_by(self, report: Report, groups: Sequence[Group]) -> Dict[Any, Rows]:
        """Return the records that groups belong to, by their project and subject."""
        projects = self._records(self._referenced(report, "project__id"))
        clients = self._records(self._referenced(report, "client__id"))
        subjects = self._records(self._referenced(report, f"{report.key[:-3]}__id"))
        found: Dict[Any, Rows] = {}
        for group in groups:
            project = projects.get(group.project, {})
            records = (
                clients.get(project.get("client__id"), {}),
                project,
                subjects.get(group.subject, {}),
            )
            found[group.project, group.subject] = [*records]
        return found

    def _referenced(self, report: Report, column: str) -> str:
        """Return the stream that a column of the entries refers to."""
        table = self._stored.schema.tables[report.made_of[0]]
        references: Any = table.get("references") or []
        names = (
            each["referenced_table"] for each in references if column in each["columns"]
        )
        return next(names, "")

    def _records(self, name: str) -> Dict[Any, Row]:
        """Return what reports repeat of the records of a stream, by id."""
        if name not in self._described:
            self._described[name] = {}
            stored = self._stored
            if name in STREAMS and stored.has(name, "id", "updated_at"):
                columns = [
                    each
                    for each in STREAMS[name].described_by
                    if stored.has(name, each)
                ]
                columns = ["id", "updated_at", *columns]
                names = ", ".join(f"t.{each}" for each in columns)
                rows = stored.query(f"SELECT {names} FROM {stored.name(name)} t")
                records = (dict(zip(columns, row, strict=True)) for row in rows)
                self._described[name] = {each.pop("id"): each for each in records}
        return self._described[name]

    def _fees(self) -> Dict[Any, Decimal]:
        """Return what was invoiced of each project: that leaves less of a fixed fee."""
        if self._invoiced is None:
            self._invoiced = {}
            stored = self._stored
            if stored.has("invoices", "deleted_at") and stored.has(
                INVOICED, "project__id"
            ):
                items, invoices = stored.name(INVOICED), stored.name("invoices")
                rows = stored.query(
                    f"SELECT i.project__id, SUM(i.amount) FROM {items} i"
                    f" JOIN {invoices} t ON i._dlt_parent_id = t._dlt_id"
                    " WHERE t.deleted_at IS NULL GROUP BY i.project__id"
                )
                self._invoiced = {key: as_decimal(amount) for key, amount in rows}
        return self._invoiced
