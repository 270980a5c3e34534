"""One emulator for all tests, of which each has a dataset of its own."""

import tempfile
from pathlib import Path
from typing import Iterator

import pytest

from sandbox import Account, Server
from tests.bigquery.emulator import Emulator, serving
from tests.copy import Copy


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as running:
        yield running


@pytest.fixture
def account() -> Account:
    """Small, since each statement takes the emulator a while."""
    return Account.generate(seed=7, time_entries=200, years=1.2)


@pytest.fixture
def copy(server: Server, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Copy:
    """A pipeline that copies the account into BigQuery's API."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    return Copy(server, "bigquery")
