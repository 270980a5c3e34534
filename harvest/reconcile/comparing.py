"""One comparison from beginning to end, and the repairs that follow from it."""

from datetime import date, timedelta  # noqa: I251
from typing import Any, Dict, List, Sequence

import dlt
from dlt.extract import DltSource
from dlt.extract.items_transform import FilterItem, MapItem

from ..api.running import run
from ..exceptions import AccessRefused, HarvestError, UnsteadyList
from ..settings import STREAMS
from ..streams.context import context_of, lacking, refusal
from ..streams.dlt_internals import steps_of
from ..streams.due import sees_as_much
from .check import Check, together
from .children import compare_children
from .comparison import Outcome, Result, TableComparison
from .destination import StoredTables
from .lists import compare_list, compare_whole
from .prints import Prints
from .repair import Repair, removed_rows
from .reports import ReportWindows
from .sql import is_one_of
from .state import SourceState

ADDED = (MapItem, FilterItem)
"""The steps that are added by `add_map` and `add_filter`."""
KEPT = (
    "nothing is removed, since the token's owner may see less than the one who loaded"
    " it: deleted rows go when that one's token is used, or an administrator's"
)


class Comparing:
    """A comparison of a pipeline with Harvest.

    Args:
        pipeline (dlt.Pipeline): A pipeline that has loaded.
        source (DltSource): The source that it loads.
        deleted (str): What becomes of rows that are deleted in Harvest.
        deep (bool): Compare each row and each column.
        repairs (bool): It is followed by a repair.

    Raises:
        HarvestError: Nothing was loaded yet, or it cannot be compared.
    """

    def __init__(
        self,
        pipeline: dlt.Pipeline,
        source: DltSource,
        deleted: str,
        deep: bool,
        repairs: bool,
    ) -> None:
        self._pipeline = pipeline
        self._source = source
        self._deleted = deleted
        self._repairs = repairs
        self._context = context_of(source)
        self._refuse()
        self._requests_before = self._context.client.requests_sent
        self._unrepaired: List[str] = []
        self._state = SourceState(pipeline, source.name)
        self._stored = StoredTables(pipeline, source.schema.name)
        proof = repairs and deleted != "ignore"
        self._check = Check(
            self._context,
            self._stored,
            self._state.starts(),
            self._added(),
            deep,
            proof,
        )
        self._repair = Repair(pipeline, source, self._check, deleted)
        self._prints: Dict[str, Prints] = {}
        with self._stored:
            self._check.found = {
                name: self._begin(name)
                for name in self._check.added
                if self._state.was_tried(name) or self._stored.count(name) is not None
            }
            self._reports = ReportWindows(self._check, self._state)

    def _refuse(self) -> None:
        """Refuse what cannot be compared."""
        if self._context.end_date:
            raise HarvestError(
                "A backfill is not compared with Harvest: leave end_date out."
            )
        if self._source.schema.name not in self._pipeline.schemas:
            raise HarvestError(
                f"{self._pipeline.dataset_name} holds nothing of Harvest:"
                " load it first."
            )

    def _added(self) -> Dict[str, List[Any]]:
        selected = self._source.selected_resources
        return {
            name: [each for each in steps_of(selected[name]) if isinstance(each, ADDED)]
            for name in STREAMS
            if name in selected
        }

    def _begin(self, name: str) -> TableComparison:
        """Return the comparison of a stream, before Harvest is asked."""
        stream, stored = STREAMS[name], self._stored
        found = TableComparison(
            name, stored.count(name) or 0, absent=stored.absent(name)
        )
        if (
            stored.count(name) is None
            and not found.absent
            and self._state.was_created(name)
        ):
            found.absent = [name]
        if stream.kind in ("child", "report") and (stream.primary_key or stream.report):
            found.twice = stored.keys(name, stream.key, least=2)
        return found

    # ---------------------------------------------------------------- comparing

    def compare(self, kinds: Sequence[str]) -> None:
        """Compare the lists of some kinds, and what is below them."""
        try:
            with self._stored:
                run(self._compare(kinds))
        except HarvestError as error:
            raise HarvestError(
                f"{error} What is stored was not compared with Harvest, and nothing was"
                " removed or repaired."
            ) from error
        self._context.check_same(self._state.values.get("account_id"))

    async def _compare(self, kinds: Sequence[str]) -> None:
        self._context.new_run()
        owner = await self._context.owner()
        for each in self._check.found.values():
            before = self._state.values.get("owners", {}).get(each.stream)
            each.kept = not sees_as_much(owner, before)
        await together(self._look(each) for each in self._of(*kinds))
        await together(self._look(each) for each in self._of("child"))
        others = {"list", "whole", "yearly"} - {*kinds}
        await together(self._look(each) for each in self._of(*others) if each.absent)
        for each in self._of(*others):
            if not each.absent:
                each.leave_out("not covered", "each load replaces it")
        for each in self._check.found.values():
            if each.kept and each.deleted:
                each.add_note(KEPT)

    def _of(self, *kinds: str) -> List[TableComparison]:
        """Return the comparisons of streams of some kinds that were loaded."""
        return [
            each
            for each in self._check.found.values()
            if STREAMS[each.stream].kind in kinds and each.status == "equal"
        ]

    async def _look(self, found: TableComparison) -> None:
        """Compare one stream, if the account has it, and Harvest lets it be read."""
        stream = STREAMS[found.stream]
        try:
            if stream.optional and not self._state.was_created(stream.name):
                # one request for all of them
                await self._context.has_section(stream)
            if await self._context.lacks(stream):
                found.leave_out("not covered", lacking(stream))
            elif stream.kind == "list":
                await compare_list(self._check, found)
            elif stream.kind == "child":
                await self._look_below(found)
            elif stream.kind == "report":
                await self._look_at_report(found)
            else:
                await compare_whole(self._check, found)
            return
        except AccessRefused as refused:
            if self._context.on_forbidden == "raise" and not stream.optional:
                raise
            status: Outcome = "not covered" if stream.optional else "not compared"
            found.leave_out(status, refusal(stream, refused))
        except UnsteadyList:
            found.leave_out("not compared", "it changed each time that it was read")
        self._check.families.pop(stream.name, None)

    async def _look_below(self, found: TableComparison) -> None:
        stream = STREAMS[found.stream]
        if self._check.deep or (self._repairs and found.absent):
            await compare_children(self._check, found)
            return
        found.status = "not covered"
        found.add_note("only deep=True compares it, which asks parent by parent")
        if self._repairs and found.twice:
            twice = is_one_of(stream.key, found.twice)
            parents = self._stored.keys(stream.name, [stream.parent_key], twice)
            await compare_children(self._check, found, {key for (key,) in parents})

    async def _look_at_report(self, found: TableComparison) -> None:
        stream = STREAMS[found.stream]
        reports = self._reports
        if found.absent:
            found.windows = self._state.windows(stream)
        else:
            self._prints[stream.name] = reports.compare(found, loading=self._repairs)
        wanted = self._state.windows(stream) if self._check.deep else found.windows
        if self._check.deep or self._repairs:
            await reports.read(found, wanted)

    # ------------------------------------------------------------------ repairing

    def limit(self, share: float) -> None:
        """Refuse to remove too much at once. What is below a record goes with it.

        Args:
            share (float): Largest part of a table, from 0 to 1.
        """
        for each in self._check.found.values():
            lost = len(each.deleted - each.implied)
            loose = STREAMS[each.stream].kind not in ("list", "child")
            if self._deleted == "ignore" or each.kept or loose:
                continue
            if lost > max(1, share * each.here):
                raise HarvestError(
                    f"{lost:,} of the {each.here:,} rows of {each.stream} are deleted"
                    f" in Harvest, more than max_deleted_share = {share} lets go at"
                    " once: nothing was removed or repaired; if they were deleted on"
                    " purpose, run again with max_deleted_share="
                    f"{-(-100 * lost // each.here) / 100}."
                )

    def repair(self) -> None:
        """Write the rows that are missing or differ; remove or mark deleted ones."""
        found = [
            e for e in self._check.found.values() if STREAMS[e.stream].kind != "report"
        ]
        self._repair.run(found)
        self._look_again(found)

    def _look_again(self, found: Sequence[TableComparison]) -> None:
        """Say of which streams rows are still there more than once."""
        with self._stored:
            for each in found:
                key = STREAMS[each.stream].key
                still = each.twice and self._stored.keys(each.stream, key, least=2)
                if still:
                    self._unrepaired.append(
                        f"{len(still):,} rows of {each.stream} are still stored more"
                        " than once: load it anew, with refresh='drop_resources'."
                    )

    # -------------------------------------------------------------------- reports

    def compare_reports(self) -> None:
        """Compare the stored windows of the reports with the entries."""
        with self._stored:
            self._reports = ReportWindows(self._check, self._state)
            run(self._compare_reports())

    async def _compare_reports(self) -> None:
        await together(self._look(each) for each in self._of("report"))

    def repair_reports(self) -> None:
        """Read the windows again that are no longer true, and note how they look."""
        self.compare_reports()
        found = [each for each in self._of("report") if each.windows]
        self._repair.run(found)
        if found:
            self._look_again(found)
            with self._stored:
                self._reports = ReportWindows(self._check, self._state)
                for each in found:
                    if each.stream in self._prints:
                        prints = self._reports.prints(STREAMS[each.stream])
                        self._prints[each.stream] = prints
        self._remember()

    def _remember(self) -> None:
        """Note how the windows look that the loads no longer read."""
        settled = date.today() - timedelta(days=self._context.report_lookback_days)
        looks = self._state.looks(self._prints, settled)
        if looks is not None:
            self._repair.load([removed_rows([], looks=looks)])

    def result(self) -> Result:
        """Return what was found, and the requests that it took."""
        requests = self._context.client.requests_sent - self._requests_before
        found = [*self._check.found.values()]
        return Result(found, requests, self._deleted, self._unrepaired)
