"""Load the packages that an earlier run or a script left behind."""

from contextlib import nullcontext, suppress
from typing import Any, Set

import dlt
from dlt.common.exceptions import SignalReceivedException
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from dlt.destinations.sql_client import WithSqlClient

from ..exceptions import HarvestError
from ..reconcile.sql import rows_of_load
from .destination import load_tables
from .dlt_internals import drop_extracted
from .errors import causes, explain
from .place import drop_command


def load_what_is_left(pipeline: dlt.Pipeline) -> None:
    """Load the packages that an earlier run or a script left behind.

    Args:
        pipeline (dlt.Pipeline): A pipeline that no other run writes to meanwhile.

    Raises:
        HarvestError: They cannot be loaded, with the command that removes them.
    """
    if not pipeline.has_pending_data:
        return
    try:
        # a run that was killed between the two has left a package as both
        ready = {*pipeline.list_normalized_load_packages()}
        for load_id in ready & {*pipeline.list_extracted_load_packages()}:
            drop_extracted(pipeline, load_id)
        pipeline.normalize()
        for load_id in ready:
            _delete_what_is_repeated(pipeline, load_id)
        load_tables(pipeline)
    except Exception as error:
        if any(isinstance(each, SignalReceivedException) for each in causes(error)):
            raise
        raise HarvestError(
            f"A load package that an earlier run left in {pipeline.working_dir} cannot"
            f" be loaded. {explain(error)} If it stays so, remove the package with"
            f" `{drop_command(pipeline)}`."
        ) from error


def _delete_what_is_repeated(pipeline: dlt.Pipeline, load_id: str) -> None:
    """Delete rows that a killed run has stored, and of which dlt does not know it.

    dlt stores them again: PostgreSQL then refuses them, and other databases have them
    twice. If a table has several files, of which some are known to be stored, nothing
    tells the rows apart, and they stay.
    """
    package = pipeline.get_load_package_info(load_id)
    client: Any = pipeline.destination_client(package.schema_name)
    in_files = isinstance(client, FilesystemClient)
    if in_files or not issubclass(type(client), WithSqlClient):
        return
    tables = pipeline.schemas[package.schema_name].tables
    begun, ended = (_written(package, *kinds) for kinds in (BEGUN, ENDED))
    with client.sql_client as engine:
        for name in (begun - ended) & tables.keys():
            adds = tables[name].get("write_disposition") == "append"
            # into these, dlt writes nothing but the rows of one package
            staged = client.should_load_data_to_staging_dataset(name)
            with engine.with_staging_dataset() if staged else nullcontext():
                path = engine.make_qualified_table_name_path(name, quote=False)
                statement = rows_of_load(path, load_id if adds else None)
                text = statement.sql(dialect=engine.capabilities.sqlglot_dialect)
                with suppress(DatabaseUndefinedRelation):
                    engine.execute_sql(text)


BEGUN, ENDED = ("started_jobs",), ("completed_jobs", "failed_jobs")
"""dlt's names of the folders with jobs that may have stored rows, and that have."""


def _written(package: Any, *kinds: str) -> Set[str]:
    """Return the tables that jobs write rows to; those of SQL move them later."""
    jobs = (each.job_file_info for kind in kinds for each in package.jobs[kind])
    return {
        job.table_name for job in jobs if job.file_format not in ("sql", "reference")
    }
