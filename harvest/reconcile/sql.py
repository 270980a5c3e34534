"""All statements of the comparison and the history, as expressions of sqlglot.

`StoredTables.query` writes them in the SQL of its destination. Nothing here is special
to one: days are compared, and never taken apart; truth values are compared with TRUE.
"""

from datetime import date  # noqa: I251
from functools import partial, reduce
from typing import (
    Any,
    Container,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

from dlt.common.utils import chunks
from sqlglot import exp

from ..settings import Stream
from ..typing import Key, Window

MOST_VALUES = 1_000
"""Values in one `IN (...)`: some databases take no more, and all slow down."""
MARKED = "deleted_at"
"""The column that marks a row as deleted."""

Condition = Any
"""A condition of sqlglot, whose classes differ between its versions."""


# ------------------------------------------------------------------ pieces


def column(name: str, table: str = "t") -> exp.Column:
    """Return a column of the table that a statement calls `t`, or by another letter.

    >>> column("id").sql()
    't."id"'
    """
    return exp.column(exp.to_identifier(name, quoted=True), table=table)


def literal(value: Any) -> Any:
    """Return a value: a truth value, a whole number, a date, or a text.

    >>> literal(date(2024, 1, 31)).sql(), literal("it's").sql(), literal(True).sql()
    ("CAST('2024-01-31' AS DATE)", "'it''s'", 'TRUE')
    """
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int):
        return exp.Literal.number(value)
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(str(value)), "date")
    return exp.Literal.string(str(value))


def is_null(name: str, table: str = "t") -> Condition:
    """Return the condition that a column is null."""
    return column(name, table).is_(exp.null())


def is_not_null(name: str, table: str = "t") -> Condition:
    """Return the condition that a column is not null."""
    return exp.not_(is_null(name, table))


def equals(name: str, value: Any) -> Condition:
    """Return the condition that a column has a value."""
    return column(name).eq(literal(value))


def is_in(window: Mapping[str, date], name: str) -> Any:
    """Return the condition that a column lies from one day to another, if any.

    Args:
        window (Mapping[str, date]): `from`, `to`, or both.
        name (str): The column.
    """
    bounds = {"from": exp.GTE, "to": exp.LTE}
    parts = [
        bounds[side](this=column(name), expression=literal(day))
        for side, day in window.items()
    ]
    return exp.and_(*parts) if parts else None


def is_one_of(columns: Sequence[str], keys: Iterable[Key]) -> Iterator[Condition]:
    """Yield conditions that together hold for the rows with some keys.

    A condition on each of two columns lets other pairs pass, too.

    >>> [each.sql() for each in is_one_of(["user_id", "id"], [(1, 5)])]
    ['t."user_id" IN (1) AND t."id" IN (5)']
    """
    for batch in chunks(sorted(set(keys), key=str), MOST_VALUES):
        yield exp.and_(
            *(
                column(name).isin(*map(literal, sorted(set(values), key=str)))
                for name, values in zip(columns, zip(*batch, strict=True), strict=False)
            )
        )


def _when(condition: Condition, value: Any) -> exp.Case:
    return exp.Case().when(condition, value)


def _count() -> Any:
    return exp.Count(this=exp.Star())


def _sum(value: Any) -> Any:
    return exp.Sum(this=value)


def _named(value: Any, name: str) -> Any:
    return exp.alias_(value, name, quoted=True)


# -------------------------------------------------------------- comparison


def rows(
    table: exp.Table, columns: Sequence[str], condition: Optional[Condition] = None
) -> exp.Select:
    """Return the statement for some columns of a table, which `t` stands for."""
    return exp.select(*map(column, columns)).from_(table).where(condition)


def counts(tables: Mapping[str, Tuple[exp.Table, Optional[Condition]]]) -> exp.Query:
    """Return the statement for the number of rows of tables, one row for each.

    Args:
        tables (Mapping): Tables and conditions by name.
    """
    selects: List[exp.Query] = [
        exp.select(_named(literal(name), "name"), _named(_count(), "found"))
        .from_(table)
        .where(condition)
        for name, (table, condition) in tables.items()
    ]
    return reduce(partial(exp.union, distinct=False, copy=False), selects)


