"""What differs below invoices, estimates and users, parent by parent."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set

from ..api.pagination import pages
from ..exceptions import RecordDeleted
from ..settings import STREAMS, Stream
from ..streams.children import has_children, questions_of, rows_below, start_child
from ..typing import Key, Row, Rows
from .check import Check, batches, together
from .comparison import TableComparison
from .rows import Stored, by_key
from .sql import is_one_of

PARENTS_AT_ONCE = 100
"""Parents whose rows are compared at once, so that memory stays flat."""


class Family(NamedTuple):
    """The rows below one parent, of one year if they have one.

    Attributes:
        values (Dict[str, Any]): The columns that they have in common.
        asked (bool): Harvest is asked; or else it is known to have none.
    """

    values: Row
    asked: bool


async def compare_children(
    check: Check, found: TableComparison, only: Optional[Set[Any]] = None
) -> None:
    """Compare the rows below each parent with their table.

    Args:
        check (Check): The comparison.
        found (TableComparison): Takes what is found.
        only (Optional[Set[Any]]): Ids of the parents to ask about; None for all.
    """
    stream = STREAMS[found.stream]
    parents = await _parents(check, stream, only)
    families = [
        Family(values, parents[values[stream.parent_key]])
        for values in questions_of(stream, parents)
    ]
    found.harvest = 0 if only is None else None
    for batch in batches(families, PARENTS_AT_ONCE):
        await _compare_families(check, found, batch)


async def _parents(
    check: Check, stream: Stream, only: Optional[Set[Any]]
) -> Dict[Any, bool]:
    """Return the ids of the parents, and whether they can have rows of the stream."""
    if only is not None and not stream.parent_role:
        return dict.fromkeys(sorted(only), True)
    parent = STREAMS[stream.parent]
    rows = check.parents.get(parent.name)
    if rows is None:
        listed = pages(check.context.client, parent, check.params(parent), "updated_at")
        rows = [row async for page in listed for row in page.rows]
        check.parents[parent.name] = rows
    found = {row["id"]: has_children(stream, row) for row in rows}
    # parents that Harvest no longer lists are asked about, too: were they deleted?
    for (key,) in check.stored.keys(stream.name, [stream.parent_key]):
        found.setdefault(key, True)
    return {key: has for key, has in found.items() if only is None or key in only}


async def _compare_families(
    check: Check, found: TableComparison, families: Sequence[Family]
) -> None:
    stream = STREAMS[found.stream]
    rows = await together(_ask(check, stream, family) for family in families)
    theirs = {_key(stream, each.values): each for each in families}
    ours: Dict[Key, List[Stored]] = {key: [] for key in theirs}
    forms = check.forms(stream)
    for stored in forms.of_rows(is_one_of(stream.merge_key, theirs)):
        if (key := _key(stream, stored.columns)) in ours:
            ours[key].append(stored)
    for (key, family), answer in zip(theirs.items(), rows, strict=True):
        if answer is None:
            continue
        loaded = check.as_loaded(stream, answer)
        before = len(found.missing) + len(found.different)
        lost = check.compare(found, loaded, ours[key], forms)
        if lost and check.proof and family.asked:
            again = await _ask(check, stream, family)
            lost -= by_key(stream, again or []).keys()
        found.deleted |= lost
        if found.harvest is not None:
            found.harvest += len(loaded)
        if lost or len(found.missing) + len(found.different) > before:
            check.families[stream.name][key] = loaded


async def _ask(check: Check, stream: Stream, family: Family) -> Optional[Rows]:
    """Return the rows of a family; None if nothing is known of it."""
    if not family.asked:
        return []
    try:
        pending = start_child(check.context, stream, family.values)
        rows = await rows_below(check.context, stream, pending)
    except RecordDeleted:
        rows = None
    if rows is None and stream.optional:
        # nobody knows what an account without the section answers
        return None
    return [{**family.values, **row} for row in rows or []]


def _key(stream: Stream, values: Row) -> Key:
    return tuple(values[name] for name in stream.merge_key)
