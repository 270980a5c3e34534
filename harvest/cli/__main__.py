"""The command line without a script of your own: `harvest-dlt --help`."""

import sys

from .. import harvest_source
from . import main as command_line
from .destination import harvest_pipeline


def main() -> int:
    """Do what the command line says, with the pipeline `harvest` into DuckDB."""
    return command_line(harvest_pipeline, harvest_source)


if __name__ == "__main__":
    sys.exit(main())
