"""One load in a process of its own. Prints what it took as one line of JSON.

python -m benchmarks.load harvest http://127.0.0.1:8722 --streams time_entries
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from typing import Any, Callable, Dict, Iterator, List

TOKEN, ACCOUNT_ID = "sandbox-token", "1000001"
"""What `python -m sandbox` lets in."""

DUCKDB = {"memory_limit": "64MB", "threads": 1, "preserve_insertion_order": False}
"""DuckDB settings of every load here.

DuckDB lives in the process that is measured, and left alone it takes up to 80 % of the machine's
memory for the merge, because it is there. This is what keeps it small.
"""


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
    """Lists by dlt's `rest_api` source, configured as its documentation has it."""
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


SOURCES: Dict[str, Callable[[str, List[str], Dict[str, Any]], Any]] = {
    "harvest": harvest,
    "rest_api": rest_api,
}


def load(options: argparse.Namespace) -> Dict[str, Any]:
    """Loads an account into a new DuckDB database, and counts what arrived."""
    import dlt
    from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

    database = DuckDbCredentials("benchmark.duckdb", global_config=options.duckdb)
    pipeline = dlt.pipeline(
        "benchmark", destination=dlt.destinations.duckdb(database), dataset_name="harvest_data"
    )
    began = time.perf_counter()
    source = SOURCES[options.source](options.url, options.streams, options.settings)
    pipeline.run(source)
    seconds = time.perf_counter() - began
    usage = resource.getrusage(resource.RUSAGE_SELF)
    steps = {
        step.step: (step.finished_at - step.started_at).total_seconds()
        for step in pipeline.last_trace.steps
        if step.finished_at and step.step != "run"
    }
    with pipeline.sql_client() as client:
        found = client.execute_sql("SELECT count(*), count(DISTINCT id) FROM time_entries")
    entries, distinct = found[0] if found else (0, 0)
    assert entries == distinct
    return {
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss / 1024,
        "steps": steps,
        "entries": entries,
    }


def bare(options: argparse.Namespace) -> Dict[str, Any]:
    """Reads a list with nothing but `requests`, page by page, and decodes it."""
    import requests

    session = requests.Session()
    session.headers.update(
        {
            "Authorization": f"Bearer {TOKEN}",
            "Harvest-Account-Id": ACCOUNT_ID,
            "User-Agent": "bare (me@example.com)",
        }
    )

    def rows() -> Iterator[int]:
        url = f"{options.url}/v2/time_entries?per_page=2000"
        while url:
            page = session.get(url).json()
            yield len(page["time_entries"])
            url = page["links"]["next"]

    began = time.perf_counter()
    entries = sum(rows())
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "peak": peak / 1024, "steps": {}, "entries": entries}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", choices=[*SOURCES, "bare"])
    parser.add_argument("url", help="of a sandbox")
    parser.add_argument("--streams", type=lambda text: text.split(","), default=[])
    parser.add_argument("--settings", type=json.loads, default={}, help="of harvest_source")
    parser.add_argument("--duckdb", type=json.loads, default=DUCKDB, help="DuckDB's settings")
    parser.add_argument("--profile", help="file for cProfile's result")
    options = parser.parse_args()
    profile = None
    if options.profile:
        import cProfile

        options.profile = os.path.abspath(options.profile)
        profile = cProfile.Profile(time.thread_time)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ.update(DLT_DATA_DIR=folder, RUNTIME__DLTHUB_TELEMETRY="false")
        if profile:
            profile.enable()
        result = bare(options) if options.source == "bare" else load(options)
        if profile:
            profile.disable()
            profile.dump_stats(options.profile)
        os.chdir("/")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
