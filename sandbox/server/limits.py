"""Rate limits."""

from __future__ import annotations

from collections import deque


class SlidingWindow:
    """A limit on requests in a sliding window of time, for each token.

    Args:
        limit: how many requests.
        seconds: in how long.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._arrivals: dict[str, deque[float]] = {}

    def wait(self, token: str, now: float) -> float:
        """Count a request; return 0, or the seconds to wait if it is one too many."""
        arrivals = self._arrivals.setdefault(token, deque())
        while arrivals and arrivals[0] <= now - self.seconds:
            arrivals.popleft()
        if len(arrivals) >= self.limit:
            return arrivals[0] + self.seconds - now
        arrivals.append(now)
        return 0.0
