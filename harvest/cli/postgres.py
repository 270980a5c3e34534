"""Checks of a PostgreSQL database, before anything is loaded."""

import dlt

from .. import HarvestError

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
