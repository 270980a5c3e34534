"""Which windows of reports are no longer true: found by totals, proved by asking."""

from collections import defaultdict
from datetime import timedelta  # noqa: I251
from functools import cached_property
from typing import Any, Dict, List, Optional, Sequence, Set

from ..api.pagination import pages
from ..streams.reports import window_params
from ..streams.tables import owned
from ..typing import Row, Rows, Window
from .comparable import as_day, moment
from .compare_rows import Stored, StreamRows
from .compare_sets import SetComparison
from .comparison import Comparison
from .entries import RECORDS
from .job import Job
from .totals import (
    Facts,
    Group,
    Totals,
    currencies,
    differences,
    digest_of,
    expected_totals,
    expected_uninvoiced,
    in_words,
    subject_of,
)

SLACK = timedelta(seconds=10)
"""A report that was asked for so soon after a change may have been made before it."""


class ReportComparison(SetComparison):
    """The comparison of the windows of a report, with entries and with Harvest."""

    def __init__(self, job: Job, found: Comparison) -> None:
        super().__init__(job, found)
        assert self._stream.report
        self._report = self._stream.report
        self._windows = tuple(job.state.windows(found.stream))
        # of windows that are as Harvest has them
        self._contradicting: Dict[Window, Totals] = {}

    async def compare(self) -> None:
        """Find the windows that are no longer true."""
        doubtful = await self._stored.wait(self._doubtful_windows)
        if self._job.deep:
            doubtful = [*self._windows]
        most = int(min(len(doubtful), self._job.windows_left))
        self._job.windows_left -= most
        # the newest first, which most people look at
        asked = sorted(doubtful, reverse=True)[:most]
        await self._read(asked)
        if left := len(doubtful) - most:
            self._found.status = "not compared"
            self._found.add_note(
                f"{left:,} windows may be out of date and were not read, since Harvest"
                " answers so many reports at a time only: the next run reads on"
            )

    # ------------------------------------------------------- without a request

    def _doubtful_windows(self) -> List[Window]:
        """Return the windows that may not be what Harvest would answer now."""
        found = self._found
        if found.absent:
            return [*self._windows]
        if why := self._why_not():
            found.add_note(f"not compared with entries: {why}")
            if not self._job.deep:
                found.status = "not covered"
            return []
        self._note_days_outside()
        self._stored_rows = by_window(self._stored.rows(self._table))
        twice = {key[-1] for key in found.twice}
        return [
            window
            for window in self._windows
            if window[0] in twice
            or self._is_news(window, self._differences(window))
            or self._has_changed(window)
        ]

    def _why_not(self) -> str:
        """Return why a report cannot be compared with entries."""
        source = self._report.made_of[0]
        if why := self._job.entries.why_not(source):
            return why
        if self._job.state.params(source):
            return "they count what is older than start_date, too"
        return ""

    def _note_days_outside(self) -> None:
        outside = sum(group.rows for group in self._groups_in(None))
        if outside:
            self._found.add_note(
                f"{outside:,} row{'s have' if outside > 1 else ' has'} days that it"
                " does not cover; these are not compared"
            )

    @cached_property
    def _groups(self) -> Dict[Optional[Window], List[Group]]:
        """Return the groups by window, those in none under None."""
        found: Dict[Optional[Window], List[Group]] = defaultdict(list)
        for source in self._report.made_of:
            for group in self._job.entries.groups(source, self._windows):
                found[group.window].append(group)
        return found

    def _groups_in(self, window: Optional[Window]) -> List[Group]:
        return self._groups.get(window, [])

    @cached_property
    def _facts(self) -> Facts:
        entries = self._job.entries
        return Facts(
            {kind: entries.records(kind) for kind in RECORDS},
            entries.invoiced if self._report.billable_only else None,
            self._account.include_fixed_fee,
            {each for each in self._report.made_of if not entries.why_not(each)},
        )

    def _differences(self, window: Window, rows: Optional[Rows] = None) -> Totals:
        """Return how the totals of a window differ from those of the entries."""
        report, groups = self._report, self._groups_in(window)
        if rows is None:
            rows = self._stored_rows.get(window, [])
        if report.billable_only:
            expected = expected_uninvoiced(window, groups, self._facts)
        else:
            expected = expected_totals(report, groups, self._facts)
        found = {
            **differences(report, rows, expected, self._facts),
            **currencies(report, rows, groups, self._facts),
        }
        running = self._running_in(window)
        return {key: value for key, value in found.items() if key[0] not in running}

    def _is_news(self, window: Window, found: Totals) -> bool:
        """Return whether Harvest has not confirmed yet that totals differ so."""
        known = self._job.state.contradiction(self._stream.name, window)
        if digest_of(found) != known:
            return True
        if found:
            self._contradicting[window] = found
            self._found.contradictions[window] = known
        return False

    def _has_changed(self, window: Window) -> bool:
        """Return whether entries differ, or may have changed since it was read."""
        made_of = (self._job.found.get(name) for name in self._report.made_of)
        days = (day for each in made_of if each for day in each.days)
        if any(window[0] <= day <= window[1] for day in days):
            return True
        read_at = self._job.state.read_at(self._stream.name, window)
        if not read_at:
            return False
        since = moment(read_at) - SLACK
        stamps = (group.newest for group in self._groups_in(window))
        return any(stamp >= since for stamp in stamps if stamp)

    def _running_in(self, window: Window) -> Set[Any]:
        """Return the subjects whose hours grow all the time."""
        subject = subject_of(self._report)
        groups = self._groups_in(window)
        return {each.subjects.get(subject) for each in groups if each.running}

    # --------------------------------------------------------------- by reading

    async def _read(self, windows: Sequence[Window]) -> None:
        """Read windows, and find those with other rows than are stored."""
        found, read = self._found, 0
        async for window, rows, _, ours in self.read_sets(windows):
            read += len(rows)
            if not await self._stored.wait(self._is_same, window, rows, ours):
                found.windows.append(window)
                found.sets[window] = rows
            await self._stored.wait(self._note_contradiction, window, rows)
        if self._job.deep:
            found.harvest = read
        if by := in_words(self._contradicting.values()):
            found.add_note(f"Harvest's own figures contradict each other: {by}")

    def _is_same(self, window: Window, rows: Rows, ours: List[Stored]) -> bool:
        """Return whether the stored rows of a window are those of Harvest.

        Those with a running timer are left out: they grow all the time.
        """
        key, running = self._report.key, self._running_in(window)
        compared = Comparison(self._stream.name, self._table)
        lost = StreamRows(self._job, compared).compare_rows(
            [row for row in rows if row[key] not in running],
            [each for each in ours if each.columns[key] not in running],
        )
        return not lost and not compared.missing

    def _note_contradiction(self, window: Window, rows: Rows) -> None:
        """Note how what Harvest answers differs from its entries."""
        if self._why_not():
            return
        totals = self._differences(window, rows)
        self._found.contradictions[window] = digest_of(totals)
        if totals:
            self._contradicting[window] = totals

    async def ask(self, key: Any) -> Rows:
        """Return Harvest's rows of a window, and note when Harvest was asked."""
        params = window_params(self._account, self._stream, key)
        shared = {name: str(day) for name, day in self.shared(key).items()}
        found: Rows = []
        async for page in pages(self._account.client, self._stream, params):
            self._found.read_at.setdefault(key, page.now)
            found += owned(page.rows, shared)
        return found


def by_window(rows: Rows) -> Dict[Window, Rows]:
    """Return stored rows of a report by their window."""
    found: Dict[Window, List[Row]] = defaultdict(list)
    for row in rows:
        first, last = as_day(row.get("period_start")), as_day(row.get("period_end"))
        if first and last:
            found[first, last].append(row)
    return found
