"""The commands: load, verify, and say what would be read."""

import time
from argparse import Namespace
from collections import Counter
from contextlib import nullcontext
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Union

import dlt
from dlt.common.runtime.collector_base import Collector
from dlt.extract import DltSource

from .. import HarvestError
from ..history import keep_versions, lists_in
from ..reconcile import Result, reconcile, verify
from ..settings import STREAMS
from ..streams.context import context_of
from .destination import MakePipeline, database_file, harvest_pipeline, opened
from .drift import StreamDrift, drift
from .dry_run import Forecast, forecast
from .structure import check_structure, prepare_refresh


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


HISTORY = "sources.harvest.history"
"""The setting that names the lists of which every version is kept."""

Outcome = Union[Loaded, Forecast, Result, List[StreamDrift]]


def execute(
    options: Namespace,
    source: DltSource,
    pipeline: MakePipeline,
    progress: Optional[Collector] = None,
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
            history=options.history or dlt.config.get(HISTORY) or (),
            progress=progress,
        )
    if context_of(source).end_date and not options.dry_run:
        raise HarvestError(
            "end_date is for loading, but verify compares all days: leave it out."
        )
    with opened(*where) as ready:
        if options.dry_run:
            return forecast(ready, source, options.full_refresh, options.deep)
        return verify(ready, source, options.deep)


def load(
    source: DltSource,
    pipeline: MakePipeline = harvest_pipeline,
    destination: Optional[str] = None,
    dataset: Optional[str] = None,
    full_refresh: bool = False,
    deleted: Optional[str] = "remove",
    max_deleted_share: float = 0.2,
    deep: bool = False,
    history: Union[str, Sequence[str]] = (),
    progress: Optional[Collector] = None,
) -> Loaded:
    """Run the pipeline once, compare what it holds with Harvest, and repair it.

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
        history (Union[str, Sequence[str]]): Lists of which every version is kept.
        progress (Optional[Collector]): Takes what dlt counts meanwhile.

    Returns:
        Loaded: What was done.

    Raises:
        HarvestError: It cannot be done, with the way out.
        DltException: dlt does not know the destination, or cannot load into it.

    Example:
        >>> load(harvest_source(start_date="2024-01-01"))
        >>> load(harvest_source(), destination="postgres").pipeline.dataset().clients
    """
    context, versioned = context_of(source), lists_in(history)
    began, sent = time.monotonic(), context.client.requests_sent
    with opened(pipeline, destination, dataset, writes=True) as ready:
        if progress:
            ready.collector = progress
        streams = list(source.selected_resources)
        how: Dict[str, Any] = {}
        if full_refresh:
            how = {"write_disposition": "replace", **prepare_refresh(ready, streams)}
        else:
            check_structure(ready, streams)
        # where tables are broken, nothing can be made of them
        before = {} if "refresh" in how else keep_versions(ready, source, versioned)
        rows = _run(ready, source, how)
        requests = context.client.requests_sent - sent
        skipped = {
            name: each.custom_metrics["skipped"]
            for name, each in source.selected_resources.items()
            if "skipped" in each.custom_metrics
        }
        compared = None
        if deleted and not context.end_date:
            compared = reconcile(ready, source, deleted, max_deleted_share, deep)
        after = keep_versions(ready, source, versioned, compared)
        versions = Counter(before) + Counter(after)
    seconds = time.monotonic() - began
    return Loaded(ready, rows, skipped, requests, seconds, compared, dict(versions))


def _run(
    pipeline: dlt.Pipeline, source: DltSource, how: Dict[str, Any]
) -> Dict[str, int]:
    """Run the pipeline, and return the rows of each table, without dlt's own.

    dlt opens a DuckDB file for each table, and DuckDB writes out what the file is made
    of each time that it is closed. So it is held open while tables are loaded.
    """
    pipeline.extract(source, **{"refresh": pipeline.refresh, **how})
    done = pipeline.normalize()
    with pipeline.sql_client() if database_file(pipeline) else nullcontext():
        pipeline.load()
    counts = done.row_counts if done else {}
    return {name: n for name, n in sorted(counts.items()) if n and name[0] != "_"}


def selected(source: DltSource, names: Sequence[str]) -> DltSource:
    """Return the source with some of its streams, or with all if none is named.

    Raises:
        HarvestError: There is no such stream.
    """
    unknown = [name for name in names if name not in source.resources]
    if unknown and context_of(source).end_date and {*unknown} <= {*STREAMS}:
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
