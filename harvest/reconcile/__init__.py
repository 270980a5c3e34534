"""Proving a copy complete: `verify` compares it with Harvest, `reconcile` repairs it.

Harvest keeps no trace of what was deleted, and not every change moves `updated_at`: a
copy that is only ever added to drifts away from the truth.
"""

import dlt
from dlt.extract import DltSource

from ..exceptions import HarvestError
from .comparison import Outcome, Result, TableComparison
from .reconciliation import Reconciliation

__all__ = ["Outcome", "Result", "TableComparison", "reconcile", "verify"]


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
    comparing = Reconciliation(pipeline, source, "ignore", deep, repairs=False)
    comparing.compare_lists()
    comparing.compare_reports()
    return comparing.result()


def reconcile(
    pipeline: dlt.Pipeline,
    source: DltSource,
    deleted: str = "remove",
    max_deleted_share: float = 0.2,
    deep: bool = False,
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
    _check_arguments(deleted, max_deleted_share)
    comparing = Reconciliation(pipeline, source, deleted, deep, repairs=True)
    comparing.compare_lists()
    comparing.limit(max_deleted_share)
    comparing.repair()
    comparing.repair_reports()
    return comparing.result()


def _check_arguments(deleted: str, max_deleted_share: float) -> None:
    if deleted not in ("remove", "mark", "ignore"):
        raise HarvestError(
            f"deleted is '{deleted}', but must be one of: remove, mark, ignore."
        )
    if not 0 <= max_deleted_share <= 1:
        raise HarvestError(
            f"max_deleted_share is {max_deleted_share}, but must be from 0 to 1."
        )
