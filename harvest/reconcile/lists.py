"""What differs between Harvest's lists and their tables, row by row.

Short lists are read whole, which costs no more requests than to count them. Long ones
are compared by figures, unless each row is to be compared.
"""

from array import array
from datetime import date  # noqa: I251

from ..api.pagination import all_rows
from ..settings import STREAMS, Stream
from ..streams.due import years_due
from ..typing import Rows
from .check import Check, links_to, not_in
from .comparison import TableComparison
from .figures import compare_figures
from .reading import prove, read
from .sql import is_one_of
from .values import days_in

WHOLE_PAGES = 5
"""Lists on more pages than this are compared by figures, if a report sums them up."""


async def compare_list(check: Check, found: TableComparison) -> None:
    """Compare a list with its table."""
    stream = STREAMS[found.stream]
    if stream.amount and check.stored.has(stream.name, stream.amount):
        found.amount_here = check.stored.amount(stream)
    most = WHOLE_PAGES if stream.summed_by and not check.deep else None
    reading = await read(check, found, most=most)
    if reading.whole:
        await _compare_ids(check, found, reading.ids)
    else:
        await compare_figures(check, found, reading.has_approvals)
    if stream.dated and check.proof:
        for each in check.forms(stream).of_keys(found.deleted):
            found.days |= days_in([each.columns.get(stream.dated)])


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
    ids = [(key,) for key in deleted]
    if deleted:
        found.deleted = check.stored.keys(
            stream.name, stream.key, is_one_of(stream.key, ids)
        )
    for child, column in links if deleted and not found.kept else ():
        named = is_one_of([column], ids)
        lost = check.stored.keys(child, STREAMS[child].key, named)
        check.found[child].deleted |= lost
        check.found[child].implied |= lost


async def compare_whole(check: Check, found: TableComparison) -> None:
    """Compare what each load replaces as a whole, or for this year and the last."""
    stream = STREAMS[found.stream]
    condition = ""
    if stream.per_year:
        years = years_due(date.today())
        condition = is_one_of(["year"], [(year,) for year in years])
        rows = [
            row for year in years for row in await _rows_of_year(check, stream, year)
        ]
    elif stream.rows_in:
        rows = await all_rows(check.context.client, stream)
    else:
        rows = [await check.context.company()]
    found.harvest = len(rows)
    forms = check.forms(stream)
    loaded = check.as_loaded(stream, rows)
    found.deleted = check.compare(found, loaded, forms.of_rows(condition), forms)
    if not stream.per_year:
        check.families[stream.name][()] = loaded


async def _rows_of_year(check: Check, stream: Stream, year: int) -> Rows:
    rows = await all_rows(check.context.client, stream, {"year": year})
    found = [{**row, "year": year} for row in rows]
    check.families[stream.name][year,] = check.as_loaded(stream, found)
    return found
