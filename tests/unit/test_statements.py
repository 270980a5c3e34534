"""Each statement of the comparison and the history is one of each destination's SQL."""

from datetime import date
from typing import Any, Dict, List

import pytest
import sqlglot
from dlt import destinations
from dlt.common.destination import Destination
from sqlglot import exp

from harvest.reconcile import sql, sql_reports, sql_versions
from harvest.settings import STREAMS

TABLE = sql.table_of(["project", "harvest_data", "time_entries"])
WINDOWS = [(date(2024, 1, 1), date(2024, 12, 31)), (date(2025, 1, 1), date(2025, 12, 31))]
ENTRIES = STREAMS["time_entries"]
COLUMNS = {"billable", "billable_rate", "is_billed", "is_running", "updated_at"}
UNMARKED = sql.is_null(sql.MARKED)
RECORDS = sql.rows(TABLE, ["id", "name", "updated_at"], UNMARKED)
VERSIONS = sql.table_of(["project", "harvest_data", "time_entries_versions"])
KEPT = {"id": True, "name": True, "updated_at": True, "is_new": False}


def statements() -> Dict[str, exp.Query]:
    """One of each kind that can be sent."""
    (keys,) = sql.is_one_of(["user_id", "id"], [(1, 5), (2, 7)])
    (texts,) = sql.is_one_of(["currency"], [("EUR",), ("it's",)])
    (days,) = sql.is_one_of(["period_start"], [(date(2024, 1, 1),)])
    inside = sql.is_in({"from": WINDOWS[0][0], "to": WINDOWS[0][1]}, "spent_date")
    ids = sql.rows(TABLE, ["_dlt_id"], keys)
    new = sql_versions.changed_versions(RECORDS, VERSIONS, KEPT)
    return {
        "rows": sql.rows(TABLE, ["id", "name"], keys),
        "rows of a text": sql.rows(TABLE, ["id"], texts),
        "rows of a day": sql.rows(TABLE, ["id"], days),
        "rows of some days": sql.rows(TABLE, ["id"], inside),
        "rows of no day": sql.rows(TABLE, ["id"], sql.is_null("spent_date")),
        "rows of lists": sql.rows(TABLE, ["id"], sql.below(ids)),
        "counts": sql.counts({"a": (TABLE, "", None), "b": (TABLE, "hours", UNMARKED)}),
        "keys": sql.keys(TABLE, ["user_id", "id"], keys),
        "keys that are twice": sql.keys(TABLE, ["id"], UNMARKED, least=2),
        "ids of records that others name": sql.marked("users", sql.keys(TABLE, ["user_id"])),
        "figures": sql.figures(
            TABLE,
            "spent_date",
            ["rounded_hours"],
            [{}, {"is_billed": True}, {"approval_status": "approved"}],
            UNMARKED,
        ),
        "groups": sql_reports.groups(
            TABLE, ENTRIES, ["project__id", "user__id"], WINDOWS, COLUMNS, UNMARKED
        ),
        "groups of few columns": sql_reports.groups(TABLE, ENTRIES, [], [], set()),
        "invoiced": sql_reports.invoiced(TABLE, ids),
        "first versions": sql_versions.changed_versions(RECORDS, None, KEPT),
        "versions": new,
        "number of versions": sql_versions.how_many(new),
        "rows of a load": sql.rows_of_load(["harvest_data", "clients"], "17.5"),
        "all rows": sql.rows_of_load(["harvest_data", "clients"], None),
        "deleted versions": sql_versions.deleted_versions(RECORDS, VERSIONS, KEPT),
    }


def dialects() -> List[str]:
    """The dialects of dlt's destinations."""
    found = {"sqlite", "mysql"}
    for name in destinations.__all__:
        if name in ("dummy", "destination", "sqlalchemy"):
            continue
        reference: Any = getattr(destinations, name, None)
        if isinstance(reference, type) and issubclass(reference, Destination):
            found.add(str(reference().capabilities().sqlglot_dialect))
    return sorted(found - {"None"})


@pytest.mark.parametrize("dialect", dialects())
def test_each_statement_is_understood(dialect: str) -> None:
    for name, statement in statements().items():
        text = statement.sql(dialect=dialect, unsupported_level=sqlglot.ErrorLevel.RAISE)
        assert sqlglot.parse_one(text, dialect=dialect), name
        upper = text.upper()
        assert "EXTRACT" not in upper, name
        if dialect in ("tsql", "fabric"):
            assert "TRUE" not in upper.replace("'TRUE'", ""), name
            assert "LIMIT" not in upper, name


def test_there_are_many_dialects() -> None:
    assert {"bigquery", "duckdb", "postgres", "snowflake", "tsql", "sqlite"} <= {*dialects()}


def test_ids_come_in_batches() -> None:
    keys = [(number,) for number in range(2_500)]
    conditions = list(sql.is_one_of(["id"], keys))
    sizes = [len(each.expressions) for each in conditions]
    assert sizes == [1_000, 1_000, 500]
    found = {int(each.name) for condition in conditions for each in condition.expressions}
    assert found == {*range(2_500)}
    assert list(sql.is_one_of(["id"], [])) == []
