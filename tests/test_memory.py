"""The script limits the memory of a run, unless the user's settings say otherwise."""

from pathlib import Path
from typing import Any

import dlt
import pytest

from harvest.cli.destination import harvest_pipeline, opened
from harvest.cli.memory import WORKERS, take_little_memory


def setting(pipeline: dlt.Pipeline, name: str) -> Any:
    with pipeline.sql_client() as client:
        return client.execute_sql(f"SELECT current_setting('{name}')")[0][0]


@pytest.mark.parametrize("address", ["", "duckdb:///other.duckdb"])
def test_duckdb_has_a_limit(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if address:
        monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", address)
    with opened(harvest_pipeline, writes=True) as pipeline:
        pipeline.run([{"id": 1}], table_name="some")
        assert setting(pipeline, "memory_limit") == "143.0 MiB"
        assert setting(pipeline, "threads") == 1
    assert Path("other.duckdb" if address else "harvest.duckdb").exists()


def test_a_limit_of_ones_own_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    own = '{"memory_limit": "1GiB"}'
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS__GLOBAL_CONFIG", own)
    with opened(harvest_pipeline) as pipeline:
        assert setting(pipeline, "memory_limit") == "1.0 GiB"


def test_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    # Arrow's memory is that of the whole process of the tests
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "system")
    take_little_memory()
    assert dlt.config.get("load.workers") == WORKERS
    monkeypatch.setenv("LOAD__WORKERS", "7")
    take_little_memory()
    assert dlt.config.get("load.workers") == "7"
