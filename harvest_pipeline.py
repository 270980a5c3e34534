"""Loads Harvest into DuckDB, or into any other destination of dlt. Run it, import it, edit it.

python harvest_pipeline.py --help says what it can do.
"""

import argparse
import json
import os
import shutil
import sqlite3
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence

import dlt
from dlt.common.configuration.exceptions import ConfigValueCannotBeCoercedException
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.common.pipeline import get_dlt_pipelines_dir
from dlt.common.runtime.collector_base import Collector
from dlt.extract import DltSource
from dlt.extract.incremental.exceptions import ExternalSchedulerNotAvailable

from harvest import HarvestError, harvest_source
from harvest.plan import Forecast, forecast
from harvest.progress import Progress
from harvest.reconcile import Result, reconcile, verify
from harvest.resources import NO_INTERVAL
from harvest.settings import STREAMS

EPILOG = """examples:
  python harvest_pipeline.py                                   everything; later runs: what changed
  python harvest_pipeline.py --resources clients,time_entries  some streams only
  python harvest_pipeline.py --start-date 2024-01-01           the first run begins there
  python harvest_pipeline.py --start-date 2024-01-01 --end-date 2024-03-31
                                        time entries and expenses of these days, once more
  python harvest_pipeline.py --destination postgres            to another database of dlt's
  python harvest_pipeline.py --full-refresh                    everything again, replaced
  python harvest_pipeline.py --dry-run                         what would that read?
  python harvest_pipeline.py verify                            is everything here, and right?

Credentials: access_token (https://id.getharvest.com/developers) under [sources.harvest] in
.dlt/secrets.toml, or SOURCES__HARVEST__ACCESS_TOKEN in the environment. Without any, try: make demo
"""


class Loaded(NamedTuple):
    """What a run did.

    Attributes:
        pipeline (dlt.Pipeline): The pipeline, whose `dataset()` reads what is there.
        rows (Dict[str, int]): New and changed rows that were loaded, by table.
        skipped (Dict[str, str]): Streams that were left out, and why.
        requests (int): Requests that the load took.
        seconds (float): Time that it took, comparing included.
        compared (Optional[Result]): What was found and repaired afterwards.
    """

    pipeline: dlt.Pipeline
    rows: Dict[str, int]
    skipped: Dict[str, str]
    requests: int
    seconds: float
    compared: Optional[Result]


def load(
    resources: Sequence[str] = (),
    destination: Optional[str] = None,
    dataset: Optional[str] = None,
    full_refresh: bool = False,
    deleted: Optional[str] = "remove",
    max_deleted_share: float = 0.2,
    progress: Optional[Collector] = None,
    **settings: Any,
) -> Loaded:
    """Runs the pipeline once, then compares what it holds with Harvest and repairs it.

    Args:
        resources (Sequence[str]): Streams to load; none means all.
        destination (Optional[str]): Name of a destination of dlt, instead of DuckDB.
        dataset (Optional[str]): Name of the dataset (schema), instead of `harvest_data`.
        full_refresh (bool): Read everything again and replace what is there.
        deleted (Optional[str]): What becomes of rows that are gone in Harvest: `remove`, `mark` or
            `ignore`; None compares nothing.
        max_deleted_share (float): Largest part of a table that may go at once, from 0 to 1.
        progress (Optional[Collector]): Takes what dlt counts meanwhile.
        **settings (Any): Arguments of `harvest_source`, such as `start_date`.

    Returns:
        Loaded: What was done.

    Examples:
        >>> load()
        >>> load(["clients", "projects", "time_entries"], start_date="2024-01-01")
        >>> load(destination="postgres").pipeline.dataset().clients.arrow()
    """
    began = time.monotonic()
    source = source_of(resources, **settings)
    with alone():
        pipeline = pipeline_for(destination)
        if progress:
            pipeline.collector = progress
        # not written out below, where `dlt init` would take it for the destination to set
        target: Dict[str, Any] = {"destination": destination, "dataset_name": dataset}
        pipeline.run(source, write_disposition="replace" if full_refresh else None, **target)
        loaded = what_was_loaded(pipeline)
        if deleted and not is_backfill(source):
            compared = reconcile(pipeline, source, deleted, max_deleted_share)
            loaded = loaded._replace(compared=compared)
    return loaded._replace(seconds=time.monotonic() - began)


def check(
    resources: Sequence[str] = (),
    destination: Optional[str] = None,
    dataset: Optional[str] = None,
    **settings: Any,
) -> Result:
    """Compares what was loaded with Harvest, and changes nothing. Arguments: as for `load`."""
    source = source_of(resources, **settings)
    if is_backfill(source):
        raise HarvestError("end_date is for loading, but verify compares all days: leave it out.")
    with alone():
        pipeline = pipeline_for(destination)
        pipeline.sync_destination(destination, dataset_name=dataset)
        return verify(pipeline, source)


