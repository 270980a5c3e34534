"""The tables of the streams: their hints, columns, and the rows that change them."""

from copy import copy, deepcopy
from datetime import datetime, timezone  # noqa: I251
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

import dlt
import yaml
from dlt.common.schema import Schema
from dlt.common.schema.typing import TTableSchema, TTableSchemaColumns
from dlt.extract import DltResource

from ..exceptions import HarvestError
from ..settings import Stream
from ..typing import Row, Rows
from .dlt_internals import has_rows, takes_parquet


class Table(NamedTuple):
    """Where the rows of a stream go in a run.

    Attributes:
        name (str): Its name, which the user may have changed.
        hints (TTableSchemaColumns): The columns that have hints of the resource.
        takes_arrow (bool): It takes Arrow tables beside rows.
    """

    name: str
    hints: TTableSchemaColumns
    takes_arrow: bool


def hints(stream: Stream) -> Dict[str, Any]:
    """Return the name and the hints of a stream's resource."""
    columns: Dict[str, Any] = {name: {"merge_key": True} for name in stream.merge_key}
    if columns:
        columns["deleted_at"] = {"hard_delete": True}
    return {
        "name": stream.name,
        "primary_key": stream.primary_key,
        "columns": columns,
        "write_disposition": "replace" if stream.kind == "whole" else "merge",
    }


def tombstone(stream: Stream, values: Row) -> Row:
    """Return a row that is not stored, and removes all rows with its merge key."""
    blank = dict.fromkeys(stream.key, None if stream.report else 0)
    return {**blank, **values, "deleted_at": datetime.now(timezone.utc)}


def owned(rows: Rows, values: Mapping[str, Any]) -> Rows:
    """Return rows with columns of the source's own.

    A field of Harvest's with the name of one is kept beside it if it says something
    else, as `harvest_user_id` beside `user_id`.

    >>> owned([{"id": 1, "year": "2024"}, {"id": 2, "year": 7}], {"year": 2024})
    [{'id': 1, 'year': 2024}, {'id': 2, 'year': 2024, 'harvest_year': 7}]
    """
    found = []
    for row in rows:
        others = {
            f"harvest_{name}": row[name]
            for name, value in values.items()
            if name in row and str(row[name]) != str(value)
        }
        found.append({**row, **values, **others})
    return found


def declare_tables(schema: Schema) -> None:
    """Declare the tables of schema.yaml in the schema of a source.

    Raises:
        HarvestError: The project names columns in another way than the file.
    """
    # a function as destination gets rows as they are, which dlt calls direct as well
    set_by_hand: Optional[str] = dlt.config.get("schema.naming")
    if set_by_hand and schema.naming.PATH_SEPARATOR != "__":
        raise HarvestError(
            f"SCHEMA__NAMING is {schema.naming.name()}, which names nested columns"
            " otherwise than client__id, as the tables of this source have them: leave"
            " it out, or set snake_case."
        )
    if not schema.data_tables(include_incomplete=True):
        for table in deepcopy(declared_tables()):
            schema.update_table(table)


def declare_table(
    schema: Schema, stored: Optional[Schema], stream: Stream, resource: DltResource
) -> Table:
    """Declare the table that a stream is loaded into, under the name that it has there.

    A resource that runs without its source, or whose table has another name, comes with
    its types all the same. Hints of its own for all of them would do as well, but dlt
    writes those down with each run, which takes a second.

    Args:
        schema (Schema): The schema of the run.
        stored (Optional[Schema]): What the pipeline has loaded before.
        stream (Stream): The stream.
        resource (DltResource): Its resource, with the hints of the user.

    Raises:
        HarvestError: The name is a function, or a column has another type already.
    """
    if callable(resource.table_name):
        raise HarvestError(
            f"The table name of {stream.name} is a function, but must be a text, by"
            " which its rows are found again: use a transformer to share them out."
        )
    hinted = resource.compute_table_schema()
    name = schema.naming.normalize_table_identifier(str(hinted["name"]))
    for declared in declared_tables():
        if str(declared["name"]).split("__")[0] == stream.name:
            table = renamed(declared, stream.name, name)
            known = schema.tables.get(str(table["name"]), {}).get("columns", {})
            if table["columns"].keys() - known.keys():
                schema.update_table(deepcopy(table))
    file_format = hinted.get("file_format")
    takes_arrow = file_format in (None, "parquet") and takes_parquet()
    if takes_arrow and not file_format:
        # also for the pages that stay rows
        schema.update_table({"name": name, "columns": {}, "file_format": "parquet"})
    if stored and has_rows(schema, name):
        _check_types(name, schema, stored, hinted["columns"])
    return Table(name, hinted["columns"], takes_arrow)


def _check_types(
    name: str, schema: Schema, stored: Schema, hinted: TTableSchemaColumns
) -> None:
    """Refuse a table with a column of another type, which no row would fit into."""
    before = stored.tables.get(name, {}).get("columns", {})
    for column, declared in schema.get_table_columns(name).items():
        was = before.get(column, {}).get("data_type")
        wanted = {**declared, **hinted.get(column, {})}["data_type"]
        if was and was != wanted:
            raise HarvestError(
                f"{name}.{column} is a column of the type {was} in what was loaded, and"
                f" not {wanted}: load the table anew with --full-refresh, or with"
                " refresh='drop_resources' in Python."
            )


def renamed(table: TTableSchema, before: str, name: str) -> TTableSchema:
    """Return a table, or one of a list in its rows, under another name."""
    other = copy(table)
    other["name"] = f"{name}{str(table['name'])[len(before) :]}"
    if parent := table.get("parent"):
        other["parent"] = f"{name}{parent[len(before) :]}"
    return other


@lru_cache(maxsize=1)
def declared_tables() -> List[TTableSchema]:
    """Return the tables of schema.yaml.

    dlt reads a file named harvest.schema.yaml with each declaration of the source,
    which takes half a second.
    """
    text = (Path(__file__).parent.parent / "schema.yaml").read_text("utf-8")
    # that of C comes with the packages of PyYAML, but not with every build
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    stored = yaml.load(text, loader)
    # the tests validate the file, which takes a third of a second
    schema = Schema.from_dict(stored, validate_schema=False)
    return schema.data_tables(include_incomplete=True)
