"""The run of every hour, which finds nothing changed, beside dlt's `rest_api`.

python -m benchmarks.every_hour [--rounds 3]

Each run has a process of its own, in a folder where the same has loaded twice before. The three
take turns, so that what else the machine does meets them alike.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, List

from .load import ACCOUNT_ID, TOKEN, rest_api
from .run import LISTS, ROOT, Sandbox

KINDS: Dict[str, List[str]] = {
    "rest_api": [],
    "lists": ["--no-reconcile", "--resources", ",".join(LISTS)],
    "all streams, compared": [],
}
"""The runs that are measured, by name, with their arguments."""


def run(kind: str, url: str) -> Dict[str, Any]:
    """Runs once in the present folder, and returns what it took."""
    began = time.perf_counter()
    import dlt

    def make() -> dlt.Pipeline:
        return dlt.pipeline("harvest", destination="duckdb", dataset_name="harvest_data")

    if kind == "rest_api":
        make().run(rest_api(url, LISTS, {}))
    else:
        from harvest import harvest_source
        from harvest.cli import main

        code = main(make, harvest_source, ["--quiet", *KINDS[kind]])
        assert code == 0
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": time.perf_counter() - began,
        "cpu": used.ru_utime + used.ru_stime,
        # kilobytes on Linux
        "peak": used.ru_maxrss / 1024,
    }


def spawn(kind: str, sandbox: Sandbox, folder: str) -> Dict[str, Any]:
    """Runs in a process of its own, and counts the requests that the sandbox saw."""
    sandbox.reset()
    settings = {
        "ACCESS_TOKEN": TOKEN,
        "ACCOUNT_ID": ACCOUNT_ID,
        "BASE_URL": f"{sandbox.url}/v2",
        "ID_URL": f"{sandbox.url}/api/v2",
        "RATE_LIMIT": "1000000",
        "REPORT_RATE_LIMIT": "1000000",
    }
    env = {
        **os.environ,
        **{f"SOURCES__HARVEST__{name}": text for name, text in settings.items()},
        "DLT_DATA_DIR": folder,
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        # dlt lists the columns that had no value yet, for each table of rest_api
        "RUNTIME__LOG_LEVEL": "ERROR",
        "PYTHONPATH": str(ROOT),
    }
    # the first two runs compile, as the installation of a package does
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "benchmarks.every_hour", "--kind", kind, "--url", sandbox.url]
    done = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0
    taken: Dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    made = sandbox.stats()["requests"]
    return {**taken, "requests": sum(sum(by.values()) for by in made.values())}


def benchmark(rounds: int) -> None:
    """Runs all in turn, and prints the medians."""
    with (
        Sandbox.serving(20_000, "--no-limits", "--unforeseen") as sandbox,
        tempfile.TemporaryDirectory() as home,
    ):
        folders = {kind: os.path.join(home, str(n)) for n, kind in enumerate(KINDS)}
        for kind, folder in folders.items():
            os.mkdir(folder)
            for _ in range(2):
                spawn(kind, sandbox, folder)
        taken: Dict[str, List[Dict[str, Any]]] = {kind: [] for kind in KINDS}
        for _ in range(rounds):
            for kind, folder in folders.items():
                taken[kind].append(spawn(kind, sandbox, folder))
        for kind, runs in taken.items():
            found = {name: statistics.median(each[name] for each in runs) for name in runs[0]}
            print(
                f"{kind:<24}{found['seconds']:>7.1f} s {found['cpu']:>7.1f} s of processor"
                f"{found['peak']:>8.0f} MB{found['requests']:>6.0f} requests",
                flush=True,
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kind", choices=KINDS, help="run this once, in the present folder")
    parser.add_argument("--url", help="of a sandbox")
    options = parser.parse_args()
    if options.kind:
        print(json.dumps(run(options.kind, options.url)))
    else:
        benchmark(options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
