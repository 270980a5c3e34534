"""The statements of a run, which BigQuery bills by the tables that they name."""

from typing import Any, Callable, Tuple

import sqlglot
from sqlglot import exp

from harvest.cli.commands import load
from harvest.reconcile import verify
from tests.bigquery.emulator import Emulator
from tests.copy import Copy
from tests.sums import script_load


def cost(emulator: Emulator, run: Callable[[], Any]) -> Tuple[int, int]:
    """Returns how many statements were sent, and how many tables they name."""
    emulator.statements.clear()
    run()
    parsed = [
        each for text in emulator.statements for each in sqlglot.parse(text, dialect="bigquery")
    ]
    named = [
        {table.sql() for table in each.find_all(exp.Table) if table.db}
        for each in parsed
        if each is not None
    ]
    print(len(emulator.statements), "statements name", sum(map(len, named)), "tables")
    return len(emulator.statements), sum(map(len, named))


def test_what_a_run_costs(copy: Copy, emulator: Emulator) -> None:
    """The figures of docs/destinations.md: run it with -s to read them."""
    script_load(copy)
    statements, tables = cost(emulator, lambda: script_load(copy))
    assert statements <= 70
    assert tables <= 230
    statements, tables = cost(emulator, lambda: verify(copy.pipeline, copy.source()))
    assert statements <= 50
    assert tables <= 140
    entry = copy.server.account.rows("time_entries")[0]["id"]
    copy.server.account.clock.advance(60)
    copy.server.account.edit("time_entries", entry, notes="changed")
    statements, tables = cost(
        emulator,
        lambda: load(
            copy.source("time_entries"),
            destination=copy.pipeline.destination.destination_name,
            dataset=copy.pipeline.dataset_name,
            deleted=None,
        ),
    )
    assert statements <= 12
    assert tables <= 14
