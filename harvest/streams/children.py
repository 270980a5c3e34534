"""Parents and what is below them: transformers on a list that is read once for all."""

from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date, datetime, timezone  # noqa: I251
from typing import Any, Counter, Dict, List, NamedTuple, Optional, Set

import dlt
from dlt.common import logger
from dlt.extract import DltResource

from ..api.client import WORKERS
from ..api.decoding import Page
from ..api.pagination import follow, in_order, pages
from ..exceptions import RecordDeleted
from ..settings import FAMILIES, Stream
from ..typing import Items, Row, Rows
from . import delta
from .context import Context
from .cursor import Boundary, Cursor
from .due import ParentsDue, earliest, parents_due, years_due
from .guard import at_hand, guard, guarded
from .tables import hints, rows_or_table, tombstone


@dataclass
class Reading:
    """One reading of a list of parents, on behalf of several streams.

    Attributes:
        due (Dict[str, ParentsDue]): The parents that each stream asks for, by name.
        now (str): When the list was asked for, by Harvest's clock.
        ended (bool): All pages of it were passed on.
        boundary (Optional[Boundary]): Keeps rows that were read before from their own
            table.
        pending (Counter[str]): Pages whose children are still to be read, by stream.
        asked (Set[str]): Streams that any parent was asked for.
    """

    due: Dict[str, ParentsDue]
    now: str = ""
    ended: bool = False
    boundary: Optional[Boundary] = None
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
    """A page of parents, on its way to the streams that wait for it."""

    reading: Reading
    rows: Rows


def listing_resource(context: Context, parent: Stream) -> DltResource:
    """Return the list of parents, read once for its own table and for those below it.

    It is no table. It reads what the neediest of the selected streams asks for: all
    parents when the children of all are due, else those that changed.
    """
    return dlt.resource(listed_parents, name=listing_name(parent), selected=False)(
        context, parent
    )


def listing_name(parent: Stream) -> str:
    """Return the name of the resource that reads a list of parents."""
    return f"{parent.name}_listing"


@at_hand
async def listed_parents(context: Context, parent: Stream) -> Items:
    """Yield pages of parents."""
    async for item in guard(context, parent, _listed(context, parent)):
        yield item


async def _listed(context: Context, parent: Stream) -> Items:
    run = context.run
    family = [each for each in FAMILIES[parent.name] if each.name in run.selected]
    children = [each for each in family if each.parent]
    reading = Reading({each.name: due_of(context, each) for each in family})
    start = context.start_of(parent)
    since = earliest(reading.due.values(), start)
    if context.delta:
        for child in children:
            everything = reading.due[child.name].since is None
            delta.replace_children(run.resources[child.name], everything)
    stamp = "updated_at" if since else "created_at"
    async for page in pages(context.client, parent, {"updated_since": since}, stamp):
        reading.now = reading.now or page.now
        reading.pending.update(child.name for child in children)
        item = ParentPage(reading, page.rows)
        # stored long before what is below its rows has been read
        del page
        yield item
        del item
    if not run.is_limited(listing_name(parent)):
        reading.ended = True
        if reading.boundary:
            reading.boundary.remember()
        for child in children:
            if child.name not in run.skipped:
                reading.remember(child, run.state_of(child.name))


def due_of(context: Context, stream: Stream, state: Optional[Row] = None) -> ParentsDue:
    """Return the parents that a stream asks for in this run.

    Args:
        context (Context): The account.
        stream (Stream): A stream below others, or that of the parents themselves.
        state (Optional[Dict[str, Any]]): What its last run left behind, if not here.
    """
    known = context.run.state_of(stream.name) if state is None else state
    now = datetime.now(timezone.utc)
    return parents_due(
        known, now, context.substream_refresh_hours, is_child=bool(stream.parent)
    )


def parent_resource(
    context: Context, stream: Stream, listing: DltResource
) -> DltResource:
    """Return the table of a list that has other streams below it, merged by key."""
    cursor = Cursor()
    rows = dlt.transformer(parent_rows, data_from=listing, **hints(stream))
    resource: DltResource = rows(context, stream, cursor)
    # not as an argument: dlt would begin anew with each page, where the last one ended
    incremental = cursor.incremental(context.start_of(stream))
    resource.apply_hints(incremental=incremental)
    return resource


async def parent_rows(
    page: ParentPage, context: Context, stream: Stream, cursor: Cursor
) -> Items:
    """Yield the rows of a page of parents for their own table."""
    reading = page.reading
    cursor.now = reading.now
    cursor.stands = context.run.is_limited(listing_name(stream))
    if not reading.boundary:
        reading.boundary = Boundary(context.run.state_of(stream.name))
    rows = reading.boundary.new(page.rows, cursor.now)
    if reading.ended:
        reading.boundary.remember()
    for item in rows_or_table(context.run, stream, rows):
        yield item


def has_children(stream: Stream, parent: Row) -> bool:
    """Return whether a parent can have rows of a stream."""
    roles = parent.get("access_roles") or ()
    return not stream.parent_role or stream.parent_role in roles


@guarded
async def child_rows(page: ParentPage, context: Context, stream: Stream) -> Items:
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
            if found := _family(context, stream, values, rows, due.again):
                yield found
    yield []
    reading.close(stream, context.run.state_of(stream.name))


def _family(
    context: Context, stream: Stream, values: Row, rows: Optional[Rows], again: bool
) -> Rows:
    """Return the rows of one parent, or what removes those that it had."""
    found = [{**values, **row} for row in rows or ()]
    if context.delta:
        return delta.identified(stream, found)
    if again and rows == []:
        return [tombstone(stream, values)]
    return found


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
