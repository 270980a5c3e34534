"""Load Harvest into DuckDB, or into any other destination of dlt. Run it, edit it.

python harvest_pipeline.py --help lists what it can do.
"""

import sys
from typing import Any

import dlt

from harvest import harvest_source
from harvest.cli import main as command_line


def pipeline() -> dlt.Pipeline:
    """Return the pipeline: where everything is loaded."""
    return dlt.pipeline(
        pipeline_name="harvest", destination="duckdb", dataset_name="harvest_data"
    )


def source(**settings: Any) -> Any:
    """Return the source. What is to be changed about rows goes here."""
    harvest = harvest_source(**settings)
    # harvest.contacts.add_map(lambda row: {**row, "email": None})
    return harvest


def load_everything() -> None:
    """Load all streams. Later runs read what changed."""
    print(pipeline().run(source()))


def load_some_streams() -> None:
    """Load what hours are about, and nothing else."""
    streams = ("clients", "projects", "tasks", "users", "time_entries")
    print(pipeline().run(source().with_resources(*streams)))


def load_from(start_date: str = "2024-01-01") -> None:
    """Load what is dated since a day, and what it refers to."""
    print(pipeline().run(source(start_date=start_date)))


def explore() -> None:
    """Print the hours of each project, from what was loaded."""
    hours = pipeline().dataset()(
        "SELECT project__name, SUM(hours) AS hours FROM time_entries"
        " GROUP BY project__name ORDER BY hours DESC"
    )
    for project, total in hours.fetchall():
        print(f"{project:<40}{total:>10,.2f}")


def main() -> int:
    """Do what the command line says, and compare what was loaded with Harvest."""
    return command_line(pipeline, source)


if __name__ == "__main__":
    # load_everything()
    # load_some_streams()
    # load_from("2024-01-01")
    # explore()
    sys.exit(main())
