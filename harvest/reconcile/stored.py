"""The tables of a destination: what is there, and what is not."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext, suppress
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Optional,
    Sequence,
    Set,
    Tuple,
    TypeVar,
)

import dlt
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema.typing import TTableSchemaColumns
from dlt.common.schema.utils import has_table_seen_data
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient
from dlt.destinations.sql_client import WithSqlClient
from dlt.extract import DltResource, DltSource
from sqlglot import exp

from ..settings import STREAMS
from ..typing import Key, Row
from . import sql

BATCH = 10_000
"""Rows that are fetched at once."""

T = TypeVar("T")


class Unreadable(Exception):
    """A destination cannot be read, for a reason that the message gives."""


class StoredTables:
    """The tables of the streams, without the rows that are marked as deleted.

    They are read by dlt's SQL client, within `with`, one query after the other.

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

    Examples:
        >>> with StoredTables(pipeline, harvest_source()) as stored:
        ...     stored.count("time_entries")
    """

    def __init__(self, pipeline: dlt.Pipeline, source: DltSource) -> None:
        self.schema = pipeline.schemas[source.schema.name]
        self.tables = tables_of(source)
        self._streams = {table: name for name, table in self.tables.items()}
        self._pipeline = pipeline
        self._viewed: Set[str] = set()
        self._counts: Optional[Dict[str, int]] = None
        self._there: Optional[Dict[str, Set[str]]] = None
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

    def __enter__(self) -> "StoredTables":
        self._counts = None
        self._thread = ThreadPoolExecutor(1)
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
        self._thread.shutdown()
        self._close()

    def _close(self) -> None:
        with suppress(Exception):
            # a connection that the server has closed cannot be closed once more
            self._sql.close_connection()

    async def wait(self, work: Callable[..., T], *args: Any) -> T:
        """Return what work gives that queries the destination, in a thread of its own.

        So a slow query does not hold up requests, nor what they wait for.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, *args)

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
        if self._counts is None:
            self._counts = self._count_all()
        return self._counts.get(table)

    def _count_all(self) -> Dict[str, int]:
        """Count the rows of all tables that are there, in one statement."""
        found = {}
        for name in self.schema.data_table_names():
            if self._there is None or self._there.get(name):
                with suppress(DestinationUndefinedEntity):
                    found[name] = (self.table(name), self._unmarked(name))
        counts = self.query(sql.counts(found)) if found else []
        return {name: int(count) for name, count in counts}

    def keys(
        self,
        table: str,
        columns: Sequence[str],
        condition: Optional[sql.Condition] = None,
        least: int = 1,
    ) -> Set[Key]:
        """Return what some columns hold; nothing if there are no such columns.

        Args:
            table (str): Name of the table.
            columns (Sequence[str]): The columns.
            condition (Optional[Condition]): A condition on the table `t`.
            least (int): Rows that must have the same there.
        """
        if not self.has(table, *columns):
            return set()
        where = self._unmarked(table, condition)
        found = self.query(sql.keys(self.table(table), columns, where, least))
        return {tuple(row) for row in found} - {(None,)}

    def keys_among(
        self, table: str, columns: Sequence[str], among: Sequence[str], keys: Set[Key]
    ) -> Set[Key]:
        """Return what columns hold in the rows where others are among some keys."""
        if not self.has(table, *columns, *among):
            return set()
        conditions = sql.is_one_of(among, keys)
        found = (self.keys(table, columns, condition) for condition in conditions)
        return {key for some in found for key in some}

    def rows(self, table: str, condition: Optional[sql.Condition] = None) -> List[Row]:
        """Return rows of a table, or those that meet a condition on `t`, by column."""
        if self.count(table) is None:
            return []
        columns = [*self.columns(table)]
        rows = self.query(self.select(table, columns, condition))
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def rows_below(
        self, table: str, condition: Optional[sql.Condition]
    ) -> Iterator[Tuple[str, Row]]:
        """Yield the rows of the lists in rows of a table, each behind what it is in."""
        above = self.select(table, ["_dlt_id"], condition)
        for name in filter(self.count, self.lists_of(table)):
            within = sql.below(above)
            rows = self.rows(name, within)
            for row in sorted(rows, key=lambda row: int(row["_dlt_list_idx"])):
                yield name, row
            yield from self.rows_below(name, within)

    # ------------------------------------------------------------- statements

    def select(
        self,
        table: str,
        columns: Sequence[str],
        condition: Optional[sql.Condition] = None,
    ) -> exp.Select:
        """Return the statement for columns of the rows not marked as deleted."""
        where = self._unmarked(table, condition)
        return sql.rows(self.table(table), columns, where)

    def unmarked(
        self, table: str, condition: Optional[sql.Condition] = None
    ) -> Tuple[exp.Table, Optional[sql.Condition]]:
        """Return a table, and the condition for its rows not marked as deleted."""
        return self.table(table), self._unmarked(table, condition)

    def _unmarked(
        self, table: str, condition: Optional[sql.Condition] = None
    ) -> Optional[sql.Condition]:
        marks = table in self._streams and sql.MARKED in self.columns(table)
        found = [
            *([condition] if condition else []),
            *([sql.is_null(sql.MARKED)] if marks else []),
        ]
        return exp.and_(*found) if found else None

    def table(self, table: str) -> exp.Table:
        """Return a table for a statement, as `t`.

        Raises:
            DestinationUndefinedEntity: There are no files of it.
        """
        if not self.in_files:
            return sql.table_of(
                self._sql.make_qualified_table_name_path(table, quote=False)
            )
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
        stream = STREAMS.get(self._streams.get(name, ""))
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
                self._close()
                cursor = self._second_try(text, open_cursor)
            while rows := cursor.fetchmany(BATCH):
                yield [tuple(row) for row in rows]

    def _second_try(self, text: str, open_cursor: ExitStack) -> Any:
        try:
            self._open()
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
