"""Columns of the source's own never take what Harvest sends under the same name."""

from typing import Any

import pytest

from harvest.settings import STREAMS
from sandbox import Server
from tests.copy import Copy
from tests.helpers import check, heal

STAMP = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("stream", "field", "value"),
    [
        ("clients", "deleted_at", STAMP),
        ("time_entries", "_dlt_id", STAMP),
        ("invoice_payments", "invoice_id", 7),
        ("pto_allocations", "year", 1999),
        ("time_clients", "period_start", "1999-01-01"),
        *(
            pytest.param(*each, marks=pytest.mark.long)
            for each in (
                ("clients", "valid_from", STAMP),
                ("clients", "seen_at", STAMP),
                ("time_entries", "deleted_at", STAMP),
                ("time_entries", "_dlt_load_id", STAMP),
                ("roles", "deleted_at", STAMP),
                ("invoices", "deleted_at", STAMP),
                ("invoice_payments", "deleted_at", STAMP),
                ("cost_rates", "user_id", 7),
                ("pto_balances", "year", 1999),
                ("time_clients", "deleted_at", STAMP),
            )
        ),
    ],
)
def test_a_field_of_that_name(server: Server, stream: str, field: str, value: Any) -> None:
    def send(body: Any) -> None:
        for rows in body.values():
            for row in rows if isinstance(rows, list) else ():
                row[field] = value

    path = STREAMS[stream].path.format(id=r"\d+")
    server.faults.add(path, "mutate", times=None, change=send)
    copy = Copy(server).of(*{"clients": ("clients",)}.get(stream, (stream, "clients")))
    copy.run()
    before = copy.table(stream)
    assert before
    other = f"harvest_{field.lstrip('_')}"
    assert {str(row[other])[:4] for row in before} == {str(value)[:4]}
    assert all(row.get(field) != value for row in before)
    heal(copy)
    assert len(copy.table(stream)) == len(before)
    assert check(copy).equal, check(copy).comparisons