def keys(
    table: exp.Table,
    columns: Sequence[str],
    condition: Optional[Condition] = None,
    least: int = 1,
) -> exp.Select:
    """Return the statement for what columns hold in at least so many rows."""
    found = rows(table, columns, condition).group_by(*map(column, columns))
    if least < 2:
        return found
    return found.having(exp.GTE(this=_count(), expression=literal(least)))


def total(
    table: exp.Table, amount: str, condition: Optional[Condition] = None
) -> exp.Select:
    """Return the statement for the sum of a column."""
    return exp.select(_sum(column(amount))).from_(table).where(condition)


def figures(
    table: exp.Table,
    day: str,
    amounts: Sequence[str],
    counted: Sequence[Mapping[str, Any]],
    condition: Optional[Condition] = None,
) -> exp.Select:
    """Return the statement for counts and sums of each day.

    Args:
        table (exp.Table): The table.
        day (str): The column with the day.
        amounts (Sequence[str]): Columns that are summed up, behind the counts.
        counted (Sequence[Mapping[str, Any]]): What columns must hold in rows that are
            counted, once for each count.
        condition (Optional[Condition]): A condition on the rows.
    """
    tallies = [
        _sum(_when(exp.and_(*(equals(n, v) for n, v in holds.items())), 1).else_("0"))
        if holds
        else _count()
        for holds in counted
    ]
    sums = [_sum(column(amount)) for amount in amounts]
    condition = exp.and_(condition, is_not_null(day)) if condition else is_not_null(day)
    selected = exp.select(column(day), *tallies, *sums).from_(table)
    return selected.where(condition).group_by(column(day))


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
    case = exp.Case()
    for number, (first, last) in enumerate(windows):
        inside = is_in({"from": first, "to": last}, stream.dated)
        case = case.when(inside, literal(number))
    wanted = (stream.amount, "billable_rate", "billable", "is_billed", "is_running")
    found = [name for name in (*wanted, "updated_at") if name in there]
    inner = exp.select(
        _named(case if windows else exp.null(), "w"), *map(column, [*subjects, *found])
    )
    amount = column(stream.amount, "g")
    money = (
        amount * column("billable_rate", "g") if "billable_rate" in there else amount
    )
    billable = _true("billable", there)
    unbilled = [*billable, *_true("is_billed", there, False)]
    sums = (
        *((billable, value) for value in (amount, money)),
        *((unbilled, value) for value in (amount, money)),
    )
    running = _true("is_running", there)
    newest = column("updated_at", "g") if "updated_at" in there else exp.null()
    by = [column("w", "g"), *(column(name, "g") for name in subjects)]
    return (
        exp.select(
            *by,
            _count(),
            exp.Max(this=_when(exp.and_(*running), 1).else_("0"))
            if running
            else literal(0),
            exp.Max(this=newest) if newest != exp.null() else exp.null(),
            _sum(amount.copy()),
            *(
                _sum(_when(exp.and_(*which), value.copy()) if which else value.copy())
                for which, value in sums
            ),
        )
        .from_(inner.from_(table).where(condition).subquery("g"))
        .group_by(*(each.copy() for each in by))
    )


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
        exp.select(project, _sum(column("amount")))
        .from_(items)
        .where(column("_dlt_parent_id").isin(query=invoices))
        .group_by(project.copy())
    )


def below(rows_above: exp.Select) -> Condition:
    """Return the condition that a row is in a list of the rows of a statement."""
    return column("_dlt_parent_id").isin(query=rows_above)


# ----------------------------------------------------------------- history


