"""Copies in files, read back by other engines than the one that wrote them."""

from collections import Counter
from pathlib import Path
from typing import Any, List

import dlt
import duckdb
import polars
from deltalake import DeltaTable

from harvest.settings import STREAMS
from sandbox import Server
from tests.copy import Copy, Row, plain

LATEST = """
    SELECT * FROM read_parquet('{folder}/{table}/*.parquet', union_by_name = true)
    QUALIFY _dlt_load_id = max(_dlt_load_id) OVER (PARTITION BY {key}) AND deleted_at IS NULL
"""
"""The query for the newest version of each row in plain Parquet files."""


class Lake(Copy):
    """A copy in files below a folder, which the engine that wrote them is not asked about."""

    def __init__(self, server: Server, **settings: Any) -> None:
        folder = Path("lake").absolute()
        super().__init__(server, dlt.destinations.filesystem(str(folder)), **settings)
        self.folder = folder / self.pipeline.dataset_name

    def files(self, table: str) -> List[str]:
        return [str(path) for path in sorted((self.folder / table).glob("*.parquet"))]


class Delta(Lake):
    """Delta tables: delta-rs writes them, DuckDB reads the files that are part of them now."""

    def __init__(self, server: Server, **settings: Any) -> None:
        super().__init__(server, table_format="delta", **settings)

    def files(self, table: str) -> List[str]:
        return DeltaTable(self.folder / table).file_uris()

    def table(self, name: str) -> List[Row]:
        if not (self.folder / name / "_delta_log").exists():
            # it has had no rows yet
            return []
        rows: List[Row] = []
        if files := self.files(name):
            with duckdb.connect() as engine:
                found = engine.read_parquet(files, union_by_name=True).to_arrow_table()
            rows = found.to_pylist()
        # the second reader has to see the same
        assert Counter(map(known, polars.read_delta(str(self.folder / name)).to_dicts())) == (
            Counter(map(known, rows))
        )
        return rows


class Parquet(Lake):
    """Parquet files, of which a reader takes what each row was last."""

    def table(self, name: str) -> List[Row]:
        stream = STREAMS.get(name.split("__")[0])
        with duckdb.connect() as engine:
            if stream is None or "__" in name or stream.kind == "whole":
                # a list hangs on one version of its row, and a table that is replaced has only one
                rows = engine.read_parquet(self.files(name), union_by_name=True)
            else:
                key = {"child": stream.parent_key, "report": "period_start, period_end"}
                query = LATEST.format(
                    folder=self.folder, table=name, key=key.get(stream.kind, "id")
                )
                rows = engine.sql(query)
            found: List[Row] = rows.to_arrow_table().to_pylist()
        return found


def known(row: Row) -> Any:
    return tuple(sorted((name, plain(value)) for name, value in row.items() if value is not None))
