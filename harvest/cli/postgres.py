"""PostgreSQL: what is checked before a load, and how long it waits for others."""

from contextlib import contextmanager
from typing import Any, Callable, Iterator
from uuid import uuid4

import dlt

from .. import HarvestError
from .errors import causes

ENCODING = "SELECT current_database(), current_setting('server_encoding')"

REFUSED = """
SELECT name, nspname IS NOT NULL, current_user
FROM (VALUES (%s), (%s)) AS needed(name) LEFT JOIN pg_namespace ON nspname = name
WHERE NOT CASE
    WHEN nspname IS NULL THEN has_database_privilege(current_database(), 'CREATE')
    ELSE has_schema_privilege(nspname, 'CREATE')
        AND has_schema_privilege(nspname, 'USAGE')
END
"""
"""The schemas that the role can neither use nor create, and whether they are there."""


def check_postgres(pipeline: dlt.Pipeline) -> None:
    """Raise an error if the database cannot hold the tables.

    Args:
        pipeline (dlt.Pipeline): The pipeline, with a PostgreSQL destination.

    Raises:
        HarvestError: The database cannot store all texts, or the role may not create
            tables where they belong.
    """
    with pipeline.sql_client() as client:
        names = (client.dataset_name, client.staging_dataset_name)
        ((database, encoding),) = client.execute_sql(ENCODING) or []
        refused = client.execute_sql(REFUSED, *names) or []
    if encoding != "UTF8":
        raise HarvestError(
            f"The database {database} stores text as {encoding}, which cannot hold all"
            " that people write in Harvest: create one with CREATE DATABASE ..."
            " ENCODING 'UTF8' TEMPLATE template0."
        )
    if refused:
        statements = " ".join(
            f'GRANT USAGE, CREATE ON SCHEMA "{name}" TO "{role}";'
            if is_there
            else f'CREATE SCHEMA IF NOT EXISTS "{name}" AUTHORIZATION "{role}";'
            for name, is_there, role in refused
        )
        raise HarvestError(
            f"The PostgreSQL role {refused[0][2]} may not create tables in"
            f" {' and '.join(name for name, *_ in refused)}: the owner of the database"
            f" {database} must type {statements}"
        )


LOCK_TIMEOUT = 10
"""Seconds for which a statement waits for others; dlt tries five times."""

CANCEL = """
SELECT pg_cancel_backend(pid) FROM pg_stat_activity
WHERE application_name = %s AND pid <> pg_backend_pid()
"""

HOLDERS = """
SELECT DISTINCT c.relname, a.pid, a.usename, a.application_name, a.state, a.xact_start
FROM pg_locks AS l
JOIN pg_class AS c ON c.oid = l.relation
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_stat_activity AS a ON a.pid = l.pid
JOIN pg_database AS d ON d.oid = l.database
WHERE l.granted AND d.datname = current_database()
    AND n.nspname IN (%s, %s) AND c.relkind IN ('r', 'p')
    AND a.pid <> pg_backend_pid() AND a.application_name <> %s
ORDER BY a.xact_start, c.relname
LIMIT 1
"""
"""The session that has held a lock on one of the tables for longest."""


def bounded_waiting(pipeline: dlt.Pipeline) -> Callable[[], None]:
    """Have statements wait for the locks of others for some seconds only.

    Rows are deleted where dlt would TRUNCATE: that waits for no reader, and no reader
    waits for it.

    Args:
        pipeline (dlt.Pipeline): The pipeline, with a PostgreSQL destination.

    Returns:
        Callable[[], None]: Cancels all statements of the pipeline that are under way.
    """
    config: Any = pipeline.destination_client().config
    query = dict(config.credentials.query or {})
    # what the credentials say themselves comes later, and wins
    bound = f"-clock_timeout={LOCK_TIMEOUT}s"
    query["options"] = f"{bound} {query.get('options', '')}".strip()
    ours = f"dlt-harvest-{uuid4().hex[:12]}"
    name = query.setdefault("application_name", ours)
    config.credentials.query = query
    pipeline.destination.config_params["credentials"] = config.credentials
    pipeline.destination.caps_params["supports_truncate_command"] = False

    def cancel() -> None:
        # a name of the user's own may be that of other programs as well
        if name != ours:
            return
        with pipeline.sql_client() as client:
            client.execute_sql(CANCEL, name)

    return cancel


@contextmanager
def holder_named(pipeline: dlt.Pipeline) -> Iterator[None]:
    """Say which session holds a table for which a statement has waited too long.

    Raises:
        HarvestError: The name of the table, and who holds it.
    """
    try:
        yield
    except Exception as error:
        if not any("lock timeout" in str(each) for each in causes(error)):
            raise
        with pipeline.sql_client() as client:
            names = (client.dataset_name, client.staging_dataset_name)
            query = client.credentials.query
            found = client.execute_sql(HOLDERS, *names, query["application_name"])
        held = "one of the tables is locked"
        if found:
            table, pid, user, program, state, since = found[0]
            held = (
                f"the table {table} is held since {since:%H:%M:%S} by session {pid} of"
                f" {user} ({', '.join(filter(None, (program, state)))})"
            )
        raise HarvestError(
            f"PostgreSQL has waited too long for a lock: {held}. Run again when that"
            f" has ended; what was read is loaded then."
        ) from error
