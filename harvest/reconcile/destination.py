"""The tables of a destination: what is there, and what is not."""

from array import array
from contextlib import suppress
from datetime import date  # noqa: I251
from typing import Any, Dict, List, Optional, Sequence, Set

from dlt.common import Decimal
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema.typing import TTableSchemaColumns
from dlt.common.schema.utils import has_table_seen_data

from ..settings import Stream
from ..typing import Key, Row
from .connection import Connection
from .segments import Figures
from .sql import COUNTED
from .values import as_day, as_decimal


class StoredTables(Connection):
    """The tables of the streams, without the rows that are marked as deleted.

    Examples:
        >>> with StoredTables(pipeline, "harvest") as stored:
        ...     stored.count("time_entries")
    """

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

    def restore(self, absent: Sequence[str]) -> None:
        """Create tables and columns anew that somebody dropped, without values."""
        tables = sorted({name.partition(".")[0] for name in absent})
        with self._pipeline.destination_client(self.schema.name) as client:
            client.update_stored_schema(only_tables=tables, force=True)

    # --------------------------------------------------------------- queries

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
        for rows in self.batches(sql):
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
        names = [f"{alias}.{self.quoted(name)}" for name in columns]
        if also:
            columns, names = [*columns, also], [*names, also]
        rows = self.query(f"SELECT {', '.join(names)} FROM {source}")
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def source(self, table: str, condition: str = "") -> str:
        """Return what stands behind FROM for the rows not marked as deleted."""
        alive = "t.deleted_at IS NULL" if "deleted_at" in self.columns(table) else ""
        where = " AND ".join(part for part in (alive, condition) if part)
        return f"{self.name(table)} t" + (f" WHERE {where}" if where else "")
