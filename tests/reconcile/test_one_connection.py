"""A comparison opens one connection, unless it repairs something."""

import duckdb

from harvest.reconcile import reconcile
from tests.copy import Copy

BY_DLT = 2
"""dlt's client of DuckDB sets the search path of a connection twice: when it opens and when it
borrows it."""


def connections(copy: Copy) -> float:
    """Returns how many connections a comparison opens, by DuckDB's own log."""
    # the log is that of the database, which all connections of a process share
    with duckdb.connect(f"{copy.pipeline.pipeline_name}.duckdb") as log:
        log.execute("CALL enable_logging('QueryLog')")
        assert reconcile(copy.pipeline, copy.source()).comparisons
        query = "SELECT message FROM duckdb_logs WHERE type = 'QueryLog'"
        sent = [text for (text,) in log.execute(query).fetchall()]
        log.execute("CALL truncate_duckdb_logs()")
    assert any("time_entries" in text for text in sent)
    return sum("search_path" in text for text in sent) / BY_DLT


def test_one_connection_where_nothing_is_repaired(copy: Copy) -> None:
    copy.of("clients", "projects", "time_entries", "time_clients").begin(healed=True)
    copy.run()
    assert connections(copy) == 1
    account = copy.server.account
    account.edit("clients", account.rows("clients")[0]["id"], touch=False, name="Silent")
    assert connections(copy) > 1
    assert connections(copy) == 1
    copy.check(names=False)
