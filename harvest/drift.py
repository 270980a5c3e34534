"""Differences between the schema and one page of each stream."""

import asyncio
import re
from collections import Counter, defaultdict
from datetime import date  # noqa: I251
from typing import Any, Dict, Iterator, List, NamedTuple, Set

from dlt.common import Decimal
from dlt.common.schema import Schema
from dlt.extract import DltSource

from .api.running import run
from .exceptions import AccessRefused, HarvestError, RecordDeleted
from .settings import STREAMS, Stream
from .streams.children import has_children, questions_of, start_child
from .streams.context import Context, context_of, lacking, refusal
from .streams.due import years_due
from .streams.reports import window_params
from .streams.values import meant, number_in
from .typing import Row, Rows

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
"""What a column of a type takes as it is."""


class Field(NamedTuple):
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


class StreamDrift(NamedTuple):
    """What differs between the schema and one page of a stream.

    Attributes:
        stream (str): Its name.
        rows (int): Rows on the page.
        unforeseen (List[Field]): Fields that the schema does not foresee.
        absent (List[str]): Declared columns that no row had.
        other_types (List[Field]): Columns with values of another type.
        note (str): Why nothing was read.
    """

    stream: str
    rows: int
    unforeseen: List[Field]
    absent: List[str]
    other_types: List[Field]
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
    context = context_of(source)
    context.new_run()
    selected = [STREAMS[name] for name in STREAMS if name in source.selected_resources]

    async def look() -> List[StreamDrift]:
        await context.owner()
        wanted = {each.parent for each in selected if each.parent}
        answers = await asyncio.gather(*(_parents(context, name) for name in wanted))
        parents = dict(zip(wanted, answers, strict=True))
        found = (_look(context, source.schema, each, parents) for each in selected)
        return list(await asyncio.gather(*found))

    return run(look())


async def _parents(context: Context, name: str) -> Rows:
    try:
        return (await context.client.start(STREAMS[name], params={}).page()).rows
    except AccessRefused:
        return []


async def _look(
    context: Context, schema: Schema, stream: Stream, parents: Dict[str, Rows]
) -> StreamDrift:
    nothing = StreamDrift(stream.name, 0, [], [], [])
    try:
        if await context.lacks(stream):
            return nothing._replace(note=lacking(stream))
        rows = await _page(context, stream, parents)
    except AccessRefused as refused:
        return nothing._replace(note=refusal(stream, refused))
    except HarvestError:
        # what it says may quote an answer
        return nothing._replace(note="its answer could not be read")
    if not rows:
        return nothing._replace(note="no rows")
    return _compared(schema, stream, rows)


async def _page(context: Context, stream: Stream, parents: Dict[str, Rows]) -> Rows:
    """Return the rows of one page of a stream."""
    if rows := parents.get(stream.name, []):
        return rows
    if not stream.parent:
        for params in _params(context, stream):
            if rows := (await context.client.start(stream, params=params).page()).rows:
                return rows
        return []
    above = parents[stream.parent]
    if not above:
        # asked again, to be told why if it was refused
        await context.client.start(STREAMS[stream.parent], params={}).page()
    having = [row["id"] for row in above if has_children(stream, row)]
    # some of all ages: the newest invoices are not paid yet
    some = having[:: len(having) // PARENTS or 1][:PARENTS]
    for question in questions_of(stream, some):
        try:
            rows = (await start_child(context, stream, question).page()).rows
        except RecordDeleted:
            continue
        if rows:
            return rows
    return []


def _params(context: Context, stream: Stream) -> Iterator[Row]:
    """Yield the filters with which a stream is asked, until one brings rows."""
    for year in reversed(years_due(date.today())):
        if stream.report:
            window = (date(year, 1, 1), date(year, 12, 31))
            yield window_params(context, stream, window)
        elif stream.kind == "yearly":
            yield {"year": year}
        else:
            yield {}
            return


class _Counted:
    """Counts the types of all fields of some rows, by table."""

    def __init__(self, schema: Schema) -> None:
        self.types: Dict[str, Dict[str, Counter[str]]] = defaultdict(
            lambda: defaultdict(Counter)
        )
        self._name = schema.naming.normalize_identifier

    def row(self, table: str, row: Row, inside: str = "") -> None:
        """Count the fields of a row, or of an object in it."""
        for name, value in row.items():
            path = f"{inside}{self._name(name)}"
            self.types[table][path][kind_of(value)] += 1
            if isinstance(value, dict):
                self.row(table, value, f"{path}__")
            for item in value if isinstance(value, list) else ():
                item = item if isinstance(item, dict) else {"value": item}
                self.row(f"{table}__{path}", item)


def kind_of(value: Any) -> str:
    """Return the type of a value of JSON, in dlt's names where it has one.

    >>> kind_of("2024-02-31"), kind_of("2024-02-29"), kind_of("2.11")
    ('text', 'date', 'number in quotes')
    """
    if isinstance(value, Decimal):
        return "decimal" if meant(value) is not None else "number of too many digits"
    if isinstance(value, str):
        return _kind_of_text(value)
    for kind, name in (
        (bool, "bool"),
        (int, "bigint"),
        (dict, "object"),
        (list, "list"),
    ):
        if isinstance(value, kind):
            return name
    return "null"


def _kind_of_text(value: str) -> str:
    try:
        date.fromisoformat(value[:10])
        if len(value) == 10:
            return "date"
        if re.fullmatch(r"[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?", value[10:]):
            return "timestamp"
    except ValueError:
        pass
    return "text" if number_in(value) is None else "number in quotes"


def _compared(schema: Schema, stream: Stream, rows: Rows) -> StreamDrift:
    counted = _Counted(schema)
    for row in rows:
        counted.row(stream.name, row)
    found = StreamDrift(stream.name, len(rows), [], [], [])
    for table, fields in counted.types.items():
        columns = _declared(schema, table)
        groups = {name.rpartition("__")[0] for name in columns}
        for name, types in fields.items():
            values = {kind: n for kind, n in types.items() if kind != "null"}
            if name in columns:
                fits = FITS.get(columns[name], {*values})
                if wrong := {k: n for k, n in values.items() if k not in fits}:
                    found.other_types.append(Field(table, name, columns[name], wrong))
            elif not _is_foreseen(schema, f"{table}__{name}", name, values, groups):
                found.unforeseen.append(Field(table, name, "", dict(types)))
        for name in columns.keys() - fields.keys() - _ours(stream, table):
            group = name.rpartition("__")[0]
            if not group or fields[group]["object"]:
                found.absent.append(f"{table}.{name}")
    found.absent.sort()
    return found


def _declared(schema: Schema, table: str) -> Dict[str, str]:
    """Return the columns of a table, with their types."""
    if table not in schema.tables:
        return {}
    return {
        name: str(column["data_type"])
        for name, column in schema.get_table_columns(table).items()
        if name[:4] != "_dlt"
    }


def _ours(stream: Stream, table: str) -> Set[str]:
    """Return the columns of a table that Harvest need not send."""
    return {"deleted_at", *stream.merge_key} if table == stream.name else set()


def _is_foreseen(
    schema: Schema, table: str, name: str, values: Dict[str, int], groups: Set[str]
) -> bool:
    """Return whether a field is an object with columns, or a list with a table."""
    kinds = {*values}
    nested = any(group == name or group.startswith(f"{name}__") for group in groups)
    return (nested and kinds <= {"object"}) or (
        table in schema.tables and kinds <= {"list"}
    )
