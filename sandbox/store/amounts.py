"""Amounts: hundredths, exact and rounded half up."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal


def hundredths(value: Decimal) -> int:
    """Return an amount as the database keeps it, rounded half up."""
    return int((value * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def product(one: float, other: float) -> int:
    """Return the product of two decimal numbers, in hundredths."""
    return hundredths(Decimal(str(one)) * Decimal(str(other)))
