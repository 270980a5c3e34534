"""Harvest's two rate limits, kept by all sources and threads of a process together."""

import asyncio
import hashlib
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Deque, Dict, Iterator, Optional, Tuple

from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.base_configuration import (
    ContainerInjectableContext,
    configspec,
)

MARGIN = 0.5
"""Seconds, or a twentieth of a shorter window, until which a request without an answer
is taken to have arrived. Harvest counts a request when it arrives: a slow one, followed
by a quick one, would otherwise arrive as one too many."""


@dataclass
class Turn:
    """The right to send one request.

    Attributes:
        free_at (float): When another request may take its place, by `time.monotonic()`.
    """

    free_at: float


class RateLimit:
    """One of Harvest's two rate limits.

    https://help.getharvest.com/api-v2/introduction/overview/general/#rate-limiting

    Args:
        name (str): `api`, or `reports`.
        rate (int): Requests allowed in a window.
        window (float): Length of the window in seconds.

    Attributes:
        sent (int): Requests that were let through.

    Examples:
        >>> limit = RateLimit("api", rate=100, window=15)
        >>> await limit.turn()
        >>> turn = limit.take()
        >>> limit.answered(turn)
    """

    def __init__(self, name: str, rate: int, window: float) -> None:
        self.name = name
        self.rate = rate
        self.window = window
        self.sent = 0
        self._margin = min(MARGIN, window / 20)
        self._lock = threading.Lock()
        self._taken: Deque[Turn] = deque()
        self._last = 0.0
        self._paused_until = 0.0
        self._waiting = 0
        self._waiting_since = 0.0
        self._waited = 0.0

    async def turn(self) -> None:
        """Wait until a request may be sent; `take` then counts it."""
        if self._seconds_to_go() > 0:
            with self._counted():
                while (seconds := self._seconds_to_go()) > 0:
                    await asyncio.sleep(min(max(seconds, 0.005), 1))

    def take(self) -> Optional[Turn]:
        """Count a request that is sent at this moment; None if it may not be."""
        with self._lock:
            now = time.monotonic()
            if self._free_at(now) > now:
                return None
            self.sent += 1
            self._last = now
            turn = Turn(now + self.window + self._margin)
            self._taken.append(turn)
            return turn

    def answered(self, turn: Turn) -> None:
        """Note the answer to a request: it cannot have arrived later than that."""
        with self._lock:
            turn.free_at = min(turn.free_at, time.monotonic() + self.window)

    def pause(self, seconds: float) -> None:
        """Hold all requests back for so long, because Harvest asked for it."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    @property
    def wait(self) -> float:
        """Return the seconds until the next request may go; 0 if none waits."""
        return self._seconds_to_go() if self._waiting else 0

    @property
    def free(self) -> int:
        """Return how many requests may go at once."""
        with self._lock:
            now = time.monotonic()
            return self.rate - len(self._taken) if self._free_at(now) <= now else 0

    @property
    def waited(self) -> float:
        """Return for how many seconds any requests waited so far."""
        with self._lock:
            now = time.monotonic()
            return self._waited + (now - self._waiting_since if self._waiting else 0)

    @property
    def idle_for(self) -> float:
        """Return the seconds since the last request."""
        if self._waiting or not self._last:
            return 0
        return time.monotonic() - self._last

    def _seconds_to_go(self) -> float:
        with self._lock:
            now = time.monotonic()
            return max(0.0, self._free_at(now) - now)

    def _free_at(self, now: float) -> float:
        """Return when a request may be sent, if not at once."""
        while self._taken and self._taken[0].free_at <= now:
            self._taken.popleft()
        full = len(self._taken) >= self.rate
        return max(self._taken[0].free_at if full else 0.0, self._paused_until)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count who waits, and for how long anyone does."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, more: int) -> None:
        with self._lock:
            now = time.monotonic()
            if self._waiting:
                self._waited += now - self._waiting_since
            self._waiting_since = now
            self._waiting += more


@configspec
class RateLimits(ContainerInjectableContext):
    """The rate limits of all tokens in this process: Harvest counts by token.

    dlt keeps one of these. It holds no token, only what a token hashes to, and forgets
    a limit once it has been idle for longer than its window.
    """

    global_affinity: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self._limits: Dict[Tuple[Any, ...], RateLimit] = {}
        self._lock = threading.Lock()

    def of(self, owner: str, name: str, rate: int, window: float) -> RateLimit:
        """Return the rate limit that all requests with a token share.

        Args:
            owner (str): The token, or what else tells its owner from others.
            name (str): `api`, or `reports`.
            rate (int): Requests allowed in a window.
            window (float): Length of the window in seconds.
        """
        key = (hashlib.sha256(owner.encode()).hexdigest(), name, rate, window)
        with self._lock:
            for other, limit in list(self._limits.items()):
                if other != key and limit.idle_for > 2 * limit.window:
                    del self._limits[other]
            if key not in self._limits:
                self._limits[key] = RateLimit(name, rate, window)
            return self._limits[key]


def shared_limit(owner: str, name: str, rate: int, window: float) -> RateLimit:
    """Return the rate limit that all sources of this process with a token share."""
    return Container()[RateLimits].of(owner, name, rate, window)
