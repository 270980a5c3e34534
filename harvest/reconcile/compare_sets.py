"""Compare rows that replace each other as a set.

Rows below one parent are a set, and so are those of one year, those of a window of a
report, and all rows of what each load replaces as a whole.
"""

from datetime import date  # noqa: I251
from typing import Any, AsyncGenerator, Dict, Iterable, List, Optional, Set, Tuple

from dlt.common.utils import chunks

from ..api.pagination import all_rows, pages
from ..settings import STREAMS
from ..streams.children import has_children, questions_of, rows_below
from ..streams.due import years_due
from ..typing import Key, Rows
from .check import together
from .comparable import as_day
from .compare_rows import Stored, StreamRows, by_key
from .stored import is_one_of

SETS_AT_ONCE = 100
"""Sets that are read at once, so that memory stays flat."""


class SetComparison(StreamRows):
    """The comparison of what each load replaces, as a whole or year by year."""

    async def compare(self) -> None:
        """Compare all rows, or those of this year and the last."""
        years = [(year,) for year in years_due(date.today())]
        await self.compare_sets(years if self._stream.per_year else [()])

    async def compare_sets(self, keys: Iterable[Key]) -> None:
        """Compare sets by the values of `Stream.merge_key` that their rows share."""
        check, stream, found = self._check, self._stream, self._found
        found.harvest = 0
        async for key, rows, ours in self.read_sets(keys):
            before = len(found.missing) + len(found.different)
            only_here = self.compare_rows(rows, ours)
            lost = set(only_here)
            if check.repairs:
                # where no key is sure, it can be what a row was before it changed
                lost -= by_key(stream, rows).keys()
            if lost and check.proof:
                again = by_key(stream, await self.ask(key) or [])
                # what the first answer lacks, and the second has, stays in the set
                rows += self.as_loaded([again[each] for each in lost & again.keys()])
                lost -= again.keys()
            found.deleted |= lost
            found.harvest += len(rows)
            if only_here or len(found.missing) + len(found.different) > before:
                found.sets[key] = rows

    async def read_sets(
        self, keys: Iterable[Key]
    ) -> AsyncGenerator[Tuple[Any, Rows, List[Stored]], None]:
        """Yield sets: their keys, Harvest's rows, and the stored ones.

        Those of which nothing is known are left out.
        """
        stream = self._stream
        for batch in chunks(keys, SETS_AT_ONCE):
            answers = await together(self.ask(key) for key in batch)
            ours: Dict[Key, List[Stored]] = {key: [] for key in batch}
            for stored in self.stored_where(is_one_of(stream.merge_key, batch)):
                values = [stored.columns[name] for name in stream.merge_key]
                key = tuple(map(as_day, values) if stream.report else values)
                if key in ours:
                    ours[key].append(stored)
            for key, rows in zip(batch, answers, strict=True):
                if rows is not None:
                    yield key, self.as_loaded(rows), ours[key]

    async def ask(self, key: Key) -> Optional[Rows]:
        """Return Harvest's rows of a set; None if nothing is known of them."""
        if not self._stream.rows_in:
            return [await self._context.company()]
        shared = self.shared(key)
        rows = await all_rows(self._context.client, self._stream, shared)
        return [{**row, **shared} for row in rows]


class ChildComparison(SetComparison):
    """The comparison of the rows below each parent."""

    async def compare(self) -> None:
        """Compare all rows in depth, or else those that are stored more than once."""
        check, stream, found = self._check, self._stream, self._found
        if check.deep or (check.repairs and found.absent):
            await self._compare_below()
            return
        found.status = "not covered"
        found.add_note("only a deep comparison covers it: it asks parent by parent")
        if check.repairs and found.twice:
            twice = is_one_of(stream.key, found.twice)
            await self._compare_below(
                self._stored.keys(stream.name, [stream.parent_key], twice)
            )
            found.harvest = None

    async def _compare_below(self, only: Optional[Set[Key]] = None) -> None:
        """Compare the rows below all parents, or below those with some ids."""
        check, stream = self._check, self._stream
        parent = STREAMS[stream.parent]
        if parent.name not in check.parents:
            params = check.state.params(parent.name)
            listed = pages(self._context.client, parent, params, "updated_at")
            check.parents[parent.name] = [
                row async for page in listed for row in page.rows
            ]
        # whether each can have any
        self._parents = {
            row["id"]: has_children(stream, row) for row in check.parents[parent.name]
        }
        # parents that Harvest no longer lists are asked about, too: were they deleted?
        for (key,) in self._stored.keys(stream.name, [stream.parent_key]):
            self._parents.setdefault(key, True)
        keys = [tuple(each.values()) for each in questions_of(stream, self._parents)]
        await self.compare_sets(key for key in keys if only is None or key[:1] in only)

    async def ask(self, key: Key) -> Optional[Rows]:
        """Return Harvest's rows below a parent; None if nothing is known of them."""
        context, stream, shared = self._context, self._stream, self.shared(key)
        if not self._parents[key[0]]:
            return []
        rows = await rows_below(context, stream, shared)
        if rows is None and stream.optional:
            # nobody knows what an account without the section answers
            return None
        return [{**shared, **row} for row in rows or []]
