"""Tables that somebody changed by hand: find them, and have them made anew."""

import json
from typing import Collection, Dict, List, Mapping

import dlt
from dlt.common.schema import Schema
from dlt.common.schema.typing import TTableSchemaColumns
from dlt.common.schema.utils import get_root_table, has_table_seen_data
from dlt.destinations.job_client_impl import SqlJobClientBase

from .. import HarvestError
from .destination import kind_of

TYPED = ("duckdb", "postgres")
"""Destinations that have a type of their own for each of dlt's."""


def check_structure(
    pipeline: dlt.Pipeline, streams: Mapping[str, str], anew: bool = False
) -> Dict[str, List[str]]:
    """Return what is wrong with tables that are made anew, and refuse what is not.

    Args:
        pipeline (dlt.Pipeline): The pipeline, in the state of the destination.
        streams (Mapping[str, str]): Streams, with the names of their tables.
        anew (bool): They are read and made anew.

    Returns:
        Dict[str, List[str]]: What is wrong, by table.

    Raises:
        HarvestError: A table or a column is missing, or has another type, or a table
            is not dlt's.
    """
    by_table = faults(pipeline, streams)
    if by_table and not anew:
        found = [words for each in by_table.values() for words in each]
        words = "; ".join(found[:5])
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        raise HarvestError(
            f"Somebody changed {pipeline.dataset_name}: {words}{more}. Nothing was"
            " loaded: --full-refresh makes these tables anew and reads them again."
        )
    return by_table


def _refuse_others(dataset: str, found: Dict[str, TTableSchemaColumns]) -> None:
    """Refuse to load into tables that another program has made."""
    others = [
        name for name, columns in found.items() if columns and not _is_dlts(columns)
    ]
    if others:
        raise HarvestError(
            f"{dataset} has a table of another program with the name of one of"
            f" Harvest's: {', '.join(others)}. Nothing was loaded: choose another"
            " dataset with --dataset."
        )


def _is_dlts(columns: TTableSchemaColumns) -> bool:
    """Return whether a table has a column that dlt gives to each."""
    return any(name.lower().startswith("_dlt_") for name in columns)


def faults(pipeline: dlt.Pipeline, streams: Mapping[str, str]) -> Dict[str, List[str]]:
    """Return what is wrong with tables of some streams and of dlt, by table."""
    with pipeline.destination_client() as client:
        # a lake keeps no types apart from those of its files
        if (
            not isinstance(client, SqlJobClientBase)
            or not client.is_storage_initialized()
        ):
            return {}
        known = "harvest" in pipeline.schemas
        schema = pipeline.schemas["harvest"] if known else None
        dlts, tables = client.schema.dlt_table_names(), [*streams.values()]
        names = {*dlts, *tables, *(schema.tables if schema else ())}
        found = dict(client.get_storage_tables(names))
        _refuse_others(pipeline.dataset_name, {name: found[name] for name in tables})
        own = {name: found[name] for name in dlts}
        if not any(own.values()):
            return {}
        notes = client.schema.version_table_name
        stored = client.get_stored_schema("harvest") if own[notes] else None
        # that of the pipeline, as a rule: reading one takes longer than all the rest
        if stored and (not schema or schema.version_hash != stored.version_hash):
            schema = Schema.from_dict(json.loads(stored.schema))
        if not schema:
            return {} if own[notes] else {notes: [f"the table {notes} is missing"]}
        declared = [
            name
            for name, table in schema.tables.items()
            if has_table_seen_data(table)
            and get_root_table(schema.tables, name)["name"] in streams
        ]
        declared += schema.dlt_table_names()
        if missing := {*declared} - found.keys():
            found.update(client.get_storage_tables(missing))
    typed = kind_of(pipeline) in TYPED
    wrong = {name: _faults(schema, name, found[name], typed) for name in declared}
    return {name: words for name, words in wrong.items() if words}


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


def make_anew(pipeline: dlt.Pipeline, tables: Collection[str]) -> None:
    """Drop tables that are not as they were, which dlt makes anew when it loads.

    It is done when all is read. Also what dlt noted of the schema goes: by that, dlt
    would take the tables for whole.

    Args:
        pipeline (dlt.Pipeline): The pipeline, with a load package for all of them.
        tables (Collection[str]): Names of the tables, which may be missing.
    """
    if not tables:
        return
    with pipeline.destination_client("harvest") as client:
        assert isinstance(client, SqlJobClientBase)
        notes = client.schema.version_table_name
        client.drop_tables(*tables, delete_schema=notes not in tables)
