"""Set up the process for a command, and restore it afterwards."""

import logging
import os
import re
import signal
import socket
import sys
import threading
import warnings
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Callable, Iterator, List, Optional

Cancel = Callable[[], None]

EXPECTED = re.compile(
    r"column hint is only applied when|Staging data is declared|Falling back to `append"
    r"|Transient exception in job|retried in load|was not fully loaded"
)
"""What dlt logs though it is meant so, or told at the end: hints for merging where
tables are replaced, files, into which nothing can be merged (docs/files.md), and the
traceback of each attempt to load a table, or a package."""


@contextmanager
def expected_warnings_dropped() -> Iterator[None]:
    """Drop the warnings that belong to a run without trouble."""

    def is_news(record: logging.LogRecord) -> bool:
        return not EXPECTED.search(record.getMessage())

    log = logging.getLogger("dlt")
    log.addFilter(is_news)
    try:
        with warnings.catch_warnings():
            # SQLAlchemy's, of the statements that dlt makes
            warnings.filterwarnings("ignore", module=r"dlt\.destinations\.")
            yield
    finally:
        log.removeFilter(is_news)


@contextmanager
def open_streams() -> Iterator[None]:
    """Give stdout and stderr a place where the caller closed them.

    Else the next file that is opened, such as the database, would be taken for them.
    """
    closed = [name for name in ("stdout", "stderr") if getattr(sys, name) is None]
    opened = []
    for name in closed:
        number = os.open(os.devnull, os.O_WRONLY)
        opened.append(os.fdopen(number, "w", encoding="utf-8"))
        setattr(sys, name, opened[-1])
    try:
        yield
    finally:
        for name, file in zip(closed, opened, strict=True):
            setattr(sys, name, None)
            file.close()


class Signals:
    """The signals that end a run: SIGTERM as well as SIGINT, which Ctrl-C sends.

    Python hears a signal between two of its instructions. While a statement of a
    database waits, there are none, so that a thread hears it and cancels the statement.

    Attributes:
        received (List[int]): The signals that came.
        cancel (List[Cancel]): Functions that cancel what may be waiting.
    """

    def __init__(self) -> None:
        self.received: List[int] = []
        self.cancel: List[Cancel] = []
        self._stopping = False

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Hear signals while the context is open; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        ear, mouth = socket.socketpair()
        mouth.setblocking(False)
        numbers = (signal.SIGINT, signal.SIGTERM)
        handlers = {number: signal.signal(number, self._stop) for number in numbers}
        woken = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
        thread = threading.Thread(target=self._listen, args=(ear,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            mouth.close()
            thread.join()
            ear.close()

    def _stop(self, number: int, frame: Optional[FrameType]) -> None:
        if self._stopping:
            # the second ends it at once
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._stopping = True
        self.received.append(number)
        raise KeyboardInterrupt

    def _listen(self, ear: socket.socket) -> None:
        while numbers := ear.recv(16):
            if ending := {*numbers} & {signal.SIGINT, signal.SIGTERM}:
                self.received.extend(ending)
                for cancel in self.cancel:
                    # what is waited for may have ended meanwhile
                    with suppress(Exception):
                        cancel()
