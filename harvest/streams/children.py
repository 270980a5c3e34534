"""Parents and what is below them: transformers on a list that is read once for all."""

from contextlib import aclosing
from dataclasses import dataclass
from datetime import date, datetime, timezone  # noqa: I251
from typing import Any, Dict, List, NamedTuple, Optional

from dlt.common import logger

from ..api.client import WORKERS
from ..api.decoding import Page
from ..api.pagination import follow, in_order, pages
from ..exceptions import RecordDeleted
from ..settings import FAMILIES, Stream
from ..typing import Items, Row, Rows
from . import delta
from .account import Account
from .cursor import NewRows
from .dlt_internals import collector
from .due import ParentsDue, earliest, order_of, parents_due, years_due
from .run import Left, Run
from .tables import owned, tombstone


@dataclass
class Reading:
    """One reading of a list of parents, on behalf of several streams.

    Attributes:
        run (Run): The run.
        due (Dict[str, ParentsDue]): The parents that each stream asks for, by name.
        complete (bool): All parents are known.
    """

    run: Run
    due: Dict[str, ParentsDue]
    complete: bool = False

    def note(self, child: Stream, parent: Row) -> None:
        """Note that the children of a parent, and of those before it, were read."""
        if self.complete:
            due, state = self.due[child.name], self.run.state_of(child.name)
            since = None if due.everything else due.since
            walk = state.setdefault("walk", {"since": since, "began": self.run.began})
            walk["read"] = walk.get("read", 0) + 1
            walk["after"] = [*order_of(parent)]

    def end(self, child: Stream) -> None:
        """Note that the children of all parents were read."""
        if not self.complete:
            return
        state, due = self.run.state_of(child.name), self.due[child.name]
        walk = state.pop("walk", None)
        if due.everything:
            state["walked_at"] = datetime.now(timezone.utc).isoformat()
        if due.everything or walk:
            state["read_at"] = walk["began"] if walk else self.run.began


class ParentPage(NamedTuple):
    """Parents on their way to the streams that wait for them.

    Attributes:
        reading (Reading): The reading of the list.
        new (List[Dict[str, Any]]): Rows that the last run has not read.
        parents (Optional[List[Dict[str, Any]]]): Those whose children may be due, in
            order; None if they come later.
    """

    reading: Reading
    new: Rows
    parents: Optional[Rows]

    @property
    def run(self) -> Run:
        """Return the run."""
        return self.reading.run


async def listed_parents(account: Account, run: Run, parent: Stream) -> Items:
    """Yield parents: the rows of their own table, and then those with others below.

    They are read as the neediest of the selected streams asks: all parents when the
    children of all are due, else those that changed.

    The children are read in the order of their parents' `updated_at`, once all parents
    are known, so that the next run can go on where this one is cut.

    Args:
        account (Account): The account.
        run (Run): The run.
        parent (Stream): The list.
    """
    family = [each for each in FAMILIES[parent.name] if each.name in run.resources]
    children = [each for each in family if each.parent]
    due = {each.name: due_of(account, each, run.state_of(each.name)) for each in family}
    reading, start = Reading(run, due), account.start_of(parent)
    since = earliest(due.values(), start)
    own = NewRows(run, parent, start) if parent in family else None
    if account.delta:
        for child in children:
            delta.replace_children(run.resources[child.name], due[child.name].begins)
    stamp = "updated_at" if since else "created_at"
    listed = pages(account.client, parent, {"updated_since": since}, stamp)
    parents: Dict[Any, Row] = {}
    async for page in run.steady(parent.name, listed):
        run.began = run.began or page.now
        parents.update((row["id"], _brief(row)) for row in page.rows)
        new = own.of(page.rows) if own else []
        # stored long before what is below its rows has been read
        del page
        if new:
            yield ParentPage(reading, new, None)
        del new
    reading.complete = parent.name not in run.unsteady
    if own and reading.complete:
        own.end()
    yield ParentPage(reading, [], sorted(parents.values(), key=order_of))


def _brief(parent: Row) -> Row:
    """Return what tells whether, and in which order, children are asked for."""
    names = ("id", "updated_at", "access_roles")
    return {name: parent[name] for name in names if name in parent}


def due_of(account: Account, stream: Stream, state: Row) -> ParentsDue:
    """Return the parents that a stream asks for in this run.

    Args:
        account (Account): The account.
        stream (Stream): A stream below others, or that of the parents themselves.
        state (Dict[str, Any]): What its last run left behind.
    """
    now = datetime.now(timezone.utc)
    return parents_due(
        state, now, account.substream_refresh_hours, is_child=bool(stream.parent)
    )


