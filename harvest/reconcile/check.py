"""What the parts of one comparison share, and what those of one stream do."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Coroutine, Dict, Iterable, List, Set

import dlt
from dlt.extract import DltSource
from dlt.extract.items_transform import FilterItem, MapItem

from ..exceptions import HarvestError
from ..settings import STREAMS, Stream
from ..streams.context import context_of
from ..streams.dlt_internals import steps_of
from ..typing import Key, Row, Rows
from .comparison import TableComparison
from .destination import StoredTables
from .entries import Entries
from .rows import RowForms, Stored, by_key, hashable
from .state import SourceState
from .values import days_in


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
        self.proof = self.repairs and self.deleted != "ignore"
        self.state = SourceState(self.pipeline, self.source.name)
        self.stored = StoredTables(self.pipeline, self.source.schema.name)
        self.entries = Entries(self.stored)
        self.found: Dict[str, TableComparison] = {}
        self.parents: Dict[str, Rows] = {}

    def mode(self, found: TableComparison) -> str:
        """Return what becomes of the deleted rows of a stream."""
        return "ignore" if found.kept else self.deleted

    def params(self, stream: Stream) -> Row:
        """Return the filter for the rows that the table of a stream must hold.

        Rows that were last changed before the table was begun are not missing in it.
        """
        start = self.state.start_of(stream.name)
        return {"updated_since": start} if start else {}


class StreamCheck:
    """One stream of a comparison: its rows in Harvest beside the stored ones.

    Args:
        check (Check): The comparison.
        found (TableComparison): Takes what is found.
    """

    def __init__(self, check: Check, found: TableComparison) -> None:
        self._check = check
        self._found = found
        self._stream = STREAMS[found.stream]
        self._stored = check.stored
        self._context = check.context
        self._forms = RowForms(check.stored, self._stream, names=check.deep)

    def shared(self, key: Key) -> Row:
        """Return what the rows of a set have in common, by column."""
        return dict(zip(self._stream.merge_key, key, strict=True))

    def as_loaded(self, rows: Rows) -> Rows:
        """Return rows with what users have the load leave out or change."""
        for step in steps_of(self._check.source.resources[self._stream.name]):
            if isinstance(step, (MapItem, FilterItem)):
                rows = step([dict(row) for row in rows]) or []
        return rows

    def compare_rows(self, rows: Rows, ours: List[Stored]) -> Set[Key]:
        """Note which rows are missing or differ.

        Args:
            rows (List[Dict[str, Any]]): Rows of Harvest, as the load has them.
            ours (List[Stored]): The stored rows that they are compared with.

        Returns:
            Set[Key]: The keys that only the destination has.
        """
        stream, found = self._stream, self._found
        if stream.key and not stream.primary_key:
            return self._compare_loose(rows, ours)
        here: Dict[Key, List[Stored]] = defaultdict(list)
        for each in ours:
            here[each.key].append(each)
        for key, row in by_key(stream, rows).items():
            stored = here.pop(key, [])
            if len(stored) > 1:
                found.twice.add(key)
            if not stored:
                found.missing[key] = row
            elif len(stored) > 1 or self._forms.of_harvest(row) != stored[0].form:
                found.different[key] = row
            else:
                continue
            days = [row, *(each.columns for each in stored)]
            found.days |= days_in(each.get(stream.dated) for each in days)
        return set(here)

    def _compare_loose(self, rows: Rows, ours: List[Stored]) -> Set[Key]:
        """Note which rows are missing, where nothing sure tells one from another."""
        here: Dict[Any, List[Stored]] = defaultdict(list)
        for each in ours:
            here[hashable(each.form)].append(each)
        missing = self._found.missing
        for row in rows:
            if same := here[hashable(self._forms.of_harvest(row))]:
                same.pop()
            else:
                missing[len(missing),] = row
        return {each.key for stored in here.values() for each in stored}


async def together(tasks: Iterable[Coroutine[Any, Any, Any]]) -> List[Any]:
    """Run coroutines side by side; when one fails, the others are given up."""
    running = [asyncio.ensure_future(task) for task in tasks]
    try:
        return list(await asyncio.gather(*running))
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
