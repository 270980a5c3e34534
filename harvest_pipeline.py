"""Loads Harvest into DuckDB, or into any other destination of dlt. Run it, import it, edit it.

python harvest_pipeline.py --help says what it can do.
"""

import argparse
import sys
from typing import Any, List, Optional

import dlt

from harvest import HarvestError, harvest_source

EPILOG = """examples:
  python harvest_pipeline.py                                   everything; later runs: what changed
  python harvest_pipeline.py --resources clients,time_entries  some streams only
  python harvest_pipeline.py --start-date 2024-01-01           the first run begins there
  python harvest_pipeline.py --destination postgres            to another database of dlt's
  python harvest_pipeline.py --full-refresh                    everything again, replaced

Credentials: access_token (https://id.getharvest.com/developers) under [sources.harvest] in
.dlt/secrets.toml, or SOURCES__HARVEST__ACCESS_TOKEN in the environment. Without any, try: make demo
"""


def load(
    resources: Optional[List[str]] = None,
    destination: Optional[str] = None,
    dataset: Optional[str] = None,
    full_refresh: bool = False,
    **settings: Any,
) -> dlt.Pipeline:
    """Runs the pipeline once.

    Args:
        resources (Optional[List[str]]): Streams to load; None for all.
        destination (Optional[str]): Name of a destination of dlt, instead of DuckDB.
        dataset (Optional[str]): Name of the dataset (schema), instead of `harvest_data`.
        full_refresh (bool): Read everything again and replace what is there.
        **settings (Any): Arguments of `harvest_source`, such as `start_date`.

    Returns:
        dlt.Pipeline: The pipeline, whose `last_trace` tells what was loaded and whose
            `dataset()` reads it.
    """
    pipeline = dlt.pipeline(
        pipeline_name="harvest", destination="duckdb", dataset_name="harvest_data"
    )
    source = harvest_source(**settings)
    if resources:
        unknown = [name for name in resources if name not in source.resources]
        if unknown:
            raise HarvestError(
                f"No such stream: {', '.join(unknown)}. There are: {', '.join(source.resources)}."
            )
        source = source.with_resources(*resources)
    pipeline.run(
        source,
        destination=destination,
        dataset_name=dataset,
        write_disposition="replace" if full_refresh else None,
    )
    return pipeline


def show(pipeline: dlt.Pipeline) -> None:
    """Prints what the last run loaded, table by table, and where it is."""
    trace = pipeline.last_trace
    counts = trace.last_normalize_info.row_counts if trace.last_normalize_info else {}
    skipped = {
        name: metrics.custom_metrics["skipped"]
        for step in (trace.last_extract_info.metrics.values() if trace.last_extract_info else ())
        for each in step
        for name, metrics in each["resource_metrics"].items()
        if "skipped" in metrics.custom_metrics
    }
    rows = {name: count for name, count in counts.items() if not name.startswith("_dlt")}
    for name, count in sorted(rows.items()):
        print(f"{name:<40}{count:>10,}")
    for name, why in skipped.items():
        print(f"{name:<40}   skipped: {why}")
    total = sum(rows.values())
    print(f"{total:,} rows loaded into {pipeline.dataset_name} of {where(pipeline)}.")


def where(pipeline: dlt.Pipeline) -> str:
    """The destination in words, without its password."""
    with pipeline.destination_client() as client:
        return f"{pipeline.destination.destination_name} ({client.config})"


def why(error: BaseException) -> str:
    """The one sentence that explains an exception: the cause at the bottom of dlt's wrappings."""
    cause: Optional[BaseException] = error
    while cause is not None:
        if isinstance(cause, HarvestError):
            return str(cause)
        error, cause = cause, cause.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description="Loads Harvest (time, projects, people, expenses, invoices, reports).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--resources", metavar="A,B", help="streams to load (default: all 33)")
    parser.add_argument("--start-date", metavar="DATE", help="how far the first run goes back")
    parser.add_argument("--destination", metavar="NAME", help="default: duckdb")
    parser.add_argument("--dataset", metavar="NAME", help="default: harvest_data")
    parser.add_argument("--full-refresh", action="store_true", help="read everything again")
    parser.add_argument("-v", "--verbose", action="store_true", help="errors in full")
    options = parser.parse_args(arguments)
    settings = {"start_date": options.start_date} if options.start_date else {}
    try:
        show(
            load(
                [name.strip() for name in (options.resources or "").split(",") if name.strip()],
                options.destination,
                options.dataset,
                options.full_refresh,
                **settings,
            )
        )
    except Exception as error:
        if options.verbose:
            raise
        print(f"error: {why(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
