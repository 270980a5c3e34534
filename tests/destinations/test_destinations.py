"""The same values on each destination, and what changes do there, read back by other engines."""

from collections import Counter
from decimal import Decimal
from functools import lru_cache
from typing import Any, Callable, Dict

import duckdb
import polars
import pytest

from harvest import HarvestError, harvest_source
from harvest.settings import STREAMS
from sandbox import Account, Server
from tests.copy import Copy
from tests.helpers import after_page_1, long_account, long_server
from tests.lakes import Delta, Lake, Parquet, known
from tests.sums import decimals, expected_sums, stored_sums


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    """Smaller than elsewhere, and of two years all the same."""
    return generated(seed=7, time_entries=200, years=1.2)


def contents(copy: Copy) -> Dict[str, Any]:
    """The rows of every table, lists included, without what dlt numbers anew each time."""
    return {
        table["name"]: Counter(
            known({name: value for name, value in row.items() if name[:4] != "_dlt"})
            for row in copy.table(table["name"])
        )
        for table in copy.pipeline.default_schema.data_tables(seen_data_only=True)
    }


def loaded_sums(copy: Copy) -> Dict[str, Decimal]:
    """The same as `expected_sums`, added up by the engine that reads the copy."""
    if not isinstance(copy, Lake):
        return stored_sums(copy)
    found = {}
    for table in copy.pipeline.default_schema.data_tables(seen_data_only=True):
        name = table["name"]
        columns = decimals(name)
        if not columns:
            continue
        query = ", ".join(f'sum("{column}")' for column in columns)
        if isinstance(copy, Delta):
            frame = polars.scan_delta(str(copy.folder / name)).select(columns).sum().collect()
            values = frame.rows()[0]
        else:
            with duckdb.connect() as engine:
                files = copy.files(name)
                values = engine.sql(f"SELECT {query} FROM read_parquet({files})").fetchall()[0]
        for column, value in zip(columns, values, strict=True):
            found[f"{name}.{column}"] = Decimal(value or 0).normalize()
    return found


def on_postgres(server: Server) -> Copy:
    return Copy(server, "postgres")


