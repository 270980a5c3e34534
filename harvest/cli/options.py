"""The options of the command line."""

import argparse
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import List, Optional

from ..settings import VERSION

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
  python harvest_pipeline.py verify --deep                     every row, every column?
  python harvest_pipeline.py drift                             what does Harvest send that is new?

Credentials: access_token (https://id.getharvest.com/developers) under [sources.harvest] in
.dlt/secrets.toml, or SOURCES__HARVEST__ACCESS_TOKEN in the environment.
"""  # noqa: E501


VALUES = {
    "--resources A,B": "streams (default: all)",
    "--start-date DATE": "how far back the first run goes",
    "--end-date DATE": "time entries and expenses of these days only, whatever was read"
    " before; 'interval': those of Airflow's data interval",
    "--history A,B": "keep every version of the rows of these lists, such as"
    " projects,users",
    "--destination NAME": "default: duckdb",
    "--dataset NAME": "default: harvest_data",
}
"""The options with a value, and what they mean."""

FLAGS = {
    "--full-refresh": "read everything again and replace it; restores tables changed by"
    " hand",
    "--dry-run": "say what would be read, and read and load nothing",
    "--no-reconcile": "load only, compare nothing",
    "--deep": "compare every row and column of every stream",
    "--json": "print what was done as JSON",
    "-q --quiet": "do not show progress",
    "-v --verbose": "show the traceback of an error",
}
"""The options without one."""


def parse(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    """Read the command line.

    It ends the process if that is wrong, and with `--help` and `--version`.

    Args:
        arguments (Optional[List[str]]): The arguments; None takes those of the process.

    Returns:
        argparse.Namespace: The options; `resources` is a list.
    """
    parser = argparse.ArgumentParser(
        description="Load Harvest: time, people, expenses, invoices, reports.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    commands = ["load", "verify", "drift"]
    add("command", nargs="?", choices=commands, default="load", help="default: load")
    for option, meaning in VALUES.items():
        name, value = option.split()
        add(name, metavar=value, help=meaning)
    add(
        "--deleted",
        choices=["remove", "mark", "ignore"],
        default="remove",
        help="what becomes of rows that were deleted in Harvest (default: remove)",
    )
    add(
        "--max-deleted-share",
        metavar="SHARE",
        type=float,
        default=0.2,
        help="largest part of a table that may be removed at once (default: 0.2)",
    )
    add(
        "--compare-every-hours",
        metavar="HOURS",
        type=float,
        help="hours between comparisons (default: 0, which compares in each run; 24"
        " where the destination bills each query)",
    )
    for option, meaning in FLAGS.items():
        add(*option.split(), action="store_true", help=meaning)
    made_of = "say which versions this is made of"
    add("--version", action="version", version=versions(), help=made_of)
    options = parser.parse_args(arguments)
    names = (options.resources or "").split(",")
    options.resources = [name.strip() for name in names if name.strip()]
    return options


def versions() -> str:
    """Return what a bug report must say: the source, Python, and what it loads with."""
    found = [f"harvest {VERSION}", f"Python {platform.python_version()}"]
    for package in ("dlt", "duckdb", "pyarrow"):
        with suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    return ", ".join(found)
