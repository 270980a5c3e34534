"""A token whose owner sees less must not replace what another's has loaded."""

import pytest

from sandbox import Server
from tests.copy import Copy
from tests.helpers import snapshot

KEPT = ("project_budget", "pto_allocations")
"""Streams that runs replace, and of which a manager sees a part."""


def test_one_list_that_is_replaced_says_nothing_of_others(server: Server) -> None:
    copy = Copy(server)
    copy.run("tasks", "clients", *KEPT)
    before = snapshot(copy)
    server.owned_by("manager")
    source = copy.source("tasks", "clients", *KEPT)
    source.tasks.apply_hints(write_disposition="replace")
    copy.pipeline.run(source)
    assert set(copy.skipped()) == set(KEPT)
    after = snapshot(copy)
    for stream in KEPT:
        assert after[stream] == before[stream]


def test_a_source_that_is_used_again_reads_what_it_left_out(server: Server) -> None:
    copy = Copy(server)
    copy.run("tasks", *KEPT)
    server.owned_by("manager")
    source = copy.source("tasks", *KEPT)
    source.project_budget.apply_hints(columns={"budget": {"description": "mine"}})
    copy.pipeline.run(source)
    assert set(copy.skipped()) == set(KEPT)
    server.owned_by("administrator")
    copy.pipeline.run(source)
    assert copy.skipped() == {}
    copy.check("tasks", "project_budget")


@pytest.mark.long
def test_everything_anew_counts_for_all(server: Server) -> None:
    copy = Copy(server)
    copy.run("tasks", "project_budget")
    server.owned_by("manager")
    copy.run("tasks", "project_budget", full_refresh=True)
    assert copy.skipped() == {}
