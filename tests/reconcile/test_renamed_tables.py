"""Tables that a user has given other names are compared and repaired under these."""

from typing import Any, Callable

import pytest

from harvest.history import keep_versions
from harvest.reconcile import reconcile, verify
from sandbox import Account, Server
from tests.copy import Copy
from tests.helpers import agree, sql

NAMES = {
    name: f"harvest_{name}"
    for name in ("clients", "invoices", "invoice_payments", "time_entries", "time_team", "users")
}


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    return generated(seed=7, time_entries=80, years=0.6)


def test_renamed_tables(server: Server) -> None:
    account, copy = server.account, Copy(server)

    def source() -> Any:
        made = copy.source(*NAMES)
        for name, table in NAMES.items():
            made.resources[name].apply_hints(table_name=table)
        return made

    def tables() -> set[str]:
        with copy.pipeline.sql_client() as client:
            found = client.execute_sql("SELECT table_name FROM information_schema.tables")
        return {name for (name,) in found if not name.startswith("_dlt")}

    copy.pipeline.run(source())
    # another tool's, with a name that the user wanted to avoid
    sql(copy, "CREATE TABLE {}clients AS SELECT 1 AS id, 'other' AS name")
    result = verify(copy.pipeline, source(), deep=True)
    agree(result)
    known = tables()
    assert known & {*NAMES} == {"clients"}
    entries, invoices = account.rows("time_entries"), account.rows("invoices")
    account.delete("time_entries", entries[3]["id"])
    account.edit("time_entries", entries[-1]["id"], touch=False, hours=7.25)
    account.edit("clients", account.rows("clients")[0]["id"], touch=False, name="Silent")
    items = [{**invoices[0]["line_items"][0], "description": "Silent"}]
    account.edit("invoices", invoices[0]["id"], touch=False, line_items=items)
    assert not verify(copy.pipeline, source()).equal
    reconcile(copy.pipeline, source())
    result = verify(copy.pipeline, source(), deep=True)
    agree(result)
    assert tables() == known | {"removed_rows"}
    assert [tuple(row.values()) for row in copy.table("clients")] == [(1, "other")]
    ids = {row["id"] for row in copy.table("harvest_time_entries")}
    assert ids == {row["id"] for row in account.rows("time_entries")}
    assert keep_versions(copy.pipeline, source(), "clients")["clients"] > 0
    assert tables() - known == {"removed_rows", "harvest_clients_versions"}
