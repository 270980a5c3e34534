"""Proving a copy complete: `verify` compares it with Harvest, `reconcile` repairs it as well.

Harvest keeps no trace of what was deleted, and not every change moves `updated_at`: a copy that is
only ever added to drifts away from the truth.
"""

import time
from datetime import date, datetime, timedelta, timezone  # noqa: I251
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

import dlt
from dlt.extract import DltResource, DltSource
from dlt.extract.items_transform import FilterItem, MapItem

from .client import HarvestError
from .columnar import account_of, steps_of
from .compare import Comparing, Comparison, Window
from .held import Held, Key, Row, moment
from .periods import REPORTS, Look, Periods
from .resources import report_resource
from .settings import STREAMS
from .values import storable

ADDED = (MapItem, FilterItem)
"""The steps that are added by `add_map` and `add_filter`."""
SLACK = timedelta(seconds=10)
"""A report that was asked for so soon after a change may have been made before it."""


class Result(NamedTuple):
    """What `verify` or `reconcile` found.

    Attributes:
        comparisons (List[Comparison]): One for each stream that was loaded.
        requests (int): Requests that it took.
        deleted (str): What became of rows that are gone: `remove`, `mark` or `ignore`.
    """

    comparisons: List[Comparison]
    requests: int
    deleted: str

    @property
    def equal(self) -> bool:
        """Whether no difference was found."""
        return all(comparison.equal for comparison in self.comparisons)


def verify(pipeline: dlt.Pipeline, source: DltSource) -> Result:
    """Compares what a pipeline has loaded with Harvest, and changes nothing.

    Args:
        pipeline (dlt.Pipeline): A pipeline that has loaded `harvest_source`.
        source (DltSource): The `harvest_source` that it loads. Of its selected resources those
            are compared that were loaded, with what was added to them by `add_map` or `add_filter`.

    Returns:
        Result: What was found, stream by stream.

    Raises:
        HarvestError: Nothing was loaded yet, or another account, or Harvest cannot be read.

    Examples:
        >>> verify(pipeline, harvest_source()).equal
        True
    """
    check = _Check(pipeline, source, deleted="ignore")
    check.lists(["whole", "list"], proof=False)
    check.reports(reading=False)
    return check.result()


def reconcile(
    pipeline: dlt.Pipeline,
    source: DltSource,
    deleted: str = "remove",
    max_deleted_share: float = 0.2,
) -> Result:
    """Compares what a pipeline has just loaded with Harvest, and repairs what differs.

    A row is removed when Harvest has said twice that it is gone. Left to the load are the tables
    that it replaces as a whole (company, roles, project_budget), and the rows below users,
    invoices and estimates that still exist, which it reads parent by parent.

    Args:
        pipeline (dlt.Pipeline): A pipeline that has loaded `harvest_source`.
        source (DltSource): The `harvest_source` that it loads. Of its selected resources those
            are repaired that were loaded, with what was added to them by `add_map` or `add_filter`.
        deleted (str): What becomes of rows that are gone in Harvest: `remove` takes them out and
            notes them in the table `removed_rows`, `mark` sets their `deleted_at`, `ignore` lets
            them be.
        max_deleted_share (float): Largest part of a table that may go at once, from 0 to 1. A
            single row always may.

    Returns:
        Result: What was found and repaired, stream by stream.

    Raises:
        HarvestError: More rows are gone than may go at once, nothing was loaded yet, or another
            account, or Harvest cannot be read. Nothing is repaired then.

    Examples:
        >>> source = harvest_source()
        >>> pipeline.run(source)
        >>> reconcile(pipeline, source, deleted="mark")
    """
    if deleted not in ("remove", "mark", "ignore"):
        raise HarvestError(f"deleted is '{deleted}', but has to be one of: remove, mark, ignore.")
    if not 0 <= max_deleted_share <= 1:
        raise HarvestError(f"max_deleted_share is {max_deleted_share}, but is a part: from 0 to 1.")
    check = _Check(pipeline, source, deleted)
    check.lists(["list"], proof=deleted != "ignore")
    check.limit(max_deleted_share)
    check.repair()
    check.reports(reading=True)
    return check.result()


