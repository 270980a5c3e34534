"""Compare rows that replace each other as a set.

Rows below one parent are a set, and so are those of one year, those of a window of a
report, and all rows of what each load replaces as a whole.
"""

from datetime import date  # noqa: I251
from typing import (
    Any,
    AsyncGenerator,
    Dict,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
)

from dlt.common.utils import chunks

from ..api.pagination import pages
from ..settings import STREAMS
from ..streams.children import has_children, questions_of, rows_below
from ..streams.due import years_due
from ..streams.lists import all_of
from ..streams.tables import owned
from ..typing import Key, Rows
from . import sql
from .comparable import as_day
from .compare_rows import Stored, StreamRows, by_key
from .job import together
from .user_steps import keys_of

SETS_AT_ONCE = 100
"""Sets that are read at once, so that memory stays flat."""


class SetRead(NamedTuple):
    """A set as it was read.

    Attributes:
        key (Any): What its rows have in common.
        rows (List[Dict[str, Any]]): Harvest's rows, as the load has them.
        living (Set[Key]): The keys of all of Harvest's rows.
        ours (List[Stored]): The stored rows.
    """

    key: Any
    rows: Rows
    living: Set[Key]
    ours: List[Stored]


class SetComparison(StreamRows):
    """The comparison of what each load replaces, as a whole or year by year."""

    async def compare(self) -> None:
        """Compare all rows, or those of this year and the last."""
        years: List[Key] = [(year,) for year in years_due(date.today())]
        everything: List[Key] = [()]
        await self.compare_sets(years if self._stream.per_year else everything)

    async def compare_sets(self, keys: Iterable[Key]) -> None:
        """Compare sets by the values of `Stream.merge_key` that their rows share."""
        found = self._found
        found.harvest = 0
        async for read in self.read_sets(keys):
            await self._compare_set(read)
            found.harvest += len(read.living)

    async def _compare_set(self, read: SetRead) -> None:
        job, found, rows = self._job, self._found, read.rows
        before = len(found.missing) + len(found.different)
        only_here = await self._stored.wait(self.compare_rows, rows, read.ours)
        lost = set(only_here)
        if job.repairs or self._stream.primary_key or self._steps.exist:
            # where no key is sure, it can be what a row was before it changed
            lost -= read.living
            found.left_out += 0 if job.repairs else len(only_here & read.living)
        if lost and job.proof:
            again = by_key(self._stream, await self.ask(read.key) or [])
            # what the first answer lacks, and the second has, stays in the set
            rows += self.as_loaded([again[each] for each in lost & again.keys()])
            lost -= again.keys()
        found.deleted |= lost
        if only_here or len(found.missing) + len(found.different) > before:
            found.sets[read.key] = rows

    async def read_sets(self, keys: Iterable[Key]) -> AsyncGenerator[SetRead, None]:
        """Yield sets of which something is known."""
        stream = self._stream
        for batch in chunks(keys, SETS_AT_ONCE):
            answers = await together(self.ask(key) for key in batch)
            ours = await self._stored.wait(self._stored_sets, batch)
            for key, rows in zip(batch, answers, strict=True):
                if rows is not None:
                    living = {*keys_of(stream, rows)}
                    loaded = await self._stored.wait(self.as_loaded, rows)
                    yield SetRead(key, loaded, living, ours[key])

    def _stored_sets(self, keys: Sequence[Key]) -> Dict[Key, List[Stored]]:
        """Return the stored rows of sets, by what the rows of each have in common."""
        stream = self._stream
        found: Dict[Key, List[Stored]] = {key: [] for key in keys}
        conditions = (
            sql.is_one_of(stream.merge_key, keys) if stream.merge_key else [None]
        )
        for condition in conditions:
            for stored in self.stored_where(condition):
                values = [stored.columns[name] for name in stream.merge_key]
                key = tuple(map(as_day, values) if stream.report else values)
                if key in found:
                    found[key].append(stored)
        return found

    async def ask(self, key: Key) -> Optional[Rows]:
        """Return Harvest's rows of a set; None if nothing is known of them."""
        shared = self.shared(key)
        return owned(await all_of(self._account, self._stream, shared), shared)


class ChildComparison(SetComparison):
    """The comparison of the rows below each parent."""

    async def compare(self) -> None:
        """Compare all rows in depth, or else those that are stored more than once.

        What is below a deleted record was deleted with it.
        """
        job, stream, found = self._job, self._stream, self._found
        implied = await self._stored.wait(self._below_deleted)
        found.implied |= implied
        found.deleted |= implied
        if job.deep or (job.repairs and found.absent):
            await self._compare_below()
            return
        found.status = "not covered"
        found.add_note("only a deep comparison covers it: it asks parent by parent")
        if job.repairs and found.twice:
            merge = [stream.parent_key]
            twice = await self._stored.wait(
                self._stored.keys_among, self._table, merge, stream.key, found.twice
            )
            await self._compare_below(twice)
            found.harvest = None

    def _below_deleted(self) -> Set[Key]:
        """Return the keys of the rows that are below deleted records."""
        stream, found = self._stream, set()
        links = {stream.parent_key: stream.parent, **stream.refers_to}
        for column, name in links.items():
            above = self._job.found.get(name)
            if above and not above.deletions_blocked:
                keys = above.deleted | above.deleted_elsewhere
                found |= self._stored.keys_among(
                    self._table, stream.key, [column], keys
                )
        return found

    async def _compare_below(self, only: Optional[Set[Key]] = None) -> None:
        """Compare the rows below all parents, or below those with some ids."""
        job, stream = self._job, self._stream
        parent = STREAMS[stream.parent]
        if parent.name not in job.parents:
            params = job.state.params(parent.name)
            listed = pages(self._account.client, parent, params, "updated_at")
            job.parents[parent.name] = [
                row async for page in listed for row in page.rows
            ]
        # whether each can have any
        self._parents = {
            row["id"]: has_children(stream, row) for row in job.parents[parent.name]
        }
        # parents that Harvest no longer lists are asked about, too: were they deleted?
        here = await self._stored.wait(
            self._stored.keys, self._table, [stream.parent_key]
        )
        for (key,) in here:
            self._parents.setdefault(key, True)
        keys = [tuple(each.values()) for each in questions_of(stream, self._parents)]
        await self.compare_sets(key for key in keys if only is None or key[:1] in only)

    async def ask(self, key: Key) -> Optional[Rows]:
        """Return Harvest's rows below a parent; None if nothing is known of them."""
        account, stream, shared = self._account, self._stream, self.shared(key)
        if not self._parents[key[0]]:
            return []
        rows = await rows_below(account, stream, shared)
        if rows is None and stream.section:
            # nobody knows what an account without the section answers
            return None
        return owned(rows or [], shared)
