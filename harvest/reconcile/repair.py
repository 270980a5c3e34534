"""Writing what a comparison found: missing, different and deleted rows."""

from collections import defaultdict
from datetime import datetime, timezone  # noqa: I251
from itertools import chain
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

import dlt
from dlt.common.utils import chunks
from dlt.extract import DltResource

from ..settings import PER_PAGE, STREAMS
from ..streams import delta
from ..streams.tables import tombstone
from ..streams.values import storable
from ..typing import Key, Row, Rows
from .compare_rows import StreamRows
from .comparison import Comparison
from .job import Job
from .state import notes
from .stored import StoredTables


def repair(
    job: Job, found: Sequence[Comparison], state: Optional[Row] = None
) -> List[str]:
    """Write what differs, and remove or mark what is deleted.

    Args:
        job (Job): What the comparisons share.
        found (Iterable[Comparison]): The outcomes of some streams.
        state (Optional[Dict[str, Any]]): What else is noted in the source's state.

    Returns:
        List[str]: A sentence for each table with rows that are still there twice.
    """
    stored = job.stored
    if absent := [name for each in found for name in each.absent]:
        stored.restore(absent)
    broken = [each for each in found if each.to_repair]
    if not broken and not state:
        return []
    repairs = [StreamRepair(job, each) for each in broken]
    clearing = [resource for each in repairs for resource in each.cleared()]
    writing = [each.written() for each in repairs]
    removed = [row for each in repairs for row in each.removed()]
    for resources in (clearing, [*writing, notes(state or {}, removed)]):
        stored.write(job.source, resources)
    return _still_twice(stored, [each for each in broken if each.twice])


def _still_twice(stored: StoredTables, found: Sequence[Comparison]) -> List[str]:
    return [
        f"{len(keys):,} rows of {each.stream} are still stored more than once: load it"
        " anew, with refresh='drop_resources'."
        for each in found
        if (keys := stored.keys(each.table, STREAMS[each.stream].key, least=2))
    ]


class StreamRepair(StreamRows):
    """The repair of one stream, made while its tables can be read."""

    def __init__(self, job: Job, found: Comparison) -> None:
        super().__init__(job, found)
        self._is_delta = job.account.delta
        # of a Delta table with lists, dlt removes no rows
        self._keeps_rows = self._is_delta and bool(self._stored.lists_of(found.table))
        self._mode = job.mode(found)
        self._leaving = self._find_leaving()

    def cleared(self) -> List[DltResource]:
        """Return what removes the rows that are there more than once, before others.

        Delta Lake updates each of two rows with the same key, and keeps both.
        """
        stream, found = self._stream, self._found
        if not (found.twice and self._is_delta):
            return []
        if stream.report:
            rows = [tombstone(stream, self.shared(each)) for each in found.windows]
        else:
            nothing = dict.fromkeys(stream.merge_key, 0)
            keys = (dict(zip(stream.key, key, strict=True)) for key in found.twice)
            rows = [tombstone(stream, {**nothing, **key}) for key in keys]
        return [self._resource(rows, {"deleted_at": {"hard_delete": True}})]

    def written(self) -> DltResource:
        """Return what writes all that differs in a stream."""
        stream, found = self._stream, self._found
        if stream.kind == "whole":
            return self._resource(found.sets[()], {}, "replace")
        rows: Iterable[Row] = chain(found.missing.values(), found.different.values())
        if found.sets:
            rows = chain.from_iterable(found.sets.values())
        removes = self._mode == "remove" or bool(stream.report)
        # by key alone, rows that are kept stay beside the others
        as_set = removes or not stream.primary_key
        hard = removes and not self._keeps_rows
        columns: Dict[str, Any] = {"deleted_at": {"hard_delete": hard}}
        if not self._is_delta:
            columns.update({name: {"merge_key": as_set} for name in stream.merge_key})
        if stream.report or (as_set and not self._is_delta):
            empty = [key for key, family in found.sets.items() if not family]
            rows = chain(rows, (tombstone(stream, self.shared(key)) for key in empty))
        return self._resource(chain(rows, self._deletions()), columns)

    def removed(self) -> List[Tuple[str, int]]:
        """Return the stream and id of each row that is removed."""
        if self._mode != "remove" or not self._stream.primary_key:
            return []
        return [(self._stream.name, key[-1]) for key in self._leaving]

    def _deletions(self) -> Rows:
        """Return the rows that remove or mark what is deleted."""
        stream, found = self._stream, self._found
        rows: Rows = []
        for each in self.stored_by_key(self._leaving):
            found.days |= self._days_of([each.columns])
            family = tuple(each.columns[name] for name in stream.merge_key)
            if self._mode != "remove":
                now = datetime.now(timezone.utc) if self._mode == "mark" else None
                rows.append({**each.as_harvest(), "deleted_at": now})
            elif family not in found.sets:
                shared = self.shared(family)
                if stream.primary_key:
                    # 0 is no parent: this row goes, and not all that its parent has
                    above = shared if self._stored.appends else dict.fromkeys(shared, 0)
                    shared = {**above, **dict(zip(stream.key, each.key, strict=True))}
                rows.append(tombstone(stream, shared))
        return rows

    def _find_leaving(self) -> Set[Key]:
        """Return the keys of deleted rows that are written again, marked, or removed.

        Files cannot lose all rows one by one.
        """
        stream, stored = self._stream, self._stored
        deleted, sets = self._found.deleted, self._found.sets
        if self._mode == "ignore":
            # what was read of a set last is all that counts in plain files, or stays
            # where rows have no sure key
            as_set = stored.appends or not stream.primary_key
            return deleted if as_set and sets else set()
        if self._keeps_rows:
            return set()
        if not (stored.appends and stream.parent):
            return deleted
        below: Dict[Any, Set[Key]] = defaultdict(set)
        for parent, *key in stored.keys(self._table, [stream.parent_key, *stream.key]):
            below[parent].add(tuple(key))
        return {
            key
            for parent, keys in below.items()
            if keys <= deleted or (parent,) in sets
            for key in keys & deleted
        }

    def _resource(
        self, rows: Iterable[Row], columns: Dict[str, Any], disposition: Any = "merge"
    ) -> DltResource:
        stream = self._stream
        if self._is_delta and stream.report:
            # a row that removes a window has no other key
            others = [name for name in stream.key if name not in stream.merge_key]
            columns.update({name: {"nullable": True} for name in others})
            columns.update({name: {"merge_key": False} for name in stream.merge_key})
        resource: DltResource = dlt.resource(
            self._pages(rows),
            name=stream.name,
            table_name=self._table,
            primary_key=stream.key if self._is_delta else stream.primary_key,
            write_disposition=disposition,
            columns=columns,
        )
        # what the user's hints leave out of the load is not written here either
        resource.apply_hints(schema_contract=self._resource_of_user.schema_contract)
        return resource

    def _pages(self, rows: Iterable[Row]) -> Iterator[Rows]:
        stream = self._stream
        if stream.report and self._is_delta:
            resource = dlt.current.source().resources[stream.name]
            delta.replace_windows(resource, self._found.windows)
        schema = dlt.current.source_schema()
        for page in chunks(rows, PER_PAGE):
            fitted = storable(schema, stream, list(page), self._to)
            identify = self._is_delta and stream.parent
            yield delta.identified(stream, fitted) if identify else fitted