class _Check:
    """One comparison of a pipeline with Harvest, and the repairs.

    Args:
        pipeline (dlt.Pipeline): A pipeline that has loaded.
        source (DltSource): The source that it loads.
        deleted (str): What becomes of rows that are gone in Harvest.
    """

    def __init__(self, pipeline: dlt.Pipeline, source: DltSource, deleted: str) -> None:
        self._pipeline = pipeline
        self._source = source
        self._deleted = deleted
        self._ignoring = deleted == "ignore"
        self._account = account_of(source)
        if self._account.end_date:
            raise HarvestError("A backfill is not compared with Harvest: leave end_date out.")
        self._requests_before = self._account.client.sent
        if "harvest" not in pipeline.schemas:
            raise HarvestError(f"{pipeline.dataset_name} holds nothing of Harvest: load it first.")
        self._state = self._stored_state()
        resources = self._state.get("resources", {})
        cursors = {
            name: resource.get("incremental", {}).get("updated_at", {})
            for name, resource in resources.items()
        }
        self._starts = {
            name: cursor["initial_value"]
            for name, cursor in cursors.items()
            if cursor.get("initial_value")
        }
        self._held = Held(pipeline)
        with self._held:
            selected = source.selected_resources
            loaded = {
                name: [each for each in steps_of(selected[name]) if isinstance(each, ADDED)]
                for name in STREAMS
                if name in selected and self._held.count(name) is not None
            }
            self._comparing = Comparing(self._account, self._held, self._starts, loaded)
        self._found = self._comparing.found

    def _stored_state(self) -> Dict[str, Any]:
        state: Dict[str, Any] = self._pipeline.state.get("sources", {}).get("harvest", {})
        return state

    def result(self) -> Result:
        """What was found, and the requests that it took."""
        requests = self._account.client.sent - self._requests_before
        return Result([*self._found.values()], requests, self._deleted)

    def lists(self, kinds: Sequence[str], proof: bool) -> None:
        """Compares the streams of some kinds, side by side."""
        with self._held:
            wanted = [each for each in self._found.values() if STREAMS[each.stream].kind in kinds]
            try:
                _together([self._comparing.compare(each, proof) for each in wanted])
            except HarvestError as error:
                raise HarvestError(
                    f"{error} What is stored was not compared with Harvest, and nothing was removed"
                    " or repaired."
                ) from error
        self._account.check_same(self._state.get("account_id"))
        for each in self._found.values():
            if STREAMS[each.stream].kind == "child":
                each.note = "not compared: it is read parent by parent"

    def limit(self, share: float) -> None:
        """Refuses to let too much go at once. What hangs on something else goes with it."""
        for each in self._found.values():
            gone = len(each.gone)
            if self._ignoring or STREAMS[each.stream].kind != "list":
                continue
            if gone > max(1, share * each.here):
                raise HarvestError(
                    f"{gone:,} of the {each.here:,} rows of {each.stream} are gone in Harvest, more"
                    f" than max_deleted_share = {share} lets go at once: nothing was removed or"
                    " repaired; if they were deleted on purpose, run again with"
                    f" --max-deleted-share {-(-100 * gone // each.here) / 100}."
                )

    def repair(self) -> None:
        """Writes the rows that are missing or differ, and removes or marks those that are gone."""
        marking = self._deleted == "mark"
        broken = [each for each in self._found.values() if not each.equal]
        removed = []
        with self._held:
            resources = [self._repaired(each, marking) for each in broken]
            if not marking:
                removed = [(each.stream, key[-1]) for each in broken for key in self._going(each)]
        if broken:
            self._run([*resources, _removed_rows(removed)])

    def _repaired(self, found: Comparison, marking: bool) -> DltResource:
        stream = STREAMS[found.stream]
        now = datetime.now(timezone.utc)
        columns: Any = {"deleted_at": {"data_type": "timestamp", "hard_delete": not marking}}
        rows = [*found.missing.values(), *found.different.values()]
        for key, row in self._held.rows(stream, self._going(found)):
            # 0 is no parent: the rows with these keys go, and not all that their parent has
            gone: Row = {}
            if stream.parent:
                gone[stream.parent_key] = row[stream.parent_key] if self._held.appends else 0
            gone.update(zip(stream.key, key, strict=True))
            rows.append({**(row if marking else gone), "deleted_at": now})
        if marking and stream.parent:
            columns[stream.parent_key] = {"merge_key": False}

        @dlt.resource(
            name=stream.name, primary_key=stream.key, write_disposition="merge", columns=columns
        )
        def repaired() -> Iterator[Any]:
            yield storable(dlt.current.source_schema(), stream, rows)

        return repaired

    def _going(self, found: Comparison) -> Set[Key]:
        """The rows that are to go, but for those that files cannot lose one by one."""
        stream = STREAMS[found.stream]
        if self._ignoring or (self._account.delta and self._held.has_lists(stream.name)):
            return set()
        if not (self._held.appends and stream.parent):
            return found.gone
        # what was read of a parent last is all that counts: its rows go together
        parents = {row[stream.parent_key] for _, row in self._held.rows(stream, found.gone)}
        families = [self._held.keys(stream, f"t.{stream.parent_key} = {key}") for key in parents]
        return set().union(*(family for family in families if family <= found.gone))

    def _run(self, resources: Sequence[DltResource]) -> None:
        """Runs the pipeline with some resources of the source, in place of its own."""
        # as the files of the load are
        form: Any = "parquet" if self._held.in_files else None
        repairs = DltSource(self._source.schema, self._source.section, [*resources])
        self._pipeline.run(repairs, loader_file_format=form)
        self._state = self._stored_state()

    # ---------------------------------------------------------------- reports

    def reports(self, reading: bool) -> None:
        """Finds the windows of reports that are no longer true.

        Args:
            reading (bool): Read them again.
        """
        with self._held:
            periods = Periods(self._held)
            looks: Dict[str, Dict[Window, Look]] = {}
            for name, (sources, *_) in REPORTS.items():
                if (found := self._found.get(name)) is None:
                    continue
                if any(self._held.count(source) is None for source in sources):
                    found.note = f"not compared: that takes {' and '.join(sources)}"
                    continue
                known = self._state["resources"].get(name, {}).get("windows", [])
                windows = [(date.fromisoformat(a), date.fromisoformat(b)) for a, b in known]
                looks[name] = periods.look(name, windows)
                found.windows = [
                    window
                    for window, look in looks[name].items()
                    if self._is_stale(name, window, look, reading)
                ]
        if not reading:
            return
        stale = {each.stream: each.windows for each in self._found.values() if each.windows}
        if stale:
            again = [
                report_resource(self._account, STREAMS[name], again=windows)
                for name, windows in stale.items()
            ]
            # not alone: were Harvest to refuse all resources of a source, it would be an error
            self._run([*again, _removed_rows([])])
            with self._held:
                periods = Periods(self._held)
                for name, windows in stale.items():
                    looks[name].update(periods.look(name, windows))
        self._remember(looks)

    def _is_stale(self, report: str, window: Window, look: Look, reading: bool) -> bool:
        """Whether a window has to be read again.

        If it was looked at since it was last read, it has to when anything that it is made from
        has changed. If not, when it may have been read before the last change, or the sums differ.
        """
        read_at = self._read_at(report, window)
        before = self._state.get("looks", {}).get(report, {}).get(_name(window))
        if before and before[0] == read_at:
            return bool(before[1] != look.digest)
        sources = REPORTS[report][0]
        # a report counts what was changed before start_date, too
        comparable = not self._ignoring and not any(name in self._starts for name in sources)
        if comparable and not look.agrees:
            return True
        if not reading:
            return False
        days = [day for name in sources if name in self._found for day in self._found[name].days]
        if any(window[0] <= day <= window[1] for day in days):
            return True
        return bool(read_at and look.newest and look.newest >= moment(read_at) - SLACK)

    def _read_at(self, report: str, window: Window) -> Optional[str]:
        resource = self._state.get("resources", {}).get(report, {})
        read_at: Optional[str] = resource.get("read_at", {}).get(_name(window))
        return read_at

    def _remember(self, looks: Dict[str, Dict[Window, Look]]) -> None:
        """Notes how the windows look that the loads no longer read."""
        settled = date.today() - timedelta(days=self._account.report_lookback_days)
        before = self._state.get("looks", {})
        after = {
            **before,
            **{
                report: {
                    _name(window): [self._read_at(report, window), look.digest]
                    for window, look in seen.items()
                    if window[1] < settled
                }
                for report, seen in looks.items()
            },
        }
        if after != before:
            self._run([_removed_rows([], looks=after)])


def _removed_rows(rows: Sequence[Tuple[str, int]], looks: Optional[Row] = None) -> DltResource:
    """The table of removed rows; it also notes in the state how windows of reports look."""
    now = datetime.now(timezone.utc)

    @dlt.resource(name="removed_rows", write_disposition="append")
    def removed_rows() -> Iterator[Any]:
        if looks is not None:
            dlt.current.source_state()["looks"] = looks
        yield [{"stream": stream, "id": key, "removed_at": now} for stream, key in rows]

    return removed_rows


def _name(window: Window) -> str:
    return f"{window[0]}/{window[1]}"


def _together(tasks: Sequence[Iterator[None]]) -> None:
    """Runs generators that yield while they wait, side by side."""
    unfinished = list(tasks)
    try:
        while unfinished:
            for task in list(unfinished):
                if next(task, task) is task:
                    unfinished.remove(task)
            time.sleep(0.002)
    finally:
        for task in tasks:
            task.close()  # type: ignore[attr-defined]
