"""Statements on their way to a destination, and the answers."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext, suppress
from typing import Any, Callable, Dict, Iterator, List, Sequence, Set, Tuple, TypeVar

import dlt
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from dlt.destinations.sql_client import WithSqlClient
from dlt.extract import DltSource
from sqlglot import exp

from ..settings import STREAMS
from . import sql

BATCH = 10_000
"""Rows that are fetched at once."""

T = TypeVar("T")
Q = TypeVar("Q", bound="Queries")


class Unreadable(Exception):
    """A destination cannot be read, for a reason that the message gives."""


class Queries:
    """Queries of a destination by dlt's SQL client, within `with`, one after the other.

    Args:
        pipeline (dlt.Pipeline): A pipeline that has loaded.
        source (DltSource): The `harvest_source` that it loads.

    Attributes:
        schema (Schema): What dlt knows of the tables.
        tables (Dict[str, str]): The table of each stream, which users may have renamed.
            A stream whose rows go to several tables is not among them.
        in_files (bool): They are files.
        appends (bool): They are plain files, of which the newest version of each row
            counts.

    Raises:
        Unreadable: dlt cannot read such a destination.
    """

    def __init__(self, pipeline: dlt.Pipeline, source: DltSource) -> None:
        self.schema = pipeline.schemas[source.schema.name]
        self.tables = tables_of(source)
        self.streams = {table: name for name, table in self.tables.items()}
        self._viewed: Set[str] = set()
        self._is_connected = False
        # once, since dlt looks up all settings with each client that it makes
        client: Any = pipeline.destination_client(source.schema.name)
        self.in_files = isinstance(client, FilesystemClient)
        if not isinstance(client, WithSqlClient):
            raise Unreadable("dlt reads nothing back from such a destination")
        self._client: Any = client
        self._sql: Any = client.sql_client
        able = self._sql.capabilities
        self._dialect = able.sqlglot_dialect
        self._fold = able.casefold_identifier
        formats = {table.get("table_format") for table in self.schema.tables.values()}
        self.appends = self.in_files and "delta" not in formats

    def __enter__(self: Q) -> Q:
        self._thread = ThreadPoolExecutor(1)
        return self

    def __exit__(self, *error: Any) -> None:
        self._thread.shutdown()
        self.disconnect()

    def connect(self) -> None:
        """Open the connection, unless it is open."""
        if not self._is_connected:
            self._viewed.clear()
            self._sql.open_connection()
            self._is_connected = True

    def disconnect(self) -> None:
        """Close the connection. The next statement opens another one."""
        self._is_connected = False
        with suppress(Exception):
            # a connection that the server has closed cannot be closed once more
            self._sql.close_connection()

    async def wait(self, work: Callable[..., T], *args: Any) -> T:
        """Return what work gives that queries the destination, in a thread of its own.

        So a slow query does not hold up requests, nor what they wait for.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, *args)

    def columns_there(self) -> Dict[str, Set[str]]:
        """Return the columns of all tables that are there, in small letters."""
        self.connect()
        tables = self._client.get_storage_tables([*self.schema.tables])
        return {name: {*map(str.lower, has)} for name, has in tables}

    def table(self, table: str) -> exp.Table:
        """Return a table for a statement, as `t`.

        Raises:
            DestinationUndefinedEntity: There are no files of it.
        """
        if not self.in_files:
            return sql.table_of(
                self._sql.make_qualified_table_name_path(table, quote=False)
            )
        self.connect()
        if table not in self._viewed:
            self._view(table)
            self._viewed.add(table)
        return sql.table_of([table])

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
        stream = STREAMS.get(self.streams.get(name, ""))
        versions: Sequence[str] = ()
        if stream and stream.kind != "whole":
            versions = stream.merge_key or stream.key
        self._sql.native_connection.execute(sql.newest_rows(name, select, versions))

    def query(self, statement: exp.Query) -> List[Tuple[Any, ...]]:
        """Return the rows that a statement gives."""
        return [row for rows in self.batches(statement) for row in rows]

    def batches(self, statement: exp.Query) -> Iterator[List[Tuple[Any, ...]]]:
        """Yield the rows that a statement gives, batch by batch.

        A server may have closed the connection while Harvest was slow: it is opened
        anew.

        Raises:
            Unreadable: The destination does not understand it, or does not answer.
        """
        text = self.text(statement)
        with ExitStack() as open_cursor:
            try:
                cursor = open_cursor.enter_context(self._cursor(text))
            except DestinationUndefinedEntity:
                raise
            except Exception:
                self.disconnect()
                cursor = self._second_try(text, open_cursor)
            while rows := cursor.fetchmany(BATCH):
                yield [tuple(row) for row in rows]

    def _second_try(self, text: str, open_cursor: ExitStack) -> Any:
        try:
            return open_cursor.enter_context(self._cursor(text))
        except Exception as error:
            first = str(error).strip().partition("\n")[0]
            raise Unreadable(f"the destination says: {first[:300]}") from error

    def text(self, statement: exp.Query) -> str:
        """Return a statement in the SQL of the destination."""
        folded = statement.copy()
        for each in folded.find_all(exp.Identifier):
            # the parts of a table's name come from dlt as they must be
            if each.args.get("quoted") and not isinstance(each.parent, exp.Table):
                each.set("this", self._fold(each.this))
        return folded.sql(dialect=self._dialect)

    def _cursor(self, text: str) -> Any:
        self.connect()
        if self.in_files:
            return nullcontext(self._sql.native_connection.execute(text))
        # not dataset.query(): dlt would take a tenth of a second to make sense of each
        return self._sql.execute_query(text)


def tables_of(source: DltSource) -> Dict[str, str]:
    """Return the table of each stream, unless the rows tell which table they go to."""
    return {
        name: str(resource.table_name)
        for name, resource in source.resources.items()
        if name in STREAMS and not callable(resource.table_name)
    }
