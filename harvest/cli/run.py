"""The frame of a run: its streams, its signals, its exit code."""

import os
import signal
import sys
from argparse import Namespace
from contextlib import nullcontext, suppress
from types import FrameType
from typing import Callable, List, Optional

from dlt.common import logger
from dlt.extract import DltSource

from ..reconcile import Result
from ..streams.context import context_of
from .commands import Loaded, execute, selected
from .destination import MakePipeline
from .errors import explain, stopped_by
from .memory import give_memory_back
from .output import report, say
from .progress import Progress

MakeSource = Callable[..., DltSource]


def run(options: Namespace, pipeline: MakePipeline, source: MakeSource) -> int:
    """Do what the options say, and return the exit code."""
    _open_streams()
    _unset_empty_variables()
    received = _note_signals()
    try:
        give_memory_back()
        _drop_notes_of_dlt()
        return _done(options, pipeline, source)
    except (Exception, KeyboardInterrupt) as error:
        # a second signal ends it at once
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if number := stopped_by(error, received):
            say(
                "stopped; the next run goes on from the last one that ended well",
                sys.stderr,
            )
            return 128 + number
        if options.verbose:
            raise
        say(f"error: {explain(error)}", sys.stderr)
        return 1


def _done(options: Namespace, pipeline: MakePipeline, make_source: MakeSource) -> int:
    names = ("start_date", "end_date")
    given = {name: getattr(options, name) for name in names if getattr(options, name)}
    source = selected(make_source(**given), options.resources)
    progress = Progress(context_of(source).client.rate_limits)
    with nullcontext() if options.quiet else progress.shown():
        outcome = execute(options, source, pipeline, progress)
    report(outcome, options.json)
    if isinstance(outcome, Result):
        return 0 if outcome.equal else 1
    compared = outcome.compared if isinstance(outcome, Loaded) else None
    return 1 if compared and compared.unrepaired else 0


def _drop_notes_of_dlt() -> None:
    """Drop dlt's warnings that hints for merging mean nothing where all is replaced."""
    noise = "column hint is only applied when"
    logger.addFilter(lambda record: noise not in record.getMessage())


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
