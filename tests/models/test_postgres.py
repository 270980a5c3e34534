"""PostgreSQL gives the same answers as DuckDB."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest

from sandbox import Server
from tests.copy import Copy
from tests.models.conftest import Models
from tests.models.test_accounts import ANSWERS

pytestmark = pytest.mark.long


def test_the_answers_are_those_of_duckdb(
    server: Server, models: Models, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Copy(server, dataset="harvest_data").run()
    models.variables = {"harvest_today": "2026-06-30"}
    models.dbt("run")
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    Copy(server, destination="postgres", name="other", dataset="harvest_data").run()
    models.env["PGHOST"] = parse_qs(urlsplit(postgres).query)["host"][0]
    models.dbt("build", "--target", "postgres", "--exclude-resource-type", "unit_test")
    for name in ANSWERS:
        here = sorted(map(comparable, models.rows(name)))
        assert here, name
        assert sorted(map(comparable, rows(postgres, name))) == here, name
    # incremental as well: nothing has changed
    before = rows(postgres, "fct_time")
    models.dbt("run", "--target", "postgres", "--select", "fct_time")
    assert sorted(map(comparable, rows(postgres, "fct_time"))) == sorted(map(comparable, before))


def rows(address: str, table: str) -> list[dict[str, Any]]:
    connection = psycopg2.connect(address)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"select * from harvest_models.{table}")
            names = [column[0] for column in cursor.description or []]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    finally:
        connection.close()


def comparable(row: dict[str, Any]) -> list[str]:
    """Return a row as text, its numbers without zeros at their ends."""
    return [
        f"{name}: {f'{float(value):.5f}' if hasattr(value, 'as_tuple') else value}"
        for name, value in sorted(row.items())
    ]
