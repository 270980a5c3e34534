"""What arrives: every stream, row and field, at first and after changes."""

import gc
from itertools import count
from typing import Any, List

import dlt
import pytest

from harvest.api.decoding import Page
from harvest.api.pagination import AHEAD
from harvest.settings import STREAMS
from harvest.streams.children import ParentPage
from sandbox import Account, Server
from tests.copy import Copy
from tests.helpers import PAGE, long_server


def test_everything_arrives(server: Server, destination: str) -> None:
    copy = Copy(server, destination)
    copy.run()
    copy.check()


@pytest.mark.parametrize("period", ["quarter", pytest.param("month", marks=pytest.mark.long)])
def test_reports_in_other_windows(copy: Copy, period: str) -> None:
    reports = [name for name, stream in STREAMS.items() if stream.kind == "report"]
    copy.run(*reports, report_period="year")
    copy.run(*reports, report_period=period)
    for report in reports:
        copy.check(report, period=period)


@pytest.mark.long
def test_nothing_changed(copy: Copy) -> None:
    copy.begin()
    first = {name: copy.rows(name) for name in STREAMS}
    loaded = copy.run()
    asked = copy.requests()
    # /pto/allocations of two years, and /pto/requests to see whether there is paid time off
    assert len(asked) == len(set(asked)) + 2
    lists = {stream.path for stream in STREAMS.values() if not stream.parent}
    assert set(asked) == {"/users/me", *lists}
    assert set(loaded) <= {
        name for name in loaded if STREAMS[name.split("__")[0]].kind not in ("list", "child")
    }
    assert {name: copy.rows(name) for name in STREAMS} == first


def test_changes_arrive(server: Server, destination: str) -> None:
    copy = Copy(server, destination)
    copy.begin()
    for seed in range(2):
        server.account.change(seed=seed, count=40, kinds={"add", "edit", "bill"})
        copy.run(substream_refresh_hours=0, report_lookback_days=10_000)
        copy.check(names=False)


def test_an_empty_account() -> None:
    with Server(Account.empty(), limits=False) as server:
        copy = Copy(server)
        copy.run()
        for stream in STREAMS:
            if stream != "company":
                assert copy.table(stream) == []


def test_an_account_with_one_user() -> None:
    with Server(Account.empty(users=1), limits=False) as server:
        copy = Copy(server)
        copy.run()
        copy.check()
        assert len(copy.table("users")) == 1


@pytest.mark.parametrize("stream", ["contacts", "time_entries"])
def test_lists_of_several_pages(stream: str) -> None:
    """More than two pages, by cursor (contacts) and by page number."""
    account = Account.generate(seed=3, time_entries=2 * PAGE + 50)
    if stream == "contacts":
        client = account.rows("clients")[0]["id"]
        for number in range(2 * PAGE):
            account.add("contacts", client_id=client, first_name=f"Contact {number}")
    with long_server(account) as server:
        copy = Copy(server)
        copy.run(stream)
        copy.check(stream)
        assert len(copy.rows(stream)) > 2 * PAGE
        # who asks, and the pages
        assert len(copy.requests()) == 1 + 3


def test_pages_are_forgotten(copy: Copy) -> None:
    """Memory stays flat: no page outlives the run."""
    before = pages()
    source = copy.source()
    copy.pipeline.run(source)
    gc.collect()
    assert [each for each in pages() if not any(each is other for other in before)] == []


def test_parents_are_forgotten_while_their_children_are_read(copy: Copy) -> None:
    kept: List[int] = []
    last = len(copy.server.account.rows("invoices"))
    asked = count(1)

    def look(_: Any) -> None:
        # once only: looking can disturb a thread that is about to build a tuple
        if next(asked) == last:
            there = pages()
            kept.append(sum(type(each) is ParentPage or "invoices" in each.body for each in there))

    copy.server.before("/invoices/[0-9]+/messages", look, times=None)
    copy.run("invoices", "invoice_messages")
    assert last > 2 * AHEAD
    assert kept == [0]


def pages() -> List[Any]:
    """The pages of lists that are in memory."""
    return [each for each in gc.get_objects() if type(each) in (Page, ParentPage)]


def test_without_a_pipeline(copy: Copy) -> None:
    """A source can be looked at in a notebook."""
    invoices = list(copy.source("invoices"))
    assert len(invoices) == copy.server.account.counts()["invoices"]


def test_a_second_pipeline_takes_nothing_away(server: Server) -> None:
    database = dlt.destinations.duckdb("shared.duckdb")
    first = Copy(server, database, dataset="both")
    first.run("invoices")
    second = Copy(server, database, dataset="both", name="second")
    day = sorted(row["updated_at"] for row in server.account.rows("invoices"))[-5]
    second.run("invoices", start_date=day)
    first.check("invoices")
