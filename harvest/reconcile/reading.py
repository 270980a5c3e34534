"""Reading a list for a comparison, and asking again before a row is removed."""

from array import array
from contextlib import aclosing
from typing import Any, Mapping, NamedTuple, Optional, Set

from dlt.common import Decimal

from ..api.pagination import pages
from ..exceptions import RecordDeleted
from ..settings import FAMILIES, PER_PAGE, STREAMS, Stream
from ..typing import Row, Rows
from .check import Check, not_in, together
from .comparison import TableComparison
from .rows import by_key
from .values import as_decimal


class Reading(NamedTuple):
    """A reading of a list, or of a part of it.

    Attributes:
        ids (array): The ids of its rows, in eight bytes each.
        whole (bool): It was read to its end.
        has_approvals (bool): Its rows have an `approval_status`.
    """

    ids: "array[int]"
    whole: bool
    has_approvals: bool = False


async def read(
    check: Check,
    found: TableComparison,
    span: Optional[Mapping[str, Any]] = None,
    most: Optional[int] = None,
) -> Reading:
    """Read rows of a list and compare them.

    Args:
        check (Check): The comparison.
        found (TableComparison): Takes what is found.
        span (Optional[Mapping]): `from` and `to`, to read a part of it.
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
                return Reading(seen, whole=False, has_approvals=approvals)
            check.compare_rows(found, page.rows)
            seen.extend(key[0] for key in by_key(stream, page.rows))
            if stream.amount:
                amount += total(page.rows, stream.amount)
            if stream.name in FAMILIES:
                parents += [_as_parent(row) for row in page.rows]
    if not span:
        found.harvest = len(seen)
        if stream.amount:
            found.amount_harvest = amount
        check.parents[stream.name] = parents
    return Reading(seen, whole=True)


def _as_parent(row: Row) -> Row:
    return {name: row.get(name) for name in ("id", "access_roles")}


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
        return not_in(array("q", doubtful), await _all_ids(check, stream))

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


async def _all_ids(check: Check, stream: Stream) -> "array[int]":
    """Return the ids of all rows in Harvest, read anew."""
    ids = array("q")
    async for page in pages(check.context.client, stream, {}):
        ids.extend(key[0] for key in by_key(stream, page.rows))
    return ids


def total(rows: Rows, column: str) -> Decimal:
    """Return the sum of a column in rows of Harvest."""
    return sum((as_decimal(row.get(column)) for row in rows), Decimal(0))
