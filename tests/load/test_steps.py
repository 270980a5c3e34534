"""A load in steps: tables are there early, and nothing that was stored is asked for again."""

import re
from collections import Counter
from typing import Any, Dict, Iterator, List

import dlt
import pytest

from harvest.reconcile import verify
from harvest.settings import FAMILIES, STREAMS
from harvest.steps import steps
from sandbox import Account, Server
from tests.copy import Copy

LISTS = ("invoices", "estimates", "users")
BELOW = [stream for name in LISTS for stream in FAMILIES[name] if stream.parent]
ALL = [*LISTS, *(stream.name for stream in BELOW)]
RECORD = re.compile(r"/(invoices|estimates|users)/[0-9]+/")


@pytest.fixture
def slow(account: Account) -> Iterator[Copy]:
    """An account whose children take several steps of no time at all."""
    with Server(account, limits=False) as server:
        yield Copy(server)


def asked_below(copy: Copy) -> "Counter[str]":
    """The requests for what is below single records."""
    found = (f"{each.path} {sorted(each.query.items())}" for each in copy.server.requests)
    return Counter(each for each in found if RECORD.match(each))


def in_steps(copy: Copy, *streams: str, most: int = 10**6, **settings: Any) -> List[Dict[str, int]]:
    """Load in steps without time; return the rows of each. Ends early after `most`, as a kill."""
    found = []
    for step in steps(copy.source(*streams, **settings), (0, 0.6)):
        copy.pipeline.run(step)
        info = copy.pipeline.last_trace.last_normalize_info
        found.append(dict(info.row_counts) if info else {})
        if len(found) == most:
            break
    return found


def test_lists_are_there_after_the_first_step(slow: Copy) -> None:
    slow.server.service.latency = 0.05
    done = in_steps(slow, "time_entries", "clients", *ALL)
    assert len(done) > 1
    first = done[0]
    assert first["time_entries"] == len(slow.server.account.rows("time_entries"))
    assert first["invoices"] == len(slow.server.account.rows("invoices"))
    assert first.get("invoice_messages", 0) < len(slow.server.account.rows("invoice_messages"))
    slow.check("time_entries", "clients", *ALL)
    # each was asked for once, in whichever step
    assert set(asked_below(slow).values()) == {1}
    slow.server.requests.clear()
    assert len(in_steps(slow, "time_entries", "clients", *ALL)) == 1
    assert not asked_below(slow)


def test_what_waits_for_the_rate_limit_is_asked_once(slow: Copy) -> None:
    """Whichever of the waiting requests gets the next turn when a step ends."""
    done = in_steps(slow, *ALL, rate_limit=40, rate_window=0.5)
    assert len(done) > 2
    again = [path for path, times in asked_below(slow).items() if times > 1]
    assert not again
    slow.check(*ALL)


@pytest.mark.parametrize("killed_after", [1, pytest.param(2, marks=pytest.mark.long)])
def test_another_run_goes_on_where_one_was_killed(slow: Copy, killed_after: int) -> None:
    slow.server.service.latency = 0.15
    in_steps(slow, *ALL, most=killed_after)
    with slow.reading():
        unfinished = slow.pipeline.state["sources"]["harvest"]["resources"]
    assert any("walk" in state for state in unfinished.values())
    # half of it is not taken for all
    result = verify(slow.pipeline, slow.source(*ALL))
    assert not result.equal
    assert any("run again for the rest" in each.verdict for each in result.comparisons)
    # what changed meanwhile is not forgotten either
    account = slow.server.account
    invoice = account.rows("invoices")[0]["id"]
    account.clock.advance(5)
    account.add("invoice_messages", invoice_id=invoice, subject="Reminder")
    account.edit("invoices", invoice, notes="Changed")
    in_steps(slow, *ALL)
    again = {path: times for path, times in asked_below(slow).items() if times > 1}
    assert all(f"/invoices/{invoice}/" in path for path in again)
    in_steps(slow, *ALL)
    slow.check(*ALL)


def test_everything_anew_in_steps(slow: Copy) -> None:
    slow.server.service.latency = 0.05
    slow.run(*ALL)
    for number, step in enumerate(steps(slow.source(*ALL), (0, 0.6))):
        slow.pipeline.run(step, write_disposition=None if number else "replace")
    slow.check(*ALL)


