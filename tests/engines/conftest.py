"""DuckDB's extensions from their packages, since DuckDB would fetch them from the network."""

import os
import tempfile
from typing import Iterator

import duckdb
import pytest
from duckdb_extensions import import_extension

from sandbox import Account

EXTENSIONS = ("delta", "ducklake", "postgres_scanner", "sqlite_scanner")


@pytest.fixture(scope="session", autouse=True)
def _extensions() -> Iterator[None]:
    """Installs them into a home of their own, which is where DuckDB looks."""
    home = os.environ.get("HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = folder
        with duckdb.connect() as engine:
            for name in EXTENSIONS:
                import_extension(name, con=engine)
        yield
        if home is not None:
            os.environ["HOME"] = home


@pytest.fixture
def account() -> Account:
    """Smaller than elsewhere, and of two years all the same."""
    return Account.generate(seed=7, time_entries=200, years=1.2)
