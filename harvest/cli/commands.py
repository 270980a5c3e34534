"""The commands: load, verify, and say what would be read."""

import time
from collections import Counter
from typing import Any, Dict, NamedTuple, Optional, Sequence

import dlt
from dlt.common.runtime.collector_base import Collector
from dlt.extract import DltSource

from .. import HarvestError
from ..dry_run import Forecast, forecast
from ..history import keep_versions
from ..reconcile import Result, reconcile, verify
from ..settings import STREAMS
from ..streams.context import context_of
from .destination import MakePipeline, harvest_pipeline, opened
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


def load(
    source: DltSource,
    pipeline: MakePipeline = harvest_pipeline,
    destination: Optional[str] = None,
    dataset: Optional[str] = None,
    full_refresh: bool = False,
    deleted: Optional[str] = "remove",
    max_deleted_share: float = 0.2,
    deep: bool = False,
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
        progress (Optional[Collector]): Takes what dlt counts meanwhile.

    Returns:
        Loaded: What was done.

    Raises:
        HarvestError: It cannot be done, with the way out.

    Example:
        >>> load(harvest_source(start_date="2024-01-01"))
        >>> load(harvest_source(), destination="postgres").pipeline.dataset().clients
    """
    began, sent = time.monotonic(), context_of(source).client.requests_sent
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
        before = {} if "refresh" in how else keep_versions(ready, source)
        ready.run(source, **how)
        loaded = what_was_loaded(ready)._replace(
            requests=context_of(source).client.requests_sent - sent
        )
        if deleted and not is_backfill(source):
            compared = reconcile(ready, source, deleted, max_deleted_share, deep)
            loaded = loaded._replace(compared=compared)
        added = Counter(before) + Counter(keep_versions(ready, source, loaded.compared))
        loaded = loaded._replace(versions=dict(added))
    return loaded._replace(seconds=time.monotonic() - began)


def check(
    source: DltSource,
    pipeline: MakePipeline = harvest_pipeline,
    destination: Optional[str] = None,
    dataset: Optional[str] = None,
    deep: bool = False,
) -> Result:
    """Compare what was loaded with Harvest, and change nothing.

    Args:
        source (DltSource): A `harvest_source`, or some of its streams.
        pipeline (MakePipeline): Makes the pipeline.
        destination (Optional[str]): Name of another destination of dlt.
        dataset (Optional[str]): Name of another dataset (schema).
        deep (bool): Compare each row and each column of all streams.

    Returns:
        Result: What was found.

    Raises:
        HarvestError: It cannot be done, with the way out.
    """
    if is_backfill(source):
        raise HarvestError(
            "end_date is for loading, but verify compares all days: leave it out."
        )
    with opened(pipeline, destination, dataset) as ready:
        return verify(ready, source, deep)


def foresee(
    source: DltSource,
    pipeline: MakePipeline = harvest_pipeline,
    destination: Optional[str] = None,
    dataset: Optional[str] = None,
    full_refresh: bool = False,
    deep: bool = False,
) -> Forecast:
    """Return what `load` would read with these arguments, and change nothing."""
    with opened(pipeline, destination, dataset) as ready:
        return forecast(ready, source, full_refresh, deep)


def selected(source: DltSource, names: Sequence[str]) -> DltSource:
    """Return the source with some of its streams, or with all if none is named.

    Raises:
        HarvestError: There is no such stream.
    """
    unknown = [name for name in names if name not in source.resources]
    if unknown and is_backfill(source) and {*unknown} <= {*STREAMS}:
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


def is_backfill(source: DltSource) -> bool:
    """Return whether an end_date was set, so that only a range of days is read."""
    return context_of(source).end_date is not None


def what_was_loaded(pipeline: dlt.Pipeline) -> Loaded:
    """Read the trace of the pipeline's last run."""
    trace: Any = pipeline.last_trace
    rows = trace.last_normalize_info.row_counts if trace.last_normalize_info else {}
    metrics = {
        name: resource.custom_metrics
        for steps in (
            trace.last_extract_info.metrics.values() if trace.last_extract_info else ()
        )
        for step in steps
        for name, resource in step["resource_metrics"].items()
    }
    return Loaded(
        pipeline=pipeline,
        rows={
            name: count
            for name, count in sorted(rows.items())
            if count and name[0] != "_"
        },
        skipped={
            name: each["skipped"] for name, each in metrics.items() if "skipped" in each
        },
        requests=0,
        seconds=0,
        compared=None,
        versions={},
    )
