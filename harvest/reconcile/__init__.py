"""Proving a copy complete: `verify` compares it with Harvest, `reconcile` repairs it.

Harvest keeps no trace of what was deleted, and not every change moves `updated_at`: a
copy that is only ever added to drifts away from the truth.
"""

from typing import Dict

import dlt
from dlt.extract import DltSource

from ..exceptions import HarvestError
from .comparison import Comparison, Outcome, Result
from .job import Job
from .reconciliation import Reconciliation
from .state import SourceState
from .stored import Unreadable

__all__ = [
    "Comparison",
    "Outcome",
    "Result",
    "check_arguments",
    "default_compare_hours",
    "reconcile",
    "verify",
]

HOURS_BETWEEN: Dict[str, float] = dict.fromkeys(
    ("athena", "bigquery", "databricks", "fabric", "redshift", "snowflake", "synapse"),
    24,
)
"""Hours between comparisons where each query is billed, by the kind of destination."""


def default_compare_hours(pipeline: dlt.Pipeline) -> float:
    """Return how many hours are to pass between comparisons, unless users say it.

    >>> default_compare_hours(dlt.pipeline("harvest", destination="duckdb"))
    0
    """
    kind = pipeline.destination.destination_type.rpartition(".")[2]
    return HOURS_BETWEEN.get(kind, 0)


def verify(pipeline: dlt.Pipeline, source: DltSource, deep: bool = False) -> Result:
    """Compare what a pipeline has loaded with Harvest, and change nothing.

    Args:
        pipeline (dlt.Pipeline): A pipeline that has loaded `harvest_source`.
        source (DltSource): The `harvest_source` that it loads. Its selected resources
            are compared, with what was added to them by `add_map` or `add_filter`.
        deep (bool): Compare each row and each column of all streams, also of long
            lists, reports, and what is below invoices, estimates and users.

    Returns:
        Result: What was found, stream by stream.

    Raises:
        HarvestError: Nothing was loaded yet, or another account, or Harvest cannot be
            read.

    Examples:
        >>> verify(pipeline, harvest_source()).equal
        True
        >>> verify(pipeline, harvest_source(), deep=True).equal
        True
    """
    try:
        job = Job(pipeline, source, "ignore", deep, repairs=False)
    except Unreadable as reason:
        return Result([], 0, "ignore", [], str(reason))
    with Reconciliation(job) as steps:
        steps.compare_lists()
        steps.compare_reports()
    return steps.result()


def reconcile(
    pipeline: dlt.Pipeline,
    source: DltSource,
    deleted: str = "remove",
    max_deleted_share: float = 0.2,
    deep: bool = False,
    every_hours: float = 0,
) -> Result:
    """Compare what a pipeline has just loaded with Harvest, and repair what differs.

    A row is removed when Harvest has said twice that it is deleted. Unless `deep`, the
    tables that a load replaces as a whole are left to it, and the rows below users,
    invoices and estimates that still exist, which it reads parent by parent.

    Args:
        pipeline (dlt.Pipeline): A pipeline that has loaded `harvest_source`.
        source (DltSource): The `harvest_source` that it loads. Its selected resources
            are repaired, with what was added to them by `add_map` or `add_filter`.
        deleted (str): What becomes of rows that are deleted in Harvest: `remove` takes
            them out and notes them in the table `removed_rows`, `mark` sets their
            `deleted_at`, `ignore` lets them be.
        max_deleted_share (float): Largest part of a table that may go at once, from 0
            to 1. A single row always may.
        deep (bool): Compare and repair each row and each column of all streams.
        every_hours (float): Leave it out if the last comparison is not so many hours
            ago.

    Returns:
        Result: What was found and repaired, stream by stream.

    Raises:
        HarvestError: More rows are deleted than may go at once, nothing was loaded yet,
            or another account, or Harvest cannot be read. Nothing is repaired then.

    Examples:
        >>> source = harvest_source()
        >>> pipeline.run(source)
        >>> reconcile(pipeline, source, deleted="mark")
    """
    check_arguments(deleted, max_deleted_share, every_hours)
    if every_hours:
        hours = SourceState(pipeline, source.name).hours_since_comparison()
        if hours is not None and 0 <= hours < every_hours:
            return Result([], 0, deleted, [], hours_ago=hours)
    try:
        job = Job(pipeline, source, deleted, deep, repairs=True)
    except Unreadable as reason:
        return Result([], 0, deleted, [], str(reason))
    with Reconciliation(job) as steps:
        steps.compare_lists()
        steps.limit(max_deleted_share)
        steps.repair_lists()
        steps.compare_reports()
        steps.repair_reports(note_time=bool(every_hours))
    return steps.result()


def check_arguments(
    deleted: str, max_deleted_share: float, every_hours: float = 0
) -> None:
    """Refuse what `reconcile` does not take, before anything is loaded.

    Raises:
        HarvestError: An argument is wrong.
    """
    if deleted not in ("remove", "mark", "ignore"):
        raise HarvestError(
            f"deleted is '{deleted}', but must be one of: remove, mark, ignore."
        )
    if not 0 <= max_deleted_share <= 1:
        raise HarvestError(
            f"max_deleted_share is {max_deleted_share}, but must be from 0 to 1."
        )
    # not a number is neither more nor less
    if not every_hours >= 0:
        raise HarvestError(
            f"The hours between comparisons are {every_hours:g}, but must be 0 or more."
        )