@pytest.mark.parametrize(
    "kind", [on_postgres, Delta, pytest.param(Parquet, marks=pytest.mark.long)]
)
def test_the_same_everywhere(
    server: Server,
    postgres: str,
    monkeypatch: pytest.MonkeyPatch,
    kind: Callable[[Server], Copy],
) -> None:
    """As in DuckDB, to the last digit."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    expected = expected_sums(server.account)
    assert len(expected) > 80
    held = []
    for copy in (Copy(server), kind(server)):
        copy.begin()
        monkeypatch.setattr(copy, "table", lru_cache(maxsize=None)(copy.table))
        copy.check()
        assert loaded_sums(copy) == expected
        held.append(contents(copy))
        copy.pipeline.drop()
    first, other = held
    assert other.keys() == first.keys()
    for table, rows in first.items():
        assert other[table] == rows, table


@pytest.mark.parametrize("lake", [Delta, Parquet])
@pytest.mark.long
def test_changes_reach_files(server: Server, lake: Callable[..., Lake]) -> None:
    """A full load, incremental ones, and the deletions that a run sees by itself."""
    account = server.account
    copy = lake(server)
    copy.run()
    copy.check()
    account.change(seed=0, count=60, kinds={"add", "edit", "bill"})
    copy.run(substream_refresh_hours=0, report_lookback_days=10_000)
    copy.check(names=False)
    # below a parent: one of several, and the last one
    for stream in ("invoice_payments", "invoice_messages"):
        children = account.children(stream).values()
        for rows in (
            next(rows for rows in children if len(rows) > 1),
            next(rows for rows in children if len(rows) == 1),
        ):
            account.delete(stream, rows[0]["id"])
    # the last item of a list
    invoice = next(row for row in account.rows("invoices") if len(row["line_items"]) > 1)
    account.edit("invoices", invoice["id"], line_items=invoice["line_items"][:-1])
    # one row of a report, and all rows of others
    client = account.rows("time_entries")[0]["client"]["id"]
    for entry in account.rows("time_entries"):
        if entry["client"]["id"] == client:
            account.delete("time_entries", entry["id"])
    for expense in account.rows("expenses"):
        account.delete("expenses", expense["id"])
    copy.run(substream_refresh_hours=0, report_lookback_days=10_000)
    assert copy.table("expenses_team") == []
    # that a record of a list was deleted no run sees by itself, on any destination
    lists = ("time_entries", "expenses")
    copy.check(*(stream for stream in STREAMS if stream not in lists), names=False)


@pytest.mark.long
def test_delta_between_complete_walks(server: Server) -> None:
    """What is below a parent is merged by key, and put right when all parents are read again."""
    account = server.account
    copy = Delta(server)
    copy.run()
    several = (rows for rows in account.children("invoice_payments").items() if len(rows[1]) > 1)
    invoice, payments = next(several)
    account.delete("invoice_payments", payments[0]["id"])
    added = account.add("invoice_messages", invoice_id=invoice)
    account.edit("invoices", invoice, notes="edited")
    loaded = copy.run()
    assert loaded["invoice_messages"] < len(account.rows("invoice_messages"))
    assert (added["id"],) in copy.rows("invoice_messages")
    copy.check("invoices", "invoice_messages")
    known = {row["_dlt_id"] for row in copy.table("invoice_messages")}
    assert {row["_dlt_parent_id"] for row in copy.table("invoice_messages__recipients")} <= known
    assert (payments[0]["id"],) in copy.rows("invoice_payments")
    copy.run(substream_refresh_hours=0)
    copy.check("invoice_payments", "invoice_messages")


@pytest.mark.long
def test_delta_in_other_windows_and_afresh(server: Server) -> None:
    copy = Delta(server)
    reports = [name for name, stream in STREAMS.items() if stream.kind == "report"]
    copy.run("users", *reports)
    for refresh in (False, True):
        copy.run("users", *reports, report_period="month", full_refresh=refresh)
        copy.check("users")
        for report in reports:
            copy.check(report, period="month")


@pytest.mark.parametrize("stream", ["expenses", pytest.param("invoices", marks=pytest.mark.long)])
def test_delta_takes_each_row_once(stream: str) -> None:
    """A list that moved while it was read is read again."""
    account = long_account(stream)
    ids = [row["id"] for row in account.rows(stream)]

    def move() -> None:
        account.delete(stream, ids[0])
        account.edit(stream, ids[1], notes="edited")

    with long_server(account) as server:
        copy = Delta(server)
        after_page_1(server, stream, move)
        copy.run(stream)
        assert copy.requests().count(f"/{stream}") > 3
        assert copy.rows(stream).keys() == {(id,) for id in ids}
        copy.run(stream)
        assert copy.rows(stream)[(ids[1],)]["notes"] == "edited"


@pytest.mark.long
def test_odd_values_reach_delta() -> None:
    """Pages in which nothing is odd together with one that is."""
    account = long_account("time_entries")
    rows = account.rows("time_entries")

    def odd(body: Dict[str, Any]) -> None:
        body["time_entries"][0].update(hours=1.1234567, spent_date="soon", mood="fine")

    with long_server(account) as server:
        server.faults.add("/time_entries", "mutate", change=odd)
        copy = Delta(server)
        copy.run("time_entries")
        found = copy.rows("time_entries")
        assert found.keys() == {(row["id"],) for row in rows}
        entry = found[(rows[0]["id"],)]
        assert (entry["hours__v_text"], entry["spent_date__v_text"]) == ("1.1234567", "soon")
        assert entry["mood"] == "fine"
        # the next run puts them right
        account.edit("time_entries", rows[0]["id"], notes="edited")
        copy.run("time_entries")
        copy.check("time_entries", names=False)


def test_other_table_formats_are_refused() -> None:
    with pytest.raises(HarvestError, match="table_format is 'iceberg', but must be one of"):
        harvest_source(table_format="iceberg")
