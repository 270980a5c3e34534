"""Differences between the schema and one page of each stream."""

import asyncio
import re
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date  # noqa: I251
from typing import Any, Dict, Iterator, List, Tuple

from dlt.common import Decimal
from dlt.common.schema import Schema
from dlt.extract import DltSource

from ..api.running import run
from ..exceptions import AccessRefused, HarvestError, RecordDeleted
from ..settings import STREAMS, Stream
from ..streams.account import Account, account_of, lacking, refusal
from ..streams.children import child_page, has_children, questions_of
from ..streams.due import years_due
from ..streams.reports import window_params
from ..streams.values import number_in, round_to_scale
from ..typing import Row, Rows

PARENTS = 10
"""Parents that are asked for what is below them, until one has something."""

FITS = {
    "bigint": {"bigint"},
    "bool": {"bool"},
    "date": {"date"},
    "decimal": {"bigint", "decimal", "number in quotes"},
    "double": {"bigint", "decimal", "number in quotes"},
    "text": {"text", "date", "timestamp", "number in quotes"},
    "timestamp": {"timestamp"},
}
"""The JSON types that a column of a type takes as they are."""


KINDS = {bool: "bool", int: "bigint", dict: "object", list: "list"}
"""dlt's names of the types of JSON, and names of those that it does not have."""

MOMENT = r"(.{10})([T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?)?"
"""A date, or a date and a time, in text."""


@dataclass
class Field:
    """A field of an answer that is not as declared.

    Attributes:
        table (str): The table that it belongs to.
        name (str): Its column, such as `client__id`.
        declared (str): dlt's type of the column; empty if there is none.
        types (Dict[str, int]): How many values of which type came.
    """

    table: str
    name: str
    declared: str
    types: Dict[str, int]


@dataclass
class StreamDrift:
    """The differences between the schema and one page of a stream.

    Attributes:
        stream (str): Its name.
        rows (int): Rows on the page.
        unforeseen (List[Field]): Fields that the schema does not foresee.
        absent (List[str]): Declared columns that no row had.
        other_types (List[Field]): Columns with values of another type.
        note (str): Why nothing was read.
    """

    stream: str
    rows: int = 0
    unforeseen: List[Field] = field(default_factory=list)
    absent: List[str] = field(default_factory=list)
    other_types: List[Field] = field(default_factory=list)
    note: str = ""


def drift(source: DltSource) -> List[StreamDrift]:
    """Compare one page of each stream with the schema, and return no value of it.

    Args:
        source (DltSource): A `harvest_source`, or some of its streams.

    Returns:
        List[StreamDrift]: One for each selected stream.

    Raises:
        HarvestError: Harvest cannot be read.

    Example:
        >>> [field.name for each in drift(source) for field in each.unforeseen]
        ['is_explicitly_locked']
    """
    account = account_of(source)
    account.new_run()

    async def look() -> List[StreamDrift]:
        await account.owner()
        streams = [
            STREAMS[name] for name in STREAMS if name in source.selected_resources
        ]
        found = (_look(account, source.schema, stream) for stream in streams)
        return list(await asyncio.gather(*found))

    return run(look())


async def _look(account: Account, schema: Schema, stream: Stream) -> StreamDrift:
    try:
        if await account.lacks(stream):
            return StreamDrift(stream.name, note=lacking(stream))
        rows = await _rows_of(account, stream)
    except AccessRefused as refused:
        return StreamDrift(stream.name, note=refusal(stream, refused))
    except HarvestError:
        # what it says may quote an answer
        return StreamDrift(stream.name, note="its answer could not be read")
    return _compared(schema, stream, rows)


async def _rows_of(account: Account, stream: Stream) -> Rows:
    """Return the rows of one page of a stream, the first that has any."""
    if stream.parent:
        above = await account.page_of(STREAMS[stream.parent])
        having = [row["id"] for row in above.rows if has_children(stream, row)]
        # some of all ages: the newest invoices are not paid yet
        some = having[:: len(having) // PARENTS or 1][:PARENTS]
        questions = questions_of(stream, some)
        calls = (child_page(account, stream, each) for each in questions)
    elif stream.kind in ("report", "yearly"):
        asked = (
            window_params(account, stream, (date(year, 1, 1), date(year, 12, 31)))
            if stream.report
            else {"year": year}
            for year in reversed(years_due(date.today()))
        )
        calls = (account.client.page(stream, params=each) for each in asked)
    else:
        return (await account.page_of(stream)).rows
    for call in calls:
        with suppress(RecordDeleted):
            if rows := (await call).rows:
                return rows
    return []


def kind_of(value: Any) -> str:
    """Return the type of a value of JSON, in dlt's names where it has one.

    >>> kind_of("2024-02-31"), kind_of("2024-02-29"), kind_of("2.11")
    ('text', 'date', 'number in quotes')
    """
    if isinstance(value, Decimal):
        return (
            "decimal"
            if round_to_scale(value) is not None
            else "number of too many digits"
        )
    if not isinstance(value, str):
        return KINDS.get(type(value), "null")
    if found := re.fullmatch(MOMENT, value):
        with suppress(ValueError):
            date.fromisoformat(found[1])
            return "timestamp" if found[2] else "date"
    return "text" if number_in(value) is None else "number in quotes"


def _fields(
    schema: Schema, table: str, row: Row, inside: str = ""
) -> Iterator[Tuple[str, str, str]]:
    """Yield table, column and type of all fields of a row, or of an object in it."""
    for name, value in row.items():
        path = inside + schema.naming.normalize_identifier(name)
        yield table, path, kind_of(value)
        if isinstance(value, dict):
            yield from _fields(schema, table, value, f"{path}__")
        for item in value if isinstance(value, list) else ():
            item = item if isinstance(item, dict) else {"value": item}
            yield from _fields(schema, f"{table}__{path}", item)


def _compared(schema: Schema, stream: Stream, rows: Rows) -> StreamDrift:
    sent: Dict[Tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        for table, name, kind in _fields(schema, stream.name, row):
            sent[table, name][kind] += 1
    declared = {
        (table, name): str(column["data_type"])
        for table in schema.tables.keys() & {table for table, _ in sent}
        for name, column in schema.get_table_columns(table).items()
        if name[:4] != "_dlt"
    }
    found = StreamDrift(stream.name, len(rows), note="" if rows else "no rows")
    for (table, name), types in sent.items():
        values = {kind: n for kind, n in types.items() if kind != "null"}
        nested = any(t == table and n.startswith(f"{name}__") for t, n in declared)
        listed = f"{table}__{name}" in schema.tables
        if data_type := declared.get((table, name)):
            fits = FITS.get(data_type, values)
            if wrong := {kind: n for kind, n in values.items() if kind not in fits}:
                found.other_types.append(Field(table, name, data_type, wrong))
        elif not (
            (nested and values.keys() <= {"object"})
            or (listed and values.keys() <= {"list"})
        ):
            found.unforeseen.append(Field(table, name, "", dict(types)))
    for table, name in sorted(declared.keys() - sent.keys()):
        # what Harvest need not send, or what is in an object that did not come
        ours = table == stream.name and name in ("deleted_at", *stream.merge_key)
        group = name.rpartition("__")[0]
        if not ours and (not group or sent[table, group]["object"]):
            found.absent.append(f"{table}.{name}")
    return found
