"""Arrow tables of rows of JSON, column by column."""

from contextlib import suppress
from operator import itemgetter
from typing import Any, Dict, List, Optional, Sequence

import dlt
import pyarrow as pa
from dlt.common import Decimal
from dlt.common.data_types import py_type_to_sc_type
from dlt.common.normalizers.utils import generate_dlt_ids
from dlt.common.schema import Schema
from dlt.common.schema.typing import TColumnSchema
from dlt.common.schema.utils import autodetect_sc_type

from ..settings import Stream
from ..typing import Row, Rows
from .tables import Table
from .values import SCALE, Declared, as_text

Columns = Dict[str, Sequence[Any]]
"""The values of each column, one for each row."""


ARROW_TYPES = {"bool": "bool", "text": "string", "double": "double"}
"""Arrow's names of the types that take values as they are, by dlt's names."""


class ByRows(Exception):
    """A page has something in it that only dlt's way, row by row, can store."""


def to_arrow(rows: Rows, schema: Schema, stream: Stream, table: Table) -> pa.Table:
    """Return rows as an Arrow table, without the columns that are null in all of them.

    A field that the schema does not foresee becomes a column of its own type.

    Args:
        rows (List[Dict[str, Any]]): Rows as Harvest has them, with objects in them.
        schema (Schema): The source's schema, with columns such as `client__id`.
        stream (Stream): The stream.
        table (Table): Where they go.

    Raises:
        ByRows: They do not fit into one.
    """
    declared = Declared(schema, table)
    columns = declared.columns
    for column in columns.values():
        # Arrow says so of each column: unsaid, a schema that is frozen would refuse it
        column.setdefault("nullable", True)
    fields: List[pa.Field] = []
    arrays: List[pa.Array] = []
    try:
        for path, values in _flat(rows, declared).items():
            name = path if path in columns else schema.naming.normalize_path(path)
            column = columns.get(name) or _inferred(schema, name, values)
            array = _array(values, column)
            if array.null_count and not column.get("nullable", True):
                raise ByRows
            fields.append(pa.field(name, array.type, column.get("nullable", True)))
            arrays.append(array)
        names = {each.name for each in fields}
        lacks_key = {*stream.primary_key} & columns.keys() - names
        if lacks_key or len(names) != len(fields):
            raise ByRows
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    except (pa.ArrowException, ArithmeticError, AttributeError, TypeError, ValueError):
        raise ByRows from None


def with_ids(table: pa.Table, load_id: str) -> pa.Table:
    """Return a table with the columns that dlt adds to rows."""
    loads = pa.repeat(pa.scalar(load_id), table.num_rows)
    table = table.append_column(_required("_dlt_load_id"), loads)
    if dlt.config.get("normalize.parquet_normalizer.add_dlt_id", bool):
        # dlt adds them
        return table
    ids = pa.array(generate_dlt_ids(table.num_rows), pa.string())
    return table.append_column(_required("_dlt_id"), ids)


def _flat(
    rows: Sequence[Optional[Row]], declared: Declared, inside: str = ""
) -> Columns:
    """Return the values of all columns that are not null throughout.

    Raises:
        ByRows: There are lists, or values as well as objects in one field.
    """
    found: Columns = {}
    for name, values in _columns(rows).items():
        path = f"{inside}{name}"
        kinds = set(map(type, values))
        kinds.discard(type(None))
        if kinds - {str} and declared.is_text(path):
            found[path] = [as_text(value) for value in values]
        elif kinds == {dict}:
            found.update(_flat(values, declared, f"{path}__"))
        elif kinds & {dict, list} and any(values):
            raise ByRows
        elif "__" in name:
            # it could be taken for a field of an object
            raise ByRows
        elif kinds and list not in kinds and dict not in kinds:
            found[path] = values
    return found


def _columns(rows: Sequence[Optional[Row]]) -> Columns:
    """Return the values of each field, one for each row."""
    nothing = dict.fromkeys(next(filter(None, rows), {}))
    whole = [nothing if row is None else row for row in rows]
    if {*map(len, whole)} == {len(nothing)}:
        with suppress(KeyError):
            # as Harvest writes them: all rows have the same fields
            return {name: list(map(itemgetter(name), whole)) for name in nothing}
    every = dict.fromkeys(name for row in whole for name in row)
    return {name: [row.get(name) for row in whole] for name in every}


def _inferred(schema: Schema, name: str, values: Sequence[Any]) -> TColumnSchema:
    """Return a column for values that the schema does not foresee, as dlt infers it.

    Raises:
        ByRows: They are of several types.
    """
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, Decimal}:
        kinds = {Decimal}
    if len(kinds) != 1:
        raise ByRows
    kind = kinds.pop()
    example = next(value for value in values if value is not None)
    detections = schema.settings.get("detections") or []
    data_type = autodetect_sc_type(detections, kind, example) or py_type_to_sc_type(
        kind
    )
    return {"name": name, "data_type": data_type, "nullable": True}


def _array(values: Sequence[Any], column: TColumnSchema) -> pa.Array:
    kind = column.get("data_type") or "text"
    if kind == "decimal":
        scale = column.get("scale", SCALE)
        array = pa.array(values, pa.decimal128(column.get("precision", 38), scale))
        # what dlt takes for a number of which nothing is declared
        return array if "scale" in column else array.cast(pa.decimal128(38, 9))
    if kind == "date":
        return pa.array(values, pa.string()).cast(pa.date32())
    if kind == "timestamp":
        return pa.array(values, pa.string()).cast(pa.timestamp("us", "UTC"))
    if kind == "bigint":
        # in their own type first: made integers at once, decimals lose their fraction
        return pa.array(values).cast(pa.int64())
    if kind not in ARROW_TYPES:
        raise ByRows
    return pa.array(values, ARROW_TYPES[kind])


def _required(name: str) -> pa.Field:
    return pa.field(name, pa.string(), nullable=False)
