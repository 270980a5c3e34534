"""Parts of SQL, as all databases understand it."""

from datetime import date  # noqa: I251
from typing import Any, Container, Iterable, Sequence

from ..settings import Stream
from ..typing import Key


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


def group_query(stream: Stream, column: str, has: Container[str], source: str) -> str:
    """Return the query for what reports sum up, by month, project, and a subject.

    Args:
        stream (Stream): Time entries or expenses.
        column (str): The column of the subject.
        has (Container[str]): The columns that there are.
        source (str): What stands behind FROM.
    """
    amount, day = f"t.{stream.amount}", f"t.{stream.dated}"
    money = f"{amount} * t.billable_rate" if "billable_rate" in has else amount
    running = "t.is_running" if "is_running" in has else "1 = 0"
    billable = "t.billable" if "billable" in has else "1 = 1"
    unbilled = f"{billable} AND NOT t.is_billed" if "is_billed" in has else billable
    newest = "MAX(t.updated_at)" if "updated_at" in has else "NULL"
    subject = f"t.{column}" if column in has else "NULL"
    sums = [
        *(f"SUM(CASE WHEN {billable} THEN {each} END)" for each in (amount, money)),
        *(f"SUM(CASE WHEN {unbilled} THEN {each} END)" for each in (amount, money)),
    ]
    return (
        f"SELECT EXTRACT(YEAR FROM {day}) AS y, EXTRACT(MONTH FROM {day}) AS m,"
        f" t.project__id AS p, {subject} AS s, SUM({amount}) AS a,"
        f" MAX(CASE WHEN {running} THEN 1 ELSE 0 END) AS r, {newest} AS u,"
        " COUNT(*) AS n,"
        f" {', '.join(f'{each} AS f{n}' for n, each in enumerate(sums))}"
        f" FROM {source} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    )