def test_reports_take_what_their_limit_gives(slow: Copy) -> None:
    reports = [name for name, stream in STREAMS.items() if stream.report]
    settings = {"report_period": "month", "report_rate_limit": 60, "report_rate_window": 2}
    done = in_steps(slow, "time_entries", "expenses", *reports, **settings)
    assert len(done) > 2
    slow.check("time_entries", "expenses", *reports, period="month")
    asked = Counter(
        f"{each.path} {sorted(each.query.items())}"
        for each in slow.server.requests
        if each.path.startswith("/reports/")
    )
    settled = {path for path in asked if not re.search(r"'to', '20(25-1[0-2]|26)", path)}
    assert all(asked[path] == 1 for path in settled)


@pytest.mark.parametrize("most", [1, pytest.param(3, marks=pytest.mark.long)])
@pytest.mark.parametrize("stream", ["expenses", "time_entries"])
def test_add_limit_goes_on_from_run_to_run(account: Account, stream: str, most: int) -> None:
    """The pages of a list, so many in each run, until all are there."""
    with Server(account, limits=False, page_size=-(-len(account.rows(stream)) // 4)) as server:
        copy = Copy(server)
        counts = [0]
        while counts[-1] < len(account.rows(stream)):
            copy.pipeline.run(copy.source(stream, "roles").add_limit(most))
            counts.append(len(copy.table(stream)))
            assert counts[-1] > counts[-2]
        # a change in the meantime is not forgotten, also on a page that was read before
        account.clock.advance(60)
        account.edit(stream, account.rows(stream)[0]["id"], notes="changed")
        copy.run(stream)
        copy.check(stream)
        server.forget_before()
        assert not copy.run(stream).get(stream)


def test_add_limit_that_was_cut_half_way_is_undone_by_a_whole_run(account: Account) -> None:
    with Server(account, limits=False, page_size=20) as server:
        copy = Copy(server)
        copy.pipeline.run(copy.source("contacts", "time_entries").add_limit(2))
        account.clock.advance(60)
        account.edit("time_entries", account.rows("time_entries")[-1]["id"], notes="changed")
        copy.run("contacts", "time_entries")
        copy.check("contacts", "time_entries")


def test_windows_that_each_run_reads_again_are_read_once_in_a_load(slow: Copy) -> None:
    """However many they are: a load comes to its end."""
    reports = ("time_clients", "time_team")
    settings = {
        "report_period": "month",
        "report_lookback_days": 10_000,
        "report_rate_limit": 8,
        "report_rate_window": 0.5,
    }
    done = in_steps(slow, "time_entries", *reports, most=40, **settings)
    assert 1 < len(done) < 40
    slow.check("time_entries", *reports, period="month")
    asked = Counter(
        f"{each.path} {sorted(each.query.items())}"
        for each in slow.server.requests
        if each.path.startswith("/reports/")
    )
    assert set(asked.values()) == {1}


def test_a_transformer_on_a_report_alone_in_steps(slow: Copy) -> None:
    @dlt.transformer(name="seen")
    def seen(rows: Any) -> Iterator[Any]:
        yield [{"key": str(row)} for row in rows]

    source = slow.source()
    source.resources["seen"] = source.time_clients | seen
    for step in steps(source.with_resources("seen"), (0, 0.6)):
        slow.pipeline.run(step)
    assert slow.table("seen")


def test_add_limit_of_nothing_loses_nothing(account: Account) -> None:
    """As people make tables without rows: `add_limit(0)` takes no page at all."""
    with Server(account, limits=False, page_size=50) as server:
        copy = Copy(server)
        copy.pipeline.run(copy.source("time_entries", "roles").add_limit(0))
        server.requests.clear()
        copy.pipeline.run(copy.source("time_entries", "roles").add_limit(1))
        first = next(each for each in server.requests if each.path == "/time_entries")
        assert not {"page", "cursor"} & first.query.keys()
        assert len(copy.table("time_entries")) == 50


def test_changes_between_the_parts_of_a_list_are_not_forgotten(account: Account) -> None:
    """Also of a row that an earlier part has read, if a later part sees a later change."""
    pages = {"time_entries": "cursor"}
    with Server(account, limits=False, page_size=150, pages=pages) as server:
        copy = Copy(server)
        copy.pipeline.run(copy.source("time_entries").add_limit(1))
        read = {row["id"] for row in copy.table("time_entries")}
        unread = {row["id"] for row in account.rows("time_entries")} - read
        # the cursor must not go on to the changes of the last part
        for keys in ({min(read)}, unread):
            account.clock.advance(60)
            for key in keys:
                account.edit("time_entries", key, notes="changed")
        while len(copy.table("time_entries")) < len(account.rows("time_entries")):
            account.clock.advance(60)
            copy.pipeline.run(copy.source("time_entries").add_limit(1))
        copy.pipeline.run(copy.source("time_entries").add_limit(1))
        account.clock.advance(60)
        copy.run("time_entries")
        copy.check("time_entries")
