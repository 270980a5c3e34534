"""Tables that somebody changed by hand: find them, and have them made anew."""

import json
from typing import Any, Dict, Iterable, List, NamedTuple, Sequence

import dlt
from dlt.common.schema import Schema
from dlt.common.schema.typing import PIPELINE_STATE_TABLE_NAME, TTableSchemaColumns
from dlt.common.schema.utils import get_root_table, has_table_seen_data
from dlt.destinations.job_client_impl import SqlJobClientBase

from .. import HarvestError
from .destination import kind_of

TYPED = ("duckdb", "postgres")
"""Destinations that have a type of their own for each of dlt's."""


class Fault(NamedTuple):
    """A fault of a table.

    Attributes:
        table (str): Its name.
        what (str): What is wrong, in words.
    """

    table: str
    what: str


def check_structure(pipeline: dlt.Pipeline, streams: Sequence[str]) -> None:
    """Raise an error if a table is not as it was loaded.

    Args:
        pipeline (dlt.Pipeline): The pipeline, in the state of the destination.
        streams (Sequence[str]): Streams whose tables are looked at.

    Raises:
        HarvestError: A table or a column is missing, or has another type.
    """
    if found := faults(pipeline, streams):
        words = "; ".join(fault.what for fault in found[:5])
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        raise HarvestError(
            f"Somebody changed {pipeline.dataset_name}: {words}{more}. Nothing was"
            " loaded: --full-refresh makes these tables anew and reads them again."
        )


def faults(pipeline: dlt.Pipeline, streams: Sequence[str]) -> List[Fault]:
    """Return what is wrong with the tables of some streams, and with dlt's own."""
    with pipeline.destination_client() as client:
        # a lake keeps no types apart from those of its files
        if (
            not isinstance(client, SqlJobClientBase)
            or not client.is_storage_initialized()
        ):
            return []
        notes = dict(client.get_storage_tables(client.schema.dlt_table_names()))
        there = {name for name, columns in notes.items() if columns}
        if not there:
            return []
        if client.schema.version_table_name not in there:
            return [_missing(client.schema.version_table_name)]
        stored = client.get_stored_schema("harvest")
    if stored is None:
        return []
    schema = Schema.from_dict(json.loads(stored.schema))
    return _faults_of(pipeline, schema, streams)


def _faults_of(
    pipeline: dlt.Pipeline, schema: Schema, streams: Sequence[str]
) -> List[Fault]:
    names = [*_tables(schema, streams), *schema.dlt_table_names()]
    with pipeline.destination_client() as client:
        assert isinstance(client, SqlJobClientBase)
        there = dict(client.get_storage_tables(names))
    return [
        fault
        for name in names
        for fault in _faults(schema, name, there.get(name, {}), kind_of(pipeline))
    ]


def _tables(schema: Schema, streams: Iterable[str]) -> List[str]:
    """Return the names of all tables of some streams that have been created."""
    return [
        name
        for name, table in schema.tables.items()
        if has_table_seen_data(table)
        and get_root_table(schema.tables, name)["name"] in {*streams}
    ]


def _faults(
    schema: Schema, name: str, there: TTableSchemaColumns, kind: str
) -> List[Fault]:
    if not there:
        return [_missing(name)]
    missing = schema.get_new_table_columns(name, there, case_sensitive=False)
    found = [
        Fault(name, f"the column {column['name']} of {name} is missing")
        for column in missing
    ]
    for column, declared in schema.get_table_columns(name).items():
        here = there.get(column, {}).get("data_type", declared["data_type"])
        if kind in TYPED and here != declared["data_type"]:
            was = declared["data_type"]
            found.append(Fault(name, f"{name}.{column} is {here} where it was {was}"))
    return found


def _missing(table: str) -> Fault:
    return Fault(table, f"the table {table} is missing")


def prepare_refresh(pipeline: dlt.Pipeline, streams: Sequence[str]) -> Dict[str, Any]:
    """Prepare a full refresh, which also makes tables anew that are not as they were.

    dlt drops these when it has read everything. Its notes of where the pipeline stands
    go before: should the run die in between, the next one reads everything.

    Args:
        pipeline (dlt.Pipeline): The pipeline, in the state of the destination.
        streams (Sequence[str]): Streams that are read again.

    Returns:
        Dict[str, Any]: Arguments for `pipeline.run`.
    """
    found = faults(pipeline, streams)
    if not found:
        return {}
    with pipeline.destination_client() as client:
        assert isinstance(client, SqlJobClientBase)
        own = {*client.schema.dlt_table_names(), PIPELINE_STATE_TABLE_NAME}
        broken = {fault.table for fault in found} & own
        broken.add(PIPELINE_STATE_TABLE_NAME)
        client.drop_tables(*broken, delete_schema=False)
    return {"refresh": "drop_resources"}
