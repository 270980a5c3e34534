"""The options of the command line. Importing this is quick, for `--help`."""

import argparse
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import List, Optional

VERSION = "0.1.0"
"""The version of the source, as CHANGELOG.md has it."""

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


def parse(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    """Read the command line; ends the process if it is wrong, or with `--help`.

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
    parser.add_argument(
        "command",
        nargs="?",
        choices=["load", "verify", "drift"],
        default="load",
        help="default: load",
    )
    _what(parser)
    _how(parser)
    _shown(parser)
    options = parser.parse_args(arguments)
    names = options.resources.split(",")
    options.resources = [name.strip() for name in names if name.strip()]
    return options


def _what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--resources", metavar="A,B", default="", help="streams (default: all)"
    )
    parser.add_argument(
        "--start-date", metavar="DATE", help="how far back the first run goes"
    )
    parser.add_argument(
        "--end-date",
        metavar="DATE",
        help="time entries and expenses of these days only, whatever was read before;"
        " 'interval': those of Airflow's data interval",
    )
    parser.add_argument(
        "--history",
        metavar="A,B",
        help="keep every version of the rows of these lists, such as projects,users",
    )
    parser.add_argument("--destination", metavar="NAME", help="default: duckdb")
    parser.add_argument("--dataset", metavar="NAME", help="default: harvest_data")


def _how(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--full-refresh",
        action="store_true",
        help="read everything again and replace it; restores tables changed by hand",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be read, and read and load nothing",
    )
    parser.add_argument(
        "--no-reconcile", action="store_true", help="load only, compare nothing"
    )
    parser.add_argument(
        "--deep",
        action="store_true",
        help="compare every row and column of every stream",
    )
    parser.add_argument(
        "--deleted",
        choices=["remove", "mark", "ignore"],
        default="remove",
        help="what becomes of rows that were deleted in Harvest (default: remove)",
    )
    parser.add_argument(
        "--max-deleted-share",
        metavar="SHARE",
        type=float,
        default=0.2,
        help="largest part of a table that may be removed at once (default: 0.2)",
    )


def _shown(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="print what was done as JSON"
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="do not show progress"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show errors in full"
    )
    parser.add_argument(
        "--version", action="store_true", help="say which versions this is made of"
    )


def versions() -> str:
    """Return what a bug report must say: the source, Python, and what it loads with."""
    found = [f"harvest {VERSION}", f"Python {platform.python_version()}"]
    for package in ("dlt", "duckdb", "pyarrow"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
