"""Values that JSON can hold and tables cannot: long numbers, and nulls of no type."""

import json
import re
from decimal import Context, InvalidOperation  # noqa: I251
from typing import Any, List, Optional, Union

from dlt.common import Decimal, logger
from dlt.common.schema import Schema
from dlt.common.schema.typing import TTableSchemaColumns

from ..api.decoding import is_int64
from ..settings import Stream
from ..typing import Row, Rows
from .tables import Table

SCALE = 6
"""Decimals of the columns for money, hours and percentages in the schema file."""
LARGEST = Decimal(10) ** 14
"""The first number that is too large for them."""
NOISE = Decimal("1e-9")
"""A sum of binary fractions misses the decimal that was meant by less than this ..."""
BINARY = Context(prec=15)
"""... or by what is beyond the digits that a binary fraction holds."""
NUMBERS = ("decimal", "double", "bigint")


def round_to_scale(number: Union[Decimal, int]) -> Optional[Decimal]:
    """Return the decimal that a number stands for, or None if no column can hold it.

    >>> round_to_scale(Decimal("1000000000.3000001"))
    Decimal('1000000000.300000')
    >>> round_to_scale(Decimal("0.3333333333333333"))
    """
    value = Decimal(number)
    if not value.is_finite() or abs(value) >= LARGEST:
        return None
    rounded = round(value, SCALE)
    if value == rounded:
        return rounded
    binary = BINARY.create_decimal(value)
    rounded = round(binary, SCALE)
    return rounded if abs(binary - rounded) < NOISE else None


def number_in(text: str) -> Optional[Decimal]:
    """Return the number that a text is, such as `2.11`; None for other text."""
    if not text or text != text.strip() or "_" in text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def value_at(row: Row, column: str) -> Any:
    """Return the value of a column: `client__id` is `id` of `client`."""
    if column in row:
        return row[column]
    value: Any = row
    for name in column.split("__"):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def storable(
    schema: Schema, stream: Stream, rows: Rows, table: Optional[Table] = None
) -> Rows:
    """Return the rows as every destination can store them.

    A number that does not fit becomes text in the column that dlt makes for values of
    another type, `hours__v_text` beside `hours`. A row without a proper key is left
    out, with an error in the log.

    Args:
        schema (Schema): The source's schema.
        stream (Stream): The stream.
        rows (List[Dict[str, Any]]): Rows as Harvest has them.
        table (Optional[Table]): Where they go, if not to the stream's own table.
    """
    found = []
    declared = Declared(schema, table or stream.name)
    for row in rows:
        odd = [name for name in stream.primary_key if not is_int64(value_at(row, name))]
        if odd:
            logger.error(
                f"{stream.name}: the row with {odd[0]} {value_at(row, odd[0])!r} is"
                f" left out, since its {odd[0]} must be a whole number of at most 64"
                " bits;"
                " the other rows are loaded"
            )
        else:
            found.append(_fit_row(row, schema, declared))
    return found


class Declared:
    """The columns of a table by name, and the fields with objects or lists in them.

    Args:
        schema (Schema): The source's schema.
        table (Union[Table, str]): The table, which need not exist yet.
    """

    def __init__(self, schema: Schema, table: Union[Table, str]) -> None:
        self.table = table if isinstance(table, str) else table.name
        self.columns: TTableSchemaColumns = {
            **schema.tables.get(self.table, {}).get("columns", {})
        }
        for name, hint in {} if isinstance(table, str) else table.hints.items():
            self.columns[name] = {**self.columns.get(name, {}), **hint}
        self._composed = {
            name[: at.start()]
            for name in self.columns
            if "__v_" not in name
            for at in re.finditer("(?<=[^_])__(?=[^_])", name)
        }
        prefix = f"{self.table}__"
        self._composed |= {
            name[len(prefix) :] for name in schema.tables if name.startswith(prefix)
        }

    def is_text(self, path: str) -> bool:
        """Return whether a field is text, whatever comes in it."""
        declared = self.columns.get(path, {}).get("data_type")
        return declared == "text" and path not in self._composed


def _fit_row(row: Row, schema: Schema, declared: Declared, inside: str = "") -> Row:
    """Return a row, or an object in it, without the nulls that have no column."""
    fitted: Row = {}
    for name, value in row.items():
        path = f"{inside}{name}"
        if declared.is_text(path):
            fitted[name] = as_text(value)
        elif isinstance(value, dict):
            fitted[name] = _fit_row(value, schema, declared, f"{path}__")
        elif isinstance(value, list):
            fitted[name] = _fit_list(value, schema, f"{declared.table}__{path}")
        elif value is not None or path in declared.columns:
            column = declared.columns.get(path, {})
            fitted[name] = coerce_for_column(value, column.get("data_type"))
    return fitted


def _fit_list(items: List[Any], schema: Schema, table: str) -> List[Any]:
    declared = Declared(schema, table)
    return [
        _fit_row(item, schema, declared)
        if isinstance(item, dict)
        else _fit_list(item, schema, table)
        if isinstance(item, list)
        else coerce_for_column(item, None)
        for item in items
    ]


def as_text(value: Any) -> Optional[str]:
    """Return a value for a column of text, as Harvest wrote it.

    >>> as_text(Decimal("0.575")), as_text({"id": 7})
    ('0.575', '{"id": 7}')
    """
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, Decimal) else json.dumps(value, default=str)


def coerce_for_column(value: Any, data_type: Optional[str]) -> Any:
    """Return a value as a column of a type can hold it.

    Args:
        value (Any): A text, number or truth value, or None.
        data_type (Optional[str]): dlt's name of the column's type; None if there is no
            such column yet.
    """
    if isinstance(value, str) and data_type in NUMBERS:
        number = number_in(value)
        return value if number is None else coerce_for_column(number, data_type)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return value
    if isinstance(value, int) and data_type != "decimal":
        return value if -(2**63) <= value < 2**63 else {"v_text": str(value)}
    number = round_to_scale(value)
    if number is None:
        return {"v_text": str(value)}
    if data_type == "bigint" and number == int(number):
        return int(number)
    return value if isinstance(value, int) else number
