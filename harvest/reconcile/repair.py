"""Writing what a comparison found: missing, different and deleted rows."""

from collections import defaultdict
from datetime import datetime, timezone  # noqa: I251
from itertools import chain
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

import dlt
from dlt.common.utils import chunks
from dlt.extract import DltResource

from ..settings import PER_PAGE, STREAMS, Stream
from ..streams import delta
from ..streams.tables import tombstone
from ..streams.values import storable
from ..typing import Key, Row, Rows
from .check import Check
from .comparison import TableComparison
from .prints import name_of
from .rows import RowForms, Stored
from .values import days_in

REMOVED = "removed_rows"
"""The table of the rows that were removed."""


class Repair:
    """The repair of what one comparison found.

    Args:
        check (Check): The comparison.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self._stored = check.stored
        self._is_delta = check.context.delta

    def run(self, found: Sequence[TableComparison]) -> None:
        """Write what differs, and remove or mark what is deleted."""
        if absent := [name for each in found for name in each.absent]:
            with self._stored:
                self._stored.restore(absent)
        broken = [each for each in found if each.has_repair]
        if not broken:
            return
        with self._stored:
            # Delta Lake updates each of two rows with the same key, and keeps both
            twice = [each for each in broken if each.twice] if self._is_delta else []
            clearing = [self._cleared(each) for each in twice]
            writing = [self._written(each) for each in broken]
            removed = [
                (each.stream, key[-1])
                for each in broken
                if self._check.mode(each) == "remove"
                and STREAMS[each.stream].primary_key
                for key in self._leaving(each)
            ]
        for resources in (clearing, [*writing, removed_rows(removed)]):
            self._stored.write(self._check.source, resources)

    # ------------------------------------------------------------ rows to write

    def _cleared(self, found: TableComparison) -> DltResource:
        """Return what removes the rows that are there more than once."""
        stream = STREAMS[found.stream]
        if stream.report:
            rows = [_tombstone(stream, each) for each in found.windows]
            return self._resource(found, rows, {})
        nothing = dict.fromkeys(stream.merge_key, 0)
        rows = [
            tombstone(stream, {**nothing, **dict(zip(stream.key, key, strict=True))})
            for key in found.twice
        ]
        return self._resource(found, rows, {"deleted_at": {"hard_delete": True}})

    def _written(self, found: TableComparison) -> DltResource:
        """Return what writes all that differs in a stream."""
        stream = STREAMS[found.stream]
        families = found.sets
        if stream.kind == "whole":
            return self._resource(found, families[()], {}, "replace")
        rows: Iterable[Row] = chain(found.missing.values(), found.different.values())
        if families:
            rows = chain.from_iterable(families.values())
        removes = self._check.mode(found) == "remove" or bool(stream.report)
        # by key alone, rows that are kept stay beside the others
        as_set = removes or not stream.primary_key
        columns: Dict[str, Any] = {"deleted_at": {"hard_delete": removes}}
        if not self._is_delta:
            columns.update({name: {"merge_key": as_set} for name in stream.merge_key})
        if stream.report or (as_set and not self._is_delta):
            empty = [key for key, family in families.items() if not family]
            rows = chain(rows, (_tombstone(stream, key) for key in empty))
        return self._resource(found, chain(rows, self._deletions(found)), columns)

    def _deletions(self, found: TableComparison) -> Rows:
        """Return the rows that remove or mark what is deleted."""
        stream, mode = STREAMS[found.stream], self._check.mode(found)
        families = found.sets
        rows: Rows = []
        for each in self._stored_rows(stream, self._leaving(found)):
            found.days |= days_in([each.columns.get(stream.dated)])
            family = tuple(each.columns[name] for name in stream.merge_key)
            if mode == "mark":
                now = datetime.now(timezone.utc)
                rows.append({**each.as_harvest(), "deleted_at": now})
            elif mode == "ignore":
                rows.append(each.as_harvest())
            elif not stream.primary_key:
                rows.append(_tombstone(stream, family))
            elif family not in families:
                key = dict(zip(stream.key, each.key, strict=True))
                if stream.parent:
                    # 0 is no parent: these rows go, and not all that their parent has
                    above = each.columns[stream.parent_key]
                    key = {
                        stream.parent_key: above if self._stored.appends else 0,
                        **key,
                    }
                rows.append(tombstone(stream, key))
        return rows

    def _leaving(self, found: TableComparison) -> Set[Key]:
        """Return the keys of deleted rows that are written again, marked, or removed.

        Files cannot lose all rows one by one.
        """
        stream = STREAMS[found.stream]
        families = found.sets
        if self._check.mode(found) == "ignore":
            # what was read of a set last is all that counts in plain files, or stays
            # where rows have no sure key
            as_set = self._stored.appends or not stream.primary_key
            return found.deleted if as_set and families else set()
        if self._is_delta and self._stored.lists_of(stream.name):
            return set()
        if not (self._stored.appends and stream.parent):
            return found.deleted
        below: Dict[Any, Set[Key]] = defaultdict(set)
        columns = [stream.parent_key, *stream.key]
        for parent, *key in self._stored.keys(stream.name, columns):
            below[parent].add(tuple(key))
        return {
            key
            for parent, keys in below.items()
            if keys <= found.deleted or (parent,) in families
            for key in keys & found.deleted
        }

    def _stored_rows(self, stream: Stream, keys: Set[Key]) -> List[Stored]:
        """Return stored rows by their keys, which not all may have in full."""
        forms = RowForms(self._stored, stream, self._check.deep)
        if stream.primary_key or not keys:
            return forms.of_keys(keys)
        return [each for each in forms.of_rows() if each.key in keys]

    def _resource(
        self,
        found: TableComparison,
        rows: Iterable[Row],
        columns: Dict[str, Any],
        disposition: Any = "merge",
    ) -> DltResource:
        stream = STREAMS[found.stream]
        key = stream.key if self._is_delta else stream.primary_key
        if self._is_delta and stream.report:
            # a row that removes a window has no other key
            loose = [name for name in stream.key if name not in stream.merge_key]
            columns.update({name: {"nullable": True} for name in loose})
            columns.update({name: {"merge_key": False} for name in stream.merge_key})

        @dlt.resource(
            name=stream.name,
            primary_key=key,
            write_disposition=disposition,
            columns=columns,
        )
        def repaired() -> Iterator[Any]:
            if stream.report:
                self._note_windows(found)
            identify = self._is_delta and stream.parent
            for page in chunks(rows, PER_PAGE):
                fitted = storable(dlt.current.source_schema(), stream, list(page))
                yield delta.identified(stream, fitted) if identify else fitted

        return repaired

    def _note_windows(self, found: TableComparison) -> None:
        """Note when windows of a report were read."""
        if self._is_delta:
            delta.replace_windows(STREAMS[found.stream], found.windows)
        read_at = dlt.current.resource_state(found.stream).setdefault("read_at", {})
        for window in found.windows:
            if now := found.read_at.get(window):
                read_at[name_of(window)] = now


def _tombstone(stream: Stream, family: Key) -> Row:
    """Return a row that is not stored, and removes all rows of a family."""
    return tombstone(stream, dict(zip(stream.merge_key, family, strict=True)))


def removed_rows(
    rows: Sequence[Tuple[str, int]], looks: Optional[Row] = None
) -> DltResource:
    """Return the table of removed rows.

    Args:
        rows (Sequence[Tuple[str, int]]): Stream and id of each.
        looks (Optional[Dict[str, Any]]): How windows of reports look, for the state.
    """
    now = datetime.now(timezone.utc)

    @dlt.resource(name=REMOVED, write_disposition="append")
    def removed() -> Iterator[Any]:
        if looks is not None:
            dlt.current.source_state()["looks"] = looks
        yield [{"stream": stream, "id": key, "removed_at": now} for stream, key in rows]

    return removed
