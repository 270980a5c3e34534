"""The account's time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone


class Clock:
    """The account's time, which can stand still, jump, and differ from this machine's.

    Attributes:
        offset: seconds by which this clock is ahead of the machine's.
    """

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """Return the time, in UTC."""
        if self._frozen is not None:
            return self._frozen
        return datetime.now(timezone.utc) + timedelta(seconds=self.offset)

    def freeze(self, moment: datetime | None) -> None:
        """Stand still at `moment`, or go on from this machine's time for None."""
        self._frozen = moment.astimezone(timezone.utc) if moment else None

    def advance(self, seconds: float) -> None:
        """Move on by some seconds, standing still or not."""
        if self._frozen is not None:
            self._frozen += timedelta(seconds=seconds)
        else:
            self.offset += seconds

    def stamp(self) -> str:
        """Return the time as the API writes it."""
        return stamp(self.now())


def stamp(moment: datetime) -> str:
    """Return a moment as the API writes it: UTC, to the second."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
