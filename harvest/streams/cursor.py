"""The `updated_at` cursor of a list, and the rows at its very second."""

import hashlib
import json
from typing import List, Optional

from ..typing import Row, Rows
from .due import cursor_of, second_before

MOST_DIGESTS = 1000
"""Rows at the cursor's second that are remembered; of more, all come again."""


class Cursor:
    """Tells since when a list is read, and which of its rows are new.

    It never passes the moment at which Harvest was asked: a row that changes while a
    list is read may have been read already. If the cursor went on to the `updated_at`
    of a row that changed still later, the first would never be read again.

    Rows at the cursor's second come again. They are known by all of their content:
    known by their key alone, a second change within that second would be taken for a
    repetition.

    It is kept where dlt keeps that of an `incremental`, which moves on with each page.

    Args:
        state (Dict[str, Any]): What the last run left behind; changed by `note` only.
        start (Optional[str]): Where the first run begins.

    Attributes:
        since (Optional[str]): The `updated_since` of this reading; None for all rows.
    """

    def __init__(self, state: Row, start: Optional[str]) -> None:
        self._state = state
        self._known = cursor_of(state, None)
        self.since = second_before(self._known) or start
        if self._known is None:
            begun = {"initial_value": start, "last_value": start}
            state.setdefault("incremental", {}).setdefault("updated_at", begun)
            self._known = start
        self._before = set(state.get("boundary", ()))
        self._newest = ""
        self._digests: List[str] = []

    def new(self, rows: Rows, now: str) -> Rows:
        """Return the rows that the last run has not read.

        Args:
            rows (List[Dict[str, Any]]): Rows of the list.
            now (str): When the list was asked for, by Harvest's clock.
        """
        found = []
        for row in rows:
            place = min(str(row.get("updated_at") or ""), now)
            if place > self._newest:
                self._newest, self._digests = place, []
            is_last = place == self._newest and len(self._digests) <= MOST_DIGESTS
            digest = _digest(row) if is_last or self._before else ""
            if is_last:
                self._digests.append(digest)
            if digest not in self._before:
                found.append(row)
        return found

    def note(self) -> None:
        """Note where the next run begins, once the list was read to its end."""
        if not self._newest or self._newest < (self._known or ""):
            return
        digests = [] if len(self._digests) > MOST_DIGESTS else self._digests
        kept = self._state["incremental"]["updated_at"]
        noted = kept["last_value"]
        if noted != self._known:
            # by another reading in this run: only what both have seen is read
            if noted < self._newest:
                return
            if noted == self._newest:
                digests = [each for each in digests if each in self._state["boundary"]]
        kept["last_value"] = self._newest
        self._state["boundary"] = digests


def _digest(row: Row) -> str:
    text = json.dumps(row, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