def changed_versions(
    records: exp.Select,
    versions: Optional[exp.Table],
    columns: Mapping[str, bool],
) -> exp.Select:
    """Return the statement for the records that are not as their last version.

    Args:
        records (exp.Select): The records.
        versions (Optional[exp.Table]): The table of versions; None if there is none.
        columns (Mapping[str, bool]): The columns of a record, and whether the table of
            versions has them.

    Returns:
        exp.Select: The columns of the record, and `updated_at` of its last version.
    """
    new = {name: column(name, "r") for name in columns}
    if versions is None:
        return exp.select(*new.values(), exp.null()).from_(records.subquery("r"))
    differs = [
        condition
        for name, there in columns.items()
        for condition in (_differs(name) if there else [is_not_null(name, "r")])
    ]
    return (
        exp.select(*(each.copy() for each in new.values()), column("updated_at", "v"))
        .from_(records.subquery("r"))
        .join(
            _last_versions(versions),
            on=column("id", "v").eq(column("id", "r")),
            join_type="left",
        )
        .where(exp.or_(is_not_null(MARKED, "v"), *differs))
    )


def deleted_versions(
    records: exp.Select, versions: exp.Table, columns: Mapping[str, bool]
) -> exp.Select:
    """Return the statement for the last versions of records that are not there now.

    The arguments, and the columns, are those of `changed_versions`.
    """
    return (
        exp.select(
            *(column(n, "v") if there else exp.null() for n, there in columns.items()),
            column("updated_at", "v"),
        )
        .from_(_last_versions(versions))
        .join(
            records.subquery("r"),
            on=column("id", "r").eq(column("id", "v")),
            join_type="left",
        )
        .where(exp.and_(is_null("id", "r"), is_null(MARKED, "v")))
    )


def how_many(statement: exp.Select) -> exp.Select:
    """Return the statement for how many rows another one gives."""
    counted = statement.copy()
    counted.set("expressions", [_count()])
    return counted


def _last_versions(versions: exp.Table) -> exp.Subquery:
    newest = exp.Window(
        this=exp.RowNumber(),
        partition_by=[column("id")],
        order=exp.Order(expressions=[exp.Ordered(this=column("seen_at"), desc=True)]),
    )
    every = exp.Column(this=exp.Star(), table=exp.to_identifier("t"))
    numbered = exp.select(every, _named(newest, "n")).from_(versions).subquery("l")
    return exp.select("l.*").from_(numbered).where(column("n", "l").eq(1)).subquery("v")


def _differs(name: str) -> Iterator[Condition]:
    """Yield the conditions of which one holds where a record is not as its version."""
    yield exp.NEQ(this=column(name, "r"), expression=column(name, "v"))
    yield exp.and_(is_null(name, "r"), is_not_null(name, "v"))
    yield exp.and_(is_not_null(name, "r"), is_null(name, "v"))


# ------------------------------------------------------------------- files


def newest_rows(view: str, select: str, columns: Sequence[str]) -> str:
    """Return the statement of DuckDB for a view of the newest version of each row.

    Args:
        view (str): Its name.
        select (str): dlt's statement for the rows of the files.
        columns (Sequence[str]): Columns that tell rows apart; none if all count.
    """
    if columns:
        version = exp.Window(
            this=exp.Max(this=exp.column("_dlt_load_id")),
            partition_by=[exp.column(name, quoted=True) for name in columns],
        )
        newest = exp.column("_dlt_load_id").eq(version).sql("duckdb")
        select = f"SELECT * FROM ({select}) QUALIFY {newest}"
    name = exp.to_identifier(view, quoted=True).sql("duckdb")
    return f"CREATE OR REPLACE TEMP VIEW {name} AS {select}"


def table_of(path: Sequence[str], alias: str = "t") -> exp.Table:
    """Return a table by the parts of its name, from the catalog down."""
    names: Dict[str, Any] = {
        part: exp.to_identifier(name, quoted=True)
        for part, name in zip(("this", "db", "catalog"), reversed(path), strict=False)
    }
    return exp.Table(**names, alias=exp.TableAlias(this=exp.to_identifier(alias)))
