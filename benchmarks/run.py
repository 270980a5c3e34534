"""`make benchmark`: what a load takes, against a sandbox in a process of its own.

Each load runs in a process of its own too, into a new DuckDB database. See load.py for how.
"""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

import requests

from harvest.settings import PER_PAGE, STREAMS
from harvest.streams.due import report_windows

from .load import ACCOUNT_ID, DUCKDB, LOADERS, TOKEN

ROOT = Path(__file__).parent.parent
RATE, WINDOW, REPORT_RATE = 100, 15, 100
"""Harvest's limits: requests in so many seconds, and requests of reports in 15 minutes."""
LATENCY = 0.3
"""Seconds until each answer, in the run that keeps to the limits."""
UNLIMITED = {"rate_limit": 10**6, "report_rate_limit": 10**6}
LISTS = [each.name for each in STREAMS.values() if each.kind == "list" and not each.section]
"""What dlt's `rest_api` source can read without code of one's own."""

MEMORY = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""Gives memory back to the machine that is not used any more: Arrow's own allocator keeps what it
once had, and that of C most of it."""

SPEED, UNFORESEEN, GROWTH, PEAK, EXCESS, START = 13_400 / 44_218, 1.2, 1.3, 500, 1.15, 0.5
"""The targets: rows a second as a share of a bare client's, both measured where this was set, since
machines differ by a factor of three; seconds as a multiple of those with documented fields
only; growth of the peak from the first account on; megabytes; seconds as a multiple of the floor;
seconds of `--help` beyond `import dlt`."""
STEPS = 1.01
"""The most requests of a load in steps, as a multiple of what one run takes."""
LEAN = {"duckdb": 500, "postgres": 800, "bigquery": 800}
"""Megabytes that a load may take with what harvest_pipeline.py sets."""
SLOWER = 1.1
"""Times the seconds that it may take with that, compared to dlt's defaults."""


