"""The commands: load, verify, and say what would be read."""

import time
from argparse import Namespace
from typing import (
    Any,
    Collection,
    Counter,
    Dict,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import dlt
from dlt.common.runtime.collector_base import Collector
from dlt.extract import DltSource

from .. import HarvestError
from ..api.running import run
from ..history import keep_versions, lists_in
from ..reconcile import (
    Result,
    check_arguments,
    default_compare_hours,
    reconcile,
    verify,
)
from ..settings import STREAMS
from ..steps import SECONDS, steps
from ..streams.account import account_of
from .destination import harvest_pipeline, load_tables, opened
from .drift import StreamDrift, drift
from .dry_run import Forecast, forecast
from .packages import load_what_is_left
from .place import MakePipeline
from .process import Signals
from .progress import Progress
from .structure import check_structure, make_anew


class Loaded(NamedTuple):
    """The outcome of a run.

    Attributes:
        pipeline (dlt.Pipeline): The pipeline, whose `dataset()` reads what is there.
        rows (Dict[str, int]): New and changed rows that were loaded, by table.
        skipped (Dict[str, str]): Streams that were left out, and why.
        requests (int): Requests that the load took.
        seconds (float): Time that it took, comparing included.
        compared (Optional[Result]): What was found and repaired afterwards.
        versions (Dict[str, int]): Versions of records that were added, by stream.
    """

    pipeline: dlt.Pipeline
    rows: Dict[str, int]
    skipped: Dict[str, str]
    requests: int
    seconds: float
    compared: Optional[Result]
    versions: Dict[str, int]


COMPARE_EVERY_HOURS = "sources.harvest.compare_every_hours"
"""The setting that says how often a run compares."""
HISTORY = "sources.harvest.history"
"""The setting that names the lists of which every version is kept."""

Outcome = Union[Loaded, Forecast, Result, List[StreamDrift]]


def execute(
    options: Namespace,
    source: DltSource,
    pipeline: MakePipeline,
    progress: Optional[Collector] = None,
    signals: Optional[Signals] = None,
) -> Outcome:
    """Do what the options of the command line say, and return what came of it.

    Raises:
        HarvestError: It cannot be done, with the way out.
    """
    if options.command == "drift":
        return drift(source)
    where = (pipeline, options.destination, options.dataset)
    if options.command == "load" and not options.dry_run:
        return load(
            source,
            *where,
            full_refresh=options.full_refresh,
            deleted=None if options.no_reconcile else options.deleted,
            max_deleted_share=options.max_deleted_share,
            deep=options.deep,
            compare_every_hours=_hours(options),
            history=options.history or dlt.config.get(HISTORY) or (),
            progress=progress,
            signals=signals,
        )
    if account_of(source).end_date and not options.dry_run:
        raise HarvestError(
            "end_date is for loading, but verify compares all days: leave it out."
        )
    run(account_of(source).greet())
    with opened(*where, signals=signals) as ready:
        if options.dry_run:
            return forecast(ready, source, options.full_refresh, options.deep)
        return verify(ready, source, options.deep)


def _hours(options: Namespace) -> Optional[float]:
    """Return the hours between comparisons, if the user has set them."""
    if options.compare_every_hours is not None:
        return float(options.compare_every_hours)
    found = dlt.config.get(COMPARE_EVERY_HOURS, float)
    return None if found is None else float(found)


def load(
    source: DltSource,
    pipeline: MakePipeline = harvest_pipeline,
    destination: Optional[str] = None,
    dataset: Optional[str] = None,
    full_refresh: bool = False,
    deleted: Optional[str] = "remove",
    max_deleted_share: float = 0.2,
    deep: bool = False,
    compare_every_hours: Optional[float] = None,
    history: Union[str, Sequence[str]] = (),
    progress: Optional[Collector] = None,
    signals: Optional[Signals] = None,
    step_seconds: Tuple[float, float] = SECONDS,
) -> Loaded:
    """Run the pipeline in steps, compare what it holds with Harvest, and repair it.

    Args:
        source (DltSource): A `harvest_source`, or some of its streams.
        pipeline (MakePipeline): Makes the pipeline; it must make the same each time.
        destination (Optional[str]): Name of another destination of dlt.
        dataset (Optional[str]): Name of another dataset (schema).
        full_refresh (bool): Read everything again and replace what is there.
        deleted (Optional[str]): What becomes of rows that were deleted in Harvest:
            `remove`, `mark` or `ignore`; None compares nothing.
        max_deleted_share (float): Largest part of a table that may be removed at once,
            from 0 to 1.
        deep (bool): Compare each row and each column of all streams.
        compare_every_hours (Optional[float]): Hours between comparisons; 0 compares in
            each run. None: 24 where the destination bills each query, else 0.
        history (Union[str, Sequence[str]]): Lists of which every version is kept.
        progress (Optional[Collector]): Takes what is counted meanwhile.
        signals (Optional[Signals]): Those that end the run also while a statement of
            the database waits.
        step_seconds (Tuple[float, float]): The length of the first step and of the
            later ones, as `harvest.steps.steps` takes them.

    Returns:
        Loaded: What was done.

    Raises:
        HarvestError: It cannot be done, with the way out.
        DltException: dlt does not know the destination, or cannot load into it.

    Example:
        >>> load(harvest_source(start_date="2024-01-01"))
        >>> load(harvest_source(), destination="postgres").pipeline.dataset().clients
    """
    account, versioned = account_of(source), lists_in(history)
    check_arguments(deleted or "ignore", max_deleted_share, compare_every_hours or 0)
    began, sent = time.monotonic(), account.client.requests_sent
    run(account.greet())
    with opened(pipeline, destination, dataset, True, signals) as ready:
        if progress:
            ready.collector = progress
        load_what_is_left(ready)
        resources = source.selected_resources.items()
        tables = {name: str(each.table_name) for name, each in resources}
        broken = check_structure(ready, tables, full_refresh)
        # where tables are broken, nothing can be made of them
        before = {} if broken else keep_versions(ready, source, versioned)
        parts = steps(source, step_seconds)
        rows, skipped = _run_in_steps(ready, parts, full_refresh, broken, progress)
        requests = account.client.requests_sent - sent
        compared = None
        if deleted and not account.end_date:
            hours = _hours_between(ready, compare_every_hours, deep)
            how = (deleted, max_deleted_share, deep, hours)
            compared = reconcile(ready, source, *how)
        after = keep_versions(ready, source, versioned, compared)
        versions = dict(Counter(before) + Counter(after))
    seconds = time.monotonic() - began
    return Loaded(ready, rows, skipped, requests, seconds, compared, versions)


def _hours_between(
    pipeline: dlt.Pipeline, every_hours: Optional[float], deep: bool
) -> float:
    """Return the hours between two comparisons; 0 compares now."""
    if deep:
        return 0
    return default_compare_hours(pipeline) if every_hours is None else every_hours


def _skipped(source: DltSource) -> Dict[str, str]:
    """Return the streams that were left out, and why."""
    return {
        name: each.custom_metrics["skipped"]
        for name, each in source.selected_resources.items()
        if "skipped" in each.custom_metrics
    }


def _run_in_steps(
    pipeline: dlt.Pipeline,
    parts: Iterable[DltSource],
    anew: bool,
    broken: Collection[str],
    progress: Optional[Collector],
) -> Tuple[Dict[str, int], Dict[str, str]]:
    """Run the pipeline until all is read; return rows by table, and what is skipped."""
    rows: Counter[str] = Counter()
    skipped: Dict[str, str] = {}
    for step in parts:
        rows.update(_run(pipeline, step, anew, broken))
        # the later steps add to what the first one has replaced or made anew
        anew, broken = False, ()
        skipped.update(_skipped(step))
        left = account_of(step).run.unfinished
        if left and isinstance(progress, Progress):
            progress.stored(rows, left)
    return dict(sorted(rows.items())), skipped


def _run(
    pipeline: dlt.Pipeline, source: DltSource, anew: bool, broken: Collection[str]
) -> Dict[str, int]:
    """Run the pipeline, and return the rows of each table, without dlt's own."""
    how: Dict[str, Any] = {"write_disposition": "replace"} if anew else {}
    pipeline.extract(source, refresh=pipeline.refresh, **how)
    done = pipeline.normalize()
    make_anew(pipeline, broken)
    load_tables(pipeline)
    counts = done.row_counts if done else {}
    return {name: n for name, n in counts.items() if n and name[0] != "_"}


def selected(source: DltSource, names: Sequence[str]) -> DltSource:
    """Return the source with some of its streams, or with all if none is named.

    Raises:
        HarvestError: There is no such stream.
    """
    unknown = [name for name in names if name not in source.resources]
    if unknown and account_of(source).end_date and {*unknown} <= {*STREAMS}:
        raise HarvestError(
            f"With end_date only {' and '.join(source.resources)} are read, not"
            f" {', '.join(unknown)}: leave out either."
        )
    if unknown:
        raise HarvestError(
            f"There is no stream {', '.join(unknown)};"
            f" there are: {', '.join(source.resources)}."
        )
    return source.with_resources(*names) if names else source