async def parent_rows(
    page: ParentPage, account: Account, run: Run, stream: Stream
) -> Items:
    """Yield the rows of a page of parents for their own table."""
    yield page.new


def has_children(stream: Stream, parent: Row) -> bool:
    """Return whether a parent can have rows of a stream."""
    roles = parent.get("access_roles") or ()
    return not stream.parent_role or stream.parent_role in roles


async def child_rows(
    page: ParentPage, account: Account, run: Run, stream: Stream
) -> Items:
    """Yield the rows below a page of parents, which replace those that were there."""
    if page.parents is None:
        return
    reading, due = page.reading, page.reading.due[stream.name]
    parents = [each for each in page.parents if due.asks_for(each)]
    read = run.state_of(stream.name).get("walk", {}).get("read", 0)
    total, deleted = read + len(parents), 0
    collector().update(stream.name, read, total=total, label="records")
    del page
    # a Delta table is replaced as a whole, which must not leave a part of it
    whole = account.delta and due.begins and due.read_before
    async with aclosing(_below(account, run, stream, parents, whole)) as answers:
        async for parent, answered in answers:
            if not answered:
                left = (total - read) * len(questions_of(stream, [0]))
                run.unfinished[stream.name] = Left(read, total, left)
                return
            for values, rows in answered:
                deleted += rows is None
                found = owned(rows or [], values)
                if account.delta:
                    found = delta.identified(stream, found)
                elif rows == [] and stream.name in run.selected:
                    found = [tombstone(stream, values)] if due.had(parent) else []
                if found:
                    yield found
            reading.note(stream, parent)
            collector().update(stream.name, label="records")
            read += 1
    if deleted:
        logger.warning(
            f"{stream.name}: {deleted:,} of the {stream.parent} were deleted meanwhile,"
            " or have none (404): passed over"
        )
    yield []
    reading.end(stream)


CUT: Rows = [{}]
"""Stands for rows that are left to the next step."""


async def _below(
    account: Account, run: Run, stream: Stream, parents: Rows, whole: bool
) -> Items:
    """Yield parents, with what was asked of each and the rows; nothing when it is over.

    Args:
        account (Account): The account.
        run (Run): The run.
        stream (Stream): The stream.
        parents (List[Dict[str, Any]]): The parents.
        whole (bool): Read all of it in this step.
    """
    asked = [
        values
        for parent in parents
        for values in questions_of(stream, [parent["id"]])
        if has_children(stream, parent)
    ]
    # each step reads a parent, so that one of them is the last
    required = len(asked) if whole else len(questions_of(stream, [0]))

    async def rows_in_time(number: int, values: Row) -> Optional[Rows]:
        nonlocal required
        await account.client.rate_limit(stream).turn()
        if run.is_over and number >= required:
            return CUT
        # those before it may still wait for their turn: none is left out
        required = max(required, number + 1)
        return await rows_below(account, stream, values)

    calls = (rows_in_time(number, values) for number, values in enumerate(asked))
    # as many as there are threads: what is below a record is short
    async with aclosing(in_order(calls, WORKERS)) as answers:
        for parent in parents:
            having, answered = has_children(stream, parent), []
            for values in questions_of(stream, [parent["id"]]):
                rows = await answers.__anext__() if having else []
                if rows is CUT:
                    yield parent, ()
                    return
                answered.append((values, rows))
            yield parent, answered


async def rows_below(account: Account, stream: Stream, values: Row) -> Optional[Rows]:
    """Return the rows below one parent; None if it was deleted."""
    rows: Rows = []
    try:
        first = await child_page(account, stream, values)
        async for page in follow(account.client, stream, first):
            rows += page.rows
        return rows
    except RecordDeleted:
        return None


def questions_of(stream: Stream, parents: Any) -> List[Row]:
    """Return what is asked of each parent: the values that its rows have in common.

    >>> questions_of(STREAMS["invoice_payments"], [7])
    [{'invoice_id': 7}]
    """
    years = [{"year": year} for year in years_due(date.today())]
    return [
        {stream.parent_key: parent, **year}
        for parent in parents
        for year in (years if stream.per_year else [{}])
    ]


async def child_page(account: Account, stream: Stream, values: Row) -> Page:
    """Return the first page of the rows of one parent."""
    parent = values[stream.parent_key]
    params = {name: text.format(id=parent) for name, text in stream.params.items()}
    if stream.per_year:
        params["year"] = values["year"]
    path = stream.path.format(id=parent)
    return await account.client.page(stream, path, params, of_record=True)
