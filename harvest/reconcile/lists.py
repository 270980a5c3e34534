"""What differs between Harvest's lists and their tables, row by row.

Short lists are read whole, which costs no more requests than to count them.
"""

from array import array
from contextlib import aclosing
from typing import List, NamedTuple, Optional, Set, Tuple

from dlt.common import Decimal

from ..api.pagination import pages
from ..exceptions import RecordDeleted
from ..settings import FAMILIES, PER_PAGE, STREAMS
from ..typing import Row, Rows
from .check import Check, not_in, together
from .comparison import TableComparison
from .rows import by_key
from .sql import is_one_of
from .values import as_decimal

WHOLE_PAGES = 5
"""Lists on more pages than this are compared by figures, if a report sums them up."""


class Reading(NamedTuple):
    """A reading of a list, or of a part of it.

    Attributes:
        ids (Optional[array]): The ids of its rows, in eight bytes each; None if it has
            too many pages, and was not read.
        has_approvals (bool): Its rows have an `approval_status`.
    """

    ids: "Optional[array[int]]"
    has_approvals: bool = False


async def compare_whole_list(check: Check, found: TableComparison) -> Reading:
    """Compare a list with its table, unless it is long and can be summed up."""
    stream = STREAMS[found.stream]
    if stream.amount and check.stored.has(stream.name, stream.amount):
        source = check.stored.source(stream.name)
        rows = check.stored.query(f"SELECT SUM(t.{stream.amount}) FROM {source}")
        found.amount_here = as_decimal(rows[0][0])
    most = WHOLE_PAGES if stream.summed_by and not check.deep else None
    reading = await read(check, found, most=most)
    if reading.ids is not None:
        await _compare_ids(check, found, reading.ids)
    return reading


async def _compare_ids(
    check: Check, found: TableComparison, seen: "array[int]"
) -> None:
    """Find what was deleted, and what is deleted with it, after a whole reading."""
    stream = STREAMS[found.stream]
    links = [link for link in links_to(stream.name) if link[0] in check.found]
    here = check.stored.ids(stream)
    # a record that others name and that is not here can be deleted, too
    for child, column in links:
        here.extend(key for (key,) in check.stored.keys(child, [column]))
    deleted = not_in(here, seen)
    if deleted and (check.proof or check.params(stream)):
        deleted = await prove(check, found, deleted, len(seen))
    if not deleted:
        return
    ids = [(key,) for key in deleted]
    condition = is_one_of(stream.key, ids)
    found.deleted = check.stored.keys(stream.name, stream.key, condition)
    for child, column in links if not found.kept else ():
        named = is_one_of([column], ids)
        lost = check.stored.keys(child, STREAMS[child].key, named)
        check.found[child].deleted |= lost
        check.found[child].implied |= lost


def links_to(name: str) -> List[Tuple[str, str]]:
    """Return the streams that are deleted with another, and the column that says so.

    >>> links_to("projects")
    [('project_assignments', 'project__id')]
    """
    return [
        (each.name, column)
        for each in STREAMS.values()
        for column, to in {each.parent_key: each.parent, **each.refers_to}.items()
        if to == name
    ]


async def read(
    check: Check,
    found: TableComparison,
    span: Optional[Row] = None,
    most: Optional[int] = None,
) -> Reading:
    """Read rows of a list and compare them.

    Args:
        check (Check): The comparison.
        found (TableComparison): Takes what is found.
        span (Optional[Dict[str, Any]]): `from` and `to`, to read a part of it.
        most (Optional[int]): If it has more pages than this, it is not read.
    """
    stream = STREAMS[found.stream]
    seen = array("q")
    amount = Decimal(0)
    parents: Rows = []
    params = check.params(stream)
    stamp = "updated_at" if params else "created_at"
    filters = {**params, **(span or {})}
    answers = pages(check.context.client, stream, filters, stamp)
    async with aclosing(answers):
        async for page in answers:
            if most and (page.total_pages or 1) > most:
                approvals = any(row.get("approval_status") for row in page.rows)
                return Reading(None, approvals)
            check.compare_rows(found, page.rows)
            seen.extend(key[0] for key in by_key(stream, page.rows))
            if stream.amount:
                amount += total(page.rows, stream.amount)
            if stream.name in FAMILIES:
                parents += [
                    {name: row.get(name) for name in ("id", "access_roles")}
                    for row in page.rows
                ]
    if not span:
        found.harvest = len(seen)
        if stream.amount:
            found.amount_harvest = amount
        if stream.name in FAMILIES:
            check.parents[stream.name] = parents
    return Reading(seen)


async def prove(
    check: Check, found: TableComparison, doubtful: Set[int], rows: int
) -> Set[int]:
    """Return the ids that a second answer lacks: of the whole list, or of each record.

    Args:
        check (Check): The comparison.
        found (TableComparison): Takes the rows that live and differ.
        doubtful (Set[int]): The ids that the first answer lacks.
        rows (int): Rows of the list.
    """
    stream = STREAMS[found.stream]
    if not stream.summed_by or len(doubtful) > -(-rows // PER_PAGE):
        # of all times: what is deleted with something may be younger than that is
        alive = array("q")
        async for again in pages(check.context.client, stream, {}):
            alive.extend(key[0] for key in by_key(stream, again.rows))
        return not_in(array("q", doubtful), alive)

    async def is_deleted(key: int) -> bool:
        try:
            page = await check.context.client.start_record(stream, key).page()
            check.compare_rows(found, page.rows)
        except RecordDeleted as answer:
            return answer.status == 404
        return False

    keys = sorted(doubtful)
    deleted = await together(is_deleted(key) for key in keys)
    return {key for key, is_it in zip(keys, deleted, strict=True) if is_it}


def total(rows: Rows, column: str) -> Decimal:
    """Return the sum of a column in rows of Harvest."""
    return sum((as_decimal(row.get(column)) for row in rows), Decimal(0))
