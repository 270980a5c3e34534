"""Rows as Arrow tables, which dlt passes on as they are: for the list that has millions of rows."""

from typing import Any, ClassVar, Dict, List, Optional, Set

import dlt
import pyarrow as pa
from dlt.common.configuration.container import Container
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.normalizers.utils import generate_dlt_ids
from dlt.common.schema.typing import TColumnSchema
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.extract.items_transform import ItemTransform

from .settings import STREAMS
from .values import storable

Row = Dict[str, Any]


class ToArrow(ItemTransform[Any, Dict[str, Any]]):
    """Turns pages of rows into Arrow tables with the columns that the schema declares.

    dlt looks at each row and value of a list of dictionaries; on Arrow tables it works by column.
    A page with anything in it that the schema does not foresee (another field, another type, a
    number that does not fit) stays a list of dictionaries, from which dlt makes new columns. Both
    ways lead to the same table.
    """

    # behind the incremental, whose cursor is found in rows
    placement_affinity: ClassVar[float] = 1.05

    def __init__(self, table: str) -> None:
        super().__init__(lambda item: item)
        self._table = table

    def __call__(self, item: Any, meta: Any = None) -> Any:
        if not isinstance(item, list) or not item or not takes_parquet():
            return item
        try:
            load_id = dlt.current.load_package_state()["load_id"]
        except CurrentLoadPackageStateNotAvailable:
            # the source is looked at without a pipeline
            return item
        columns = dlt.current.source_schema().get_table_columns(self._table)
        table = to_arrow(item, columns)
        if table is None:
            return storable(STREAMS[self._table], item)
        # what dlt would add to rows by itself
        ids = pa.array(generate_dlt_ids(len(item)), pa.string())
        loads = pa.repeat(pa.scalar(load_id), len(item))
        return table.append_column(_required("_dlt_load_id"), loads).append_column(
            _required("_dlt_id"), ids
        )


def takes_parquet() -> bool:
    """Whether the destination loads Parquet files as they are, as most of dlt's do."""
    caps = Container().get(DestinationCapabilitiesContext)
    if caps is None:
        return False
    formats = list(caps.supported_loader_file_formats or caps.supported_staging_file_formats or ())
    if caps.loader_file_format_selector:
        preferred = caps.preferred_loader_file_format
        formats = [*caps.loader_file_format_selector(preferred, formats, table_schema={})[1]]
    return "parquet" in formats


def to_arrow(rows: List[Row], columns: Dict[str, TColumnSchema]) -> Optional[pa.Table]:
    """The rows as an Arrow table, or None if they are not all as the schema declares.

    Args:
        rows (List[Dict[str, Any]]): Rows as Harvest has them, with objects in them.
        columns (Dict[str, TColumnSchema]): Columns of the table, `client__id` for `id` of `client`.

    Returns:
        Optional[pa.Table]: A table with all columns but those of dlt.
    """
    declared = {name: column for name, column in columns.items() if name[:4] != "_dlt"}
    known: Dict[str, Set[str]] = {"": set()}
    for name in declared:
        parent, _, field = name.rpartition("__")
        known.setdefault(parent, set()).add(field)
    known[""].update(known)
    objects: Dict[str, List[Row]] = {
        parent: [{} if (value := row.get(parent)) is None else value for row in rows]
        if parent
        else rows
        for parent in known
    }
    try:
        if not all(row.keys() <= known[parent] for parent in known for row in objects[parent]):
            return None
        arrays = {}
        for name, column in declared.items():
            parent, _, field = name.rpartition("__")
            arrays[name] = _array([row.get(field) for row in objects[parent]], column)
            if arrays[name].null_count and not column.get("nullable", True):
                return None
    except (pa.ArrowException, ArithmeticError, AttributeError, TypeError, ValueError):
        return None
    fields = [
        pa.field(name, arrays[name].type, nullable=column.get("nullable", True))
        for name, column in declared.items()
    ]
    return pa.Table.from_arrays(list(arrays.values()), schema=pa.schema(fields))


def _required(name: str) -> pa.Field:
    return pa.field(name, pa.string(), nullable=False)


def _array(values: List[Any], column: TColumnSchema) -> pa.Array:
    kind = column["data_type"] or "text"
    if kind == "decimal":
        return pa.array(values, pa.decimal128(column["precision"], column["scale"]))
    if kind == "date":
        return pa.array(values, pa.string()).cast(pa.date32())
    if kind == "timestamp":
        return pa.array(values, pa.string()).cast(pa.timestamp("us", "UTC"))
    if kind == "bigint":
        # in their own type first: made integers at once, decimals would lose their fraction
        return pa.array(values).cast(pa.int64())
    return pa.array(values, _TYPES[kind])


_TYPES = {"bool": pa.bool_(), "text": pa.string(), "double": pa.float64()}
