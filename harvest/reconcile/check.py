"""What the parts of one comparison share, and the comparison of rows."""

import asyncio
from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from typing import (
    Any,
    Coroutine,
    Dict,
    Hashable,
    Iterable,
    List,
    Mapping,
    Sequence,
    Set,
    Tuple,
)

import pyarrow as pa
import pyarrow.compute as pc
from dlt.extract.items_transform import ItemTransform

from ..settings import STREAMS, Stream
from ..streams.context import Context
from ..typing import Key, Row, Rows, Window
from .comparison import TableComparison
from .destination import StoredTables
from .rows import RowForms, Stored, by_key, hashable
from .values import days_in

Added = Sequence[ItemTransform[Any, Any]]
"""The steps that were added to a resource, such as by `add_map`."""


@dataclass
class Check:
    """One comparison of stored tables with Harvest.

    Attributes:
        context (Context): The account.
        stored (StoredTables): The destination.
        starts (Dict[str, str]): The `start_date` with which the table of a stream began.
        added (Mapping[str, Added]): Streams to compare, and what was added to each.
        deep (bool): Compare each row and each column.
        proof (bool): Ask again about rows that are to be removed.
        found (Dict[str, TableComparison]): The comparisons by stream.
        families (Dict): The rows of Harvest that replace others as a set, by stream and
            by the values of its `merge_key`.
        parents (Dict[str, List]): Rows of the lists of parents that were read, cut down to
            `id` and `access_roles`.
        read_at (Dict): When the windows of reports were read, by Harvest's clock.
    """

    context: Context
    stored: StoredTables
    starts: Dict[str, str]
    added: Mapping[str, Added]
    deep: bool
    proof: bool
    found: Dict[str, TableComparison] = field(default_factory=dict)
    families: Dict[str, Dict[Key, Rows]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    parents: Dict[str, Rows] = field(default_factory=dict)
    read_at: Dict[Tuple[str, Window], str] = field(default_factory=dict)

    def forms(self, stream: Stream) -> RowForms:
        """Return what brings rows of a stream into a form that can be compared."""
        return RowForms(self.stored, stream, names=self.deep)

    def params(self, stream: Stream) -> Row:
        """Return the filter for the rows that the table of a stream has to hold.

        Rows that were last changed before the table was begun are not missing in it.
        """
        start = self.starts.get(stream.name)
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
        forms = self.forms(stream)
        self.compare(found, loaded, forms.of_keys(by_key(stream, loaded)), forms)

    def compare(
        self, found: TableComparison, rows: Rows, ours: List[Stored], forms: RowForms
    ) -> Set[Key]:
        """Note which rows are missing or differ.

        Args:
            found (TableComparison): Takes them.
            rows (List[Dict[str, Any]]): Rows of Harvest.
            ours (List[Stored]): The stored rows that they are compared with.
            forms (RowForms): Brings both into the form that can be compared.

        Returns:
            Set[Key]: The keys that only the destination has.
        """
        stream = STREAMS[found.stream]
        if stream.key and not stream.primary_key:
            return compare_sets(found, rows, ours, forms)
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
            days = [
                row.get(stream.dated),
                *(each.columns.get(stream.dated) for each in stored),
            ]
            found.days.update(days_in(days))
        return set(here)


def compare_sets(
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


def not_in(ids: "array[int]", seen: "array[int]") -> Set[int]:
    """Return the ids that are not among others, in a few bytes for each.

    >>> not_in(array("q", [1, 2, 3]), array("q", [3, 1]))
    {2}
    """
    ours, theirs = as_arrow(ids), as_arrow(seen)
    others = pc.invert(pc.is_in(ours, value_set=theirs))
    return set(ours.filter(others).to_pylist())


def as_arrow(ids: "array[int]") -> pa.Array:
    """Return whole numbers of 64 bits as Arrow has them, without a copy."""
    return pa.Array.from_buffers(pa.int64(), len(ids), [None, pa.py_buffer(ids)])


async def together(tasks: Iterable[Coroutine[Any, Any, Any]]) -> List[Any]:
    """Run coroutines side by side; when one fails, the others are given up."""
    running = [asyncio.ensure_future(task) for task in tasks]
    try:
        return list(await asyncio.gather(*running))
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def batches(values: Sequence[Any], size: int) -> List[Sequence[Any]]:
    """Return a sequence in parts of a size.

    >>> batches([1, 2, 3], 2)
    [[1, 2], [3]]
    """
    return [values[start : start + size] for start in range(0, len(values), size)]


Links = List[Tuple[str, str]]


def links_to(name: str) -> Links:
    """Return the streams whose rows are deleted with those of a stream, and their column."""
    found: Links = []
    for each in STREAMS.values():
        if each.parent == name:
            found.append((each.name, each.parent_key))
        found += [
            (each.name, column) for column, to in each.refers_to.items() if to == name
        ]
    return found
