"""The tables of a destination: what is there, and what is not."""

from collections import defaultdict
from contextlib import suppress
from functools import cached_property
from typing import (
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import dlt
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema.typing import TTableSchemaColumns
from dlt.common.schema.utils import has_table_seen_data
from dlt.extract import DltResource, DltSource
from sqlglot import exp

from ..settings import STREAMS
from ..typing import Key, Row
from . import sql
from .comparable import as_decimal
from .queries import Queries, Unreadable

__all__ = ["StoredTables", "Unreadable"]


class StoredTables(Queries):
    """The tables of the streams, without the rows that are marked as deleted.

    Args:
        pipeline (dlt.Pipeline): A pipeline that has loaded.
        source (DltSource): The `harvest_source` that it loads.

    Raises:
        Unreadable: dlt cannot read such a destination.

    Examples:
        >>> with StoredTables(pipeline, harvest_source()) as stored:
        ...     stored.count("time_entries")
    """

    def __init__(self, pipeline: dlt.Pipeline, source: DltSource) -> None:
        super().__init__(pipeline, source)
        self._pipeline = pipeline

    def __enter__(self) -> "StoredTables":
        self._forget()
        return super().__enter__()

    def _forget(self) -> None:
        """Forget what was there, and close the connection before something changes.

        A database that is a file may be locked by whoever reads it.
        """
        for name in ("_counted", "_there"):
            self.__dict__.pop(name, None)
        self.disconnect()

    @cached_property
    def _there(self) -> Optional[Dict[str, Set[str]]]:
        # files do not say which columns a table has
        return None if self.in_files else self.columns_there()

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
        self._forget()
        tables = sorted({name.partition(".")[0] for name in absent})
        with self._pipeline.destination_client(self.schema.name) as client:
            client.update_stored_schema(only_tables=tables, force=True)

    def write(self, source: DltSource, resources: Sequence[DltResource]) -> None:
        """Run the pipeline with resources in place of those of its source."""
        if resources:
            self._forget()
            # files are of one form for all loads
            form: Any = "parquet" if self.in_files else None
            instead = DltSource(source.schema, source.section, [*resources])
            self._pipeline.run(instead, loader_file_format=form)

    # ----------------------------------------------------------------- values

    def count(self, table: str) -> Optional[int]:
        """Return how many rows there are; None if there is no such table."""
        rows, _ = self._counted.get(table, (None, None))
        return rows

    def amount(self, table: str) -> Optional[Any]:
        """Return the sum of the `amount` of its stream; None if it has none."""
        _, amount = self._counted.get(table, (None, None))
        return amount

    @cached_property
    def _counted(self) -> Dict[str, Tuple[int, Any]]:
        """Return rows and amounts of all tables that are there, by one statement."""
        found = {}
        for name in self.schema.data_table_names():
            if self._there is None or self._there.get(name):
                with suppress(DestinationUndefinedEntity):
                    amount = self._amount_of(name)
                    found[name] = (self.table(name), amount, self._unmarked(name))
        return {
            name: (int(count), as_decimal(amount) if found[name][1] else None)
            for name, count, amount in (self.query(sql.counts(found)) if found else ())
        }

    def _amount_of(self, table: str) -> str:
        """Return the column of a table that is summed up; nothing if it has none."""
        stream = STREAMS.get(self.streams.get(table, ""))
        column = stream.amount if stream else ""
        return column if column in self.columns(table) else ""

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

    def repeated(self, keys: Mapping[str, Sequence[str]]) -> Set[str]:
        """Return the tables that have rows with the same key.

        Args:
            keys (Mapping[str, Sequence[str]]): The columns of the key, by table.
        """
        found = [
            sql.repeated(
                name, sql.keys(self.table(name), columns, self._unmarked(name), 2)
            )
            for name, columns in keys.items()
            if self.has(name, *columns)
        ]
        if not found:
            return set()
        return {name for name, rows in self.query(sql.all_of(found)) if rows}

    def named(self, links: Iterable[Tuple[str, str, str]]) -> Dict[str, Set[Any]]:
        """Return the ids of records that rows of other streams name.

        Args:
            links (Iterable[Tuple[str, str, str]]): Streams of such records, with the
                table and the column that hold their ids.
        """
        statements = [
            sql.marked(
                stream, sql.keys(self.table(name), [column], self._unmarked(name))
            )
            for stream, name, column in links
            if self.has(name, column)
        ]
        found: Dict[str, Set[Any]] = defaultdict(set)
        for stream, key in self.query(sql.all_of(statements)) if statements else ():
            found[stream].add(key)
        return found

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
        within = sql.below(self.select(table, ["_dlt_id"], condition))
        alike: Dict[Any, List[str]] = defaultdict(list)
        for name in filter(self.count, self.lists_of(table)):
            columns = self.columns(name).values()
            alike[tuple((c["name"], c.get("data_type")) for c in columns)].append(name)
        for columns, names in alike.items():
            by_name = [name for name, _ in columns]
            selects = (self.select(name, by_name, within) for name in names)
            statements = map(sql.marked, names, selects)
            found = [
                (name, dict(zip(by_name, row, strict=True)))
                for name, *row in self.query(sql.all_of([*statements]))
            ]
            yield from sorted(found, key=lambda each: int(each[1]["_dlt_list_idx"]))
            for name in names:
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
        marks = table in self.streams and sql.MARKED in self.columns(table)
        found = [
            *([condition] if condition else []),
            *([sql.is_null(sql.MARKED)] if marks else []),
        ]
        return exp.and_(*found) if found else None
