"""`harvest_pipeline.py drift`: how what Harvest sends differs from the schema."""

import json
import re
from typing import Any, Dict

import pytest

from harvest import harvest_source
from harvest.cli.drift import drift, kind_of
from harvest.settings import STREAMS
from sandbox import Account, Server
from tests.copy import Copy
from tests.script import environment, run


def found_in(server: Server, *arguments: str) -> Dict[str, Any]:
    done = run("drift", "--json", *arguments, env=environment(server))
    assert done.returncode == 0, done.stderr
    return {each["stream"]: each for each in json.loads(done.stdout)["streams"]}


def test_the_documented_account_is_as_declared(server: Server) -> None:
    found = found_in(server)
    assert found.keys() == STREAMS.keys()
    for name, each in found.items():
        # of which nobody knows what it is when it is set
        unknown = ("reimbursement",)
        found_odd = [*each["unforeseen"], *each["other_types"]]
        odd = [field for field in found_odd if not field["name"].startswith(unknown)]
        assert odd == [], name
    # one page of each: parents until one has something
    assert all(record.query.get("page") is None for record in server.requests)
    assert found["time_entries"]["rows"] == 400


def test_what_nobody_foresaw() -> None:
    account = Account.generate(seed=7, time_entries=200, years=1.5, unforeseen=True)
    with Server(account, limits=False) as server:
        source = harvest_source(**Copy(server).settings)
        found = {each.stream: each for each in drift(source)}
    for name, each in found.items():
        types = {field.name: field.types for field in each.unforeseen}
        assert each.rows, name
        assert types["is_starred"] == {"bool": each.rows}
        assert types["archive_reason"] == {"null": each.rows}
        assert types["provenance__revision"] == {"bigint": each.rows}


def test_names_types_and_counts_only(server: Server) -> None:
    def change(body: Any) -> None:
        for row in body["clients"][:3]:
            row.update(address=17, secret_field="Very private")
        for row in body["clients"][:2]:
            row.update(is_active="perhaps", created_at="2024-02-31")
        for row in body["clients"]:
            del row["currency"]

    server.faults.add("/clients", "mutate", change=change)
    done = run("drift", "--resources", "clients,tasks", env=environment(server))
    assert done.returncode == 0, done.stderr
    rows = server.account.rows("clients")
    said = [line.strip() for line in done.stdout.splitlines()]
    assert re.fullmatch(rf"clients +{len(rows)}   new: clients.secret_field \(3 text\)", said[1])
    assert said[2:6] == [
        "not sent: clients.currency",
        "clients.is_active (2 text) where bool is declared",
        "clients.address (3 bigint) where text is declared",
        "clients.created_at (2 text) where timestamp is declared",
    ]
    assert re.fullmatch(r"tasks +\d+   as declared", said[6])
    for private in ("Very private", "perhaps", "2024-02-31", str(rows[0]["name"])):
        assert private not in done.stdout


def test_what_is_refused_or_switched_off(server: Server) -> None:
    server.forbidden = {"invoices"}
    server.account.company["expense_feature"] = False
    found = found_in(server)
    assert "403" in found["invoices"]["note"]
    assert "403" in found["invoice_payments"]["note"]
    assert "expense_feature" in found["expenses"]["note"]
    assert found["time_entries"]["rows"]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "bool"),
        (1, "bigint"),
        ("", "text"),
        ("2.11", "number in quotes"),
        ("2024-02-29", "date"),
        ("2024-02-31", "text"),
        ("2024-02-29T10:00:00Z", "timestamp"),
        ("2024-02-29T25:00:00", "timestamp"),
        ("2024-02-29 and so on", "text"),
        ([], "list"),
        ({}, "object"),
    ],
)
def test_kinds(value: Any, kind: str) -> None:
    assert kind_of(value) == kind
