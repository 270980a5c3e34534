"""The statements of the comparison, as expressions of sqlglot.

Those for reports and for the history are in `sql_reports.py` and `sql_versions.py`.
`StoredTables.query` writes them in the SQL of its destination. Nothing here is special
to one: days are compared, and never taken apart; truth values are compared with TRUE.
"""

from datetime import date  # noqa: I251
from functools import partial, reduce
from typing import (
    Any,
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

from ..typing import Key

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


def when(condition: Condition, value: Any) -> exp.Case:
    """Return a value where a condition holds."""
    return exp.Case().when(condition, value)


def count() -> Any:
    """Return the number of rows."""
    return exp.Count(this=exp.Star())


def sum_of(value: Any) -> Any:
    """Return the sum of a value."""
    return exp.Sum(this=value)


def named(value: Any, name: str) -> Any:
    """Return a value under a name."""
    return exp.alias_(value, name, quoted=True)


# -------------------------------------------------------------- comparison


def rows(
    table: exp.Table, columns: Sequence[str], condition: Optional[Condition] = None
) -> exp.Select:
    """Return the statement for some columns of a table, which `t` stands for."""
    return exp.select(*map(column, columns)).from_(table).where(condition)


def counts(
    tables: Mapping[str, Tuple[exp.Table, str, Optional[Condition]]],
) -> exp.Query:
    """Return the statement for the number of rows of tables, one row for each.

    Args:
        tables (Mapping): By name: a table, a column that is summed up behind the
            number, if any, and a condition.
    """
    selects: List[exp.Query] = [
        exp.select(
            named(literal(name), "name"),
            named(count(), "found"),
            # a null would have no type, and some databases then take it for a text
            named(sum_of(column(amount)) if amount else literal(0), "amount"),
        )
        .from_(table)
        .where(condition)
        for name, (table, amount, condition) in tables.items()
    ]
    return all_of(selects)


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
    return found.having(exp.GTE(this=count(), expression=literal(least)))


def all_of(statements: Sequence[exp.Query]) -> exp.Query:
    """Return one statement for the rows of several."""
    return reduce(partial(exp.union, distinct=False, copy=False), statements)


def repeated(name: str, found: exp.Select) -> exp.Select:
    """Return the statement for a name, and how many rows a statement gives."""
    return exp.select(literal(name), count()).from_(found.subquery("g"))


def marked(name: str, found: exp.Select) -> exp.Select:
    """Return a statement for rows with a name in front of them."""
    named_rows = found.copy()
    named_rows.set("expressions", [literal(name), *named_rows.expressions])
    return named_rows


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
        sum_of(when(exp.and_(*(equals(n, v) for n, v in holds.items())), 1).else_("0"))
        if holds
        else count()
        for holds in counted
    ]
    sums = [sum_of(column(amount)) for amount in amounts]
    condition = exp.and_(condition, is_not_null(day)) if condition else is_not_null(day)
    selected = exp.select(column(day), *tallies, *sums).from_(table)
    return selected.where(condition).group_by(column(day))


def below(rows_above: exp.Select) -> Condition:
    """Return the condition that a row is in a list of the rows of a statement."""
    return column("_dlt_parent_id").isin(query=rows_above)


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


def rows_of_load(path: Sequence[str], load_id: Optional[str]) -> exp.Delete:
    """Return the statement that deletes the rows of a load from a table.

    Args:
        path (Sequence[str]): The parts of the table's name, from the catalog down.
        load_id (Optional[str]): dlt's name of the load; None for all rows.

    >>> print(rows_of_load(["main", "clients"], "17.5").sql())
    DELETE FROM "main"."clients" WHERE "_dlt_load_id" = '17.5'
    """
    table = table_of(path)
    table.set("alias", None)
    load = exp.column(exp.to_identifier("_dlt_load_id", quoted=True))
    return exp.delete(table, where=load.eq(literal(load_id)) if load_id else exp.true())


def table_of(path: Sequence[str], alias: str = "t") -> exp.Table:
    """Return a table by the parts of its name, from the catalog down."""
    names: Dict[str, Any] = {
        part: exp.to_identifier(name, quoted=True)
        for part, name in zip(("this", "db", "catalog"), reversed(path), strict=False)
    }
    return exp.Table(**names, alias=exp.TableAlias(this=exp.to_identifier(alias)))
