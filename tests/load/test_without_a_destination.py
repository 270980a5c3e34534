"""Extracting needs neither a destination nor its credentials, as dlt promises."""

import dlt
import pytest

from tests.copy import Copy


def test_extract_opens_no_destination(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESTINATION__POSTGRES__CREDENTIALS", raising=False)
    pipeline = dlt.pipeline("nowhere", destination="postgres", dataset_name="nowhere")
    info = pipeline.extract(copy.source("clients", "users", "invoices", "roles"))
    assert info.loads_ids
