"""The `updated_at` cursor of a list, and the rows at its very second."""

import hashlib
import json
from typing import List, Optional, Sequence

import dlt

from ..typing import Row, Rows

MOST_DIGESTS = 1000
"""Rows at the cursor's second that are remembered; of more, all come again."""
NEVER = "0001-01-01T00:00:00Z"


class Cursor:
    """Holds the cursor back to the moment at which Harvest was asked.

    A row that changes while a list is read may have been read already. If the cursor
    went on to the `updated_at` of a row that changed still later, the first would
    never be read again.

    Attributes:
        now (Optional[str]): When the list was asked for, by Harvest's clock.
        stands (bool): The list is not read to its end, so that the cursor may not move.
    """

    def __init__(self) -> None:
        self.now: Optional[str] = None
        self.stands = False

    def latest(self, values: Sequence[str]) -> str:
        """Return the cursor's new place, of a row's value and the last place."""
        if self.stands:
            return values[1] if len(values) > 1 else NEVER
        newest = max(values)
        return newest if self.now is None else min(newest, self.now)

    def incremental(self, start: Optional[str]) -> "dlt.sources.incremental[str]":
        """Return what dlt keeps the cursor with.

        Args:
            start (Optional[str]): Where the first run begins.
        """
        return dlt.sources.incremental[str](
            "updated_at",
            initial_value=start,
            last_value_func=self.latest,
            # the interval of an orchestrator bounds a backfill, never this
            allow_external_schedulers=False,
            # dlt would remember each row at the cursor's second, however many
            primary_key=(),
            on_cursor_value_missing="include",
        )


class Boundary:
    """Tells which rows at the cursor's second the last run has read already.

    They are known by all of their content: known by their key alone, a second change
    within that second would be taken for a repetition.

    Args:
        state (Dict[str, Any]): State of the resource; `boundary` of it is used.
    """

    def __init__(self, state: Row) -> None:
        self._state = state
        self._before = set(state.get("boundary", ()))
        self._newest = ""
        self._digests: List[str] = []

    def new(self, rows: Rows, now: Optional[str]) -> Rows:
        """Return the rows that the last run has not read.

        Args:
            rows (List[Dict[str, Any]]): Rows of the list.
            now (Optional[str]): Where the cursor is held back to.
        """
        found = []
        for row in rows:
            at = str(row.get("updated_at") or "")
            place = min(at, now) if now else at
            if place > self._newest:
                self._newest, self._digests = place, []
            is_last = place == self._newest and len(self._digests) <= MOST_DIGESTS
            digest = _digest(row) if is_last or self._before else ""
            if is_last:
                self._digests.append(digest)
            if digest not in self._before:
                found.append(row)
        return found

    def remember(self) -> None:
        """Note the rows at the new cursor's second for the next run."""
        if self._newest:
            many = len(self._digests) > MOST_DIGESTS
            self._state["boundary"] = [] if many else self._digests


def _digest(row: Row) -> str:
    text = json.dumps(row, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
