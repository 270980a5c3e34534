"""What a destination holds, read back with `pipeline.dataset()`."""

from collections import defaultdict
from contextlib import suppress
from datetime import date, datetime, timezone  # noqa: I251
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

import dlt
from dlt.common import Decimal
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema.typing import TColumnSchema
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from dlt.destinations.sql_client import WithSqlClient

from .client import HarvestError
from .settings import STREAMS, Stream
from .values import SCALE

Row = Dict[str, Any]
Key = Tuple[Any, ...]
"""The values of a stream's key columns."""

AMOUNTS = {
    "time_entries": "rounded_hours",
    "expenses": "total_cost",
    "invoices": "amount",
    "estimates": "amount",
}
"""What is summed up of a stream."""


class Figures(NamedTuple):
    """What is counted of some time entries or expenses.

    Attributes:
        rows (int): How many.
        billed (int): How many of them are on an invoice.
        amount (Decimal): Their rounded hours, or their cost.
    """

    rows: int = 0
    billed: int = 0
    amount: Decimal = Decimal(0)


class Held:
    """The tables of the streams, without the rows that are marked as deleted.

    Args:
        pipeline (dlt.Pipeline): A pipeline that has loaded.
    """

    def __init__(self, pipeline: dlt.Pipeline) -> None:
        self._schema = pipeline.schemas["harvest"]
        self._dataset = pipeline.dataset(schema=self._schema)
        self._viewed: Set[str] = set()
        with pipeline.destination_client(self._schema.name) as client:
            self.in_files = isinstance(client, FilesystemClient)
            if not isinstance(client, WithSqlClient):
                raise HarvestError(
                    f"{pipeline.dataset_name} cannot be compared with Harvest, since dlt reads"
                    " nothing back from such a destination: --no-reconcile leaves that out."
                )
        tables = self._schema.tables.values()
        delta = any(table.get("table_format") == "delta" for table in tables)
        # plain files, of which the newest version of each row counts
        self.appends = self.in_files and not delta
        self._counts: Dict[str, Optional[int]] = {}
        self._lists: Dict[str, Dict[str, str]] = defaultdict(dict)
        for name, table in self._schema.tables.items():
            if parent := table.get("parent"):
                self._lists[parent][name[len(parent) + 2 :]] = name

    def __enter__(self) -> "Held":
        self._counts.clear()
        self._dataset.__enter__()
        self._viewed.clear()
        return self

    def __exit__(self, *error: Any) -> None:
        self._dataset.__exit__(*error)

    def name(self, table: str) -> str:
        """The name of a table in SQL."""
        if self.in_files and table not in self._viewed:
            self._viewed.add(table)
            self._view(table)
        return f'"{table}"' if self.in_files else self._sql.make_qualified_table_name(table)

    def query(self, sql: str) -> List[Tuple[Any, ...]]:
        """The rows that a query gives."""
        if self.in_files:
            return [*self._sql.native_connection.execute(sql).fetchall()]
        # not dataset.query(): dlt would take a tenth of a second to make sense of each
        with self._sql.execute_query(sql) as cursor:
            return [*cursor.fetchall()]

    @property
    def _sql(self) -> Any:
        return self._dataset.sql_client

    def has_lists(self, stream: str) -> bool:
        """Whether its rows have lists, which are tables of their own."""
        return bool(self._lists[stream])

    def _view(self, name: str) -> None:
        """Shows a table in files as it would be in a database.

        Of plain files that is the newest version of each row. Delta tables are shown by the
        package that wrote them, since DuckDB would fetch an extension from the network.
        """
        files = self._sql.remote_client
        table = files.prepare_load_table(name)
        if table.get("table_format") == "delta":
            try:
                delta = files.load_open_table("delta", name)
            except FileNotFoundError:
                raise DestinationUndefinedEntity(name) from None
            self._sql.native_connection.register(name, delta.to_pyarrow_dataset())
            return
        _, select = self._sql.create_view_select(table, self._schema)
        if name in STREAMS and STREAMS[name].kind != "whole":
            version = ", ".join(merge_key(STREAMS[name]))
            select = (
                f"SELECT * FROM ({select})"
                f" QUALIFY _dlt_load_id = max(_dlt_load_id) OVER (PARTITION BY {version})"
            )
        self._sql.native_connection.execute(f'CREATE TEMP VIEW "{name}" AS {select}')

    def count(self, stream: str) -> Optional[int]:
        """How many rows there are; None where there is no such table."""
        if stream not in self._counts:
            self._counts[stream] = None
            with suppress(DestinationUndefinedEntity):
                rows = self.query(f"SELECT COUNT(*) FROM {self._from(stream)}")
                self._counts[stream] = int(rows[0][0])
        return self._counts[stream]

    def amount(self, stream: str) -> Decimal:
        """The sum of what `AMOUNTS` names."""
        rows = self.query(f"SELECT SUM(t.{AMOUNTS[stream]}) FROM {self._from(stream)}")
        return Decimal(rows[0][0] or 0)

    def keys(self, stream: Stream, condition: str = "") -> Set[Key]:
        """The keys of all rows, or of those that meet a condition on the table `t`."""
        if not stream.key:
            return {()} if self.count(stream.name) else set()
        names = ", ".join(f"t.{name}" for name in stream.key)
        rows = self.query(f"SELECT {names} FROM {self._from(stream.name, condition)}")
        return {tuple(row) for row in rows}

    def ids(self, stream: str, column: str) -> Set[Any]:
        """The ids of other records that a column names."""
        named = self._from(stream, f"t.{column} IS NOT NULL")
        return {row[0] for row in self.query(f"SELECT DISTINCT t.{column} FROM {named}")}

    def days(self, stream: str) -> Dict[date, Figures]:
        """What is counted of time entries or expenses, by `spent_date`."""
        found = self.query(
            "SELECT t.spent_date, COUNT(*), SUM(CASE WHEN t.is_billed THEN 1 ELSE 0 END),"
            f" SUM(t.{AMOUNTS[stream]}) FROM {self._from(stream)} GROUP BY t.spent_date"
        )
        return {day: Figures(n, int(b), Decimal(a or 0)) for day, n, b, a in found}

    def rows(self, stream: Stream, keys: Iterable[Key]) -> List[Tuple[Key, Row]]:
        """Rows by their keys, with their lists and objects as Harvest has them."""
        keys = set(keys)
        if not keys:
            return []
        wanted = _one_of(stream.key, keys)
        found = self._select(stream.name, self._from(stream.name, wanted))
        below: Dict[str, Dict[str, List[Any]]] = {}
        for field, name in self._lists[stream.name].items() if found else ():
            joined = f"{self.name(name)} i JOIN {self.name(stream.name)} t"
            order = "i._dlt_parent_id, i._dlt_list_idx"
            source = f"{joined} ON i._dlt_parent_id = t._dlt_id WHERE {wanted} ORDER BY {order}"
            below[field] = defaultdict(list)
            for item in self._select(name, source, "i"):
                own = _own(item)
                value = own["value"] if own.keys() == {"value"} else _nested(own)
                below[field][item["_dlt_parent_id"]].append(value)
        rows = []
        for row in found:
            key = tuple(row[name] for name in stream.key)
            own = _nested(_own(row))
            own.update((name, lists[row["_dlt_id"]]) for name, lists in below.items())
            # a condition on each of two columns lets other pairs pass
            if key in keys:
                rows.append((key, own))
        return rows

    def table(self, stream: str) -> List[Row]:
        """All rows of a table, in its own columns."""
        return [_own(row) for row in self._select(stream, self._from(stream))]

    def _from(self, stream: str, condition: str = "") -> str:
        marked = "deleted_at" in self._schema.get_table_columns(stream)
        alive = "t.deleted_at IS NULL" if marked else ""
        where = " AND ".join(part for part in (alive, condition) if part)
        return f"{self.name(stream)} t" + (f" WHERE {where}" if where else "")

    def _select(self, table: str, source: str, alias: str = "t") -> List[Row]:
        columns = list(self._schema.get_table_columns(table))
        names = ", ".join(f"{alias}.{name}" for name in columns)
        rows = self.query(f"SELECT {names} FROM {source}")
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def comparable(self, stream: Stream, row: Row) -> Row:
        """The values of a row of Harvest or of `rows`, in a form that both have in common.

        Names of other records are left out: Harvest does not say when they change, and their ids
        are the truth. So are the hours of an entry whose timer runs, which grow all the time.
        """
        leave_out = {"deleted_at", stream.parent_key if stream.parent else ""}
        if row.get("is_running"):
            leave_out |= {"hours", "hours_without_timer", "rounded_hours"}
        found = self._values(stream.name, row, leave_out)
        for field, name in self._lists[stream.name].items():
            found[field] = [
                self._values(name, item if isinstance(item, dict) else {"value": item}, set())
                for item in row.get(field) or []
            ]
        return found

    def _values(self, table: str, row: Row, leave_out: Set[str]) -> Row:
        return {
            name: _plain(_at(row, name), column)
            for name, column in self._schema.get_table_columns(table).items()
            if name[:4] != "_dlt"
            and name not in leave_out
            and ("__" not in name or name.endswith("__id"))
        }


