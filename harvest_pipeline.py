"""Loads Harvest into DuckDB, or into any other destination of dlt. Run it, import it, edit it.

python harvest_pipeline.py --help says what it can do.
"""

import argparse
import os
import shutil
import sqlite3
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

import dlt
from dlt.common.configuration.exceptions import ConfigValueCannotBeCoercedException
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.common.pipeline import get_dlt_pipelines_dir

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
    resources: Sequence[str] = (),
    destination: Optional[str] = None,
    dataset: Optional[str] = None,
    full_refresh: bool = False,
    **settings: Any,
) -> dlt.Pipeline:
    """Runs the pipeline once.

    Args:
        resources (Sequence[str]): Streams to load; none means all.
        destination (Optional[str]): Name of a destination of dlt, instead of DuckDB.
        dataset (Optional[str]): Name of the dataset (schema), instead of `harvest_data`.
        full_refresh (bool): Read everything again and replace what is there.
        **settings (Any): Arguments of `harvest_source`, such as `start_date`.

    Returns:
        dlt.Pipeline: The pipeline, whose `last_trace` tells what was loaded and whose
            `dataset()` reads it.

    Examples:
        >>> load()
        >>> load(["clients", "projects", "time_entries"], start_date="2024-01-01")
        >>> load(destination="postgres").dataset().clients.df()
    """
    source = harvest_source(**settings)
    if unknown := [name for name in resources if name not in source.resources]:
        raise HarvestError(
            f"There is no stream {', '.join(unknown)}; there are: {', '.join(source.resources)}."
        )
    if resources:
        source = source.with_resources(*resources)
    with alone():
        pipeline = pipeline_for(destination)
        # not written out below, where `dlt init` would take it for the destination to set
        target: Dict[str, Any] = {"destination": destination, "dataset_name": dataset}
        pipeline.run(source, write_disposition="replace" if full_refresh else None, **target)
    return pipeline


@contextmanager
def alone() -> Iterator[None]:
    """Keeps other runs out, as dlt's working directory is not made for two at once.

    Raises:
        HarvestError: Another run is under way.
    """
    folder = Path(get_dlt_pipelines_dir())
    folder.mkdir(parents=True, exist_ok=True)
    # SQLite's lock works on all systems, and ends with the process however that ends
    with closing(sqlite3.connect(folder / "harvest.lock", timeout=0)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise HarvestError(
                "Another run of this pipeline is under way: run again when it has ended."
            ) from None
        yield


def pipeline_for(destination: Optional[str]) -> dlt.Pipeline:
    """The pipeline, which stands where the destination says that it does.

    dlt also keeps that in its working directory, where it may be left of a run that was killed in
    the middle of anything, or be about another destination.
    """
    if destination and not is_known(destination):
        raise HarvestError(
            f"dlt has no destination {destination}; those that it has are listed at"
            " https://dlthub.com/docs/dlt-ecosystem/destinations."
        )
    shutil.rmtree(Path(get_dlt_pipelines_dir()) / "harvest", ignore_errors=True)
    # a table that is replaced is so at once or not at all, wherever a run dies
    os.environ.setdefault("DESTINATION__REPLACE_STRATEGY", "insert-from-staging")
    return dlt.pipeline(pipeline_name="harvest", destination="duckdb", dataset_name="harvest_data")


def is_known(destination: str) -> bool:
    try:
        Destination.from_reference(destination)
    except UnknownDestinationModule:
        return False
    return True


def report(pipeline: dlt.Pipeline) -> None:
    """Prints what the last run loaded, table by table, and where it is."""
    trace = pipeline.last_trace
    loaded = trace.last_normalize_info.row_counts if trace.last_normalize_info else {}
    skipped = {
        name: resource.custom_metrics["skipped"]
        for steps in (trace.last_extract_info.metrics.values() if trace.last_extract_info else ())
        for step in steps
        for name, resource in step["resource_metrics"].items()
        if "skipped" in resource.custom_metrics
    }
    rows = {name: count for name, count in loaded.items() if count and name[0] != "_"}
    for name in sorted(rows):
        print(f"{name:<40}{rows[name]:>10,}")
    for name, reason in skipped.items():
        print(f"{name:<40}   skipped: {reason}")
    with pipeline.destination_client() as client:
        place = client.config
    print(f"{sum(rows.values()):,} rows loaded into {pipeline.dataset_name} ({place}).")


def explain(error: BaseException) -> str:
    """The one sentence that explains an exception: the innermost cause within dlt's wrappings."""
    cause: Optional[BaseException] = error
    while cause is not None:
        error = cause
        if isinstance(error, HarvestError):
            return str(error)
        if isinstance(error, ConfigValueCannotBeCoercedException):
            kind = getattr(error.hint, "__name__", error.hint)
            return f"{error.field_name} is {error.field_value!r}, but has to be {kind}."
        cause = error.__cause__
    return f"{' '.join(str(error).split()) or type(error).__name__} (-v shows where)"


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description="Loads Harvest: time, projects, people, expenses, invoices, reports.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--resources", metavar="A,B", default="", help="streams (default: all 33)")
    parser.add_argument("--start-date", metavar="DATE", help="how far back the first run goes")
    parser.add_argument("--destination", metavar="NAME", help="default: duckdb")
    parser.add_argument("--dataset", metavar="NAME", help="default: harvest_data")
    parser.add_argument("--full-refresh", action="store_true", help="read everything again")
    parser.add_argument("-v", "--verbose", action="store_true", help="show errors in full")
    options = parser.parse_args(arguments)
    settings = {"start_date": options.start_date} if options.start_date else {}
    resources = [name.strip() for name in options.resources.split(",") if name.strip()]
    try:
        pipeline = load(
            resources, options.destination, options.dataset, options.full_refresh, **settings
        )
    except Exception as error:
        if options.verbose:
            raise
        print(f"error: {explain(error)}", file=sys.stderr)
        return 1
    report(pipeline)
    return 0


if __name__ == "__main__":
    sys.exit(main())
