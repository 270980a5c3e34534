"""One load, measured in a process of its own. Prints what it took as one line of JSON.

python -m benchmarks.load harvest http://127.0.0.1:8722 --streams time_entries
"""

import argparse
import cProfile
import json
import os
import resource
import sys
import tempfile
import time
from typing import Any, Callable, Dict, List, Optional

TOKEN, ACCOUNT_ID = "sandbox-token", "1000001"
"""What `python -m sandbox` lets in."""

DUCKDB = {"memory_limit": "50MB", "threads": 1, "preserve_insertion_order": False}
"""DuckDB's own settings.

DuckDB runs inside of the process that is measured, and takes up to 80 % of the machine's memory to
merge a table faster. These keep it small.
"""
LOADERS = 1
"""Tables that dlt loads at once; its default, 20, has DuckDB merge that many side by side."""


def harvest(url: str, streams: List[str], settings: Dict[str, Any]) -> Any:
    """The source of this repository."""
    from harvest import harvest_source

    source = harvest_source(
        access_token=TOKEN,
        account_id=ACCOUNT_ID,
        base_url=f"{url}/v2",
        id_url=f"{url}/api/v2",
        **settings,
    )
    return source.with_resources(*streams) if streams else source


def rest_api(url: str, streams: List[str], settings: Dict[str, Any]) -> Any:
    """The same lists by dlt's `rest_api` source, configured as its documentation has it."""
    from dlt.sources.rest_api import rest_api_source

    return rest_api_source(
        {
            "client": {
                "base_url": f"{url}/v2/",
                "headers": {"Harvest-Account-Id": ACCOUNT_ID, "User-Agent": "me (me@example.com)"},
                "auth": {"type": "bearer", "token": TOKEN},
                "paginator": {"type": "json_link", "next_url_path": "links.next"},
            },
            "resource_defaults": {
                "primary_key": "id",
                "write_disposition": "merge",
                "endpoint": {"params": {"per_page": 2000}},
            },
            "resources": [
                {
                    "name": stream,
                    "endpoint": {
                        "path": stream,
                        "data_selector": stream,
                        "incremental": {
                            "start_param": "updated_since",
                            "cursor_path": "updated_at",
                            "initial_value": "2000-01-01T00:00:00Z",
                        },
                    },
                }
                for stream in streams
            ],
        },
        name="harvest",
    )


def bare(url: str, streams: List[str]) -> int:
    """Reads lists with nothing but `requests`, page by page. Returns how many rows there were."""
    import requests

    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {TOKEN}"
    session.headers["Harvest-Account-Id"] = ACCOUNT_ID
    session.headers["User-Agent"] = "bare (me@example.com)"
    rows = 0
    for stream in streams:
        page: Optional[str] = f"{url}/v2/{stream}?per_page=2000"
        while page:
            body = session.get(page).json()
            rows += len(body[stream])
            page = body["links"]["next"]
    return rows


SOURCES: Dict[str, Callable[[str, List[str], Dict[str, Any]], Any]] = {
    "harvest": harvest,
    "rest_api": rest_api,
}


def run(options: argparse.Namespace) -> Dict[str, Any]:
    """Loads an account into a new DuckDB database, and counts what has arrived."""
    import dlt
    from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

    if options.workers:
        os.environ["LOAD__WORKERS"] = str(options.workers)
    database = DuckDbCredentials("benchmark.duckdb", global_config=options.duckdb)
    pipeline = dlt.pipeline(
        "benchmark", destination=dlt.destinations.duckdb(database), dataset_name="harvest_data"
    )
    began = time.perf_counter()
    pipeline.run(SOURCES[options.source](options.url, options.streams, options.settings))
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    trace = pipeline.last_trace
    steps = {
        step.step: round((step.finished_at - step.started_at).total_seconds(), 2)
        for step in (trace.steps if trace else ())
        if step.finished_at and step.step != "run"
    }
    with pipeline.sql_client() as client:
        found = client.execute_sql("SELECT count(*), count(DISTINCT id) FROM time_entries")
    entries, distinct = found[0] if found else (0, 0)
    assert entries == distinct
    return {
        "seconds": seconds,
        "cpu": used.ru_utime + used.ru_stime,
        # kilobytes on Linux
        "peak": used.ru_maxrss / 1024,
        "steps": steps,
        "entries": entries,
    }


def read(options: argparse.Namespace) -> Dict[str, Any]:
    """The same without a pipeline, by the bare client."""
    began = time.perf_counter()
    rows = bare(options.url, options.streams)
    return {"seconds": time.perf_counter() - began, "entries": rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", choices=[*SOURCES, "bare"])
    parser.add_argument("url", help="of a sandbox")
    parser.add_argument("--streams", type=lambda text: text.split(","), default=[])
    parser.add_argument("--settings", type=json.loads, default={}, help="of harvest_source")
    parser.add_argument("--duckdb", type=json.loads, default=DUCKDB, help="DuckDB's settings")
    parser.add_argument("--workers", type=int, default=LOADERS, help="dlt's; 0: its default")
    parser.add_argument("--profile", help="file for what cProfile finds in the main thread")
    options = parser.parse_args()
    measured = read if options.source == "bare" else run
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ.update(DLT_DATA_DIR=folder, RUNTIME__DLTHUB_TELEMETRY="false")
        if options.profile:
            # by the time that the thread had the processor, whoever else uses it
            profile = cProfile.Profile(time.thread_time)
            result = profile.runcall(measured, options)
            profile.dump_stats(os.path.join(home, options.profile))
        else:
            result = measured(options)
        os.chdir(home)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
