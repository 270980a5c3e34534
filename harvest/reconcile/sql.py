"""Parts of SQL, as all databases understand it."""

from datetime import date  # noqa: I251
from typing import Any, Iterable, Sequence

from ..typing import Key

COUNTED = {
    "billed": ("is_billed", "t.is_billed", {"is_billed": "true"}),
    **{
        status: (
            "approval_status",
            f"t.approval_status = '{status}'",
            {"approval_status": status},
        )
        for status in ("approved", "submitted")
    },
}
"""What is counted besides all rows: its column, a condition, and Harvest's filter."""


def is_one_of(columns: Sequence[str], keys: Iterable[Key]) -> str:
    """Return a condition that holds for the rows with these keys.

    A condition on each of two columns lets other pairs pass, too.

    >>> is_one_of(["user_id", "id"], [(1, 5)])
    't.user_id IN (1) AND t.id IN (5)'
    """
    return " AND ".join(
        f"t.{name} IN ({', '.join(sorted({literal(value) for value in values}))})"
        for name, values in zip(columns, zip(*keys, strict=True), strict=False)
    )


def literal(value: Any) -> str:
    """Return a value in SQL: a whole number, or a text or date."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, date):
        return f"DATE '{value}'"
    text = str(value).replace("'", "''")
    return f"'{text}'"
