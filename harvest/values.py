"""What JSON can hold and tables cannot: numbers of any length, and text that is none."""

import json
import re
from typing import Any, Dict, List

from dlt.common import Decimal, logger
from dlt.common.schema import Schema

from .settings import Stream

SCALE = 6
"""Decimals of the columns for money, hours and percentages, as in harvest.schema.yaml."""
LARGEST = Decimal(10) ** 14
"""The first number that is too large for them."""
NOISE = Decimal("1e-9")
"""By less than this a sum of binary fractions misses the decimal that was meant."""
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL, which PostgreSQL cannot store, and halves of characters, which nothing can."""


def decode(content: bytes) -> Any:
    """Reads JSON, with decimals exact, and U+FFFD for characters that not every database can store.

    Raises:
        ValueError: It is no JSON.
    """
    value = json.loads(content, parse_float=Decimal)
    if b"\\u0000" in content or b"\\ud" in content or b"\\uD" in content:
        value = _written(value)
    return value


def _written(value: Any) -> Any:
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_written(item) for item in value]
    if isinstance(value, dict):
        return {_written(name): _written(item) for name, item in value.items()}
    return value


def storable(schema: Schema, stream: Stream, rows: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """The rows as every destination can store them.

    A number that does not fit becomes text in the column that dlt makes for values of another
    type, `hours__v_text` beside `hours`. A row without a proper key is left out, and said so.
    """
    keys = stream.key if stream.kind != "report" else ()
    found = []
    for row in rows:
        odd = [name for name in keys if not identifies(row.get(name))]
        if odd:
            logger.error(
                f"{stream.name}: the row with {odd[0]} {row.get(odd[0])!r} is left out, since its"
                f" {odd[0]} has to be a whole number of at most 64 bits; the other rows are loaded"
            )
        else:
            found.append(_fitting(row, schema, stream.name))
    _drop_nulls(schema, stream.name, found)
    return found


def identifies(value: Any) -> bool:
    """Whether a value is a number of 64 bits, written as text or not."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return bool(re.fullmatch(r"\d{1,18}", str(value)))


def _fitting(value: Any, schema: Schema, table: str, prefix: str = "", name: str = "") -> Any:
    if isinstance(value, dict):
        inside = f"{prefix}{name}__" if name else ""
        return {key: _fitting(item, schema, table, inside, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_fitting(item, schema, f"{table}__{prefix}{name}") for item in value]
    if isinstance(value, Decimal):
        if abs(value) < LARGEST:
            rounded = round(value, SCALE)
            if abs(value - rounded) < NOISE:
                return rounded
        return {"v_text": str(value)}
    if isinstance(value, int) and not -LARGEST < value < LARGEST:
        column = schema.tables.get(table, {}).get("columns", {}).get(prefix + name, {})
        if column.get("data_type") == "decimal" or not -(2**63) <= value < 2**63:
            return {"v_text": str(value)}
    return value


def _drop_nulls(schema: Schema, table: str, rows: List[Dict[str, Any]]) -> None:
    """Takes out objects and lists that are null, which would leave a column of their own."""
    columns = schema.tables.get(table, {}).get("columns", {})
    objects = {name.split("__")[0] for name in columns if "__" in name.strip("_")}
    prefix = f"{table}__"
    lists = {name[len(prefix) :] for name in schema.tables if name.startswith(prefix)}
    for row in rows:
        for name in objects | lists:
            if name in row and row[name] is None:
                del row[name]
        for name in lists & row.keys():
            if any(isinstance(item, dict) for item in row[name]):
                _drop_nulls(schema, prefix + name, row[name])