def foresee(
    resources: Sequence[str] = (),
    destination: Optional[str] = None,
    dataset: Optional[str] = None,
    full_refresh: bool = False,
    **settings: Any,
) -> Forecast:
    """Says what `load` would read with these arguments, and changes nothing."""
    source = source_of(resources, **settings)
    with alone():
        pipeline = pipeline_for(destination)
        database = getattr(pipeline.destination_client().config.credentials, "database", None)
        new = destination in (None, "duckdb") and database and not Path(database).exists()
        pipeline.sync_destination(destination, dataset_name=dataset)
        if new:
            # DuckDB makes an empty one by looking into it
            Path(database).unlink(missing_ok=True)
        return forecast(pipeline, source, full_refresh)


def source_of(resources: Sequence[str], **settings: Any) -> DltSource:
    """The source with some of its streams, or all. What is to be changed about rows goes here."""
    source = harvest_source(**settings)
    if unknown := [name for name in resources if name not in source.resources]:
        if is_backfill(source) and set(unknown) <= set(STREAMS):
            raise HarvestError(
                f"With end_date only {' and '.join(source.resources)} are read, not"
                f" {', '.join(unknown)}: leave out either."
            )
        raise HarvestError(
            f"There is no stream {', '.join(unknown)}; there are: {', '.join(source.resources)}."
        )
    return source.with_resources(*resources) if resources else source


def is_backfill(source: DltSource) -> bool:
    """Whether an end_date was set, in whichever way, so that only a range of days is read."""
    return set(source.resources) < set(STREAMS)


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
    try:
        target = Destination.from_reference(destination) if destination else None
    except UnknownDestinationModule:
        raise HarvestError(
            f"dlt has no destination {destination}; those that it has are listed at"
            " https://dlthub.com/docs/dlt-ecosystem/destinations."
        ) from None
    shutil.rmtree(Path(get_dlt_pipelines_dir()) / "harvest", ignore_errors=True)
    pipeline = dlt.pipeline(
        pipeline_name="harvest", destination="duckdb", dataset_name="harvest_data"
    )
    target = target or pipeline.destination
    able = target.capabilities()
    # a table that is replaced is so at once or not at all, wherever a run dies; where it depends on
    # the table whether that can be done, as with files, dlt knows best
    if able.supported_replace_strategies and not able.replace_strategies_selector:
        name = f"DESTINATION__{target.destination_name.upper()}__REPLACE_STRATEGY"
        os.environ.setdefault(name, "insert-from-staging")
    return pipeline


def what_was_loaded(pipeline: dlt.Pipeline) -> Loaded:
    """Reads the trace of the pipeline's last run."""
    trace = pipeline.last_trace
    rows = trace.last_normalize_info.row_counts if trace.last_normalize_info else {}
    metrics = {
        name: resource.custom_metrics
        for steps in (trace.last_extract_info.metrics.values() if trace.last_extract_info else ())
        for step in steps
        for name, resource in step["resource_metrics"].items()
    }
    return Loaded(
        pipeline=pipeline,
        rows={name: count for name, count in sorted(rows.items()) if count and name[0] != "_"},
        skipped={name: each["skipped"] for name, each in metrics.items() if "skipped" in each},
        requests=max((each.get("requests", 0) for each in metrics.values()), default=0),
        seconds=0,
        compared=None,
    )


def place(pipeline: dlt.Pipeline) -> str:
    """Where the tables are."""
    with pipeline.destination_client() as client:
        return f"{pipeline.dataset_name} ({client.config})"


def report(loaded: Loaded, as_json: bool = False) -> None:
    """Prints what was loaded, table by table, what was repaired, and where it is."""
    if as_json:
        found = {**loaded._asdict(), "pipeline": loaded.pipeline.pipeline_name}
        result = loaded.compared and as_data(loaded.compared)
        print_json({**found, "place": place(loaded.pipeline), "compared": result})
        return
    for name, count in loaded.rows.items():
        print(f"{name:<40}{count:>10,}")
    for name, reason in loaded.skipped.items():
        print(f"{name:<40}   skipped: {reason}")
    print(
        f"{sum(loaded.rows.values()):,} rows loaded into {place(loaded.pipeline)} with"
        f" {loaded.requests:,} requests in {loaded.seconds:.0f} s."
    )
    if (compared := loaded.compared) is None:
        return
    for each in compared.comparisons:
        if not each.equal:
            print(f"{each.stream:<40}   {each.verdict}")
    gone = sum(len(each.gone) for each in compared.comparisons)
    again = sum(len(each.missing) + len(each.different) for each in compared.comparisons)
    windows = sum(len(each.windows) for each in compared.comparisons)
    done = {"remove": "removed", "mark": "marked", "ignore": "left alone"}[compared.deleted]
    print(
        f"Compared with Harvest in {compared.requests:,} requests: {gone:,} rows that are gone"
        f" there {done}, {again:,} written again, {windows:,} windows of reports read again."
    )


