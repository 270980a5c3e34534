"""One comparison from beginning to end, and the repairs that follow from it."""

from datetime import date, timedelta  # noqa: I251
from typing import Any, Callable, Dict, List

from ..api.running import run
from ..exceptions import AccessRefused, HarvestError, UnsteadyList
from ..settings import STREAMS
from ..streams.context import SEES_LESS, lacking, refusal
from ..streams.due import sees_as_much
from .check import Check, together
from .compare_lists import ListComparison
from .compare_reports import ReportComparison
from .compare_sets import ChildComparison, SetComparison
from .comparison import Outcome, Result, TableComparison
from .repair import removed_rows, repair

KEPT = (
    "nothing is removed, since the token's owner may see less than the one who loaded"
    " it: deleted rows go when that one's token is used, or an administrator's"
)
KINDS: Dict[str, Callable[[Check, TableComparison], Any]] = {
    "list": ListComparison,
    "whole": SetComparison,
    "yearly": SetComparison,
    "child": ChildComparison,
    "report": ReportComparison,
}
"""What compares the streams of a kind."""


class Reconciliation(Check):
    """The steps of a comparison, in the order in which they are called."""

    def __post_init__(self) -> None:
        """Look at what was loaded, and count it."""
        super().__post_init__()
        self._requests_before = self.context.client.requests_sent
        self._unrepaired: List[str] = []
        with self.stored:
            self.found = {
                name: self._begin(name)
                for name in STREAMS
                if name in self.source.selected_resources
                and (self.state.was_tried(name) or self.stored.count(name) is not None)
            }

    def _begin(self, name: str) -> TableComparison:
        """Return the comparison of a stream, before Harvest is asked."""
        stream, here = STREAMS[name], self.stored.count(name)
        found = TableComparison(name, here or 0, absent=self.stored.absent(name))
        if here is None and not found.absent and self.state.was_created(name):
            found.absent = [name]
        if stream.report or (stream.parent and stream.primary_key):
            found.twice = self.stored.keys(name, stream.key, least=2)
        return found

    def _of(self, *kinds: str) -> List[TableComparison]:
        """Return the comparisons of streams of some kinds, but for those left out."""
        return [
            each
            for each in self.found.values()
            if STREAMS[each.stream].kind in kinds and each.status == "equal"
        ]

    # ---------------------------------------------------------------- comparing

    def compare_lists(self) -> None:
        """Compare the lists, and what is below them."""
        try:
            with self.stored:
                run(self._compare())
        except HarvestError as error:
            raise HarvestError(
                f"{error} What is stored was not compared with Harvest, and nothing was"
                " removed or repaired."
            ) from error
        self.context.check_same(self.state.values.get("account_id"))

    async def _compare(self) -> None:
        self.context.new_run()
        owner = await self.context.owner()
        for each in self.found.values():
            before = self.state.values.get("owners", {}).get(each.stream)
            each.kept = not sees_as_much(owner, before)
        for each in self._of("whole", "yearly", "report") if self.repairs else ():
            if each.kept:
                each.leave_out("not compared", SEES_LESS)
            elif not (STREAMS[each.stream].report or self.deep or each.absent):
                each.leave_out("not covered", "each load replaces it")
        await self._look_at("list", "whole", "yearly")
        await self._look_at("child")
        for each in self.found.values():
            if each.kept and each.deleted:
                each.add_note(KEPT)

    async def _look_at(self, *kinds: str) -> None:
        await together(self._look(each) for each in self._of(*kinds))

    async def _look(self, found: TableComparison) -> None:
        """Compare one stream, if the account has it, and Harvest lets it be read."""
        stream = STREAMS[found.stream]
        try:
            if stream.optional and not self.state.was_created(stream.name):
                # one request for all of them
                await self.context.has_section(stream)
            if await self.context.lacks(stream):
                found.leave_out("not covered", lacking(stream))
            else:
                await KINDS[stream.kind](self, found).compare()
        except AccessRefused as refused:
            if self.context.on_forbidden == "raise" and not stream.optional:
                raise
            status: Outcome = "not covered" if stream.optional else "not compared"
            found.leave_out(status, refusal(stream, refused))
        except UnsteadyList:
            found.leave_out("not compared", "it changed each time that it was read")

    def compare_reports(self) -> None:
        """Compare the stored windows of the reports with the entries."""
        with self.stored:
            run(self._look_at("report"))

    # ---------------------------------------------------------------- repairing

    def limit(self, share: float) -> None:
        """Refuse to remove too much at once. What is below a record goes with it.

        Args:
            share (float): Largest part of a table, from 0 to 1.
        """
        for each in self.found.values():
            lost = len(each.deleted - each.implied)
            counts = STREAMS[each.stream].kind in ("list", "child")
            if not counts or self.mode(each) == "ignore":
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
        found = self.found.values()
        lists = [each for each in found if not STREAMS[each.stream].report]
        self._unrepaired += repair(self, lists)

    def repair_reports(self) -> None:
        """Read the windows again that are no longer true, and note how they look."""
        self.compare_reports()
        found = [each for each in self._of("report") if each.windows]
        if found:
            self._unrepaired += repair(self, found)
            with self.stored:
                for each in found:
                    if each.prints is not None:
                        each.prints = ReportComparison(self, each).prints()
        # how the windows look that the loads no longer read
        settled = date.today() - timedelta(days=self.context.report_lookback_days)
        prints = {each.stream: each.prints for each in self.found.values()}
        looks = self.state.looks(prints, settled)
        if looks != self.state.values.get("looks", {}):
            self.stored.write(self.source, [removed_rows([], looks=looks)])

    def result(self) -> Result:
        """Return what was found, and the requests that it took."""
        requests = self.context.client.requests_sent - self._requests_before
        found = [*self.found.values()]
        for each in found:
            # these are written by now, and may be many
            each.sets.clear()
        return Result(found, requests, self.deleted, self._unrepaired)
