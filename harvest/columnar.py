"""The last step of each resource: rows as tables can hold them, lists as Arrow tables."""

from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Optional, Sequence

import dlt
import pyarrow as pa
from dlt.common.configuration.container import Container
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.normalizers.utils import generate_dlt_ids
from dlt.common.schema.typing import TColumnSchema
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.extract import DltResource, DltSource
from dlt.extract.items_transform import ItemTransform

from .settings import Stream
from .values import storable

if TYPE_CHECKING:
    from .account import Account

Row = Dict[str, Any]


class ToTable(ItemTransform[Any, Dict[str, Any]]):
    """Turns pages of rows into what the destination can hold, those of lists into Arrow tables.

    dlt looks at each row and value of a list of dictionaries; on Arrow tables it works by column.
    A page with lists in its rows, or anything that the schema does not foresee (another field,
    another type, a number that does not fit), stays a list of dictionaries, from which dlt makes
    new tables and columns. Both ways lead to the same table.

    Args:
        stream (Stream): The stream.
        account (Account): Its account, so that reconcile.py finds it from the source.
        arrow (bool): Make Arrow tables where the destination takes them.
    """

    # behind the incremental, whose cursor is found in rows, and behind what users add
    placement_affinity: ClassVar[float] = 1.05

    def __init__(self, stream: Stream, account: "Account", arrow: bool) -> None:
        super().__init__(lambda item: item)
        self.account = account
        self._stream = stream
        # writing Delta, dlt looks for columns in the first file of a load: what others have more
        # would be lost, so that pages of both kinds must not meet there
        self._arrow = arrow and not account.delta

    def __call__(self, item: Any, meta: Any = None) -> Any:
        if not isinstance(item, list) or not item:
            return item
        schema = dlt.current.source_schema()
        if not self._arrow or not takes_parquet():
            return storable(schema, self._stream, item)
        try:
            load_id = dlt.current.load_package_state()["load_id"]
        except CurrentLoadPackageStateNotAvailable:
            # the source is looked at without a pipeline
            return item
        columns = schema.get_table_columns(self._stream.name)
        for column in columns.values():
            # Arrow says so of each column: unsaid, a schema that is frozen would refuse it
            column.setdefault("nullable", True)
        table = to_arrow(item, columns)
        if table is None:
            return storable(schema, self._stream, item)
        # what dlt would add to rows by itself
        ids = pa.array(generate_dlt_ids(len(item)), pa.string())
        loads = pa.repeat(pa.scalar(load_id), len(item))
        return table.append_column(_required("_dlt_load_id"), loads).append_column(
            _required("_dlt_id"), ids
        )


def steps_of(resource: DltResource) -> List[Any]:
    """What the rows of a resource pass through, for which dlt has no public name."""
    return list(resource._pipe.steps)


def account_of(source: DltSource) -> "Account":
    """The account that a `harvest_source` reads."""
    steps = [step for resource in source.resources.values() for step in steps_of(resource)]
    return next(step.account for step in steps if isinstance(step, ToTable))


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
    objects = {name.rpartition("__")[0] for name in declared} - {""}
    try:
        found = _columns(rows)
        if any("__" in name for name in found):
            # it could be taken for a field of an object
            return None
        for parent in objects & found.keys():
            if not all(value is None or isinstance(value, dict) for value in found[parent]):
                # a column beside which values of another type were put, such as hours__v_text
                continue
            fields = _columns(found.pop(parent))
            found.update({f"{parent}__{name}": values for name, values in fields.items()})
        if not found.keys() <= declared.keys():
            return None
        arrays = {}
        for name, column in declared.items():
            arrays[name] = _array(found.get(name, [None] * len(rows)), column)
            if arrays[name].null_count and not column.get("nullable", True):
                return None
    except (pa.ArrowException, ArithmeticError, AttributeError, TypeError, ValueError):
        return None
    schema = pa.schema(
        pa.field(name, arrays[name].type, nullable=column.get("nullable", True))
        for name, column in declared.items()
    )
    return pa.Table.from_arrays(list(arrays.values()), schema=schema)


def _columns(rows: Sequence[Optional[Row]]) -> Dict[str, Sequence[Any]]:
    """The values of each field, one for each row."""
    names = next((list(row) for row in rows if row), [])
    nothing = dict.fromkeys(names)
    whole = [nothing if row is None else row for row in rows]
    if all(list(row) == names for row in whole):
        # as Harvest writes them: no need to look up each value by its name
        return dict(zip(names, zip(*map(dict.values, whole), strict=True), strict=True))
    every = dict.fromkeys(name for row in whole for name in row)
    return {name: [row.get(name) for row in whole] for name in every}


def _required(name: str) -> pa.Field:
    return pa.field(name, pa.string(), nullable=False)


def _array(values: Sequence[Any], column: TColumnSchema) -> pa.Array:
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


# by name: `dlt init` imports the source where pyarrow may not be installed yet
_TYPES = {"bool": "bool", "text": "string", "double": "double"}
