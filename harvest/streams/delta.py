"""Delta Lake on dlt's filesystem destination, where merging is less than in a database.

dlt merges a Delta table by its primary key, and each table on its own: it knows no
merge key, and of a list that has become shorter it keeps the items at the end. So a
table with lists is replaced as a whole, a report within its windows, and everything
else by key.
"""

from typing import Any, Sequence

from dlt.extract import DltResource

from ..settings import FAMILIES, Stream
from ..typing import Rows
from .values import value_at


def adapt(stream: Stream, resource: DltResource) -> DltResource:
    """Give a resource the hints that its table needs as a Delta table."""
    resource.apply_hints(table_format="delta")
    if stream.name in FAMILIES:
        # users, invoices and estimates have lists, and are few: each run reads them all
        resource.apply_hints(write_disposition="replace")
    elif stream.kind in ("child", "yearly"):
        # dlt refuses this hint on a Delta table with lists
        resource.apply_hints(
            primary_key=stream.key, columns={"deleted_at": {"hard_delete": False}}
        )
    elif stream.report:
        loose = [name for name in stream.key if name not in stream.merge_key]
        resource.apply_hints(
            primary_key=stream.key,
            columns={
                **{name: {"nullable": True} for name in loose},
                **{name: {"merge_key": False} for name in stream.merge_key},
            },
        )
    return resource


def replace_windows(resource: DltResource, windows: Sequence[Sequence[Any]]) -> None:
    """Have the rows of this run replace those of the same windows of a report."""
    if windows and resource.write_disposition != "replace":
        scope = " OR ".join(
            f"({{table}}.period_start = DATE '{start}'"
            f" AND {{table}}.period_end = DATE '{end}')"
            for start, end in windows
        )
        resource.apply_hints(
            write_disposition={
                "disposition": "merge",
                "strategy": "cdc",
                "destination_scope": scope,
            }
        )


def replace_children(resource: DltResource, everything: bool) -> None:
    """Have the children of all parents replace the table, or merge those of some."""
    resource.apply_hints(write_disposition="replace" if everything else "merge")


def identified(stream: Stream, rows: Rows) -> Rows:
    """Return rows with a `_dlt_id` that stays, by which dlt merges their lists."""
    return [
        {**row, "_dlt_id": "-".join(str(value_at(row, name)) for name in stream.key)}
        for row in rows
    ]
