"""Checks of a PostgreSQL database, before anything is loaded."""

from typing import List, Sequence

import dlt

from .. import HarvestError

STATE = """
SELECT
    current_database(), current_user, current_setting('server_encoding'),
    has_database_privilege(current_database(), 'CREATE')
"""

SCHEMAS = """
SELECT
    nspname,
    has_schema_privilege(nspname, 'CREATE') AND has_schema_privilege(nspname, 'USAGE')
FROM pg_namespace WHERE nspname IN (%s, %s)
"""


def check_postgres(pipeline: dlt.Pipeline) -> None:
    """Raise an error if the database cannot hold the tables.

    Args:
        pipeline (dlt.Pipeline): The pipeline; for other destinations nothing happens.

    Raises:
        HarvestError: The database cannot store all texts, or the role may not create
            tables where they belong.
    """
    if not pipeline.destination.destination_type.endswith(".postgres"):
        return
    with pipeline.sql_client() as client:
        names = [client.dataset_name, client.staging_dataset_name]
        ((database, role, encoding, may_create),) = client.execute_sql(STATE) or []
        rows = client.execute_sql(SCHEMAS, *names) or []
        schemas = {str(name): bool(may_use) for name, may_use in rows}
    if encoding != "UTF8":
        raise HarvestError(
            f"The database {database} stores text as {encoding}, which cannot hold all"
            " that people write in Harvest: create one with CREATE DATABASE ..."
            " ENCODING 'UTF8' TEMPLATE template0."
        )
    missing = [name for name in names if name not in schemas]
    if missing and not may_create:
        raise HarvestError(_no_schemas(role, database, names))
    if closed := [name for name, may_use in schemas.items() if not may_use]:
        raise HarvestError(
            f"The PostgreSQL role {role} may not create tables in"
            f" {' and '.join(closed)}: {_grants(closed, role)}"
        )


def _no_schemas(role: str, database: str, names: Sequence[str]) -> str:
    return (
        f"The PostgreSQL role {role} may not create schemas in the database"
        f" {database}, so {' and '.join(names)} must be there before it loads:"
        f" who may has to type {_creates(names, role)}"
    )


def _creates(names: Sequence[str], role: str) -> str:
    statements: List[str] = [
        f'CREATE SCHEMA IF NOT EXISTS "{name}" AUTHORIZATION "{role}";'
        for name in names
    ]
    return " ".join(statements)


def _grants(names: Sequence[str], role: str) -> str:
    statements = [
        f'GRANT USAGE, CREATE ON SCHEMA "{name}" TO "{role}";' for name in names
    ]
    return f"who owns them has to type {' '.join(statements)}"
