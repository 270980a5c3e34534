"""The tables of a destination, read back with `pipeline.dataset()`."""

from array import array
from contextlib import ExitStack, nullcontext, suppress
from datetime import date  # noqa: I251
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

import dlt
from dlt.common import Decimal
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema.typing import TTableSchemaColumns
from dlt.common.schema.utils import has_table_seen_data
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from dlt.destinations.sql_client import WithSqlClient

from ..exceptions import HarvestError
from ..settings import STREAMS, Stream
from ..typing import Key, Row
from .segments import Figures
from .values import as_day, as_decimal

BATCH = 10_000
"""Rows that are fetched at once."""
COUNTED = {
    "billed": ("is_billed", "t.is_billed", {"is_billed": "true"}),
    **{
        status: (
            "approval_status",
            f"t.approval_status = '{status}'",
            {"approval_status": status},
        )
        for status in ("approved", "submitted")
    },
}
"""What is counted besides all rows: its column, a condition, and Harvest's filter."""


class StoredTables:
    """The tables of the streams, without the rows that are marked as deleted.

    Args:
        pipeline (dlt.Pipeline): A pipeline that has loaded.
        schema_name (str): The schema of its `harvest_source`.

    Raises:
        HarvestError: dlt cannot read such a destination, or its columns have other names.

    Examples:
        >>> with StoredTables(pipeline, "harvest") as stored:
        ...     stored.count("time_entries")
    """

    def __init__(self, pipeline: dlt.Pipeline, schema_name: str) -> None:
        self.schema = pipeline.schemas[schema_name]
        self._pipeline = pipeline
        self._dataset = pipeline.dataset(schema=self.schema)
        self._viewed: Set[str] = set()
        self._counts: Dict[str, Optional[int]] = {}
        self._there: Optional[Dict[str, Set[str]]] = None
        if self.schema.naming.make_path("client", "id") != "client__id":
            naming = self.schema.naming.name()
            raise HarvestError(
                f"The tables of {pipeline.dataset_name} are named by the convention"
                f" {naming} (SCHEMA__NAMING), and only those of snake_case, dlt's default,"
                " can be compared with Harvest."
            )
        with pipeline.destination_client(schema_name) as client:
            self.in_files = isinstance(client, FilesystemClient)
            if not isinstance(client, WithSqlClient):
                raise HarvestError(
                    f"{pipeline.dataset_name} cannot be compared with Harvest, since dlt"
                    " reads nothing back from such a destination: load without comparing."
                )
        formats = {table.get("table_format") for table in self.schema.tables.values()}
        # plain files, of which the newest version of each row counts
        self.appends = self.in_files and "delta" not in formats

    def __enter__(self) -> "StoredTables":
        self._counts.clear()
        self._viewed.clear()
        self._there = self._look()
        self._dataset.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        with suppress(Exception):
            # a connection that the server has closed cannot be closed once more
            self._dataset.__exit__(*error)

    def _look(self) -> Optional[Dict[str, Set[str]]]:
        """Return the columns that each table has; None for files, which do not say."""
        with self._pipeline.destination_client(self.schema.name) as client:
            if self.in_files or not hasattr(client, "get_storage_tables"):
                return None
            tables = dict(client.get_storage_tables([*self.schema.tables]))
        return {name: {each.lower() for each in tables[name]} for name in tables}

    @property
    def _sql(self) -> Any:
        return self._dataset.sql_client

    # ---------------------------------------------------------------- tables

    def columns(self, table: str) -> TTableSchemaColumns:
        """Return the columns of a table that are there; none if there is no such table."""
        declared = self.schema.tables.get(table, {}).get("columns", {})
        if self._there is None:
            return declared
        there = self._there.get(table, set())
        return {name: each for name, each in declared.items() if name.lower() in there}

    def has(self, table: str, *columns: str) -> bool:
        """Return whether there is such a table with such columns."""
        return self.count(table) is not None and self.columns(table).keys() >= set(
            columns
        )

    def lists_of(self, table: str) -> List[str]:
        """Return the tables of the lists in the rows of a table, at any depth."""
        below = [
            n for n, each in self.schema.tables.items() if each.get("parent") == table
        ]
        return [*below, *(name for each in below for name in self.lists_of(each))]

    def absent(self, stream: str) -> List[str]:
        """Return the tables and columns of a stream that were created and dropped.

        >>> stored.absent("invoices")
        ['invoices__line_items', 'invoices.notes']
        """
        found = []
        for name in (stream, *self.lists_of(stream)):
            table = self.schema.tables.get(name)
            if self._there is None or not table or not has_table_seen_data(table):
                continue
            lost = table["columns"].keys() - self.columns(name).keys()
            if lost < table["columns"].keys():
                # a column without a type has had no value yet
                lost = {
                    each for each in lost if table["columns"][each].get("data_type")
                }
                found += [f"{name}.{column}" for column in sorted(lost)]
            else:
                found.append(name)
        return found

    def restore(self, tables: Sequence[str]) -> None:
        """Create tables and columns anew that somebody dropped, without values."""
        with self._pipeline.destination_client(self.schema.name) as client:
            client.update_stored_schema(only_tables=tables, force=True)

    def name(self, table: str) -> str:
        """Return the name of a table in SQL."""
        if not self.in_files:
            name: str = self._sql.make_qualified_table_name(table)
            return name
        if table not in self._viewed:
            self._view(table)
            self._viewed.add(table)
        return f'"{table}"'

    def _view(self, name: str) -> None:
        """Show a table in files as it would be in a database.

        Of plain files that is the newest version of each row. Delta tables are shown by
        the package that wrote them, for DuckDB would fetch an extension from the network.
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
        _, select = self._sql.create_view_select(table, self.schema)
        stream = STREAMS.get(name)
        if stream and stream.kind != "whole":
            version = ", ".join(stream.merge_key or stream.key)
            select = (
                f"SELECT * FROM ({select}) QUALIFY _dlt_load_id"
                f" = max(_dlt_load_id) OVER (PARTITION BY {version})"
            )
        self._sql.native_connection.execute(f'CREATE TEMP VIEW "{name}" AS {select}')

    # --------------------------------------------------------------- queries

    def query(self, sql: str) -> List[Tuple[Any, ...]]:
        """Return the rows that a query gives."""
        return [row for rows in self._batches(sql) for row in rows]

    def _batches(self, sql: str) -> Iterator[List[Tuple[Any, ...]]]:
        """Yield the rows that a query gives, batch by batch.

        A server may have closed the connection while Harvest was slow: it is opened anew.
        """
        with ExitStack() as open_cursor:
            try:
                cursor = open_cursor.enter_context(self._cursor(sql))
            except DestinationUndefinedEntity:
                raise
            except Exception:
                self._connect_again()
                cursor = open_cursor.enter_context(self._cursor(sql))
            while rows := cursor.fetchmany(BATCH):
                yield rows

    def _cursor(self, sql: str) -> Any:
        if self.in_files:
            return nullcontext(self._sql.native_connection.execute(sql))
        # not dataset.query(): dlt would take a tenth of a second to make sense of each
        return self._sql.execute_query(sql)

    def _connect_again(self) -> None:
        self.__exit__()
        self._viewed.clear()
        self._dataset.__enter__()

    def count(self, table: str) -> Optional[int]:
        """Return how many rows there are; None if there is no such table."""
        if table not in self._counts:
            self._counts[table] = None
            with suppress(DestinationUndefinedEntity):
                rows = self.query(f"SELECT COUNT(*) FROM {self.source(table)}")
                self._counts[table] = int(rows[0][0])
        return self._counts[table]

    def amount(self, stream: Stream) -> Decimal:
        """Return the sum of what `Stream.amount` names."""
        rows = self.query(
            f"SELECT SUM(t.{stream.amount}) FROM {self.source(stream.name)}"
        )
        return as_decimal(rows[0][0])

    def keys(self, stream: Stream, condition: str = "") -> Set[Key]:
        """Return the keys of all rows, or of those that meet a condition on `t`."""
        if not stream.key:
            return {()} if self.count(stream.name) else set()
        if self.count(stream.name) is None:
            return set()
        names = ", ".join(f"t.{name}" for name in stream.key)
        sql = f"SELECT {names} FROM {self.source(stream.name, condition)}"
        return {tuple(row) for row in self.query(sql)}

    def twice(self, stream: Stream) -> Set[Key]:
        """Return the keys that are there more than once."""
        if not stream.key or self.count(stream.name) is None:
            return set()
        names = ", ".join(f"t.{name}" for name in stream.key)
        sql = f"SELECT {names} FROM {self.source(stream.name)}"
        rows = self.query(f"{sql} GROUP BY {names} HAVING COUNT(*) > 1")
        return {tuple(row) for row in rows}

    def ids_of(self, stream: Stream, condition: str = "") -> "array[int]":
        """Return the ids of all rows, or of some, in eight bytes each."""
        ids = array("q")
        if self.count(stream.name) is None:
            return ids
        sql = f"SELECT t.{stream.key[0]} FROM {self.source(stream.name, condition)}"
        for rows in self._batches(sql):
            ids.extend(row[0] for row in rows)
        return ids

    def ids(self, stream: str, column: str, condition: str = "") -> Set[Any]:
        """Return the ids of other records that a column names."""
        if not self.has(stream, column):
            return set()
        conditions = [f"t.{column} IS NOT NULL", *([condition] if condition else [])]
        named = self.source(stream, " AND ".join(conditions))
        return {
            row[0] for row in self.query(f"SELECT DISTINCT t.{column} FROM {named}")
        }

    def days(self, stream: Stream) -> Dict[date, Figures]:
        """Return what is counted and summed up of a dated stream, by day."""
        wanted = {"rows": "COUNT(*)", "amount": f"SUM(t.{stream.amount})"}
        for name, (column, condition, _) in COUNTED.items():
            if column in self.columns(stream.name):
                wanted[name] = f"SUM(CASE WHEN {condition} THEN 1 ELSE 0 END)"
        source = self.source(stream.name, f"t.{stream.dated} IS NOT NULL")
        rows = self.query(
            f"SELECT t.{stream.dated}, {', '.join(wanted.values())} FROM {source}"
            f" GROUP BY t.{stream.dated}"
        )
        found: Dict[date, Figures] = {}
        for day, *numbers in rows:
            key = as_day(day)
            assert key
            found[key] = dict(zip(wanted, map(as_decimal, numbers), strict=True))
        return found

    def select(self, table: str, condition: str = "") -> List[Row]:
        """Return rows of a table, or those that meet a condition on `t`, by column."""
        if self.count(table) is None:
            return []
        return self.rows_of(table, self.source(table, condition))

    def own_rows(self, table: str) -> List[Row]:
        """Return all rows of a table, without the columns that dlt added."""
        return [
            {name: value for name, value in row.items() if name[:4] != "_dlt"}
            for row in self.select(table)
        ]

    def rows_of(
        self, table: str, source: str, alias: str = "t", also: str = ""
    ) -> List[Row]:
        """Return the rows of a table that a part of a query behind FROM gives.

        Args:
            table (str): Name of the table.
            source (str): What stands behind FROM.
            alias (str): Name of the table in it.
            also (str): One more column, such as `t._dlt_id`.
        """
        columns = list(self.columns(table))
        quote = self._sql.escape_column_name
        names = [f"{alias}.{quote(name)}" for name in columns]
        if also:
            columns, names = [*columns, also], [*names, also]
        rows = self.query(f"SELECT {', '.join(names)} FROM {source}")
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def source(self, table: str, condition: str = "") -> str:
        """Return what stands behind FROM for the rows that are not marked as deleted."""
        alive = "t.deleted_at IS NULL" if "deleted_at" in self.columns(table) else ""
        where = " AND ".join(part for part in (alive, condition) if part)
        return f"{self.name(table)} t" + (f" WHERE {where}" if where else "")


def is_one_of(columns: Sequence[str], keys: Iterable[Key]) -> str:
    """Return a condition that holds for the rows with these keys.

    A condition on each of two columns lets other pairs pass, too.

    >>> is_one_of(["user_id", "id"], [(1, 5)])
    't.user_id IN (1) AND t.id IN (5)'
    """
    return " AND ".join(
        f"t.{name} IN ({', '.join(sorted({literal(value) for value in values}))})"
        for name, values in zip(columns, zip(*keys, strict=True), strict=False)
    )


def literal(value: Any) -> str:
    """Return a value in SQL: a whole number, or a text or date."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, date):
        return f"DATE '{value}'"
    text = str(value).replace("'", "''")
    return f"'{text}'"
