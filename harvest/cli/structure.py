"""Tables that somebody changed by hand: find them, and have them made anew."""

import json
from typing import Any, Dict, List, Sequence

import dlt
from dlt.common.schema import Schema
from dlt.common.schema.typing import PIPELINE_STATE_TABLE_NAME, TTableSchemaColumns
from dlt.common.schema.utils import get_root_table, has_table_seen_data
from dlt.destinations.job_client_impl import SqlJobClientBase

from .. import HarvestError
from .destination import kind_of

TYPED = ("duckdb", "postgres")
"""Destinations that have a type of their own for each of dlt's."""


def check_structure(pipeline: dlt.Pipeline, streams: Sequence[str]) -> None:
    """Raise an error if a table is not as it was loaded.

    Args:
        pipeline (dlt.Pipeline): The pipeline, in the state of the destination.
        streams (Sequence[str]): Streams whose tables are looked at.

    Raises:
        HarvestError: A table or a column is missing, or has another type.
    """
    by_table = faults(pipeline, streams)
    if found := [words for each in by_table.values() for words in each]:
        words = "; ".join(found[:5])
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        raise HarvestError(
            f"Somebody changed {pipeline.dataset_name}: {words}{more}. Nothing was"
            " loaded: --full-refresh makes these tables anew and reads them again."
        )


def faults(pipeline: dlt.Pipeline, streams: Sequence[str]) -> Dict[str, List[str]]:
    """Return what is wrong with tables of some streams and of dlt, by table."""
    with pipeline.destination_client() as client:
        # a lake keeps no types apart from those of its files
        if (
            not isinstance(client, SqlJobClientBase)
            or not client.is_storage_initialized()
        ):
            return {}
        own = dict(client.get_storage_tables(client.schema.dlt_table_names()))
        notes = client.schema.version_table_name
        if not any(own.values()):
            return {}
        if not own.get(notes):
            return {notes: [f"the table {notes} is missing"]}
        stored = client.get_stored_schema("harvest")
        if stored is None:
            return {}
        # that of the pipeline, as a rule: reading one takes longer than all the rest
        known = pipeline.schemas.get("harvest")
        if known and known.version_hash == stored.version_hash:
            schema = known
        else:
            schema = Schema.from_dict(json.loads(stored.schema))
        names = [
            name
            for name, table in schema.tables.items()
            if has_table_seen_data(table)
            and get_root_table(schema.tables, name)["name"] in streams
        ]
        names += schema.dlt_table_names()
        there = dict(client.get_storage_tables(names))
    typed = kind_of(pipeline) in TYPED
    found = {name: _faults(schema, name, there.get(name, {}), typed) for name in names}
    return {name: words for name, words in found.items() if words}


def _faults(
    schema: Schema, name: str, there: TTableSchemaColumns, typed: bool
) -> List[str]:
    if not there:
        return [f"the table {name} is missing"]
    missing = schema.get_new_table_columns(name, there, case_sensitive=False)
    found = [f"the column {each['name']} of {name} is missing" for each in missing]
    for column, declared in schema.get_table_columns(name).items():
        was = declared["data_type"]
        here = there.get(column, {}).get("data_type", was)
        if typed and here != was:
            found.append(f"{name}.{column} is {here} where it was {was}")
    return found


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
        broken = found.keys() & {*client.schema.dlt_table_names()}
        broken.add(PIPELINE_STATE_TABLE_NAME)
        client.drop_tables(*broken, delete_schema=False)
    return {"refresh": "drop_resources"}
