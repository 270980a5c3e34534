"""`python -m benchmarks.first_load`: the waiting times of the first load of a large account.

Each invoice of an account takes two requests. The benchmark measures the seconds until time entries
can be queried, at Harvest's limits, and counts the requests that a load makes again after `kill -9`
at three places, with all times divided by 20.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterable, List

import dlt
import duckdb

from sandbox import Account, Server

ROOT = Path(__file__).parent.parent
FASTER = 20
"""The second part divides Harvest's times, and the lengths of the steps, by this."""
BELOW = re.compile(r"/(invoices|estimates|users)/[0-9]+/")


def large_account(entries: int, invoices: int) -> Account:
    """An account with so many time entries and invoices."""
    account = Account.generate(seed=1, time_entries=entries)
    client = account.rows("clients")[0]["id"]
    for number in range(invoices - len(account.rows("invoices"))):
        account.add("invoices", client_id=client, number=f"N{number}", line_items=[])
    account.clock.advance(60)
    return account


def settings(server: Server) -> Dict[str, str]:
    """The environment of a load, as the sandbox prints it."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "SOURCES__HARVEST__BASE_URL": server.base_url,
        "SOURCES__HARVEST__ID_URL": server.id_url,
        "SOURCES__HARVEST__ACCESS_TOKEN": server.token,
        "SOURCES__HARVEST__ACCOUNT_ID": str(server.account_id),
    }


def first_table(account: Account) -> None:
    """Measure the seconds until the time entries are there, at Harvest's limits."""
    with Server(account) as server, tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "harvest_pipeline.py")],
            cwd=folder,
            env={**settings(server), "DLT_DATA_DIR": folder},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr
        said = next(line for line in process.stderr if "still reading" in line)
        seconds = time.monotonic() - began
        process.send_signal(signal.SIGKILL)
        process.wait()
        with duckdb.connect(str(Path(folder, "harvest.duckdb")), read_only=True) as database:
            (rows,) = database.execute("SELECT count(*) FROM harvest_data.time_entries").fetchall()
    print(f"at Harvest's limits: {rows[0]:,} time entries there after {seconds:.1f} s")
    print(f"  it said: {said.strip()}")


def killed(account: Account, shares: Iterable[float]) -> None:
    """Measure the requests that are repeated after kills at some shares of a load."""
    limits = {"rate_window": 15 / FASTER, "report_rate_window": 900 / FASTER}
    children = 2 * len(account.rows("invoices"))
    with Server(account, **limits) as server, tempfile.TemporaryDirectory() as folder:
        environment = {**settings(server), "DLT_DATA_DIR": folder}
        for name, value in limits.items():
            environment[f"SOURCES__HARVEST__{name.upper()}"] = str(value)
        began, peak = time.monotonic(), 0.0
        for share in [*shares, 2.0]:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.first_load", "--child"],
                cwd=folder,
                env=environment,
            )
            while process.poll() is None and len(below(server)) < share * children:
                peak = max(peak, resident(process.pid))
                time.sleep(0.1)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
        asked = Counter(below(server))
        again = sum(asked.values()) - len(asked)
        print(
            f"{FASTER} times as fast: {len(asked):,} requests below records in"
            f" {time.monotonic() - began:.0f} s, {again:,} of them made again after"
            f" {len([*shares])} kills (a minute's are {60 / 15 * 100:.0f}),"
            f" peak {peak:.0f} MB, exit code {process.returncode}"
        )


def below(server: Server) -> List[str]:
    """The requests for what is below single records."""
    found = (f"{each.path} {sorted(each.query.items())}" for each in list(server.requests))
    return [each for each in found if BELOW.match(each)]


def resident(process: int) -> float:
    """The megabytes that a process holds; 0 if that cannot be told."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmRSS:\s+([0-9]+)", text)
    return int(found[1]) / 1024 if found else 0


def load() -> None:
    """One load in steps, in a process that is killed."""
    from harvest import harvest_source
    from harvest.steps import steps

    pipeline: Any = dlt.pipeline("harvest", destination="duckdb", dataset_name="harvest_data")
    for step in steps(harvest_source(), (15 / FASTER, 60 / FASTER)):
        pipeline.run(step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--invoices", type=int, default=20_000)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return load()
    account = large_account(options.entries, options.invoices)
    first_table(account)
    killed(account, (0.25, 0.5, 0.75))


if __name__ == "__main__":
    main()
