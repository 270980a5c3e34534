"""The frame of a run: its process, its streams, its exit code."""

import sys
from argparse import Namespace
from contextlib import nullcontext
from typing import Callable

from dlt.extract import DltSource

from ..reconcile import Result
from ..streams.account import account_of
from .commands import Loaded, execute, selected
from .dlt_internals import active_pipeline_kept, empty_is_unset
from .errors import explain, stopped_by, traceback_of
from .memory import memory_given_back
from .output import report, say
from .place import MakePipeline
from .process import Signals, expected_warnings_dropped, open_streams
from .progress import Progress

MakeSource = Callable[..., DltSource]


def run(options: Namespace, pipeline: MakePipeline, source: MakeSource) -> int:
    """Do what the options say, and return the exit code.

    The process is left as it was: its environment, signals, streams, memory, and dlt.
    """
    signals = Signals()
    with open_streams(), signals.heard(), expected_warnings_dropped():
        try:
            with memory_given_back(), empty_is_unset(), active_pipeline_kept():
                return _done(options, pipeline, source, signals)
        except (Exception, KeyboardInterrupt) as error:
            if number := stopped_by(error, signals.received):
                say(
                    "stopped; the next run goes on from the last one that ended well",
                    sys.stderr,
                )
                return 128 + number
            if options.verbose:
                say(traceback_of(error), sys.stderr)
            say(f"error: {explain(error)}", sys.stderr)
            return 1


def _done(
    options: Namespace,
    pipeline: MakePipeline,
    make_source: MakeSource,
    signals: Signals,
) -> int:
    names = ("start_date", "end_date")
    given = {name: getattr(options, name) for name in names if getattr(options, name)}
    source = selected(make_source(**given), options.resources)
    progress = Progress(account_of(source).client.rate_limits)
    with nullcontext() if options.quiet else progress.shown():
        outcome = execute(options, source, pipeline, progress, signals)
    report(outcome, options.json)
    if isinstance(outcome, Result):
        return 0 if outcome.equal else 1
    compared = outcome.compared if isinstance(outcome, Loaded) else None
    return 1 if compared and compared.unrepaired else 0
