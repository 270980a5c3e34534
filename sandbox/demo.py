"""`make demo`: loads a made-up Harvest account into DuckDB, changes it, and loads the changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

from .account import Account
from .api.reports import REPORTS
from .server import Server
from .store.listings import BALANCES, LISTINGS

ROOT = Path(__file__).parent.parent
HOME = ROOT / ".demo"
DATABASE = HOME / "harvest.duckdb"


def environment(server: Server) -> dict[str, str]:
    """Return settings by which harvest_pipeline.py reads the sandbox, apart from a user's own."""
    settings = {
        "SOURCES__HARVEST__BASE_URL": server.base_url,
        "SOURCES__HARVEST__ID_URL": server.id_url,
        "SOURCES__HARVEST__ACCESS_TOKEN": server.token,
        "SOURCES__HARVEST__ACCOUNT_ID": server.account_id,
        # the sandbox is told not to enforce Harvest's limits here, so nobody must wait
        "SOURCES__HARVEST__RATE_LIMIT": "100000",
        "SOURCES__HARVEST__REPORT_RATE_LIMIT": "100000",
        "DLT_DATA_DIR": str(HOME / "dlt"),
        "DESTINATION__DUCKDB__CREDENTIALS": str(DATABASE),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }
    return {**os.environ, **settings}


def load(server: Server) -> None:
    """Run the script, whose own sentence says what went wrong if it fails.

    Raises:
        SystemExit: It failed.
    """
    print("\n$ python harvest_pipeline.py", flush=True)
    command = [sys.executable, str(ROOT / "harvest_pipeline.py")]
    done = subprocess.run(command, env=environment(server), cwd=HOME, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def last_load() -> str:
    """Return the name of the last load; names sort by time."""
    with duckdb.connect(str(DATABASE), read_only=True) as connection:
        found = connection.execute("SELECT max(load_id) FROM harvest_data._dlt_loads").fetchone()
        assert found
        return str(found[0])


def summary(first: str) -> str:
    """Count the rows of each stream, and how many of them came after the first run."""
    lines = [f"{'stream':<28}{'rows':>8}{'second run':>14}"]
    with duckdb.connect(str(DATABASE), read_only=True) as connection:
        loaded = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'harvest_data'"
        ).fetchall()
        streams = {"company", BALANCES, *LISTINGS, *REPORTS}
        for stream in sorted(streams.intersection(name for (name,) in loaded)):
            counted = connection.execute(
                f"SELECT count(*), count(*) FILTER (_dlt_load_id > ?) FROM harvest_data.{stream}",
                [first],
            ).fetchone()
            assert counted
            lines.append(f"{stream:<28}{counted[0]:>8,}{counted[1]:>14,}")
    return "\n".join(lines)


def main() -> int:
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir()
    account = Account.generate()
    with Server(account, limits=False) as server:
        print(f"A made-up Harvest account, {account.company['name']}, is served on this machine.")
        load(server)
        first = last_load()
        print("\n$ python -m sandbox change --count 12")
        for change in account.change(seed=1, count=12):
            print(change)
        load(server)
    print("\nThe first run read everything; the second one read what had changed.\n")
    print(summary(first))
    place = DATABASE.relative_to(ROOT)
    python = Path(sys.executable)
    if python.is_relative_to(ROOT):
        python = python.relative_to(ROOT)
    question = (
        "SELECT project__name, round(sum(hours)) AS hours FROM harvest_data.time_entries"
        " GROUP BY ALL ORDER BY hours DESC LIMIT 5"
    )
    print(f"""
All of it is in {place}, in the schema harvest_data. Ask it something:
  {python} -c "import duckdb; duckdb.connect('{place}').sql('{question}').show()"
Your own account: put a token from https://id.getharvest.com/developers into
  the environment as SOURCES__HARVEST__ACCESS_TOKEN, then
  {python} harvest_pipeline.py""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
