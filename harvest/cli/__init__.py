"""The command line of the source: `python harvest_pipeline.py --help`.

Use it to run the source as it is; nothing else in `harvest/` imports it.
"""

from typing import Callable, List, Optional

import dlt
from dlt.extract import DltSource

from .options import parse

__all__ = ["main"]


def main(
    pipeline: Callable[[], dlt.Pipeline],
    source: Callable[..., DltSource],
    arguments: Optional[List[str]] = None,
) -> int:
    """Do what the command line says.

    Args:
        pipeline (Callable[[], dlt.Pipeline]): Makes the pipeline.
        source (Callable[..., DltSource]): Makes the source, as `harvest_source` does.
        arguments (Optional[List[str]]): The arguments; None takes those of the process.

    Returns:
        int: The exit code: 0, 1 after an error or if something differs, 130 or 143
            after a signal.

    Example:
        >>> sys.exit(main(harvest_pipeline, harvest_source))
    """
    options = parse(arguments)
    # what a run needs takes long to import, and --help does without
    from .run import run

    return run(options, pipeline, source)
