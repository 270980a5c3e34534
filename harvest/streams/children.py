"""Parents and what is below them: transformers on a list that is read once for all."""

from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date, datetime, timezone  # noqa: I251
from typing import Any, Counter, Dict, List, NamedTuple, Optional, Set

from dlt.common import logger

from ..api.client import WORKERS
from ..api.decoding import Page
from ..api.pagination import follow, in_order, pages
from ..exceptions import RecordDeleted
from ..settings import FAMILIES, Stream
from ..typing import Items, Row, Rows
from . import delta
from .context import Context
from .cursor import Cursor
from .due import ParentsDue, earliest, parents_due, years_due
from .run import Run
from .tables import owned, tombstone


@dataclass
class Reading:
    """One reading of a list of parents, on behalf of several streams.

    Attributes:
        due (Dict[str, ParentsDue]): The parents that each stream asks for, by name.
        now (str): When the list was asked for, by Harvest's clock.
        ended (bool): All pages of it were passed on.
        pending (Counter[str]): Pages whose children are still to be read, by stream.
        asked (Set[str]): Streams that any parent was asked for.
    """

    due: Dict[str, ParentsDue]
    now: str = ""
    ended: bool = False
    pending: Counter[str] = field(default_factory=Counter)
    asked: Set[str] = field(default_factory=set)

    def close(self, child: Stream, state: Row) -> None:
        """Count a page of parents whose children were read."""
        self.pending[child.name] -= 1
        self.remember(child, state)

    def remember(self, child: Stream, state: Row) -> None:
        """Note what was read in its state, once the children of all parents were."""
        if not self.ended or self.pending[child.name]:
            return
        everything = self.due[child.name].since is None
        if everything:
            state["walked_at"] = datetime.now(timezone.utc).isoformat()
        if everything or child.name in self.asked:
            state["read_at"] = self.now


class ParentPage(NamedTuple):
    """A page of parents, on its way to the streams that wait for it.

    Attributes:
        run (Run): The run.
        reading (Reading): The reading of the list.
        rows (List[Dict[str, Any]]): All of its rows.
        new (List[Dict[str, Any]]): Those that the last run has not read.
    """

    run: Run
    reading: Reading
    rows: Rows
    new: Rows


async def listed_parents(
    context: Context, run: Run, parent: Stream, limited: bool
) -> Items:
    """Yield pages of parents.

    They are read as the neediest of the selected streams asks: all parents when the
    children of all are due, else those that changed.

    Args:
        context (Context): The account.
        run (Run): The run.
        parent (Stream): The list.
        limited (bool): It is not read to its end.
    """
    family = [each for each in FAMILIES[parent.name] if each.name in run.resources]
    children = [each for each in family if each.parent]
    states = {each.name: run.state_of(each.name) for each in family}
    due = {each.name: due_of(context, each, states[each.name]) for each in family}
    reading = Reading(due)
    start = context.start_of(parent)
    since = earliest(due.values(), start)
    cursor = Cursor(states[parent.name], start) if parent in family else None
    if context.delta:
        for child in children:
            everything = due[child.name].since is None
            delta.replace_children(run.resources[child.name], everything)
    stamp = "updated_at" if since else "created_at"
    listed = pages(context.client, parent, {"updated_since": since}, stamp)
    async for page in run.steady(parent.name, listed):
        reading.now = reading.now or page.now
        reading.pending.update(child.name for child in children)
        new = cursor.new(page.rows, reading.now) if cursor else []
        item = ParentPage(run, reading, page.rows, new)
        # stored long before what is below its rows has been read
        del page, new
        yield item
        del item
    if not limited and parent.name not in run.unsteady:
        reading.ended = True
        if cursor:
            cursor.note()
        for child in children:
            if child.name not in run.skipped:
                reading.remember(child, states[child.name])


def due_of(context: Context, stream: Stream, state: Row) -> ParentsDue:
    """Return the parents that a stream asks for in this run.

    Args:
        context (Context): The account.
        stream (Stream): A stream below others, or that of the parents themselves.
        state (Dict[str, Any]): What its last run left behind.
    """
    now = datetime.now(timezone.utc)
    return parents_due(
        state, now, context.substream_refresh_hours, is_child=bool(stream.parent)
    )


async def parent_rows(
    page: ParentPage, context: Context, run: Run, stream: Stream
) -> Items:
    """Yield the rows of a page of parents for their own table."""
    yield page.new


def has_children(stream: Stream, parent: Row) -> bool:
    """Return whether a parent can have rows of a stream."""
    roles = parent.get("access_roles") or ()
    return not stream.parent_role or stream.parent_role in roles


async def child_rows(
    page: ParentPage, context: Context, run: Run, stream: Stream
) -> Items:
    """Yield the rows below a page of parents, which replace those that were there."""
    reading, due = page.reading, page.reading.due[stream.name]
    parents = {
        parent["id"]: has_children(stream, parent)
        for parent in page.rows
        if due.since is None or (parent.get("updated_at") or due.since) >= due.since
    }
    del page
    questions = questions_of(stream, parents)
    asked = [each for each in questions if parents[each[stream.parent_key]]]
    if asked:
        reading.asked.add(stream.name)
    calls = (rows_below(context, stream, values) for values in asked)
    # as many as there are threads: what is below a record is short
    async with aclosing(in_order(calls, WORKERS)) as answers:
        for values in questions:
            rows: Optional[Rows] = []
            if parents[values[stream.parent_key]]:
                rows = await answers.__anext__()
            found = owned(rows or [], values)
            if context.delta:
                found = delta.identified(stream, found)
            elif rows == [] and due.read_before and stream.name in run.selected:
                found = [tombstone(stream, values)]
            if found:
                yield found
    yield []
    reading.close(stream, run.state_of(stream.name))


async def rows_below(context: Context, stream: Stream, values: Row) -> Optional[Rows]:
    """Return the rows below one parent; None if it was deleted."""
    rows: Rows = []
    try:
        first = await child_page(context, stream, values)
        async for page in follow(context.client, stream, first):
            rows += page.rows
        return rows
    except RecordDeleted as deleted:
        logger.warning(f"{deleted}; passed over")
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


async def child_page(context: Context, stream: Stream, values: Row) -> Page:
    """Return the first page of the rows of one parent."""
    parent = values[stream.parent_key]
    params = {name: text.format(id=parent) for name, text in stream.params.items()}
    if stream.per_year:
        params["year"] = values["year"]
    path = stream.path.format(id=parent)
    return await context.client.page(stream, path, params, of_record=True)
