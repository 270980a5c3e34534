"""Which windows of reports are no longer true: by stored entries, and by reading."""

from datetime import timedelta  # noqa: I251
from typing import Any, List, Sequence

from ..api.pagination import pages
from ..settings import STREAMS
from ..streams.reports import window_params
from ..typing import Rows, Window
from .check import Check
from .comparable import moment
from .compare_rows import Stored, StreamRows
from .compare_sets import SetComparison
from .comparison import TableComparison
from .prints import Prints, WindowPrint, by_window, print_of, within

SLACK = timedelta(seconds=10)
"""A report that was asked for so soon after a change may have been made before it."""


class ReportComparison(SetComparison):
    """The comparison of the windows of a report, with entries and with Harvest."""

    def __init__(self, check: Check, found: TableComparison) -> None:
        super().__init__(check, found)
        assert self._stream.report
        self._report = self._stream.report

    async def compare(self) -> None:
        """Find the windows that are no longer true."""
        check, found = self._check, self._found
        windows = check.state.windows(found.stream)
        if found.absent:
            found.windows = windows
        else:
            self._compare_stored()
        if check.deep or check.repairs:
            await self._read(windows if check.deep else found.windows)

    # ------------------------------------------------------- without a request

    def _compare_stored(self) -> None:
        """Find the windows that are not what the stored entries say.

        If they can be read again, that are also those that may have been read before
        the last change.
        """
        found = self._found
        if why := self._why_not():
            found.prints = {}
            found.add_note(f"not compared with entries: {why}")
            if not self._check.deep:
                found.status = "not covered"
            return
        found.prints = self.prints()
        twice = {key[-1] for key in found.twice}
        found.windows = [
            window
            for window, each in found.prints.items()
            if window[0] in twice or self._is_outdated(window, each)
        ]

    def _why_not(self) -> str:
        """Return why a report cannot be compared with entries."""
        source, check = STREAMS[self._report.made_of[0]], self._check
        columns = (source.dated, source.amount, "project__id")
        if source.name not in check.found or not self._stored.has(
            source.name, *columns
        ):
            return f"that takes {source.name}"
        if check.state.params(source.name):
            return "they count what is older than start_date, too"
        return ""

    def _is_outdated(self, window: Window, seen: WindowPrint) -> bool:
        check, stream = self._check, self._stream.name
        known = check.state.look(stream, window)
        if known and (check.repairs or known != seen.digest):
            return known != seen.digest
        # with deleted="ignore", entries are here that no report counts any more
        if not seen.agrees and (check.proof or not check.repairs):
            return True
        if not check.repairs:
            return False
        made_of = [check.found.get(name) for name in self._report.made_of]
        days = [day for each in made_of if each for day in each.days]
        if any(window[0] <= day <= window[1] for day in days):
            return True
        read_at = check.state.read_at(stream, window)
        return bool(
            read_at and seen.newest and moment(seen.newest) >= moment(read_at) - SLACK
        )

    def prints(self) -> Prints:
        """Return what the windows look like here."""
        report, entries = self._report, self._check.entries
        rows = by_window(self._stored.rows(self._stream.name))
        groups = [
            group
            for source in report.made_of
            for group in entries.groups(source, report)
        ]
        described = entries.described_by(report, groups)
        return {
            window: print_of(
                report,
                rows.get(window, []),
                within(groups, window),
                described,
                entries.invoiced,
            )
            for window in self._check.state.windows(self._stream.name)
        }

    # --------------------------------------------------------------- by reading

    async def _read(self, windows: Sequence[Window]) -> None:
        """Read windows, and find those with other rows."""
        found, read = self._found, 0
        async for window, rows, ours in self.read_sets(windows):
            read += len(rows)
            if window not in found.windows:
                if self._is_same(window, rows, ours):
                    continue
                found.windows.append(window)
            found.sets[window] = rows
        if self._check.deep:
            found.harvest = read

    def _is_same(self, window: Window, rows: Rows, ours: List[Stored]) -> bool:
        """Return whether the stored rows of a window are those of Harvest.

        Those with a running timer are left out: they grow all the time.
        """
        report = self._report
        groups = within(self._check.entries.groups(report.made_of[0], report), window)
        running = {each.subject for each in groups if each.running}
        compared = TableComparison(self._stream.name)
        lost = StreamRows(self._check, compared).compare_rows(
            [row for row in rows if row[report.key] not in running],
            [each for each in ours if each.columns[report.key] not in running],
        )
        return not lost and not compared.missing

    async def ask(self, key: Any) -> Rows:
        """Return Harvest's rows of a window, and note when Harvest was asked."""
        params = window_params(self._context, self._stream, key)
        shared = {name: str(day) for name, day in self.shared(key).items()}
        found: Rows = []
        async for page in pages(self._context.client, self._stream, params):
            self._found.read_at.setdefault(key, page.now)
            found += [{**shared, **row} for row in page.rows]
        return found
