"""The tables of a destination: what is there, and what is not."""

from contextlib import ExitStack, nullcontext, suppress
from datetime import date  # noqa: I251
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

import dlt
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema.typing import TTableSchemaColumns
from dlt.common.schema.utils import has_table_seen_data
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from dlt.destinations.sql_client import WithSqlClient
from dlt.extract import DltResource, DltSource

from ..exceptions import HarvestError
from ..settings import STREAMS
from ..typing import Key, Row

BATCH = 10_000
"""Rows that are fetched at once."""


class StoredTables:
    """The tables of the streams, without the rows that are marked as deleted.

    They are read by dlt's SQL client, within `with`.

    Args:
        pipeline (dlt.Pipeline): A pipeline that has loaded.
        schema_name (str): The schema of its `harvest_source`.

    Raises:
        HarvestError: dlt cannot read such a destination.

    Examples:
        >>> with StoredTables(pipeline, "harvest") as stored:
        ...     stored.count("time_entries")
    """

    def __init__(self, pipeline: dlt.Pipeline, schema_name: str) -> None:
        self.schema = pipeline.schemas[schema_name]
        self._pipeline = pipeline
        self._viewed: Set[str] = set()
        self._counts: Dict[str, Optional[int]] = {}
        self._there: Optional[Dict[str, Set[str]]] = None
        # once, since dlt looks up all settings with each client that it makes
        client: Any = pipeline.destination_client(schema_name)
        self.in_files = isinstance(client, FilesystemClient)
        if not isinstance(client, WithSqlClient):
            raise HarvestError(
                f"{pipeline.dataset_name} cannot be compared with Harvest, since"
                " dlt reads nothing back from such a destination: load without"
                " comparing."
            )
        self._client: Any = client
        self._sql: Any = client.sql_client
        formats = {table.get("table_format") for table in self.schema.tables.values()}
        # plain files, of which the newest version of each row counts
        self.appends = self.in_files and "delta" not in formats

    def __enter__(self) -> "StoredTables":
        self._counts.clear()
        self._open()
        # files do not say which columns a table has
        self._there = None
        if not self.in_files:
            tables = self._client.get_storage_tables([*self.schema.tables])
            self._there = {name: {*map(str.lower, has)} for name, has in tables}
        return self

    def _open(self) -> None:
        self._viewed.clear()
        self._sql.open_connection()

    def __exit__(self, *error: Any) -> None:
        with suppress(Exception):
            # a connection that the server has closed cannot be closed once more
            self._sql.close_connection()

    # ---------------------------------------------------------------- tables

    def columns(self, table: str) -> TTableSchemaColumns:
        """Return the columns that a table has; none if there is no such table."""
        declared = self.schema.tables.get(table, {}).get("columns", {})
        if self._there is None:
            return declared
        there = self._there.get(table, set())
        return {name: each for name, each in declared.items() if name.lower() in there}

    def has(self, table: str, *columns: str) -> bool:
        """Return whether there is such a table with such columns."""
        return self.count(table) is not None and {*columns} <= {*self.columns(table)}

    def lists_of(self, table: str) -> List[str]:
        """Return the tables of the lists in the rows of a table, not deeper ones."""
        tables = self.schema.tables.items()
        return [name for name, each in tables if each.get("parent") == table]

    def absent(self, table: str) -> List[str]:
        """Return the tables and columns of a stream that were created and dropped.

        >>> stored.absent("invoices")
        ['invoices__line_items', 'invoices.notes']
        """
        below = [name for each in self.lists_of(table) for name in self.absent(each)]
        declared = self.schema.tables.get(table)
        if self._there is None or not declared or not has_table_seen_data(declared):
            return below
        columns = declared["columns"]
        lost = columns.keys() - self.columns(table).keys()
        if lost == columns.keys():
            return [table, *below]
        # a column without a type has had no value yet
        typed = sorted(name for name in lost if columns[name].get("data_type"))
        return [*(f"{table}.{name}" for name in typed), *below]

    def restore(self, absent: Sequence[str]) -> None:
        """Create tables and columns anew that somebody dropped, without values."""
        tables = sorted({name.partition(".")[0] for name in absent})
        with self._pipeline.destination_client(self.schema.name) as client:
            client.update_stored_schema(only_tables=tables, force=True)

    def write(self, source: DltSource, resources: Sequence[DltResource]) -> None:
        """Run the pipeline with resources in place of those of its source."""
        if resources:
            # files are of one form for all loads
            form: Any = "parquet" if self.in_files else None
            instead = DltSource(source.schema, source.section, [*resources])
            self._pipeline.run(instead, loader_file_format=form)

    # ----------------------------------------------------------------- values

    def count(self, table: str) -> Optional[int]:
        """Return how many rows there are; None if there is no such table."""
        if table not in self._counts:
            self._counts[table] = None
            with suppress(DestinationUndefinedEntity):
                rows = self.query(f"SELECT COUNT(*) FROM {self.source(table)}")
                self._counts[table] = int(rows[0][0])
        return self._counts[table]

    def keys(
        self, table: str, columns: Sequence[str], condition: str = "", least: int = 1
    ) -> Set[Key]:
        """Return what some columns hold; nothing if there are no such columns.

        Args:
            table (str): Name of the table.
            columns (Sequence[str]): The columns.
            condition (str): A condition on the table `t`.
            least (int): Rows that must have the same there.
        """
        if not self.has(table, *columns):
            return set()
        names = ", ".join(f"t.{name}" for name in columns)
        found = self.query(
            f"SELECT {names} FROM {self.source(table, condition)}"
            f" GROUP BY {names} HAVING COUNT(*) >= {least}"
        )
        return {tuple(row) for row in found} - {(None,)}

    def rows(self, table: str, condition: str = "") -> List[Row]:
        """Return rows of a table, or those that meet a condition on `t`, by column."""
        if self.count(table) is None:
            return []
        columns = [*self.columns(table)]
        names = ", ".join(f"t.{self.quoted(name)}" for name in columns)
        rows = self.query(f"SELECT {names} FROM {self.source(table, condition)}")
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def rows_below(self, table: str, condition: str) -> Iterator[Tuple[str, Row]]:
        """Yield the rows of the lists in rows of a table, each behind what it is in."""
        inside = f"SELECT t._dlt_id FROM {self.source(table, condition)}"
        within = f"t._dlt_parent_id IN ({inside})"
        for name in filter(self.count, self.lists_of(table)):
            rows = self.rows(name, within)
            for row in sorted(rows, key=lambda row: int(row["_dlt_list_idx"])):
                yield name, row
            yield from self.rows_below(name, within)

    # -------------------------------------------------------------------- SQL

    def source(self, table: str, condition: str = "") -> str:
        """Return what stands behind FROM for the rows not marked as deleted."""
        conditions = [condition] if condition else []
        if table in STREAMS and "deleted_at" in self.columns(table):
            conditions.append("t.deleted_at IS NULL")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"{self.name(table)} t{where}"

    def name(self, table: str) -> str:
        """Return the name of a table in SQL."""
        if not self.in_files:
            return str(self._sql.make_qualified_table_name(table))
        if table not in self._viewed:
            self._view(table)
            self._viewed.add(table)
        return f'"{table}"'

    def _view(self, name: str) -> None:
        """Show a table in files as it would be in a database.

        Of plain files that is the newest version of each row. Delta tables are shown by
        the package that wrote them, for DuckDB would fetch an extension from the
        network.
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
        view = f'CREATE OR REPLACE TEMP VIEW "{name}" AS {select}'
        self._sql.native_connection.execute(view)

    def quoted(self, column: str) -> str:
        """Return the name of a column in SQL."""
        return str(self._sql.escape_column_name(column))

    def query(self, sql: str) -> List[Tuple[Any, ...]]:
        """Return the rows that a query gives."""
        return [row for rows in self.batches(sql) for row in rows]

    def batches(self, sql: str) -> Iterator[List[Tuple[Any, ...]]]:
        """Yield the rows that a query gives, batch by batch.

        A server may have closed the connection while Harvest was slow: it is opened
        anew.
        """
        with ExitStack() as open_cursor:
            try:
                cursor = open_cursor.enter_context(self._cursor(sql))
            except DestinationUndefinedEntity:
                raise
            except Exception:
                self.__exit__()
                self._open()
                cursor = open_cursor.enter_context(self._cursor(sql))
            while rows := cursor.fetchmany(BATCH):
                yield rows

    def _cursor(self, sql: str) -> Any:
        if self.in_files:
            return nullcontext(self._sql.native_connection.execute(sql))
        # not dataset.query(): dlt would take a tenth of a second to make sense of each
        return self._sql.execute_query(sql)


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
