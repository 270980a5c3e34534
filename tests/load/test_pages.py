"""However a list pages, and whatever it counts, all of its rows arrive."""

import pytest

from harvest.settings import STREAMS
from sandbox import LISTINGS, Account, Server
from tests.copy import Copy

LISTS = [
    name for name, stream in STREAMS.items() if stream.kind in ("list", "whole") and stream.rows_in
]


@pytest.fixture(scope="module")
def agency() -> Account:
    return Account.generate(seed=13, time_entries=60, years=0.5)


@pytest.mark.parametrize(
    "style",
    [
        "cursor",
        *(
            pytest.param(style, marks=pytest.mark.long)
            for style in ("page", "bare_page", "bare_cursor")
        ),
    ],
)
def test_every_list_can_page_in_every_way(agency: Account, style: str) -> None:
    """By number or by cursor, with or without counts: the link to the next page is followed."""
    with Server(agency, limits=False, page_size=7) as server:
        server.page_by(style)
        copy = Copy(server)
        copy.run()
        copy.check()
        assert len(agency.rows("time_entries")) > 7
        # a second run goes on from there
        agency.clock.advance(60)
        agency.edit("clients", agency.rows("clients")[0]["id"], name=f"by {style}")
        copy.run("clients", "time_entries", "invoices")
        copy.check("clients", "time_entries", "invoices", names=False)


@pytest.mark.parametrize("stream", ["time_entries", "invoices", "roles", "clients"])
def test_a_list_that_counts_more_than_it_shows_is_loaded(
    agency: Account, stream: str, said: pytest.LogCaptureFixture
) -> None:
    """It is read again once, and taken as it is when that brings nothing new."""
    with Server(agency, limits=False, page_size=5, pages={stream: "page"}) as server:
        server.faults.add(f"/{stream}", "overcount", times=None, more=3)
        copy = Copy(server)
        copy.run(stream)
        copy.check(stream)
        shown = len(agency.rows(stream))
        assert f"{stream}: Harvest counts {shown + 3:,} rows but shows {shown:,}" in said.text


@pytest.mark.parametrize("stream", ["time_entries", "invoices", "clients"])
def test_a_row_that_is_repeated_at_the_edge_of_a_page(agency: Account, stream: str) -> None:
    with Server(agency, limits=False, page_size=5, pages={stream: "page"}) as server:
        server.faults.add(f"/{stream}", "repeat", times=None)
        copy = Copy(server)
        copy.run(stream)
        copy.check(stream)


def test_a_list_without_counts_is_not_asked_for_pages_that_nobody_named(agency: Account) -> None:
    with Server(agency, limits=False, page_size=7) as server:
        server.page_by("bare_cursor")
        copy = Copy(server)
        copy.run("time_entries", "clients")
        assert not [record for record in server.requests if "page" in record.query]
        assert LISTINGS.keys() >= {"time_entries", "clients"}
