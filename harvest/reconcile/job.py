"""The job that the comparisons of all streams share."""

import asyncio
from datetime import datetime, timezone  # noqa: I251
from functools import cached_property
from typing import Any, Coroutine, Dict, Iterable, List, Set

import dlt
from dlt.extract import DltSource

from ..exceptions import HarvestError
from ..settings import STREAMS
from ..streams.account import account_of
from ..streams.due import name_of
from ..typing import Row, Rows
from .comparison import Comparison
from .entries import Entries
from .state import SourceState
from .stored import StoredTables


class Job:
    """One comparison of the tables of a pipeline with Harvest.

    Args:
        pipeline (dlt.Pipeline): A pipeline that has loaded.
        source (DltSource): The source that it loads.
        deleted (str): What becomes of rows that are deleted in Harvest.
        deep (bool): Compare each row and each column.
        repairs (bool): It is followed by a repair.

    Attributes:
        account (Account): The account.
        state (SourceState): What loads left behind.
        stored (StoredTables): The destination.
        entries (Entries): What reports are made of there.
        proof (bool): Ask again about rows that are to be removed.
        found (Dict[str, Comparison]): The outcomes by stream.
        parents (Dict[str, List]): Rows of the lists of parents that were read, cut down
            to `id` and `access_roles`.
        windows_left (float): Windows of reports that may still be asked for.

    Raises:
        HarvestError: Nothing was loaded yet, or it cannot be compared.
        Unreadable: dlt cannot read such a destination.
    """

    def __init__(
        self,
        pipeline: dlt.Pipeline,
        source: DltSource,
        deleted: str,
        deep: bool,
        repairs: bool,
    ) -> None:
        self.source = source
        self.deleted = deleted
        self.deep = deep
        self.repairs = repairs
        self.account = account_of(source)
        if self.account.end_date:
            raise HarvestError(
                "A backfill is not compared with Harvest: leave end_date out."
            )
        if source.schema.name not in pipeline.schemas:
            raise HarvestError(
                f"{pipeline.dataset_name} holds nothing of Harvest: load it first."
            )
        self.proof = deleted != "ignore"
        self.state = SourceState(pipeline, source.name)
        self.stored = StoredTables(pipeline, source)
        self.found: Dict[str, Comparison] = {}
        self.entries = Entries(self.stored, self.found)
        self.parents: Dict[str, Rows] = {}
        limits = {limit.name: limit for limit in self.account.client.rate_limits}
        # as many as go at once: more would wait for a quarter of an hour
        self.windows_left = float("inf") if deep else limits["reports"].rate

    @cached_property
    def named(self) -> Dict[str, Set[Any]]:
        """Return the ids of the records that stored rows of other streams name."""
        return self.stored.named(
            (to, self.found[each.name].table, column)
            for each in STREAMS.values()
            for column, to in {each.parent_key: each.parent, **each.refers_to}.items()
            if to and each.name in self.found
        )

    def mode(self, found: Comparison) -> str:
        """Return what becomes of the deleted rows of a stream."""
        return "ignore" if found.deletions_blocked else self.deleted

    def notes(self, note_time: bool) -> Row:
        """Return what the state must take in of this comparison; nothing if nothing.

        Args:
            note_time (bool): Note when it was made.
        """
        streams = {name: self._notes_of(each) for name, each in self.found.items()}
        found = {name: noted for name, noted in streams.items() if noted}
        notes: Row = {"resources": found} if found else {}
        if note_time:
            notes["compared_at"] = datetime.now(timezone.utc).isoformat()
        return notes

    def _notes_of(self, found: Comparison) -> Row:
        """Return what the state must take in of a stream."""
        known = self.state.of(found.stream)
        notes: Row = {}
        if known.get("unproven") and found.status == "equal":
            # what a list that never stood still may have hidden was found by now
            notes["unproven"] = None
        digests: Row = known.get("contradictions", {})
        contradictions = {
            name_of(window): digest or None
            for window, digest in found.contradictions.items()
            if digest != digests.get(name_of(window), "")
        }
        if contradictions:
            notes["contradictions"] = contradictions
        if found.read_at:
            notes["read_at"] = {name_of(w): now for w, now in found.read_at.items()}
        return notes


async def together(tasks: Iterable[Coroutine[Any, Any, Any]]) -> List[Any]:
    """Run coroutines side by side; when one fails, the others are given up."""
    running = [asyncio.ensure_future(task) for task in tasks]
    try:
        return list(await asyncio.gather(*running))
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
