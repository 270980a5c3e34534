"""The statements that find new versions of records, for the history."""

from typing import Iterator, Mapping, Optional

from sqlglot import exp

from .sql import MARKED, Condition, column, count, is_not_null, is_null


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
    ids = exp.select(column("id", "r")).from_(records.subquery("r"))
    # not by an outer join, which ClickHouse fills with 0 instead of null
    is_deleted = exp.not_(column("id", "v").isin(query=ids))
    return (
        exp.select(
            *(column(n, "v") if there else exp.null() for n, there in columns.items()),
            column("updated_at", "v"),
        )
        .from_(_last_versions(versions))
        .where(exp.and_(is_deleted, is_null(MARKED, "v")))
    )


def how_many(statement: exp.Select) -> exp.Select:
    """Return the statement for how many rows another one gives."""
    counted = statement.copy()
    counted.set("expressions", [count()])
    return counted


def _last_versions(versions: exp.Table) -> exp.Subquery:
    newest = exp.Window(
        this=exp.RowNumber(),
        partition_by=[column("id")],
        order=exp.Order(expressions=[exp.Ordered(this=column("seen_at"), desc=True)]),
    )
    every = exp.Column(this=exp.Star(), table=exp.to_identifier("t"))
    numbered = (
        exp.select(every, exp.alias_(newest, "n", quoted=True))
        .from_(versions)
        .subquery("l")
    )
    return exp.select("l.*").from_(numbered).where(column("n", "l").eq(1)).subquery("v")


def _differs(name: str) -> Iterator[Condition]:
    """Yield the conditions of which one holds where a record is not as its version."""
    yield exp.NEQ(this=column(name, "r"), expression=column(name, "v"))
    yield exp.and_(is_null(name, "r"), is_not_null(name, "v"))
    yield exp.and_(is_not_null(name, "r"), is_null(name, "v"))
