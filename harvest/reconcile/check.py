"""What the parts of one comparison share, and the comparison of rows."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Coroutine, Dict, Hashable, Iterable, List, Set, Tuple

import dlt
from dlt.extract import DltSource
from dlt.extract.items_transform import FilterItem, MapItem

from ..exceptions import HarvestError
from ..settings import STREAMS, Stream
from ..streams.context import context_of
from ..streams.dlt_internals import steps_of
from ..typing import Key, Row, Rows, Window
from .comparison import TableComparison
from .destination import StoredTables
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
        proof (bool): Ask again about rows that are to be removed.
        added (Dict[str, List]): The selected streams, and the steps that `add_map` and
            `add_filter` added to each.
        found (Dict[str, TableComparison]): The comparisons by stream.
        families (Dict): The rows of Harvest that replace others as a set, by stream and
            by the values of its `merge_key`.
        parents (Dict[str, List]): Rows of the lists of parents that were read, cut down
            to `id` and `access_roles`.
        read_at (Dict): When the windows of reports were read, by Harvest's clock.

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
        selected = self.source.selected_resources
        self.added: Dict[str, List[Any]] = {
            name: [
                each
                for each in steps_of(selected[name])
                if isinstance(each, (MapItem, FilterItem))
            ]
            for name in STREAMS
            if name in selected
        }
        self.found: Dict[str, TableComparison] = {}
        self.families: Dict[str, Dict[Key, Rows]] = defaultdict(dict)
        self.parents: Dict[str, Rows] = {}
        self.read_at: Dict[Tuple[str, Window], str] = {}
        self._forms: Dict[str, RowForms] = {}

    def forms(self, stream: Stream) -> RowForms:
        """Return what brings rows of a stream into a form that can be compared."""
        if stream.name not in self._forms:
            self._forms[stream.name] = RowForms(self.stored, stream, self.deep)
        return self._forms[stream.name]

    def mode(self, found: TableComparison) -> str:
        """Return what becomes of the deleted rows of a stream."""
        return "ignore" if found.kept else self.deleted

    def params(self, stream: Stream) -> Row:
        """Return the filter for the rows that the table of a stream must hold.

        Rows that were last changed before the table was begun are not missing in it.
        """
        start = self.state.start_of(stream.name)
        return {"updated_since": start} if start else {}

    def as_loaded(self, stream: Stream, rows: Rows) -> Rows:
        """Return rows with what users have the load leave out or change."""
        for step in self.added.get(stream.name, ()):
            rows = step([dict(row) for row in rows]) or []
        return rows

    def compare_rows(self, found: TableComparison, rows: Rows) -> None:
        """Compare rows of a list with the stored rows that have the same keys."""
        stream = STREAMS[found.stream]
        loaded = self.as_loaded(stream, rows)
        ours = self.forms(stream).of_keys(by_key(stream, loaded))
        self.compare(found, loaded, ours)

    def compare(
        self, found: TableComparison, rows: Rows, ours: List[Stored]
    ) -> Set[Key]:
        """Note which rows are missing or differ.

        Args:
            found (TableComparison): Takes them.
            rows (List[Dict[str, Any]]): Rows of Harvest, as the load has them.
            ours (List[Stored]): The stored rows that they are compared with.

        Returns:
            Set[Key]: The keys that only the destination has.
        """
        stream = STREAMS[found.stream]
        forms = self.forms(stream)
        if stream.key and not stream.primary_key:
            return _compare_loose(found, rows, ours, forms)
        here: Dict[Key, List[Stored]] = defaultdict(list)
        for each in ours:
            here[each.key].append(each)
        for key, row in by_key(stream, rows).items():
            stored = here.pop(key, [])
            if len(stored) > 1:
                found.twice.add(key)
            if not stored:
                found.missing[key] = row
            elif len(stored) > 1 or forms.of_harvest(row) != stored[0].form:
                found.different[key] = row
            else:
                continue
            days = [row, *(each.columns for each in stored)]
            found.days |= days_in(each.get(stream.dated) for each in days)
        return set(here)


def _compare_loose(
    found: TableComparison, rows: Rows, ours: List[Stored], forms: RowForms
) -> Set[Key]:
    """Note which rows are missing, where nothing is sure to tell one from another."""
    here: Dict[Hashable, List[Stored]] = defaultdict(list)
    for each in ours:
        here[hashable(each.form)].append(each)
    for row in rows:
        if same := here[hashable(forms.of_harvest(row))]:
            same.pop()
        else:
            found.missing[len(found.missing),] = row
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