class Sandbox:
    """A sandbox in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    @classmethod
    @contextmanager
    def serving(cls, entries: int, *options: str) -> Iterator["Sandbox"]:
        command = [sys.executable, "-m", "sandbox", "--port", "0", "--time-entries", str(entries)]
        process = subprocess.Popen(
            [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert process.stdout
        try:
            for line in process.stdout:
                if line.startswith("export SOURCES__HARVEST__BASE_URL="):
                    yield cls(line.split("=")[1].strip()[: -len("/v2")])
                    break
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()

    def reset(self) -> None:
        requests.post(f"{self.url}/sandbox/stats/reset")

    def stats(self) -> Dict[str, Any]:
        answer: Dict[str, Any] = requests.get(f"{self.url}/sandbox/stats").json()
        return answer

    def minimum(self, streams: Sequence[str]) -> int:
        """The fewest requests by which streams can be read for the first time."""
        counts = self.stats()["rows"]
        users = self._get("/users")["users"]
        parents = {
            "users": len(users),
            "managers": sum("manager" in user["access_roles"] for user in users),
        }
        # the company tells which parts of Harvest are in use
        wanted = dict.fromkeys(streams)
        if any(STREAMS[name].feature for name in streams):
            wanted["company"] = None
        # who asks; and, before single users are, whether there is paid time off
        total = 1 + any(STREAMS[name].section and STREAMS[name].parent for name in streams)
        for stream in (STREAMS[name] for name in wanted):
            if stream.kind == "report":
                total += self._windows()
            elif stream.parent_role:
                total += parents["managers"]
            elif stream.parent:
                total += counts[stream.parent] * (2 if stream.per_year else 1)
            elif stream.per_year:
                total += 2
            else:
                total += max(1, math.ceil(counts.get(stream.name, 1) / PER_PAGE))
        return total

    def _windows(self) -> int:
        days = []
        for stream in ("time_entries", "expenses"):
            last = self._get(f"/{stream}")["links"]["last"]
            days += [row["spent_date"] for row in self._get(last)[stream]]
        tomorrow = date.today() + timedelta(days=1)
        return len(report_windows("year", date.fromisoformat(min(days)), tomorrow))

    def _get(self, address: str) -> Any:
        url = f"{self.url}/v2{address}" if address.startswith("/") else address
        headers = {
            "Authorization": f"Bearer {TOKEN}",
            "Harvest-Account-Id": ACCOUNT_ID,
            "User-Agent": "benchmark (me@example.com)",
        }
        while (answer := requests.get(url, headers=headers)).status_code == 429:
            # the load has just used what Harvest allows
            time.sleep(float(answer.headers["Retry-After"]))
        answer.raise_for_status()
        return answer.json()


class Checks:
    """Prints each target with its outcome, and counts the missed ones."""

    def __init__(self) -> None:
        self.missed = 0

    def __call__(self, met: bool, what: str) -> None:
        self.missed += not met
        print(f"  {'reached' if met else 'MISSED '}  {what}")


@dataclass
class Load:
    """What one load took.

    Attributes:
        what (str): What was loaded.
        entries (int): Time entries in the account.
        requests (int): Requests made.
        minimum (int): The fewest by which it could have been done.
        floor (float): Seconds that these requests take at Harvest's limit, at least.
        refused (int): Requests that were answered 429.
        reports (int): Requests of reports.
        seconds (float): By the clock, from the declaration of the source to the end of the run.
        peak (float): The most memory that the process had, in megabytes.
        steps (Dict[str, float]): Seconds of each step of dlt.
        again (int): Attempts at loading a table that failed.
    """

    what: str
    entries: int
    requests: int
    minimum: int
    floor: float
    refused: int
    reports: int
    seconds: float
    peak: float
    steps: Dict[str, float]
    again: int = 0

    def __str__(self) -> str:
        steps = " + ".join(f"{seconds:.1f}" for seconds in self.steps.values())
        return (
            f"{self.what:<34}{self.entries:>10,}{self.requests:>10,}{self.minimum:>9,}"
            f"{self.seconds:>9.1f}{self.floor:>8.0f}{self.entries / self.seconds:>11,.0f}"
            f"{self.peak:>9.0f}   {steps}"
        )


HEAD = (
    f"{'':<34}{'entries':>10}{'requests':>10}{'minimum':>9}{'seconds':>9}{'floor':>8}"
    f"{'entries/s':>11}{'peak MB':>9}   extract + normalize + load"
)


def measure(
    sandbox: Sandbox, what: str, source: str, streams: Sequence[str] = (), *options: str
) -> Load:
    """Runs benchmarks/load.py or lean.py, and looks at what the sandbox saw of it."""
    sandbox.reset()
    if source == "script":
        taken = as_the_script(sandbox, "duckdb", "--lean", "--limits")
    else:
        taken = spawn(sandbox, source, streams, *options)
    stats = sandbox.stats()
    # afterwards, since its requests count for the limits, too
    minimum = sandbox.minimum(streams or list(STREAMS))
    made = {path: sum(by.values()) for path, by in stats["requests"].items()}
    reports = sum(made[path] for path in made if path.startswith("/reports/"))
    made.pop("/sandbox/stats", 0)
    made.pop("/sandbox/stats/reset", 0)
    load = Load(
        what=what,
        requests=sum(made.values()),
        minimum=minimum,
        # reports have a limit of their own
        floor=(math.ceil((sum(made.values()) - reports) / RATE) - 1) * WINDOW,
        refused=stats["limited"],
        reports=reports,
        again=taken.get("again", 0),
        **{name: taken[name] for name in ("entries", "seconds", "peak", "steps")},
    )
    print(load, flush=True)
    return load


def best(sandbox: Sandbox, what: str, streams: Sequence[str]) -> Load:
    """Return the quickest of three loads, since other machines share the processors."""
    loads = [measure(sandbox, what, "harvest", streams, *unlimited()) for _ in range(3)]
    return min(loads, key=lambda load: load.seconds)


def spawn(sandbox: Sandbox, source: str, streams: Sequence[str], *options: str) -> Dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.load", source, sandbox.url, *options]
    if streams:
        command += ["--streams", ",".join(streams)]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **MEMORY}, capture_output=True)
    if done.returncode:
        sys.exit(done.stderr.decode())
    taken: Dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return taken


def unlimited() -> List[str]:
    return ["--settings", json.dumps(UNLIMITED)]


def start_up() -> float:
    """Seconds of `harvest_pipeline.py --help` beyond those of `import dlt`."""

    def best(command: List[str]) -> float:
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run([sys.executable, *command], cwd=ROOT, stdout=subprocess.DEVNULL)
            taken.append(time.perf_counter() - began)
        return min(taken)

    return best(["harvest_pipeline.py", "--help"]) - best(["-c", "import dlt"])


@contextmanager
def emulator() -> Iterator[Dict[str, str]]:
    """Runs the emulator of BigQuery that the tests have, in a process of its own."""
    python = str(ROOT / ".venv-bigquery/bin/python")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [python, "-m", "tests.bigquery.emulator", folder]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        try:
            lines = [process.stdout.readline() for _ in range(2)]
            pairs = [line.split(" ", 1)[1].strip().split("=", 1) for line in lines]
            yield {name: value for name, value in pairs}
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
            process.stdout.close()


def as_the_script(sandbox: Sandbox, destination: str, *options: str) -> Dict[str, Any]:
    """Runs benchmarks/lean.py; the seconds are from its start to the end of the load."""
    command = [sys.executable, "-m", "benchmarks.lean", destination, sandbox.url, *options]
    with emulator() if destination == "bigquery" else nullcontext({}) as settings:
        environment = {**os.environ, **settings}
        began = time.time()
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
    if done.returncode:
        sys.exit(done.stderr.decode())
    taken: Dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    taken["seconds"] = round(taken.pop("ended") - began, 1)
    return {**taken, "again": done.stderr.count(b"Transient exception")}


def lean(sandbox: Sandbox, destination: str, check: Checks) -> None:
    """Loads with what harvest_pipeline.py sets; into DuckDB with dlt's defaults, too."""
    ours = as_the_script(sandbox, destination, "--lean")
    print(f"{destination:<10} harvest_pipeline.py  {json.dumps(ours)}", flush=True)
    most = LEAN[destination]
    check(ours["peak"] < most, f"{destination}: {ours['peak']} MB (under {most} wanted)")
    check(not ours["again"], f"{destination}: {ours['again']} tables took more than one attempt")
    if destination == "duckdb":
        default = as_the_script(sandbox, destination)
        print(f"{destination:<10} dlt's defaults       {json.dumps(default)}", flush=True)
        factor = ours["seconds"] / default["seconds"]
        check(factor <= SLOWER, f"{factor:.2f} times the seconds of that ({SLOWER} wanted)")


