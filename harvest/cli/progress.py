"""Show what a long run is doing: live on a terminal, a line now and then in a log."""

import logging
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import timedelta  # noqa: I251
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

from dlt.common import logger
from dlt.common.runtime.collector_base import Collector
from rich.console import Console
from rich.live import Live

from ..api.rate_limit import RateLimit
from ..settings import STREAMS
from ..streams.run import Left

PHASES = {"Extract": "reading", "Normalize": "preparing", "Load": "loading"}
"""The steps of dlt's, in words."""


class Progress(Collector):
    """Shows progress on stderr, where it leaves nothing behind on a terminal.

    A thread of its own draws it, of copies: the pipeline goes on counting meanwhile.

    Args:
        rate_limits (Sequence[RateLimit]): Those of the source: they count its requests,
            and know for how long these wait.
        every (float): Seconds between two lines in a log.

    Examples:
        >>> source = harvest_source()
        >>> progress = Progress(account_of(source).client.rate_limits)
        >>> pipeline = dlt.pipeline("harvest", destination="duckdb", progress=progress)
        >>> with progress.shown():
        ...     pipeline.run(source)
    """

    def __init__(self, rate_limits: Sequence[RateLimit], every: float = 30) -> None:
        self._rate_limits = rate_limits
        self._every = every
        self._is_shown = False
        self._began = time.monotonic()
        self._sent_before = self._sent()
        self._start("asking Harvest")

    def _start(self, step: str) -> None:
        self._phase = PHASES.get(step.split()[0], step)
        self._rows: Counter[str] = Counter()
        self._pages: Counter[str] = Counter()
        self._read: Dict[str, bool] = {}
        self._files = (0, 0)
        self._records: Dict[str, List[int]] = {}

    def _stop(self) -> None:
        self._phase = "comparing with Harvest"

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it while the context is open."""
        self._is_shown = True
        if sys.stderr.isatty():
            console = Console(stderr=True)
            # what goes to stderr meanwhile, such as warnings, appears above it
            live = Live(console=console, get_renderable=self._picture, transient=True)
            with live, _logged_above():
                yield
            return
        ended = threading.Event()
        thread = threading.Thread(target=self._log, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _log(self, ended: threading.Event) -> None:
        while not ended.wait(self._every):
            line = "; ".join([self._headline(), *self._limits()])
            print(line, file=sys.stderr, flush=True)

    def _headline(self) -> str:
        """Return the phase, and figures."""
        past = timedelta(seconds=int(time.monotonic() - self._began))
        requests = self._sent() - self._sent_before
        parts = [f"{past}  {self._phase}", f"{requests:,} requests"]
        if self._phase == "reading":
            parts.append(f"{sum([*self._read.values()])} streams read")
        if rows := sum([*self._rows.values()]):
            parts.append(f"{rows:,} rows")
        if self._phase == "loading":
            parts.append(f"{self._files[0]} of {self._files[1]} files")
        if self._phase == "reading" and (left := self._records_left()):
            done = sum(read for read, _ in self._records.values())
            parts.append(f"{100 * done // (done + left)} % of what is below records")
            parts.append(f"about {_time(self._seconds(left))} to go")
        return ", ".join(parts)

    def _records_left(self) -> int:
        """Return below how many records something is still to be read."""
        return sum(total - read for read, total in [*self._records.values()])

    def _seconds(self, requests: int, of_reports: bool = False) -> float:
        """Return for how long Harvest's limit holds up so many requests."""
        limit = self._rate_limits[of_reports]
        return requests / limit.rate * limit.window

    def stored(self, rows: Mapping[str, int], left: Mapping[str, Left]) -> None:
        """Say what is in the tables after a step of the load, and what is not.

        Args:
            rows (Mapping[str, int]): Rows that were loaded so far, by table.
            left (Mapping[str, Left]): What is left of each stream.
        """
        if not self._is_shown:
            return
        most = max(rows, key=lambda name: rows[name], default="")
        there = f"{most}: {rows[most]:,} rows are there" if most else "loaded"
        reports = {name for name in left if STREAMS[name].report}
        parts = [
            f"{name}: {part.read:,} of {part.total:,}"
            f" {STREAMS[name].parent or 'windows'}"
            for name, part in left.items()
        ]
        seconds = max(
            self._seconds(sum(left[name].requests for name in left.keys() - reports)),
            self._seconds(sum(left[name].requests for name in reports), True),
        )
        line = f"{there}; still reading {', '.join(parts)}, about {_time(seconds)}"
        # what was loaded is loaded, also if nobody reads that
        with suppress(OSError, ValueError):
            print(line, file=sys.stderr, flush=True)

    def _sent(self) -> int:
        """Return how many requests were made so far with the token."""
        return sum(limit.sent for limit in self._rate_limits)

    def _limits(self) -> List[str]:
        """Say for how long Harvest's rate limits hold requests back."""
        found = []
        for limit in self._rate_limits:
            if wait := limit.wait:
                of = " of reports" if limit.name == "reports" else ""
                found.append(
                    f"waiting for Harvest's rate limit{of}: {wait:.0f} s to go"
                    f" ({limit.waited:.0f} s so far)"
                )
        return found

    def _picture(self) -> str:
        """Return the headline, the streams that are read, and what holds them up."""
        streams = [name for name in [*self._pages] if not self._read.get(name)]
        room = Console(stderr=True).height - 5
        lines = [
            f"  {name:<26}{self._pages[name]:>8,} pages{self._rows[name]:>12,} rows"
            for name in streams[:room]
        ]
        if len(streams) > room:
            lines.append(f"  and {len(streams) - room} more")
        return "\n".join([self._headline(), *lines, *self._limits()])

    def update(
        self,
        name: str,
        inc: int = 1,
        total: Optional[int] = None,
        inc_total: Optional[int] = None,
        message: Optional[str] = None,
        label: Optional[str] = None,
    ) -> None:
        """Take what dlt and the source count."""
        if label == "records":
            known = self._records.setdefault(name, [0, 0])
            known[0] += inc
            known[1] = total or known[1]
        elif label == "pages":
            self._pages[name] += inc
            self._read[name] = message == "read"
        elif name == "Jobs" and not label:
            done, all_ = self._files
            self._files = (done + inc, (total or all_) + (inc_total or 0))
        elif name in STREAMS:
            self._rows[name] += inc


def _time(seconds: float) -> str:
    """Return a time in words, as exact as it is known."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"


@contextmanager
def _logged_above() -> Iterator[None]:
    """Have dlt's log go where stderr goes now: it holds the one that it began with."""
    held = (
        each
        for each in getattr(logger.LOGGER, "handlers", ())
        if getattr(each, "stream", None) is sys.__stderr__
    )
    handler: Any = next(held, logging.StreamHandler())
    handler.setStream(sys.stderr)
    try:
        yield
    finally:
        handler.setStream(sys.__stderr__)
