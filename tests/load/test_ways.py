"""The ways in which dlt's documentation tells people to use any source."""

import json
import time
from datetime import timedelta
from typing import Any, Tuple

import pytest

from harvest import HarvestError, harvest_source
from harvest.settings import STREAMS
from sandbox import Account, Server
from tests.copy import Copy

KINDS = (
    *("company", "clients", "contacts", "users", "cost_rates", "invoices", "invoice_payments"),
    *("time_entries", "time_clients", "uninvoiced", "project_budget", "pto_types", "pto_balances"),
)
"""Streams of every kind."""
DATED = {name for name, stream in STREAMS.items() if stream.dated}


@pytest.mark.parametrize("most", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_sample_of_each_resource(server: Server, most: int) -> None:
    """`add_limit` ends, and the next whole run brings everything: no cursor has moved on."""
    server.api.page_size = 20
    copy = Copy(server).of(*KINDS)
    copy.pipeline.run(copy.source().add_limit(most))
    copy.run()
    copy.check()


def test_parallelized(copy: Copy) -> None:
    copy.of(*KINDS)
    copy.pipeline.run(copy.source().parallelize())
    copy.check()


@pytest.mark.parametrize("how", [pytest.param("clone", marks=pytest.mark.long), "with_args"])
def test_under_another_name(copy: Copy, how: str) -> None:
    """The types are those of the schema file, under whatever name the source has."""
    agency: Any = getattr(harvest_source, how)(name="agency", section="harvest")
    some = ("clients", "time_entries", "invoices", "users", "pto_balances")
    copy.pipeline.run(agency(**copy.settings).with_resources(*some))
    declared = copy.source().schema.tables
    loaded = copy.pipeline.schemas["agency"].tables
    for name in ("clients", "time_entries", "invoices__line_items", "pto_balances"):
        for column, hints in declared[name]["columns"].items():
            assert loaded[name]["columns"][column]["data_type"] == hints["data_type"], column
    copy.check("clients", "time_entries")
    # the next run goes on from there
    server = copy.server
    server.account.clock.advance(60)
    server.account.edit("clients", server.account.rows("clients")[0]["id"], name="edited")
    copy.pipeline.run(agency(**copy.settings).with_resources(*some))
    copy.check("clients")


@pytest.mark.parametrize("stream", ["time_clients", "clients", "invoice_payments", "pto_types"])
def test_a_resource_gives_rows_without_a_pipeline(copy: Copy, stream: str) -> None:
    found = list(getattr(copy.source(), stream))
    assert found
    assert all(isinstance(row, dict) for row in found)


def test_start_date_bounds_what_is_dated(server: Server) -> None:
    """Clients, people and the like are read whole: what entries name is there."""
    account = server.account
    stamps = sorted(row["updated_at"] for row in account.rows("time_entries"))
    start = stamps[len(stamps) // 2]
    copy = Copy(server, start_date=start)
    copy.run()
    for name, stream in STREAMS.items():
        if stream.kind == "list" and not stream.dated:
            copy.check(name)
    for name in DATED:
        loaded = {row["id"] for row in copy.table(name)}
        wanted = {row["id"] for row in account.rows(name) if row["updated_at"] >= start}
        assert loaded == wanted, name
    named = {row["client__id"] for row in copy.table("time_entries")}
    assert named <= {row["id"] for row in copy.table("clients")}


def test_many_rows_of_one_second_leave_a_small_state(server: Server) -> None:
    """An import, or a bulk approval: thousands of rows with the newest `updated_at`."""
    account = server.account
    client = account.rows("clients")[0]["id"]
    account.clock.freeze(account.clock.now() + timedelta(seconds=60))
    for number in range(1500):
        account.add("contacts", client_id=client, first_name=f"Contact {number}")
    copy = Copy(server)
    copy.run("contacts", "clients")
    assert len(json.dumps(copy.pipeline.state, default=str)) < 60_000
    copy.check("contacts")
    # a second change within that very second is not lost
    changed = account.rows("contacts")[-1]["id"]
    account.edit("contacts", changed, first_name="Changed")
    copy.run("contacts")
    copy.check("contacts")
    assert len(json.dumps(copy.pipeline.state, default=str)) < 60_000


def test_frozen_from_the_first_run_on(account: Account) -> None:
    """All fields that live accounts send are declared."""
    with Server(account, limits=False) as server:
        copy = Copy(server)
        source = copy.source()
        source.schema_contract = "freeze"
        copy.pipeline.run(source)
        copy.check()


def test_unforeseen_fields_stay_columns(said: pytest.LogCaptureFixture) -> None:
    """Each becomes a column of its own type; one that is null throughout becomes none."""
    account = Account.generate(seed=7, time_entries=200, years=0.5, unforeseen=True)
    with Server(account, limits=False) as server:
        copy = Copy(server)
        copy.run()
        copy.check()
        columns = copy.pipeline.default_schema.get_table_columns("time_entries")
        kinds = {
            name: columns[name]["data_type"]
            for name in ("is_starred", "source_label", "effort_score", "provenance__revision")
        }
        assert kinds == {
            "is_starred": "bool",
            "source_label": "text",
            "effort_score": "decimal",
            "provenance__revision": "bigint",
        }
        assert "archive_reason" not in columns
        assert "did not receive any data" not in said.text


@pytest.mark.parametrize("name", ["report_lookback_days", "substream_refresh_hours"])
def test_a_negative_number_is_refused(copy: Copy, name: str) -> None:
    with pytest.raises(HarvestError, match=f"{name} is -1, but must not be less than 0"):
        copy.source(**{name: -1})


@pytest.mark.parametrize(
    "streams", [("time_clients",), ("clients", "invoices", "invoice_payments", "pto_balances")]
)
def test_who_takes_rows_slowly_without_a_pipeline(copy: Copy, streams: Tuple[str, ...]) -> None:
    """Its state is at hand for as long as dlt is asked for the next row only."""
    copy.server.api.page_size = 5
    source = copy.source(*streams)
    found = []
    for row in source if len(streams) > 1 else getattr(source, streams[0]):
        found.append(row)
        time.sleep(0.01 if len(found) < 50 else 0)
    assert len(found) > 10
