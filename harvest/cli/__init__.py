"""The command line of the source: `python harvest_pipeline.py --help`.

It is for whoever runs the source as it is; nothing else in `harvest/` imports it.
"""

import logging
import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from .options import parse, versions

if TYPE_CHECKING:
    import argparse

    import dlt
    from dlt.extract import DltSource

__all__ = ["main"]


def main(
    pipeline: "Callable[[], dlt.Pipeline]",
    source: "Callable[..., DltSource]",
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
    if options.version:
        print(versions())
        return 0
    _open_streams()
    _unset_empty_variables()
    received = _note_signals()
    try:
        from .memory import take_little_memory

        take_little_memory()
        _drop_notes_of_dlt()
        return _done(options, pipeline, source)
    except (Exception, KeyboardInterrupt) as error:
        # a second signal ends it at once
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        from .errors import explain, stopped_by

        if number := stopped_by(error, received):
            _complain("stopped; the next run goes on from the last one that ended well")
            return 128 + number
        if options.verbose:
            raise
        _complain(f"error: {explain(error)}")
        return 1


def _done(
    options: "argparse.Namespace",
    pipeline: "Callable[[], dlt.Pipeline]",
    make_source: "Callable[..., DltSource]",
) -> int:
    from ..progress import Progress
    from ..streams.context import context_of
    from . import commands, output

    names = ("start_date", "end_date", "history")
    given = {name: getattr(options, name) for name in names if getattr(options, name)}
    source = make_source(**given)
    source = commands.selected(source, options.resources)
    where: Dict[str, Any] = {"pipeline": pipeline, "dataset": options.dataset}
    where["destination"] = options.destination
    progress = Progress(context_of(source).client.rate_limits)
    if options.command == "drift":
        return _drift(options, source, progress)
    if options.dry_run:
        with progress.shown(not options.quiet):
            found = commands.foresee(
                source, **where, full_refresh=options.full_refresh, deep=options.deep
            )
        output.report_forecast(found, options.json)
        return 0
    if options.command == "verify":
        with progress.shown(not options.quiet):
            result = commands.check(source, **where, deep=options.deep)
        output.report_comparison(result, options.json)
        return 0 if result.equal else 1
    how: Dict[str, Any] = {
        "full_refresh": options.full_refresh,
        "deleted": None if options.no_reconcile else options.deleted,
        "max_deleted_share": options.max_deleted_share,
        "deep": options.deep,
    }
    with progress.shown(not options.quiet):
        loaded = commands.load(source, **where, **how, progress=progress)
    output.report(loaded, options.json)
    return 1 if loaded.compared and loaded.compared.unrepaired else 0


def _drift(options: "argparse.Namespace", source: "DltSource", progress: Any) -> int:
    from ..drift import drift
    from . import output

    with progress.shown(not options.quiet):
        drifts = drift(source)
    output.report_drift(drifts, options.json)
    return 0


def _complain(text: str) -> None:
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def _drop_notes_of_dlt() -> None:
    """Drop dlt's warnings that hints for merging mean nothing where all is replaced."""
    from dlt.common import logger

    def is_news(record: logging.LogRecord) -> bool:
        return "column hint is only applied when" not in record.getMessage()

    if logger.LOGGER:
        logger.LOGGER.addFilter(is_news)


def _open_streams() -> None:
    """Give stdout and stderr a place where the caller closed them.

    Else the next file that is opened, such as the database, would be taken for them.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
            setattr(sys, name, nowhere)


def _unset_empty_variables() -> None:
    """Take an empty variable for one that is not set, as schedulers mean it."""
    for name in [name for name, value in os.environ.items() if not value.strip()]:
        del os.environ[name]


def _note_signals() -> List[int]:
    """Have SIGTERM end a run in order, as Ctrl-C does; return the signals that come."""
    received: List[int] = []

    def stop(number: int, frame: Optional[FrameType]) -> None:
        received.append(number)
        raise KeyboardInterrupt

    # from another thread Python sets none
    with suppress(ValueError):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
    return received
