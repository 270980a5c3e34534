"""A comparison sends few statements: some databases bill each of them, others are far away."""

from contextlib import contextmanager
from typing import Iterator, List

import pytest

from harvest.cli.memory import limit_duckdb
from harvest.reconcile import verify
from tests.copy import Copy
from tests.helpers import agree
from tests.sums import script_load

MOST = 40
"""Queries that a run may send besides those of dlt's, and that `verify` may send for streams
which each run compares."""


@pytest.fixture
def copy(copy: Copy) -> Copy:
    script_load(copy)
    script_load(copy)
    limit_duckdb(copy.pipeline, copy.pipeline.destination_client().config)
    return copy


@contextmanager
def queries(copy: Copy) -> Iterator[List[str]]:
    """Gives what is asked meanwhile, by the log of the database."""
    found: List[str] = []
    with copy.pipeline.sql_client() as client:
        database = client.native_connection
        database.execute("CALL enable_logging('QueryLog')")
        yield found
        database.execute("CALL disable_logging()")
        sent = "SELECT message FROM duckdb_logs WHERE type = 'QueryLog'"
        said = [text.strip() for (text,) in database.execute(sent).fetchall()]
        database.execute("CALL truncate_duckdb_logs()")
    found += [text for text in said if text.startswith("SELECT")]


def test_a_run_that_finds_nothing_new(copy: Copy) -> None:
    with queries(copy) as sent:
        compared = script_load(copy).compared
    assert compared
    agree(compared)
    with queries(copy) as by_dlt:
        copy.pipeline.run(copy.source())
    assert by_dlt
    assert len(sent) - len(by_dlt) <= MOST, "\n".join(sent)


def test_verify(copy: Copy) -> None:
    with queries(copy) as sent:
        agree(verify(copy.pipeline, copy.source()))
    replaced = ("roles", "pto_", "project_budget", "company")
    sent = [text for text in sent if not any(f'."{name}' in text for name in replaced)]
    assert 20 < len(sent) <= MOST, "\n".join(sent)
    assert len({*sent}) == len(sent)
