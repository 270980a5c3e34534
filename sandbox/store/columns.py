"""Values that are given, as the database keeps them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson

from ..clock import stamp
from .amounts import hundredths
from .tables import TABLES

Row = dict[str, Any]


def stored(kind: str, value: Any) -> Any:
    """Return a JSON or Python value as the database keeps it."""
    if value is None:
        return None
    if kind == "money":
        return hundredths(Decimal(str(value)))
    if kind == "bool":
        return int(value)
    if kind == "number":
        return float(value)
    if kind == "time" and isinstance(value, datetime):
        return stamp(value)
    if kind in ("date", "time") and isinstance(value, date):
        return value.isoformat()
    if kind == "json" and not isinstance(value, str):
        return orjson.dumps(value).decode()
    return value


def columns_for(table: str, fields: Row) -> Row:
    """Return fields as the API names them as the columns that keep them.

    Args:
        table: the name of the table.
        fields: names and values.

    Raises:
        ValueError: the table has no such field, or it follows from others.
    """
    kinds = TABLES[table].columns()
    columns = {}
    for name, value in fields.items():
        if name == "approval_status" and "is_submitted" in kinds:
            columns["is_closed"] = int(value == "approved")
            columns["is_submitted"] = int(value == "submitted")
        elif name in kinds:
            columns[name] = stored(kinds[name].split("@")[0], value)
        elif f"{name}_id" in kinds:
            columns[f"{name}_id"] = value["id"] if isinstance(value, dict) else value
        elif TABLES[table].served().get(name) == "=":
            raise ValueError(f"{table}.{name} follows from other fields and cannot be set.")
        else:
            raise ValueError(f"{table} has no field {name!r}.")
    return columns
