"""The statements for what reports sum up."""

from typing import Any, Container, Iterator, List, Optional, Sequence

from sqlglot import exp

from ..settings import Stream
from ..typing import Window
from .sql import Condition, column, count, is_in, literal, named, sum_of, when


def groups(
    table: exp.Table,
    stream: Stream,
    subjects: Sequence[str],
    windows: Sequence[Window],
    there: Container[str],
    condition: Optional[Condition] = None,
) -> exp.Select:
    """Return the statement for what reports sum up, by window and subjects.

    The first column is the number of the window in `windows`, null for days in none.
    Then come the subjects, the number of rows, whether a timer runs, the last change,
    and sums: all, billable, billable in money, not invoiced, not invoiced in money.

    Args:
        table (exp.Table): The table of time entries or expenses.
        stream (Stream): Time entries or expenses.
        subjects (Sequence[str]): Columns by which reports group.
        windows (Sequence[Window]): The windows of the reports.
        there (Container[str]): The columns that the table has.
        condition (Optional[Condition]): A condition on the rows.
    """
    wanted = ("billable_rate", "billable", "is_billed", "is_running", "updated_at")
    found = [name for name in wanted if name in there]
    inner = exp.select(
        named(_number_of(windows, stream.dated), "w"),
        *map(column, [*subjects, stream.amount, *found]),
    )
    by = [column("w", "g"), *(column(name, "g") for name in subjects)]
    running = _true("is_running", there)
    return (
        exp.select(
            *by,
            count(),
            exp.Max(this=when(running[0], 1).else_("0")) if running else literal(0),
            exp.Max(this=column("updated_at", "g"))
            if "updated_at" in there
            else exp.null(),
            *_sums(stream.amount, there),
        )
        .from_(inner.from_(table).where(condition).subquery("g"))
        .group_by(*(each.copy() for each in by))
    )


def _number_of(windows: Sequence[Window], day: str) -> Any:
    """Return in which window a day is."""
    case = exp.Case()
    for number, (first, last) in enumerate(windows):
        case = case.when(is_in({"from": first, "to": last}, day), literal(number))
    return case if windows else exp.null()


def _sums(amount: str, there: Container[str]) -> Iterator[Any]:
    """Yield the sums of an amount: all, billable, in money, not invoiced, in money."""
    billable = _true("billable", there)
    unbilled = [*billable, *_true("is_billed", there, False)]
    hours: Any = column(amount, "g")
    money = hours
    if "billable_rate" in there:
        money = hours * column("billable_rate", "g")
    yield sum_of(hours.copy())
    for conditions in (billable, unbilled):
        for value in (hours, money):
            if conditions:
                yield sum_of(when(exp.and_(*conditions), value.copy()))
            else:
                yield sum_of(value.copy())


def _true(name: str, there: Container[str], value: bool = True) -> List[Condition]:
    """Return the condition that a column holds a truth value; none if there is none."""
    held = column(name, "g").eq(exp.Boolean(this=value))
    return [held] if name in there else []


def invoiced(items: exp.Table, invoices: exp.Select) -> exp.Select:
    """Return the statement for what was invoiced of each project.

    Args:
        items (exp.Table): The table of line items.
        invoices (exp.Select): The ids of the invoices that count.
    """
    project = column("project__id")
    return (
        exp.select(project, sum_of(column("amount")))
        .from_(items)
        .where(column("_dlt_parent_id").isin(query=invoices))
        .group_by(project.copy())
    )
