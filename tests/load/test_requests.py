"""How many requests are made, and how they are held back: nothing asked that could be spared."""

import asyncio
import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import count
from math import ceil
from typing import Any, Iterator, List, Set, Tuple

import pytest
from dlt.common.configuration.specs import RuntimeConfiguration
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth

from harvest.api.client import WORKERS, HarvestClient
from harvest.api.rate_limit import RateLimit, shared_limit
from harvest.api.running import run
from harvest.settings import STREAMS
from harvest.streams.due import report_windows
from sandbox import Account, Server
from sandbox.server import RequestRecord
from tests.copy import Copy
from tests.helpers import PAGE, long_server

LISTS = [stream for stream in STREAMS.values() if stream.kind in ("list", "whole")]
CHILDREN = [stream for stream in STREAMS.values() if stream.kind == "child"]
REPORTS = [stream for stream in STREAMS.values() if stream.kind == "report"]
OTHERS = {"/users/me": 1, "/pto/allocations": 2, "/pto/requests": 2}
"""Who asks; two years; and, before single users are asked, whether there is paid time off."""
LOOKBACK = 90
"""Default of `report_lookback_days`."""


@pytest.fixture(scope="module")
def agency() -> Account:
    """Lists of several pages, and report windows that have long ended."""
    account = Account.generate(seed=5, time_entries=2 * PAGE + 50, years=2.5)
    client = account.rows("clients")[0]["id"]
    for number in range(PAGE - 20):
        account.add("contacts", client_id=client, first_name=f"Contact {number}")
        account.clock.advance(1)
    return account


@pytest.fixture
def copy(agency: Account) -> Iterator[Copy]:
    with long_server(agency) as server:
        yield Copy(server)


def asked(copy: Copy) -> "Counter[str]":
    """Requests of the last run by path. Fails if one was made twice."""
    requests = [(record.path, *sorted(record.query.items())) for record in copy.server.requests]
    assert len(set(requests)) == len(requests), Counter(requests).most_common(3)
    return Counter(template(record) for record in copy.server.requests)


def template(record: RequestRecord) -> str:
    return re.sub(r"/\d+", "/{id}", record.path)


def lists(account: Account) -> "Counter[str]":
    """One request for each page of a list, and for a list without rows."""
    counts = account.counts()
    pages = {each.path: ceil(counts.get(each.name, 1) / PAGE) or 1 for each in LISTS}
    return Counter({**pages, **OTHERS})


def one_each() -> "Counter[str]":
    return Counter({**{stream.path: 1 for stream in LISTS}, **OTHERS})


def children(account: Account) -> "Counter[str]":
    """One request for each parent."""
    years = {"pto_balances": 2}
    return Counter(
        {each.path: years.get(each.name, 1) * len(account.parents(each.name)) for each in CHILDREN}
    )


def spans(account: Account) -> List[Tuple[date, date]]:
    rows = account.rows("time_entries") + account.rows("expenses")
    first = date.fromisoformat(min(row["spent_date"] for row in rows))
    return report_windows("year", first, date.today() + timedelta(days=1))


def reports(account: Account) -> "Counter[str]":
    """One request for each window of each report."""
    return Counter({stream.path: len(spans(account)) for stream in REPORTS})


def moving_reports(account: Account) -> "Counter[str]":
    """One request for each window that has not ended long ago."""
    settled = date.today() - timedelta(days=LOOKBACK)
    moving = [end for _, end in spans(account) if end >= settled]
    assert 0 < len(moving) < len(spans(account))
    return Counter({stream.path: len(moving) for stream in REPORTS})


def test_the_first_sync_makes_as_few_requests_as_can_be(copy: Copy) -> None:
    copy.run()
    account = copy.server.account
    expected = lists(account) + children(account) + reports(account)
    assert asked(copy) == expected
    # pages are as long as Harvest's may be, or one row: the first day, and the last
    begins = [each.query for each in copy.server.requests if not {"page", "cursor"} & {*each.query}]
    assert {query["per_page"] for query in begins if "per_page" in query} == {"1", "2000"}
    assert expected["/time_entries"] == 3
    assert expected["/contacts"] == 2
    assert expected["/invoices"] == expected["/users"] == 1


def test_a_run_with_nothing_changed(copy: Copy) -> None:
    copy.begin()
    account = copy.server.account
    account.clock.advance(60)
    copy.run()
    assert asked(copy) == one_each() + moving_reports(account)


@pytest.mark.parametrize("changed", [pytest.param(1, marks=pytest.mark.long), 5])
def test_a_run_with_some_invoices_changed(copy: Copy, changed: int) -> None:
    """Each changed invoice costs two requests: its messages and its payments."""
    copy.begin()
    account = copy.server.account
    account.clock.advance(60)
    for invoice in account.rows("invoices")[:changed]:
        account.edit("invoices", invoice["id"], notes=f"changed with {changed}")
    account.clock.advance(60)
    copy.run()
    more = {"/invoices/{id}/messages": changed, "/invoices/{id}/payments": changed}
    assert asked(copy) == one_each() + moving_reports(account) + Counter(more)


