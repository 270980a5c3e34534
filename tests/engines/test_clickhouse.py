"""The statements of the comparison and the history, run by ClickHouse's engine in this process.

dlt's client of ClickHouse wants a server, so nothing is loaded here. The tables are as dlt makes
them: keys are not nullable, and an outer join fills them with 0 where others have null.
"""

from typing import Any, Iterator, List

import pytest
from sqlglot import exp

from harvest.reconcile import sql, sql_versions
from tests.unit.test_statements import statements

chdb = pytest.importorskip("chdb.session")

COLUMNS = {
    "name": "Nullable(String)",
    "is_new": "Nullable(Bool)",
    **dict.fromkeys(("updated_at", "deleted_at", "seen_at"), "Nullable(DateTime64(6, 'UTC'))"),
    **dict.fromkeys(("spent_date", "period_start"), "Nullable(Date32)"),
    **dict.fromkeys(("user_id", "user__id", "project__id"), "Nullable(Int64)"),
    **dict.fromkeys(("rounded_hours", "hours", "amount"), "Nullable(Decimal(20, 6))"),
    "billable_rate": "Nullable(Decimal(20, 6))",
    **dict.fromkeys(("billable", "is_billed", "is_running"), "Nullable(Bool)"),
    **dict.fromkeys(("currency", "approval_status"), "Nullable(String)"),
    **dict.fromkeys(("_dlt_id", "_dlt_parent_id"), "String"),
}
RECORDS, VERSIONS = sql.table_of(["h", "time_entries"]), sql.table_of(["h", "versions"])


@pytest.fixture
def session() -> Iterator[Any]:
    made = chdb.Session()
    made.query("CREATE DATABASE h")
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    for table in (RECORDS.name, VERSIONS.name):
        made.query(f"CREATE TABLE h.{table} (id Int64, {columns}) ENGINE MergeTree ORDER BY id")
    yield made
    made.close()


def ask(session: Any, statement: exp.Query) -> List[str]:
    """Runs a statement: its rows, as lines of CSV."""
    moved = statement.copy()
    for table in [*moved.find_all(exp.Table)]:
        # which has no catalogs
        table.replace((VERSIONS if "versions" in table.name else RECORDS).copy())
    answer = str(session.query(moved.sql(dialect="clickhouse"), "CSV"))
    return sorted(answer.replace('"', "").split())


def test_each_statement_runs(session: Any) -> None:
    session.query(
        "INSERT INTO h.time_entries (id, spent_date, rounded_hours, hours, billable)"
        " VALUES (1, '2024-01-31', 1.25, 1.25, true), (2, '1926-01-31', 2.5, 2.5, false)"
    )
    found = statements()
    for name, statement in found.items():
        # of records without the column that the versions lack
        if "versions" not in name or name == "deleted versions":
            ask(session, statement)
    assert ask(session, found["counts"]) == ["a,2,0", "b,2,3.75"]
    assert ask(session, found["rows of some days"]) == ["1"]
    assert ask(session, found["groups of few columns"])[0].startswith("\\N,2,0,")


def test_versions(session: Any) -> None:
    now = "'2026-01-01'"
    session.query(
        "INSERT INTO h.time_entries (id, name, updated_at)"
        f" VALUES (1, 'as before', {now}), (2, 'other', {now}), (3, 'new', {now})"
    )
    session.query(
        "INSERT INTO h.versions (id, name, updated_at, seen_at, deleted_at)"
        f" VALUES (1, 'as before', {now}, {now}, NULL), (2, 'older', {now}, {now}, NULL),"
        f" (4, 'deleted', {now}, {now}, NULL), (5, 'known', {now}, {now}, {now})"
    )
    records = sql.rows(RECORDS, ["id", "name"], sql.is_null(sql.MARKED))
    records = records.select(sql.column("updated_at"))
    kept = dict.fromkeys(("id", "name", "updated_at"), True)
    new = sql_versions.changed_versions(records, VERSIONS, kept)
    deleted = sql_versions.deleted_versions(records, VERSIONS, kept)
    for statement, ids in ((new, ["2", "3"]), (deleted, ["4"])):
        only = statement.copy()
        only.set("expressions", only.expressions[:1])
        assert ask(session, only) == ids
        assert ask(session, sql_versions.how_many(statement)) == [str(len(ids))]
