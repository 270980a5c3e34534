"""Loads Harvest into DuckDB, or into any other destination of dlt. Run it, import it, edit it.

python harvest_pipeline.py --help says what it can do.
"""

import argparse
import json
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple

import dlt
from dlt.common.configuration.exceptions import ConfigValueCannotBeCoercedException
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.pipeline.exceptions import CannotRestorePipelineException

from harvest import HarvestError, harvest_source
from harvest.reconcile import Result, reconcile, verify

EPILOG = """examples:
  python harvest_pipeline.py                                   everything; later runs: what changed
  python harvest_pipeline.py --resources clients,time_entries  some streams only
  python harvest_pipeline.py --start-date 2024-01-01           the first run begins there
  python harvest_pipeline.py --destination postgres            to another database of dlt's
  python harvest_pipeline.py --full-refresh                    everything again, replaced
  python harvest_pipeline.py verify                            is everything here, and right?

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
    pipeline = pipeline_for(destination, dataset)
    target: Dict[str, Any] = {"destination": destination, "dataset_name": dataset}
    if pipeline.has_pending_data:
        # what an interrupted run left behind: dlt would finish that, and read nothing new
        pipeline.run(**target)
    pipeline.run(source, write_disposition="replace" if full_refresh else None, **target)
    return pipeline


def pipeline_for(destination: Optional[str], dataset: Optional[str]) -> dlt.Pipeline:
    """The pipeline, as it stands in the target that it is to be used with."""
    if destination and not is_known(destination):
        raise HarvestError(
            f"dlt has no destination {destination}; those that it has are listed at"
            " https://dlthub.com/docs/dlt-ecosystem/destinations."
        )
    last = last_target()
    pipeline = dlt.pipeline(
        pipeline_name="harvest", destination="duckdb", dataset_name="harvest_data"
    )
    if last != (destination or name_of(pipeline), dataset or pipeline.dataset_name):
        # dlt keeps where a pipeline stands under its name, here and in each target. Another
        # target would otherwise only get what has changed since the last one was loaded
        pipeline = pipeline.drop()
    return pipeline


def last_target() -> Optional[Tuple[str, str]]:
    """Destination and dataset of the last run."""
    try:
        pipeline = dlt.attach("harvest")
    except CannotRestorePipelineException:
        return None
    return name_of(pipeline), pipeline.dataset_name


def is_known(destination: str) -> bool:
    try:
        Destination.from_reference(destination)
    except UnknownDestinationModule:
        return False
    return True


def name_of(pipeline: dlt.Pipeline) -> str:
    return pipeline.destination.destination_name


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


def as_json(result: Result) -> str:
    """The same for machines."""
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
    found = {"equal": result.equal, "requests": result.requests, "streams": streams}
    return json.dumps(found, indent=2, default=float)


def report_repairs(result: Result, deleted: str) -> None:
    """Prints what differed after a load, and what became of it."""
    for each in result.comparisons:
        if not each.equal:
            print(f"{each.stream:<40}   {each.verdict}")
    gone = sum(len(each.gone) for each in result.comparisons)
    again = sum(len(each.missing) + len(each.different) for each in result.comparisons)
    done = {"remove": "removed", "mark": "marked", "ignore": "left alone"}[deleted]
    print(
        f"Compared with Harvest in {result.requests:,} requests: {gone:,} rows that are gone there"
        f" {done}, {again:,} written again."
    )


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
    parser.add_argument(
        "command", nargs="?", choices=["load", "verify"], default="load", help=argparse.SUPPRESS
    )
    parser.add_argument("--resources", metavar="A,B", default="", help="streams (default: all 33)")
    parser.add_argument("--start-date", metavar="DATE", help="how far back the first run goes")
    parser.add_argument("--destination", metavar="NAME", help="default: duckdb")
    parser.add_argument("--dataset", metavar="NAME", help="default: harvest_data")
    parser.add_argument("--full-refresh", action="store_true", help="read everything again")
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
    parser.add_argument("--json", action="store_true", help="verify: print JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="show errors in full")
    options = parser.parse_args(arguments)
    settings = {"start_date": options.start_date} if options.start_date else {}
    resources = [name.strip() for name in options.resources.split(",") if name.strip()]
    target = (options.destination, options.dataset)
    try:
        if options.command == "verify":
            pipeline = pipeline_for(*target)
            pipeline.sync_destination(options.destination, dataset_name=options.dataset)
            result = verify(pipeline, resources, **settings)
            if options.json:
                print(as_json(result))
            else:
                report_comparison(result)
            return 0 if result.equal else 1
        pipeline = load(resources, *target, options.full_refresh, **settings)
        report(pipeline)
        if not options.no_reconcile:
            result = reconcile(
                pipeline, resources, options.deleted, options.max_deleted_share, **settings
            )
            report_repairs(result, options.deleted)
    except Exception as error:
        if options.verbose:
            raise
        print(f"error: {explain(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