def merge_key(stream: Stream) -> Tuple[str, ...]:
    """The columns whose rows replace each other as a set."""
    if stream.kind == "report":
        return ("period_start", "period_end")
    return (stream.parent_key,) if stream.parent else stream.key


def _own(row: Row) -> Row:
    """A row without the columns that dlt added."""
    return {name: value for name, value in row.items() if name[:4] != "_dlt"}


def _one_of(names: Sequence[str], keys: Iterable[Key]) -> str:
    """A condition that holds for the rows with these keys, which are numbers."""
    return " AND ".join(
        f"t.{name} IN ({', '.join(str(value) for value in set(values))})"
        for name, values in zip(names, zip(*keys, strict=True), strict=False)
    )


def _nested(row: Row) -> Row:
    """`client__id` as `id` of `client`."""
    nested: Row = {}
    for name, value in row.items():
        *parents, last = name.split("__")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return nested


def _at(row: Row, column: str) -> Any:
    value: Any = row
    for name in column.split("__"):
        value = value.get(name) if isinstance(value, dict) else None
    # an object where a value belongs is one that did not fit: it is in a column of its own
    return None if isinstance(value, (dict, list)) else value


def _plain(value: Any, column: TColumnSchema) -> Any:
    kind = column.get("data_type")
    if value is None:
        return None
    if kind in ("decimal", "double") and isinstance(value, (int, float, Decimal)):
        return round(Decimal(str(value)), SCALE)
    if kind == "timestamp":
        return moment(value)
    return str(value) if kind in ("date", "text") else value


def moment(value: Any) -> Any:
    """A date-time of Harvest, or of a destination that forgot the time zone."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            return value
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
