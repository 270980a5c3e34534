"""The last step of each resource: rows that can be stored, or Arrow tables."""

from datetime import datetime, timezone  # noqa: I251
from typing import Any, ClassVar, Dict, Iterator

import dlt
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable
from dlt.extract.items_transform import ItemTransform

from ..settings import Stream
from ..typing import Row, Rows
from .context import Run
from .dlt_internals import takes_parquet
from .values import storable


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


def rows_or_table(run: Run, stream: Stream, rows: Rows) -> Iterator[Any]:
    """Yield rows as dlt should get them, or create the table if there is none yet."""
    if rows:
        yield rows
    state = run.state_of(stream.name)
    if not state.get("created"):
        state["created"] = True
        # beside what dlt forgets of a resource whose table is dropped: it is missing
        # then
        created = run.state.setdefault("created", [])
        if stream.name not in created:
            created.append(stream.name)
        yield dlt.mark.materialize_table_schema()


def tombstone(stream: Stream, values: Row) -> Row:
    """Return a row that is not stored, and removes all rows with its merge key."""
    blank = dict.fromkeys(stream.key, None if stream.report else 0)
    return {**blank, **values, "deleted_at": datetime.now(timezone.utc)}


class ToTable(ItemTransform[Any, Dict[str, Any]]):
    """Turns pages of rows into what the destination can hold, lists into Arrow tables.

    dlt looks at each row and value of a list of dictionaries; on Arrow tables it works
    by column. A page with lists in its rows, or with a value that contradicts the type
    of its column, stays a list of dictionaries. Both ways lead to the same table.

    Args:
        stream (Stream): The stream.
        arrow (bool): Make Arrow tables where the destination takes them.
    """

    # behind the incremental, whose cursor is found in rows, and behind what users add
    placement_affinity: ClassVar[float] = 1.05

    def __init__(self, stream: Stream, arrow: bool) -> None:
        super().__init__(lambda item: item)
        self._stream = stream
        self._arrow = arrow

    def __call__(self, item: Any, meta: Any = None) -> Any:
        """Return a page as a table, or as rows that can be stored."""
        if not isinstance(item, list) or not item:
            return item
        schema = dlt.current.source_schema()
        if self._arrow and takes_parquet():
            # late: `dlt init` imports the source where pyarrow may be missing yet
            from .arrow import ByRows, to_arrow, with_ids

            try:
                load_id = dlt.current.load_package_state()["load_id"]
                return with_ids(to_arrow(item, schema, self._stream), load_id)
            except ByRows:
                pass
            except CurrentLoadPackageStateNotAvailable:
                # the source is looked at without a pipeline
                return item
        return storable(schema, self._stream, item)
