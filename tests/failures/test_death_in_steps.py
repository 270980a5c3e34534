"""A load that is killed between and within its steps: the next run goes on, and all is there."""

import re
import time
from pathlib import Path
from random import Random
from typing import Any, Dict, List

import pytest

from sandbox import Account, Server
from tests.copy import Copy
from tests.lakes import Delta
from tests.processes import Run

STREAMS = (
    *("clients", "time_entries", "users", "billable_rates", "teammates", "invoices"),
    *("invoice_messages", "invoice_payments", "time_clients"),
)
RECORD = re.compile(r"/(invoices|users)/[0-9]+/")
STEPS = (0.0, 0.4)


def asked_below(server: Server) -> List[str]:
    found = (f"{each.path} {sorted(each.query.items())}" for each in list(server.requests))
    return [each for each in found if RECORD.match(each)]


def copy_in(destination: str, server: Server, request: pytest.FixtureRequest) -> Copy:
    """A copy whose runs are processes, looked at from a place of its own."""
    monkeypatch = request.getfixturevalue("monkeypatch")
    if destination == "postgres":
        address = request.getfixturevalue("postgres")
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    if destination == "delta":
        monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(Path("lake").absolute()))
        return Delta(server)
    return Copy(server, destination, dataset=f"steps_{request.node.name.split('[')[1][:4]}")


@pytest.mark.long
@pytest.mark.parametrize("destination", ["duckdb", "postgres", "delta"])
def test_killed_while_it_reads_what_is_below_records(
    account: Account, destination: str, request: pytest.FixtureRequest
) -> None:
    rng = Random(7)
    with Server(account, limits=False, latency=0.03) as server:
        copy = copy_in(destination, server, request)
        kind = "filesystem" if destination == "delta" else destination
        how: Dict[str, Any] = {**copy.settings, "destination": kind, "step_seconds": STEPS}
        how["dataset"] = copy.pipeline.dataset_name
        killed = 0
        for _ in range(3):
            before = len(asked_below(server))
            run = Run(*STREAMS, **how)
            until = before + rng.randrange(20, 150)
            while run.process.is_alive() and len(asked_below(server)) < until:
                time.sleep(0.02)
            run.kill()
            killed += run.end()[0] == -9
        assert killed
        code, said = Run(*STREAMS, **how).end()
        assert code == 0, said
        copy.pipeline.sync_destination()
        copy.check(*STREAMS)
