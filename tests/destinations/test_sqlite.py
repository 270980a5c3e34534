"""SQLite by dlt's `sqlalchemy`: truth values as numbers, decimals as floats, days as text."""

import os
from typing import Any, Callable, Dict, List

import dlt
import pytest

from harvest.history import keep_versions
from harvest.reconcile import reconcile, verify
from sandbox import Account, Server
from tests.copy import Copy
from tests.helpers import differing, heal, repair

pytest.importorskip("sqlalchemy")

SOME = (
    *("company", "clients", "projects", "users", "roles", "tasks", "time_entries", "expenses"),
    *("invoices", "invoice_payments", "time_team", "time_projects", "expenses_clients"),
    *("uninvoiced", "pto_allocations"),
)


@pytest.fixture
def copy(generated: Callable[..., Account], monkeypatch: pytest.MonkeyPatch) -> Any:
    # of several writers, all but one find the database locked
    monkeypatch.setenv("LOAD__WORKERS", "1")
    with Server(generated(seed=7, time_entries=120, years=0.8), limits=False) as server:
        place = f"sqlite:///{os.path.abspath('copy.db')}"
        yield Copy(server, dlt.destinations.sqlalchemy(place)).of(*SOME)


def verdicts(result: Any) -> Dict[str, str]:
    assert not result.failure
    return {each.stream: each.verdict for each in result.comparisons if each.outcome != "equal"}


def column(copy: Copy, table: str, name: str, condition: str) -> List[Any]:
    with copy.pipeline.sql_client() as client:
        place = client.make_qualified_table_name(table)
        found = client.execute_sql(f"SELECT {name} FROM {place} WHERE {condition}")
    return [value for (value,) in found]


def test_a_copy_is_compared_and_repaired(copy: Copy) -> None:
    account = copy.server.account
    result = heal(copy)
    assert result.equal, verdicts(result)
    assert heal(copy).equal
    for deep in (False, True):
        result = verify(copy.pipeline, copy.source(), deep=deep)
        assert result.equal, verdicts(result)
    entries = account.rows("time_entries")
    account.delete("time_entries", entries[3]["id"])
    account.edit("time_entries", entries[-1]["id"], touch=False, hours=7.25)
    account.edit("clients", account.rows("clients")[0]["id"], touch=False, name="Silent")
    payment = account.rows("invoice_payments")[0]["id"]
    account.edit("invoice_payments", payment, touch=False, notes="Silent")
    found = verify(copy.pipeline, copy.source(), deep=True)
    assert differing(found) >= {"time_entries", "clients", "invoice_payments", "time_team"}
    repair(copy, deep=True)
    assert column(copy, "removed_rows", "id", "stream = 'time_entries'") == [entries[3]["id"]]
    result = verify(copy.pipeline, copy.source(), deep=True)
    assert result.equal, verdicts(result)
    copy.run(full_refresh=True)
    assert verify(copy.pipeline, copy.source(), deep=True).equal


@pytest.mark.long
def test_versions_are_kept(copy: Copy) -> None:
    copy.of("projects", "clients").run()
    account, pipeline = copy.server.account, copy.pipeline
    first = keep_versions(pipeline, copy.source(), "projects")
    assert first == {"projects": len(account.rows("projects"))}
    assert keep_versions(pipeline, copy.source(), "projects") == {}
    one, other = account.rows("projects")[:2]
    account.edit("projects", one["id"], name="Renamed")
    copy.run()
    assert keep_versions(pipeline, copy.source(), "projects") == {"projects": 1}
    account.delete("projects", other["id"])
    compared = reconcile(pipeline, copy.source(), max_deleted_share=1)
    assert keep_versions(pipeline, copy.source(), "projects", compared) == {"projects": 1}
    deleted = column(copy, "projects_versions", "id", "deleted_at IS NOT NULL")
    assert deleted == [other["id"]]