def benchmark(sizes: Sequence[int]) -> int:
    """Runs everything, and prints the tables; the exit code tells whether all was reached."""
    print(f"{machine()}; load {os.getloadavg()[0]:.1f}")
    print(
        f"DuckDB: {DUCKDB}; dlt: {LOADERS} load worker; environment: {MEMORY}\n\n{HEAD}",
        flush=True,
    )
    whole: List[Load] = []
    alone: Optional[Load] = None
    served = ratio = 0.0
    check = Checks()
    for entries in sizes:
        with Sandbox.serving(entries, "--no-limits", "--unforeseen") as sandbox:
            whole.append(
                measure(sandbox, f"all {len(STREAMS)} streams", "harvest", (), *unlimited())
            )
            if entries == sizes[0]:
                lists = measure(sandbox, f"{len(LISTS)} lists", "harvest", LISTS, *unlimited())
                plain = ["--duckdb", "{}", "--workers", "0"]
                other = measure(sandbox, "the same by rest_api", "rest_api", LISTS, *plain)
                ratio = other.seconds / lists.seconds
            if entries == sizes[1]:
                streams = ["time_entries"]
                alone = best(sandbox, "time_entries", streams)
                taken = [spawn(sandbox, "bare", streams) for _ in range(3)]
                served = max(each["entries"] / each["seconds"] for each in taken)
            if entries == 1_000_000:
                for destination in LEAN:
                    lean(sandbox, destination, check)
    with Sandbox.serving(sizes[1], "--no-limits", "--documented-only") as sandbox:
        plain_fields = best(sandbox, "time_entries, documented fields", ["time_entries"])
    with Sandbox.serving(sizes[0], "--latency", str(LATENCY), "--unforeseen") as sandbox:
        pace = measure(sandbox, "all, limits enforced, 300 ms", "script")
    beyond = start_up()
    assert alone

    print(f"\nA bare client reads {served:,.0f} entries/s from the sandbox.")
    print(f"dlt's rest_api takes {ratio:.1f} times as long for the same lists.\n")
    for load in [*whole, alone, pace]:
        # each step of the script's load asks for the lists of parents anew
        fewest = load.requests <= load.minimum * (STEPS if load is pace else 1)
        check(fewest, f"{load.requests:,} requests where {load.minimum:,} are needed")
    speed = alone.entries / alone.seconds
    check(
        speed / served >= SPEED,
        f"{speed:,.0f} time entries/s alone, {speed / served:.2f} of a bare client's"
        f" ({SPEED:.2f} wanted)",
    )
    times = alone.seconds / plain_fields.seconds
    check(
        times <= UNFORESEEN,
        f"{times:.2f} times the seconds with documented fields only ({UNFORESEEN} wanted)",
    )
    for load in whole[1:]:
        growth = load.peak / whole[0].peak
        check(
            growth <= GROWTH and load.peak < PEAK,
            f"peak at {load.entries:,} is {growth:.2f} times that at {sizes[0]:,}, and"
            f" {load.peak:.0f} MB (at most {GROWTH} times, {PEAK} MB wanted)",
        )
    most = EXCESS * pace.floor
    check(
        pace.seconds <= most and pace.requests - pace.reports >= 400,
        f"{pace.requests} requests, {pace.reports} of them reports, in {pace.seconds:.1f} s under"
        f" Harvest's limits (floor {pace.floor:.0f} s, at most {most:.0f} wanted)",
    )
    check(not pace.again, f"{pace.again} attempts at loading a table failed")
    check(not pace.refused and pace.reports <= REPORT_RATE, f"{pace.refused} of them refused (429)")
    check(beyond < START, f"--help takes {beyond:.2f} s beyond import dlt (under {START} wanted)")
    return 1 if check.missed else 0


def machine() -> str:
    """What the figures were measured on."""
    cpu = Path("/proc/cpuinfo")
    names = [
        line.split(":")[1].strip()
        for line in (cpu.read_text().splitlines() if cpu.exists() else ())
        if line.startswith("model name")
    ]
    return f"{os.cpu_count()} cores ({names[0] if names else 'unknown'})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="1,000,000 time entries too")
    options = parser.parse_args()
    return benchmark([20_000, 200_000, *([1_000_000] if options.large else [])])


if __name__ == "__main__":
    sys.exit(main())