@pytest.mark.long
def test_a_run_that_walks_all_parents_again(copy: Copy) -> None:
    """One listing of all parents takes the place of that of the changed ones."""
    copy.begin()
    account = copy.server.account
    copy.run(substream_refresh_hours=0)
    assert asked(copy) == one_each() + moving_reports(account) + children(account)
    listings = [
        record
        for record in copy.server.requests
        if record.path in ("/users", "/invoices", "/estimates")
    ]
    assert not any("updated_since" in record.query for record in listings)


@pytest.mark.parametrize(
    ("streams", "paths"),
    [
        (("invoice_messages", "invoice_payments"), {"/invoices"}),
        (("users", "billable_rates", "cost_rates"), {"/users"}),
        (("time_clients", "expenses_team"), {"/time_entries", "/expenses"}),
    ],
)
def test_streams_share_what_they_need(copy: Copy, streams: Tuple[str], paths: Set[str]) -> None:
    """Parents are listed once; the newest row of each window is looked up once."""
    copy.run(*streams)
    shared = {path: n for path, n in asked(copy).items() if path in paths}
    assert shared == {path: lookups(copy.server.account, path[1:]) for path in paths}


def lookups(account: Account, stream: str) -> int:
    """Requests for a list of one page, or for the newest row of each window until none is left."""
    if stream not in ("time_entries", "expenses"):
        return 1
    years = [row["spent_date"][:4] for row in account.rows(stream)]
    requests = 1
    while len(years) > PAGE:
        years = [year for year in years if year < max(years)]
        requests += 1
    return requests


# ---------------------------------------------------------------- the rate limits


def client_of(server: Server, limit: RateLimit) -> HarvestClient:
    return HarvestClient(
        BearerTokenAuth(token=server.token),
        server.account_id,
        server.base_url,
        server.id_url,
        "test",
        (limit, limit),
        RuntimeConfiguration(),
    )


def statuses(server: Server) -> "Counter[int]":
    return Counter(record.status for record in server.requests)


# Windows are long enough for the margin by which the source keeps away from the limit: it is to be
# more than what a busy machine may delay a request.


@pytest.mark.long
def test_eight_threads_share_one_limiter(account: Account) -> None:
    # the margin for slow arrivals is a part of the window: a short one has none on a busy machine
    with Server(account, rate_limit=20, rate_window=12) as server:
        together = threading.Barrier(8)

        def ask(_: int) -> None:
            # each thread with a client of its own, as sources have
            together.wait()
            client = client_of(server, shared_limit("eight threads", "api", 20, 12))

            async def read() -> None:
                for _ in range(5):
                    await client.page(STREAMS["clients"], params={})

            run(read())

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(ask, range(8)))
        assert statuses(server) == {200: 40}


@pytest.mark.long
def test_a_request_counts_when_it_is_sent(account: Account) -> None:
    """Not when it begins to wait for a thread, all of which may be held up by slow answers."""
    with Server(account, rate_limit=30, rate_window=10, latency=4) as server:
        slow = count(1)

        def quick_after_some(_: Any) -> None:
            if next(slow) > WORKERS:
                server.service.latency = 0

        server.before("/clients", quick_after_some, times=None)
        client = client_of(server, RateLimit("api", 30, 10))

        async def read() -> None:
            await asyncio.gather(*(client.page(STREAMS["clients"], params={}) for _ in range(60)))

        run(read())
        assert statuses(server) == {200: 60}


@pytest.mark.long
def test_sources_share_the_limiter(account: Account) -> None:
    limits = {"rate_limit": 7, "rate_window": 12}
    with Server(account, **limits) as server:
        for streams in (("clients", "projects", "tasks", "roles"), ("clients", "contacts")):
            list(Copy(server, **limits).source(*streams))
        list(Copy(server, **limits).source("projects", "tasks", "users"))
        assert statuses(server) == {200: 12}


def test_a_limit_that_is_not_kept_shows(account: Account) -> None:
    """The two tests above can fail: the sandbox enforces what they keep."""
    with Server(account, rate_limit=7, rate_window=3) as server:
        for other in (1000, 1001):
            source = Copy(server, rate_limit=other).source
            list(source("clients", "projects", "tasks", "roles"))
        assert statuses(server)[429] > 0


@pytest.mark.long
def test_limited_reports_do_not_hold_up_the_rest(account: Account) -> None:
    limits = {"report_rate_limit": 2, "report_rate_window": 4}
    lists = [stream.name for stream in LISTS if stream.name != "project_budget"]
    with Server(account, rate_limit=1000, **limits) as server:
        copy = Copy(server, **limits)
        copy.run("time_clients", "time_team", *lists)
        held = [path.startswith("/reports/") for path in copy.requests()]
        assert sum(held) == 2 * len(spans(account)) > 2
        # all the rest was asked for while the third report waited for its turn
        last = len(held) - held[::-1].index(False)
        assert sum(held[:last]) <= 2
        assert statuses(server).keys() == {200}
