"""The connection to a destination, which reads it by dlt's SQL client."""

from contextlib import ExitStack, nullcontext, suppress
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

import dlt
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from dlt.destinations.sql_client import WithSqlClient

from ..exceptions import HarvestError
from ..settings import STREAMS

BATCH = 10_000
"""Rows that are fetched at once."""


class Connection:
    """The connection to a destination, open within `with`.

    Args:
        pipeline (dlt.Pipeline): A pipeline that has loaded.
        schema_name (str): The schema of its `harvest_source`.

    Raises:
        HarvestError: dlt cannot read such a destination.
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
        self._client = client
        self._sql: Any = client.sql_client
        formats = {table.get("table_format") for table in self.schema.tables.values()}
        # plain files, of which the newest version of each row counts
        self.appends = self.in_files and "delta" not in formats

    def __enter__(self) -> "Connection":
        self._counts.clear()
        self._open()
        self._there = self._look()
        return self

    def _open(self) -> None:
        self._viewed.clear()
        self._sql.open_connection()

    def __exit__(self, *error: Any) -> None:
        with suppress(Exception):
            # a connection that the server has closed cannot be closed once more
            self._sql.close_connection()

    def _look(self) -> Optional[Dict[str, Set[str]]]:
        """Return the columns that each table has; None for files, which do not say."""
        if self.in_files or not hasattr(self._client, "get_storage_tables"):
            return None
        tables = dict(self._client.get_storage_tables([*self.schema.tables]))
        return {name: {each.lower() for each in tables[name]} for name in tables}

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
        name: str = self._sql.escape_column_name(column)
        return name

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
