"""Which windows of the reports are no longer true: by the entries stored, and by reading."""

from datetime import date, timedelta  # noqa: I251
from typing import Any, Dict, List, Optional, Sequence, Tuple

from dlt.common import Decimal

from ..api.pagination import pages
from ..settings import STREAMS, Report, Stream
from ..streams.reports import window_params
from ..typing import Row, Rows, Window
from .check import Check, together
from .comparison import TableComparison
from .destination import StoredTables, is_one_of
from .prints import Described, Group, WindowPrint, by_window, name_of, print_of, within
from .rows import same
from .values import as_day, as_decimal, moment

SLACK = timedelta(seconds=10)
"""A report that was asked for so soon after a change may have been made before it."""
INVOICED = "invoices__line_items"
"""What was invoiced of each project."""
Prints = Dict[Window, WindowPrint]


class ReportWindows:
    """The windows of the reports, beside the time entries and expenses in a destination.

    Args:
        check (Check): The comparison.
        state (Dict[str, Any]): State of the source.
    """

    def __init__(self, check: Check, state: Row) -> None:
        self._check = check
        self._stored = check.stored
        self._state = state
        self._groups: Dict[Any, List[Group]] = {}
        self._described: Described = {}
        self._invoiced: Optional[Dict[Any, Decimal]] = None

    def windows(self, stream: Stream) -> List[Window]:
        """Return the windows that were loaded of a report."""
        known = self._state.get("resources", {}).get(stream.name, {}).get("windows", [])
        return [
            (date.fromisoformat(first), date.fromisoformat(last))
            for first, last in known
        ]

    def read_at(self, stream: Stream, window: Window) -> Optional[str]:
        """Return when a window was read, by Harvest's clock."""
        resource = self._state.get("resources", {}).get(stream.name, {})
        read_at: Optional[str] = resource.get("read_at", {}).get(name_of(window))
        return read_at

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
        before = self._state.get("looks", {}).get(stream.name, {}).get(name_of(window))
        read_at = self.read_at(stream, window)
        known = before and before[0] == read_at
        if known and before[1] != seen.digest:
            return True
        if not seen.agrees and (not known or not loading):
            return True
        if known or not loading:
            return False
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
        rows = by_window([_as_days(row) for row in self._stored.own_rows(stream.name)])
        groups = [
            group
            for source in report.made_of
            if self._stored.count(source) is not None
            for group in self._groups_of(source, report)
        ]
        described = self._described_by(report, groups)
        found = {}
        for window in self.windows(stream):
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
            here = forms.of_rows(is_one_of(stream.merge_key, [window]))
            theirs = [forms.of_harvest(row) for row in loaded]
            if window not in found.windows:
                if same([each.form for each in here], theirs):
                    continue
                found.windows.append(window)
            self._check.families[stream.name][window] = loaded
            self._check.read_at[stream.name, window] = now

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
        """Return the entries or expenses by month, project, and what a report groups by."""
        column = f"{report.key[: -len('_id')]}__id"
        if (source, column) not in self._groups:
            stored, stream = self._stored, STREAMS[source]
            rows = stored.query(_group_query(stored, stream, column))
            owners = self._owners(report, column)
            self._groups[source, column] = [
                Group(
                    source,
                    date(int(year), int(month), 1),
                    project,
                    owners.get(project, subject),
                    as_decimal(amount),
                    bool(running),
                    newest,
                    str([as_decimal(figure).normalize() for figure in figures]),
                )
                for year, month, project, subject, amount, running, newest, *figures in rows
            ]
        return self._groups[source, column]

    def _owners(self, report: Report, column: str) -> Dict[Any, Any]:
        """Return what the records that a report goes through belong to, such as a client.

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
        """Return what was invoiced of each project, which leaves less of a fixed fee."""
        if self._invoiced is None:
            self._invoiced = {}
            stored = self._stored
            if stored.has("invoices", "deleted_at") and stored.has(
                INVOICED, "project__id"
            ):
                items, invoices = stored.name(INVOICED), stored.name("invoices")
                rows = stored.query(
                    f"SELECT i.project__id, SUM(i.amount) FROM {items} i JOIN {invoices} t"
                    " ON i._dlt_parent_id = t._dlt_id WHERE t.deleted_at IS NULL"
                    " GROUP BY i.project__id"
                )
                self._invoiced = {key: as_decimal(amount) for key, amount in rows}
        return self._invoiced


def _group_query(stored: StoredTables, stream: Stream, column: str) -> str:
    """Return the query for the groups of a stream."""
    has = stored.columns(stream.name).keys()
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
        f" MAX(CASE WHEN {running} THEN 1 ELSE 0 END) AS r, {newest} AS u, COUNT(*) AS n,"
        f" {', '.join(f'{each} AS f{n}' for n, each in enumerate(sums))}"
        f" FROM {stored.source(stream.name, f'{day} IS NOT NULL')}"
        " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    )


def _as_days(row: Row) -> Row:
    """Return a row of a report with its window as days."""
    return {
        **row,
        **{name: as_day(row[name]) for name in ("period_start", "period_end")},
    }
