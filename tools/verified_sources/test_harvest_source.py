"""Loads a made-up account from a local Harvest: neither credentials nor the network are needed."""

from typing import Any, Iterator

import dlt
import pytest
from dlt.common import Decimal
from dlt.extract import DltSource

from sources.harvest import harvest_source
from tests.harvest.sandbox import Account, Server
from tests.utils import (
    ALL_DESTINATIONS,
    assert_load_info,
    load_table_counts,
    select_data,
)


@pytest.fixture
def server() -> Iterator[Server]:
    account = Account.generate(seed=7, time_entries=400, years=1.5)
    with Server(account, limits=False) as running:
        yield running


def source_of(server: Server, **settings: Any) -> DltSource:
    return harvest_source(
        access_token=server.token,
        account_id=server.account_id,
        base_url=server.base_url,
        id_url=server.id_url,
        rate_limit=1_000_000,
        report_rate_limit=1_000_000,
        **settings,
    )


def pipeline_for(destination_name: str) -> dlt.Pipeline:
    return dlt.pipeline(
        pipeline_name="harvest_test",
        destination=destination_name,
        dataset_name="harvest_test_data",
        dev_mode=True,
    )


@pytest.mark.parametrize("destination_name", ALL_DESTINATIONS)
def test_all_streams(server: Server, destination_name: str) -> None:
    pipeline = pipeline_for(destination_name)
    assert_load_info(pipeline.run(source_of(server)))
    expected = server.account.counts()
    assert load_table_counts(pipeline, *expected) == expected
    reports = load_table_counts(pipeline, "time_clients", "uninvoiced", "project_budget")
    assert all(reports.values()), reports
    hours = sum(
        Decimal(str(row["hours"])) for row in server.account.rows("time_entries", exact=True)
    )
    assert select_data(pipeline, "SELECT sum(hours) FROM time_entries")[0][0] == hours


@pytest.mark.parametrize("destination_name", ALL_DESTINATIONS)
def test_changes_are_merged(server: Server, destination_name: str) -> None:
    streams = ("clients", "time_entries", "invoices", "invoice_payments")
    pipeline = pipeline_for(destination_name)
    assert_load_info(pipeline.run(source_of(server).with_resources(*streams)))
    client = server.account.rows("clients")[0]["id"]
    server.account.edit("clients", client, name="Renamed")
    server.account.add("clients", name="New")
    server.account.change(seed=1, count=20, kinds={"add", "edit", "bill"})
    server.requests.clear()
    assert_load_info(pipeline.run(source_of(server).with_resources(*streams)))
    lists = {"/clients", "/time_entries", "/invoices"}
    asked = [request for request in server.requests if request.path in lists]
    assert {request.path for request in asked} == lists
    assert all("updated_since" in request.query for request in asked)
    expected = server.account.counts()
    assert load_table_counts(pipeline, *streams) == {name: expected[name] for name in streams}
    assert select_data(pipeline, f"SELECT name FROM clients WHERE id = {client}") == [("Renamed",)]


def test_selected_streams() -> None:
    with Server(Account.empty(users=1), limits=False) as server:
        source = source_of(server).with_resources("users", "time_entries")
        assert set(source.selected_resources) == {"users", "time_entries"}
        assert [row["id"] for row in list(source_of(server).users)] == [
            row["id"] for row in server.account.rows("users")
        ]
