"""Sandboxes for their own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox import Account, Server
from tests.sandbox.client import TODAY, Client


@pytest.fixture(scope="session")
def still() -> Iterator[Client]:
    """A server that no test changes."""
    account = Account.generate(seed=3, time_entries=1200, years=2.0, today=TODAY)
    with Server(account, limits=False) as server:
        yield Client(server)


@pytest.fixture
def client() -> Iterator[Client]:
    """A server of the test's own."""
    account = Account.generate(seed=4, time_entries=300, years=1.5, today=TODAY)
    account.clock.freeze(account.clock.now())
    with Server(account, limits=False) as server:
        yield Client(server)
