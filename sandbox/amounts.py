"""Amounts, rates and terms of payment."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zlib import crc32

Row = dict[str, Any]

TERMS = {"upon receipt": 0, "net 15": 15, "net 30": 30, "net 45": 45, "net 60": 60}
TAXES = {"EUR": 21.0, "GBP": 20.0, "USD": None}


def hundredths(value: Decimal) -> int:
    """Return an amount as the database keeps it, rounded half up."""
    return int((value * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def product(one: float, other: float) -> int:
    """Return the product of two decimal numbers, in hundredths."""
    return hundredths(Decimal(str(one)) * Decimal(str(other)))


def chance(text: str, sides: int) -> int:
    """Return a number from 0 up to `sides`, excluded, that is always the same for a text."""
    return crc32(text.encode()) % sides


def rate_of(project: Row, assignment: Row, task: Row, default: int | None) -> int | None:
    """Return the price of an hour, by the way the project is billed, in hundredths."""
    if not project["is_billable"] or not task["billable"]:
        return None
    if project["bill_by"] == "Project":
        rate = project["hourly_rate"]
    elif project["bill_by"] == "Tasks":
        rate = task["hourly_rate"]
    elif project["bill_by"] == "People":
        rate = default if assignment["use_default_rates"] else assignment["hourly_rate"]
    else:
        rate = None
    return int(rate) if rate is not None else None
