"""Delta Lake on dlt's filesystem destination, where merging is less than it is in a database.

dlt merges a Delta table by its primary key, and each table by itself: it knows no merge key, and
of a list that has become shorter it keeps the items that were at its end. So what has lists is
replaced as a whole, a report within the windows that were read, and everything else by key.
"""

from typing import Any, Dict, List, Sequence

import dlt
from dlt.extract import DltResource

from .settings import STREAMS, Stream

Row = Dict[str, Any]


def adapt(stream: Stream, resource: DltResource) -> DltResource:
    """Gives a resource the hints that its table needs as a Delta table."""
    resource.apply_hints(table_format="delta")
    if stream.name in {child.parent for child in STREAMS.values()}:
        # users, invoices and estimates have lists, and are few enough to be read by each run
        resource.apply_hints(write_disposition="replace")
    elif stream.kind == "child":
        # dlt refuses this hint on a Delta table with lists
        resource.apply_hints(columns={"deleted_at": {"hard_delete": False}})
    elif stream.kind == "report":
        resource.apply_hints(
            primary_key=stream.key,
            columns={name: {"nullable": True} for name in stream.key if name != "period_start"},
        )
    return resource


def replace_windows(stream: Stream, windows: Sequence[Sequence[Any]]) -> None:
    """Has the rows of this run replace those of the same windows of a report."""
    resource = dlt.current.source().resources[stream.name]
    if windows and resource.write_disposition != "replace":
        scope = " OR ".join(
            f"({{table}}.period_start = DATE '{start}' AND {{table}}.period_end = DATE '{end}')"
            for start, end in windows
        )
        resource.apply_hints(
            write_disposition={
                "disposition": "merge",
                "strategy": "cdc",
                "destination_scope": scope,
            }
        )


def replace_children(stream: Stream, everything: bool) -> None:
    """Has the children of all parents replace the table, those of some be merged into it."""
    resource = dlt.current.source().resources[stream.name]
    resource.apply_hints(write_disposition="replace" if everything else "merge")


def named(stream: Stream, rows: List[Row]) -> List[Row]:
    """Rows with the same `_dlt_id` in every run, by which dlt merges what is in their lists."""
    return [{**row, "_dlt_id": "-".join(str(row[name]) for name in stream.key)} for row in rows]
