"""One comparison from beginning to end, and the repairs that follow from it."""

from typing import Any, Callable, Dict, Iterator, List

from ..api.running import run
from ..exceptions import AccessRefused, HarvestError, UnsteadyList
from ..settings import STREAMS, Stream
from ..streams.account import SEES_LESS, lacking, refusal
from ..streams.due import sees_as_much
from ..streams.read import listing_name
from .compare_lists import ListComparison
from .compare_reports import ReportComparison
from .compare_sets import ChildComparison, SetComparison
from .comparison import Comparison, Outcome, Result
from .job import Job, together
from .repair import repair
from .stored import Unreadable
from .user_steps import NotComparable

DELETIONS_BLOCKED = (
    "nothing is removed, since the token's owner may see less than the one who loaded"
    " it: deleted rows go when that one's token is used, or an administrator's"
)
KINDS: Dict[str, Callable[[Job, Comparison], Any]] = {
    "list": ListComparison,
    "whole": SetComparison,
    "yearly": SetComparison,
    "child": ChildComparison,
    "report": ReportComparison,
}
"""The comparison of each kind of stream."""


class Reconciliation:
    """The steps of a comparison, called one after the other within `with`.

    Args:
        job (Job): The tables that are compared, and how.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._requests_before = job.account.requests_before
        self._unrepaired: List[str] = []
        self._failure = ""

    def __enter__(self) -> "Reconciliation":
        self._job.stored.__enter__()
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        """End it; note it if the destination could not be compared any further."""
        self._job.stored.__exit__(kind, error, traceback)
        if isinstance(error, Unreadable):
            self._failure = str(error)
        return isinstance(error, Unreadable)

    def _begin(self, stream: Stream) -> Comparison:
        """Return the comparison of a stream, before Harvest is asked."""
        job, name = self._job, stream.name
        stored = job.stored
        table = stored.tables.get(name, name)
        here = stored.count(table)
        found = Comparison(name, table, here or 0, absent=stored.absent(table))
        if here is None and not found.absent and job.state.was_created(name):
            found.absent = [table]
        if why := self._why_not(stream):
            found.leave_out("not compared", why)
            found.absent = []
        return found

    def _find_repeated(self) -> None:
        """Find keys that are stored more than once, where pages do not show them."""
        found = [
            each
            for each in self._of("report", "child")
            if STREAMS[each.stream].report or STREAMS[each.stream].primary_key
        ]
        stored = self._job.stored
        keys = {each.table: STREAMS[each.stream].key for each in found}
        repeated = stored.repeated(keys)
        for each in found:
            if each.table in repeated:
                each.twice = stored.keys(each.table, keys[each.table], least=2)

    def _why_not(self, stream: Stream) -> str:
        """Return why a stream cannot be compared; nothing if it can."""
        resources = self._job.source.resources
        if stream.name not in self._job.stored.tables:
            return "its rows themselves tell which table they go to"
        known = self._job.state.of(stream.name)
        if "walk" in known and "walked_at" not in known:
            return "a load was ended before all of it was read: run again for the rest"
        reads = (stream.name, listing_name(stream), f"{stream.parent}_listing")
        limits = [resources[name].limit for name in reads if name in resources]
        return "add_limit ends it early" if any(limits) else ""

    def _of(self, *kinds: str) -> Iterator[Comparison]:
        """Yield the comparisons of streams of some kinds, but for those left out."""
        for each in [*self._job.found.values()]:
            if STREAMS[each.stream].kind in kinds and each.status == "equal":
                yield each

    # ---------------------------------------------------------------- comparing

    def compare_lists(self) -> None:
        """Compare the lists, and what is below them."""
        job, stored = self._job, self._job.stored
        try:
            for name, stream in STREAMS.items():
                if name in job.source.selected_resources and (
                    job.state.was_tried(name)
                    or stored.count(stored.tables.get(name, name)) is not None
                ):
                    job.found[name] = self._begin(stream)
            self._find_repeated()
            run(self._compare())
        except HarvestError as error:
            raise HarvestError(
                f"{error} What is stored was not compared with Harvest, and nothing was"
                " removed or repaired."
            ) from error
        job.account.check_same(job.state.values.get("account_id"))

    async def _compare(self) -> None:
        job = self._job
        job.account.new_run()
        owner = await job.account.owner()
        for each in job.found.values():
            before = job.state.values.get("owners", {}).get(each.stream)
            each.deletions_blocked = not sees_as_much(owner, before)
        for each in self._of("whole", "yearly", "report") if job.repairs else ():
            if each.deletions_blocked:
                each.leave_out("not compared", SEES_LESS)
            elif not (STREAMS[each.stream].report or job.deep or each.absent):
                each.leave_out("not covered", "each load replaces it")
        await self._compare_kinds("list", "whole", "yearly")
        await self._compare_kinds("child")
        for each in job.found.values():
            if each.deletions_blocked and each.deleted:
                each.add_note(DELETIONS_BLOCKED)

    async def _compare_kinds(self, *kinds: str) -> None:
        await together(self._compare_stream(each) for each in self._of(*kinds))

    async def _compare_stream(self, found: Comparison) -> None:
        """Compare one stream, if the account has it, and Harvest lets it be read."""
        stream, account = STREAMS[found.stream], self._job.account
        try:
            if stream.section and not self._job.state.was_created(stream.name):
                # one request for all of them
                await account.has_section(stream)
            if await account.lacks(stream):
                found.leave_out("not covered", lacking(stream))
            else:
                await KINDS[stream.kind](self._job, found).compare()
        except AccessRefused as refused:
            if account.on_forbidden == "raise" and not stream.section:
                raise
            status: Outcome = "not covered" if stream.section else "not compared"
            found.leave_out(status, refusal(stream, refused))
        except UnsteadyList:
            found.leave_out("not compared", "it changed each time that it was read")
        except NotComparable as reason:
            found.leave_out("not compared", str(reason))

    def compare_reports(self) -> None:
        """Compare the stored windows of the reports with the entries, and Harvest."""
        run(self._compare_kinds("report"))

    # ---------------------------------------------------------------- repairing

    def limit(self, share: float) -> None:
        """Refuse to remove too much at once. What is below a record goes with it.

        Args:
            share (float): Largest part of a table, from 0 to 1.
        """
        for each in self._job.found.values():
            lost = len(each.deleted - each.implied)
            counts = STREAMS[each.stream].kind in ("list", "child")
            if not counts or self._job.mode(each) == "ignore":
                continue
            if lost > max(1, share * each.here):
                raise HarvestError(
                    f"{lost:,} of the {each.here:,} rows of {each.stream} are deleted"
                    f" in Harvest, more than max_deleted_share = {share} lets go at"
                    " once: nothing was removed or repaired; if they were deleted on"
                    " purpose, run again with max_deleted_share="
                    f"{-(-100 * lost // each.here) / 100}."
                )

    def repair_lists(self) -> None:
        """Write the rows that are missing or differ; remove or mark deleted ones."""
        found = self._job.found.values()
        lists = [each for each in found if not STREAMS[each.stream].report]
        self._unrepaired += repair(self._job, lists)
        self._job.entries.forget({e.stream for e in lists if e.outcome == "different"})

    def repair_reports(self, note_time: bool) -> None:
        """Write the windows that are out of date, and note what was confirmed.

        Args:
            note_time (bool): Note when it was compared.
        """
        found = self._job.found.values()
        reports = [each for each in found if STREAMS[each.stream].report]
        self._unrepaired += repair(self._job, reports, self._job.notes(note_time))

    # ---------------------------------------------------------------- the outcome

    def result(self) -> Result:
        """Return what was found, and the requests that it took."""
        job = self._job
        requests = job.account.client.requests_sent - self._requests_before
        found = [*job.found.values()]
        for each in found:
            # these are written by now, and may be many
            each.sets.clear()
        return Result(found, requests, job.deleted, self._unrepaired, self._failure)
