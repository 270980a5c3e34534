"""Compare rows that replace each other as a set.

Rows below one parent are a set, and so are those of one year, those of a window of a
report, and all rows of what each load replaces as a whole.
"""

from datetime import date  # noqa: I251
from typing import Any, AsyncGenerator, Dict, List, Mapping, Optional, Set, Tuple

from dlt.common.utils import chunks

from ..api.pagination import all_rows, pages
from ..settings import STREAMS, Stream
from ..streams.children import has_children, questions_of, rows_below, start_child
from ..streams.due import years_due
from ..streams.reports import window_params
from ..typing import Key, Rows
from .check import Check, together
from .comparison import TableComparison
from .rows import Stored, by_key
from .sql import is_one_of
from .values import as_day

SETS_AT_ONCE = 100
"""Sets that are read at once, so that memory stays flat."""


async def compare_whole(check: Check, found: TableComparison) -> None:
    """Compare what each load replaces as a whole, or for this year and the last."""
    years = [(year,) for year in years_due(date.today())]
    per_year = STREAMS[found.stream].per_year
    await _compare_sets(check, found, dict.fromkeys(years if per_year else [()], True))


async def compare_children(
    check: Check, found: TableComparison, only: Optional[Set[Key]] = None
) -> None:
    """Compare the rows below each parent with their table.

    Args:
        check (Check): The comparison.
        found (TableComparison): Takes what is found.
        only (Optional[Set[Key]]): Ids of the parents to ask about; None for all.
    """
    stream = STREAMS[found.stream]
    parent = STREAMS[stream.parent]
    if parent.name not in check.parents:
        listed = pages(check.context.client, parent, check.params(parent), "updated_at")
        check.parents[parent.name] = [row async for page in listed for row in page.rows]
    parents = {
        row["id"]: has_children(stream, row) for row in check.parents[parent.name]
    }
    # parents that Harvest no longer lists are asked about, too: were they deleted?
    for (key,) in check.stored.keys(stream.name, [stream.parent_key]):
        parents.setdefault(key, True)
    asked = {
        tuple(values.values()): parents[values[stream.parent_key]]
        for values in questions_of(stream, parents)
    }
    if only is not None:
        asked = {key: asks for key, asks in asked.items() if key[:1] in only}
    await _compare_sets(check, found, asked)


async def _compare_sets(
    check: Check, found: TableComparison, asked: Mapping[Key, bool]
) -> None:
    stream = STREAMS[found.stream]
    found.harvest = 0
    async for key, rows, ours in read_sets(check, stream, asked):
        before = len(found.missing) + len(found.different)
        only_here = check.compare(found, rows, ours)
        lost = set(only_here)
        if check.repairs:
            # where no key is sure, it can be what a row was before it changed
            lost -= by_key(stream, rows).keys()
        if lost and check.proof:
            again = by_key(stream, await _ask(check, stream, key, asked[key]) or [])
            # what the first answer lacks, and the second has, stays in the set
            alive = [again[each] for each in lost & again.keys()]
            rows += check.as_loaded(stream, alive)
            lost -= again.keys()
        found.deleted |= lost
        found.harvest += len(rows)
        if only_here or len(found.missing) + len(found.different) > before:
            check.families[stream.name][key] = rows


async def read_sets(
    check: Check, stream: Stream, asked: Mapping[Key, bool]
) -> AsyncGenerator[Tuple[Key, Rows, List[Stored]], None]:
    """Yield sets: what their rows have in common, Harvest's rows, and the stored ones.

    Those of which nothing is known are left out.

    Args:
        check (Check): The comparison.
        stream (Stream): The stream.
        asked (Mapping[Key, bool]): The sets by the values of `Stream.merge_key`, and
            whether Harvest is asked about each; or else it is known to have no rows.
    """
    for batch in chunks(asked, SETS_AT_ONCE):
        answers = await together(_ask(check, stream, key, asked[key]) for key in batch)
        ours: Dict[Key, List[Stored]] = {key: [] for key in batch}
        for stored in check.forms(stream).of_rows(is_one_of(stream.merge_key, batch)):
            values = [stored.columns[name] for name in stream.merge_key]
            key = tuple(map(as_day, values) if stream.report else values)
            if key in ours:
                ours[key].append(stored)
        for key, rows in zip(batch, answers, strict=True):
            if rows is not None:
                yield key, check.as_loaded(stream, rows), ours[key]


async def _ask(check: Check, stream: Stream, key: Key, asks: bool) -> Optional[Rows]:
    """Return Harvest's rows of a set; None if nothing is known of them."""
    context, values = check.context, dict(zip(stream.merge_key, key, strict=True))
    if not asks:
        return []
    if stream.parent:
        rows = await rows_below(context, stream, start_child(context, stream, values))
        if rows is None and stream.optional:
            # nobody knows what an account without the section answers
            return None
        return [{**values, **row} for row in rows or []]
    if stream.report:
        return await _ask_window(check, stream, key)
    if not stream.rows_in:
        return [await context.company()]
    return [{**row, **values} for row in await all_rows(context.client, stream, values)]


async def _ask_window(check: Check, stream: Stream, window: Any) -> Rows:
    """Return the rows of a window of a report, and note when Harvest was asked."""
    params = window_params(check.context, stream, window)
    period = dict(zip(stream.merge_key, map(str, window), strict=True))
    found: Rows = []
    async for page in pages(check.context.client, stream, params):
        check.read_at.setdefault((stream.name, window), page.now)
        found += [{**period, **row} for row in page.rows]
    return found
