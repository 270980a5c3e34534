"""What the parts of one comparison share."""

import asyncio
from dataclasses import dataclass
from datetime import date  # noqa: I251
from typing import Any, Coroutine, Dict, Iterable, List, Mapping, Optional

import dlt
from dlt.extract import DltSource

from ..exceptions import HarvestError
from ..streams.context import context_of
from ..typing import Row, Rows, Window
from .comparison import TableComparison
from .entries import Entries
from .prints import Prints, name_of
from .stored import StoredTables


class SourceState:
    """The state of a source in a pipeline, as it is at the moment.

    Args:
        pipeline (dlt.Pipeline): The pipeline.
        name (str): Name of the source.
    """

    def __init__(self, pipeline: dlt.Pipeline, name: str) -> None:
        self._pipeline = pipeline
        self._name = name

    @property
    def values(self) -> Row:
        """Return all of it."""
        return dict(self._pipeline.state.get("sources", {}).get(self._name, {}))

    def of(self, stream: str) -> Row:
        """Return what loads left behind of a stream."""
        return dict(self.values.get("resources", {}).get(stream, {}))

    def was_created(self, stream: str) -> bool:
        """Return whether a load has created the table of a stream."""
        return bool(
            self.of(stream).get("created") or stream in self.values.get("created", ())
        )

    def was_tried(self, stream: str) -> bool:
        """Return whether a load has read a stream, or has tried to."""
        # the load notes on whose behalf it asks
        return stream in self.values.get("owners", {}) or self.was_created(stream)

    def params(self, stream: str) -> Row:
        """Return the filter for the rows that the table of a stream must hold.

        Rows that were last changed before the `start_date` with which it was begun are
        not missing in it.
        """
        cursor: Row = self.of(stream).get("incremental", {}).get("updated_at", {})
        start = cursor.get("initial_value")
        return {"updated_since": start} if start else {}

    # ------------------------------------------------------- windows of reports

    def windows(self, report: str) -> List[Window]:
        """Return the windows that were loaded of a report."""
        return [
            (date.fromisoformat(first), date.fromisoformat(last))
            for first, last in self.of(report).get("windows", [])
        ]

    def read_at(self, report: str, window: Window) -> Optional[str]:
        """Return when a window was read, by Harvest's clock."""
        read_at: Dict[str, str] = self.of(report).get("read_at", {})
        return read_at.get(name_of(window))

    def look(self, report: str, window: Window) -> Optional[str]:
        """Return the digest of a window, if it was not read again since then."""
        seen = self.values.get("looks", {}).get(report, {}).get(name_of(window))
        current = seen and seen[0] == self.read_at(report, window)
        return str(seen[1]) if current else None

    def looks(self, prints: Mapping[str, Optional[Prints]], settled: date) -> Row:
        """Return the digests of windows that no load reads any more.

        Args:
            prints (Mapping[str, Optional[Prints]]): What was seen, by report.
            settled (date): The first day of a window's end that a load reads again.
        """
        noted = {
            name: {
                name_of(window): [self.read_at(name, window), each.digest]
                for window, each in seen.items()
                if window[1] < settled
            }
            for name, seen in prints.items()
            if seen is not None
        }
        return {**self.values.get("looks", {}), **noted}


@dataclass
class Check:
    """One comparison of the tables of a pipeline with Harvest.

    Args:
        pipeline (dlt.Pipeline): A pipeline that has loaded.
        source (DltSource): The source that it loads.
        deleted (str): What becomes of rows that are deleted in Harvest.
        deep (bool): Compare each row and each column.
        repairs (bool): It is followed by a repair.

    Attributes:
        context (Context): The account.
        state (SourceState): What loads left behind.
        stored (StoredTables): The destination.
        entries (Entries): What reports are made of there.
        proof (bool): Ask again about rows that are to be removed.
        found (Dict[str, TableComparison]): The comparisons by stream.
        parents (Dict[str, List]): Rows of the lists of parents that were read, cut down
            to `id` and `access_roles`.

    Raises:
        HarvestError: Nothing was loaded yet, or it cannot be compared.
    """

    pipeline: dlt.Pipeline
    source: DltSource
    deleted: str
    deep: bool
    repairs: bool

    def __post_init__(self) -> None:
        """Look at what was loaded."""
        self.context = context_of(self.source)
        if self.context.end_date:
            raise HarvestError(
                "A backfill is not compared with Harvest: leave end_date out."
            )
        if self.source.schema.name not in self.pipeline.schemas:
            raise HarvestError(
                f"{self.pipeline.dataset_name} holds nothing of Harvest: load it first."
            )
        self.proof = self.deleted != "ignore"
        self.state = SourceState(self.pipeline, self.source.name)
        self.stored = StoredTables(self.pipeline, self.source.schema.name)
        self.entries = Entries(self.stored)
        self.found: Dict[str, TableComparison] = {}
        self.parents: Dict[str, Rows] = {}

    def mode(self, found: TableComparison) -> str:
        """Return what becomes of the deleted rows of a stream."""
        return "ignore" if found.kept else self.deleted


async def together(tasks: Iterable[Coroutine[Any, Any, Any]]) -> List[Any]:
    """Run coroutines side by side; when one fails, the others are given up."""
    running = [asyncio.ensure_future(task) for task in tasks]
    try:
        return list(await asyncio.gather(*running))
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
