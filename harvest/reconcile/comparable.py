"""Values in the form that Harvest and a destination have in common."""

from contextlib import suppress
from datetime import date, datetime, timezone  # noqa: I251
from typing import Any, Optional

from dlt.common import Decimal
from dlt.common.data_types import coerce_value, py_type_to_sc_type

from ..streams.values import NUMBERS, round_to_scale


def comparable(value: Any, data_type: Optional[str]) -> Any:
    """Return a value of Harvest or of a table in the form that both have in common.

    Values that fit the type of their column are compared as such, others as text: the
    load stores them in a column beside it, such as `hours__v_text`.

    Args:
        value (Any): The value, not None.
        data_type (Optional[str]): dlt's name for the type of the column.

    Returns:
        Any: Two values that mean the same give equal results.

    Examples:
        >>> comparable("2.11", "decimal") == comparable(2.11, "decimal")
        True
        >>> comparable("2024-02-31", "date")
        '2024-02-31'
    """
    if data_type == "text" and isinstance(value, str):
        return value
    if data_type in NUMBERS:
        return _as_number(value)
    with suppress(TypeError, ValueError):
        if data_type == "timestamp":
            return moment(value)
        if data_type == "date" and not isinstance(value, datetime):
            return value if isinstance(value, date) else date.fromisoformat(value)
    try:
        return _coerced(value, data_type or "text")
    except (ArithmeticError, TypeError, ValueError):
        return str(value)


def as_decimal(value: Any) -> Decimal:
    """Return a number or the text of one as a Decimal; 0 for anything else.

    >>> as_decimal(0.1), as_decimal("2.50"), as_decimal("two"), as_decimal(None)
    (Decimal('0.1'), Decimal('2.50'), Decimal('0'), Decimal('0'))
    """
    number = None if value is None else _as_number(value)
    return number if isinstance(number, Decimal) else Decimal(0)


def as_day(value: Any) -> Optional[date]:
    """Return the day of a date or the text of one; None for anything else."""
    if isinstance(value, datetime):
        return value.date()
    with suppress(TypeError, ValueError):
        return value if isinstance(value, date) else date.fromisoformat(value)
    return None


def moment(value: Any) -> datetime:
    """Return a date-time of Harvest, or of a destination that forgot the time zone.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if not isinstance(value, datetime):
        raise ValueError(value)
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)


def _as_number(value: Any) -> Any:
    """Return the number that was meant, or the text of something that is none."""
    if isinstance(value, bool):
        return str(value)
    try:
        number = _coerced(value, "decimal")
    except (ArithmeticError, TypeError, ValueError):
        return str(value)
    if not number.is_finite():
        return str(value)
    likely = round_to_scale(number)
    return number if likely is None else likely


def _coerced(value: Any, data_type: str) -> Any:
    kind: Any = data_type
    found = coerce_value(kind, py_type_to_sc_type(type(value)), value)
    return moment(found) if data_type == "timestamp" else found