def report_forecast(found: Forecast) -> None:
    """Prints what a run would read, stream by stream."""
    print(f"{'stream':<26}{'rows':>12}{'requests':>10}   would be read")
    for each in found.planned:
        rows = "" if each.rows is None else f"{each.rows:,}"
        print(f"{each.stream:<26}{rows:>12}{each.requests:>10,}   {each.reads}")
    limits = f"take at least {found.seconds:,.0f} s at Harvest's speed limits"
    print(
        f"{found.rows:,} rows, and those that only reading counts; {found.requests:,} requests,"
        f" which {limits if found.seconds else 'no speed limit holds up'}. Nothing was loaded."
    )


def report_comparison(result: Result) -> None:
    """Prints what was found by comparing, stream by stream."""
    print(f"{'stream':<26}{'in Harvest':>12}{'here':>10}{'hours or money':>18}{'here':>16}")
    for each in result.comparisons:
        rows = "" if each.harvest is None else f"{each.harvest:,}"
        amounts = [
            "" if n is None else f"{n:,.2f}" for n in (each.amount_harvest, each.amount_here)
        ]
        print(
            f"{each.stream:<26}{rows:>12}{each.here:>10,}{amounts[0]:>18}{amounts[1]:>16}"
            f"   {each.verdict}"
        )
    differing = sum(not each.equal for each in result.comparisons)
    verdict = f"{differing} of them differ" if differing else "no difference was found"
    print(f"{len(result.comparisons)} tables, {result.requests:,} requests: {verdict}.")


def as_data(result: Result) -> Dict[str, Any]:
    """What was found by comparing, as plain data."""
    streams = [
        {
            "stream": each.stream,
            "equal": each.equal,
            "rows_in_harvest": each.harvest,
            "rows_here": each.here,
            "amount_in_harvest": each.amount_harvest,
            "amount_here": each.amount_here,
            "missing": len(each.missing),
            "different": len(each.different),
            "gone": len(each.gone),
            "out_of_date": [[str(day) for day in window] for window in each.windows],
            "note": each.note,
        }
        for each in result.comparisons
    ]
    return {"equal": result.equal, "requests": result.requests, "streams": streams}


def print_json(found: Dict[str, Any]) -> None:
    print(json.dumps(found, indent=2, default=float))


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
        if isinstance(error, ExternalSchedulerNotAvailable):
            return NO_INTERVAL
        cause = error.__cause__
    return f"{' '.join(str(error).split()) or type(error).__name__} (-v shows where)"


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        description="Loads Harvest: time, projects, people, expenses, invoices, reports.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "command", nargs="?", choices=["load", "verify"], default="load", help="default: load"
    )
    parser.add_argument("--resources", metavar="A,B", default="", help="streams (default: all 33)")
    parser.add_argument("--start-date", metavar="DATE", help="how far back the first run goes")
    parser.add_argument(
        "--end-date",
        metavar="DATE",
        help="time entries and expenses of these days only, whatever was read before; 'interval':"
        " those of Airflow's data interval",
    )
    parser.add_argument("--destination", metavar="NAME", help="default: duckdb")
    parser.add_argument("--dataset", metavar="NAME", help="default: harvest_data")
    parser.add_argument("--full-refresh", action="store_true", help="read everything again")
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be read, and read and load nothing"
    )
    parser.add_argument("--no-reconcile", action="store_true", help="load only, compare nothing")
    parser.add_argument(
        "--deleted",
        choices=["remove", "mark", "ignore"],
        default="remove",
        help="what becomes of rows that are gone in Harvest (default: remove)",
    )
    parser.add_argument(
        "--max-deleted-share",
        metavar="SHARE",
        type=float,
        default=0.2,
        help="largest part of a table that may go at once (default: 0.2)",
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="do not show progress")
    parser.add_argument("-v", "--verbose", action="store_true", help="show errors in full")
    options = parser.parse_args(arguments)
    dates = {"start_date": options.start_date, "end_date": options.end_date}
    settings = {name: value for name, value in dates.items() if value}
    resources = [name.strip() for name in options.resources.split(",") if name.strip()]
    target = (resources, options.destination, options.dataset)
    progress = Progress()
    try:
        if options.dry_run:
            with progress.shown(not options.quiet):
                found = foresee(*target, options.full_refresh, **settings)
            if options.json:
                streams = [each._asdict() for each in found.planned]
                totals = {"rows": found.rows, "requests": found.requests}
                print_json({"streams": streams, **totals, "seconds": found.seconds})
            else:
                report_forecast(found)
            return 0
        if options.command == "verify":
            with progress.shown(not options.quiet):
                result = check(*target, **settings)
            if options.json:
                print_json(as_data(result))
            else:
                report_comparison(result)
            return 0 if result.equal else 1
        deleted = None if options.no_reconcile else options.deleted
        share = options.max_deleted_share
        with progress.shown(not options.quiet):
            loaded = load(
                *target, options.full_refresh, deleted, share, progress=progress, **settings
            )
        report(loaded, options.json)
    except Exception as error:
        if options.verbose:
            raise
        print(f"error: {explain(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
