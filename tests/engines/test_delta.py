"""Delta tables read by four engines, two of which are made for many machines: Sail and Daft."""

from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable, ContextManager, Dict, Iterator, List, Sequence

import daft
import duckdb
import polars
import pyarrow as pa
import pytest
from pysail.spark import SparkConnectServer
from pyspark.sql import SparkSession

from sandbox import Server
from tests.copy import Copy, Row, truth
from tests.lakes import Delta

Ask = Callable[[str], "pa.Table"]
"""Answers a query in SQL."""


@contextmanager
def sail(folder: Path, tables: Sequence[str]) -> Iterator[Ask]:
    """Spark's own client, with Sail at the other end."""
    server = SparkConnectServer()
    server.start()
    _, port = server.listening_address
    spark = SparkSession.builder.remote(f"sc://localhost:{port}").getOrCreate()
    for name in tables:
        frame = spark.read.format("delta").load(str(folder / name))
        frame.createOrReplaceTempView(name)
    try:
        yield lambda query: spark.sql(query).toArrow()
    finally:
        spark.stop()
        server.stop()


@contextmanager
def daft_engine(folder: Path, tables: Sequence[str]) -> Iterator[Ask]:
    frames = {name: daft.read_deltalake(str(folder / name)) for name in tables}
    yield lambda query: daft.sql(query, **frames).to_arrow()


@contextmanager
def polars_engine(folder: Path, tables: Sequence[str]) -> Iterator[Ask]:
    frames = {name: polars.scan_delta(str(folder / name)) for name in tables}
    with polars.SQLContext(frames, eager=True) as context:
        yield lambda query: context.execute(query).to_arrow()


@contextmanager
def duckdb_engine(folder: Path, tables: Sequence[str]) -> Iterator[Ask]:
    with duckdb.connect() as engine:
        for name in tables:
            engine.execute(f"CREATE VIEW {name} AS FROM delta_scan('{folder / name}')")
        yield lambda query: engine.sql(query).to_arrow_table()


ENGINES: Dict[str, Callable[[Path, Sequence[str]], ContextManager[Ask]]] = {
    "sail": sail,
    "daft": daft_engine,
    "polars": polars_engine,
    "duckdb": duckdb_engine,
}

HOURS = """
    SELECT project__name, sum(hours) AS hours FROM time_entries
    GROUP BY project__name ORDER BY project__name
"""
OPEN = """
    SELECT c.name, i.currency, sum(i.due_amount) AS due, count(*) AS invoices
    FROM invoices AS i JOIN clients AS c ON i.client__id = c.id
    WHERE i.due_amount > 0 GROUP BY c.name, i.currency ORDER BY c.name, i.currency
"""
DAYS = """
    SELECT spent_date, count(*) AS entries, count(started_time) AS started
    FROM time_entries GROUP BY spent_date ORDER BY spent_date
"""
MOMENTS = "SELECT min(created_at) AS first, max(created_at) AS last FROM time_entries"


@pytest.mark.parametrize("engine", ENGINES)
def test_engine_reads_what_harvest_has(
    engine: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = server.account
    copy = Delta(server)
    copy.run()
    account.change(seed=0, count=60, kinds={"add", "edit", "bill"})
    for payments in account.children("invoice_payments").values():
        for payment in payments[:1]:
            account.delete("invoice_payments", payment["id"])
    copy.run(substream_refresh_hours=0, report_lookback_days=10_000)
    tables = [
        name
        for name in copy.pipeline.default_schema.data_table_names(seen_data_only=True)
        if (copy.folder / name / "_delta_log").exists()
    ]
    # a zone far from that in which values are meant
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    with ENGINES[engine](copy.folder, tables) as ask:

        def table(name: str) -> List[Row]:
            return ask(f"SELECT * FROM {name}").to_pylist() if name in tables else []

        monkeypatch.setattr(copy, "table", table)
        copy.check(names=False)
        values = {
            name: type(row[name]) for row in table("time_entries") for name in row if row[name]
        }
        assert (values["hours"], values["spent_date"]) == (Decimal, date)
        assert values["created_at"] == datetime
        check_queries(copy, ask)


def check_queries(copy: Copy, ask: Ask) -> None:
    account = copy.server.account
    entries = [*truth(account, "time_entries").values()]
    # rows carry the names of the time when they were read
    projects = {
        row["project__id"]: row["project__name"] for row in copy.rows("time_entries").values()
    }
    hours: Dict[str, Decimal] = {}
    days: Dict[str, List[int]] = {}
    for row in entries:
        name = projects[row["project__id"]]
        hours[name] = hours.get(name, Decimal(0)) + row["hours"]
        counts = days.setdefault(row["spent_date"], [0, 0])
        counts[0] += 1
        counts[1] += "started_time" in row
    found = ask(HOURS).to_pylist()
    assert {row["project__name"]: row["hours"] for row in found} == hours
    found = ask(DAYS).to_pylist()
    assert {str(row["spent_date"]): [row["entries"], row["started"]] for row in found} == days

    due: Dict[Any, List[Any]] = {}
    names = {key[0]: row["name"] for key, row in truth(account, "clients").items()}
    for row in truth(account, "invoices").values():
        if row["due_amount"] > 0:
            sums = due.setdefault((names[row["client__id"]], row["currency"]), [Decimal(0), 0])
            sums[0] += row["due_amount"]
            sums[1] += 1
    found = ask(OPEN).to_pylist()
    assert {(row["name"], row["currency"]): [row["due"], row["invoices"]] for row in found} == due

    (moments,) = ask(MOMENTS).to_pylist()
    stamps = sorted(row["created_at"] for row in entries)
    assert [moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in moments.values()] == [
        stamps[0],
        stamps[-1],
    ]
