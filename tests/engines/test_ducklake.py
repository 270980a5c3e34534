"""DuckLake: Parquet files whose catalog is a database, in SQLite (dlt's default) or PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from harvest.reconcile import reconcile, verify
from sandbox import Server
from tests.copy import Copy
from tests.script import ROOT
from tests.sums import expected_sums, script_load, silent_changes, stored_sums
from tests.versions import one_history

SOME = ("clients", "projects", "time_entries", "invoices", "invoice_payments", "time_clients")
"""Streams of each kind; DuckLake takes its time over all of them."""


def test_load_again_repair_and_refresh(server: Server) -> None:
    account = server.account
    copy = Copy(server, "ducklake")
    assert script_load(copy).compared.equal
    copy.check()
    assert stored_sums(copy) == expected_sums(account)

    entry = account.rows("time_entries")[-1]["id"]
    invoice = account.rows("invoices")[-1]["id"]
    account.delete("time_entries", entry)
    account.delete("invoices", invoice)
    account.edit("clients", account.rows("clients")[0]["id"], name='Zoë \N{GRINNING FACE}\n"x"')
    found = verify(copy.pipeline, copy.source(*SOME))
    gone = {each.stream: each.deleted for each in found.comparisons if each.deleted}
    assert gone["time_entries"] == {(entry,)}
    assert gone["invoices"] == {(invoice,)}
    script_load(copy, resources=SOME)
    copy.check(*SOME, names=False)
    assert verify(copy.pipeline, copy.source(*SOME)).equal
    removed = {(row["stream"], row["id"]) for row in copy.table("removed_rows")}
    assert {("time_entries", entry), ("invoices", invoice)} <= removed

    marked = account.rows("time_entries")[-1]["id"]
    account.delete("time_entries", marked)
    reconcile(copy.pipeline, copy.source("time_entries"), "mark")
    assert {row["id"] for row in copy.table("time_entries") if row["deleted_at"]} == {marked}

    script_load(copy, resources=SOME, full_refresh=True)
    copy.check(*SOME)
    silent_changes(copy, *SOME)


def test_history(server: Server) -> None:
    one_history(Copy(server, "ducklake"))


def test_two_clients_at_once(
    server: Server, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs of the script load into one lake, and a third client reads meanwhile."""
    lake = {
        "DESTINATION__DUCKLAKE__CREDENTIALS__CATALOG": postgres,
        "DESTINATION__DUCKLAKE__CREDENTIALS__DUCKLAKE_NAME": "ducklake",
        "DESTINATION__DUCKLAKE__CREDENTIALS__STORAGE": str(Path("files").absolute()),
    }
    for name, value in lake.items():
        monkeypatch.setenv(name, value)
    copies = [Copy(server, "ducklake", dataset=name) for name in ("one", "two")]
    settings = {f"SOURCES__HARVEST__{k.upper()}": str(v) for k, v in copies[0].settings.items()}
    command = [sys.executable, ROOT / "harvest_pipeline.py", "--quiet", "--destination", "ducklake"]
    piped: Any = {"stderr": subprocess.PIPE, "text": True}
    for _ in range(2):
        runs = []
        for n, copy in enumerate(copies):
            dataset = copy.pipeline.dataset_name
            arguments = ["--resources", ",".join(SOME), "--dataset", dataset]
            folder = str(Path(f"dlt{n}").absolute())
            env = {**os.environ, **settings, "DLT_DATA_DIR": folder}
            runs.append((subprocess.Popen([*command, *arguments], env=env, **piped), env))
        seen = 0
        while any(run.poll() is None for run, _ in runs):
            seen = max(seen, clients_of_one(postgres))
        for run, env in runs:
            said = run.communicate()[1]
            # DuckLake may give up on a commit, rarely; then the next run must go on
            if "changed the lake at the same moment: run again" in said:
                subprocess.run(run.args, env=env, check=True)
            else:
                assert run.returncode == 0, said
        assert seen == len(server.account.rows("clients"))
        server.account.delete("time_entries", server.account.rows("time_entries")[-1]["id"])
    for copy in copies:
        copy.pipeline.sync_destination()
        copy.check("clients", "invoices")
        assert verify(copy.pipeline, copy.source("clients")).equal


def clients_of_one(postgres: str) -> int:
    """How many rows a client sees that knows nothing of dlt; 0 before there is a table."""
    with duckdb.connect() as engine:
        try:
            engine.execute(
                f"ATTACH 'ducklake:postgres:{postgres}' AS lake (METADATA_SCHEMA 'ducklake')"
            )
            return int(engine.sql("SELECT count(*) FROM lake.one.clients").fetchall()[0][0])
        # neither the lake nor its table are there yet
        except (duckdb.InvalidInputException, duckdb.CatalogException):
            return 0
