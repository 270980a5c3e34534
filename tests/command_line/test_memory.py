"""The script limits the memory of a run, unless the user's settings say otherwise."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import dlt
import pytest

from harvest.cli.destination import harvest_pipeline, opened
from harvest.cli.memory import WORKERS
from tests.script import ROOT


def setting(pipeline: dlt.Pipeline, name: str) -> Any:
    with pipeline.sql_client() as client:
        return client.execute_sql(f"SELECT current_setting('{name}')")[0][0]


@pytest.mark.parametrize("address", ["", "duckdb:///other.duckdb"])
def test_duckdb_has_a_limit(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if address:
        monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", address)
    with opened(harvest_pipeline, writes=True) as pipeline:
        pipeline.run([{"id": 1}], table_name="some")
        assert setting(pipeline, "memory_limit") == "133.5 MiB"
        assert setting(pipeline, "threads") == 1
    assert Path("other.duckdb" if address else "harvest.duckdb").exists()


def test_a_limit_of_ones_own_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    own = '{"memory_limit": "1GiB"}'
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS__GLOBAL_CONFIG", own)
    with opened(harvest_pipeline) as pipeline:
        assert setting(pipeline, "memory_limit") == "1.0 GiB"


@pytest.mark.parametrize(
    ("destination", "set_by_hand", "at_once"),
    [
        ("duckdb", None, 1),
        ("filesystem", None, WORKERS),
        # of several writers, all but one find the database locked
        ("sqlalchemy", None, 1),
        ("duckdb", "7", None),
        ("filesystem", "7", None),
    ],
)
def test_tables_loaded_at_once(
    destination: str,
    set_by_hand: Optional[str],
    at_once: Optional[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", "lake")
    monkeypatch.setenv("DESTINATION__SQLALCHEMY__CREDENTIALS", "sqlite:///copy.db")
    if set_by_hand:
        monkeypatch.setenv("LOAD__WORKERS", set_by_hand)
    with opened(harvest_pipeline, destination) as pipeline:
        assert pipeline.destination.capabilities().max_parallel_load_jobs == at_once


def test_arrow_is_imported_late_and_gives_memory_back() -> None:
    look = (
        "import os, sys; os.environ.pop('ARROW_DEFAULT_MEMORY_POOL', '');"
        " from harvest.cli import memory, run; print('pyarrow' in sys.modules);"
        " given = memory.memory_given_back(); given.__enter__();"
        " import pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    )
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "system"], done.stderr


def test_a_destination_that_loads_less_at_once_does_so() -> None:
    @dlt.destination(max_parallel_load_jobs=2)
    def two_at_once(items: Any, table: Any) -> None:
        pass

    def pipeline() -> dlt.Pipeline:
        return dlt.pipeline("harvest", destination=two_at_once, dataset_name="data")

    with opened(pipeline) as ready:
        assert ready.destination.capabilities().max_parallel_load_jobs == 2
