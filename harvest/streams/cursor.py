"""The `updated_at` cursor of a list, and the rows at its very second."""

import hashlib
import json
from typing import List, Optional, Sequence

import dlt

from ..settings import Stream
from ..typing import Row, Rows
from .account import Account
from .dlt_internals import HeldIncremental
from .due import cursor_of, second_before
from .run import Run

MOST_DIGESTS = 1000
"""Rows at the cursor's second that are remembered; of more, all come again."""


class Cursor:
    """Tells dlt's incremental where it is kept, and how far it may go.

    It never passes the moment at which the run began. A row that changes while a list
    is read may have been read already. If the cursor went on to the `updated_at` of a
    row that changed still later, the first would never be read again.

    dlt moves it on with each page. A list that was not read to its end, because
    `add_limit` cut it or because it changed each time, is read again from where that
    reading began.

    Args:
        account (Account): The account, whose run knows the moment by Harvest's clock.
        stream (Stream): The list.
    """

    def __init__(self, account: Account, stream: Stream) -> None:
        self._account = account
        self._stream = stream

    def place(self) -> str:
        """Return the name under which dlt keeps it."""
        return self._account.present().place_of(self._stream.name)

    def resume(self, known: Row) -> None:
        """Move it back to where a reading began that has not come to its end."""
        state = self._account.present().state_of(self._stream.name)
        part = state.get("part", {})
        if part.get("steady") and not part["next"]:
            # `add_limit` cut it behind the last page
            known["last_value"] = min(known["last_value"] or "", part["began"]) or None
            state.pop("part")
            state.pop("unfinished", None)
        if "unfinished" in state:
            known["last_value"] = state.pop("unfinished")

    def latest(self, values: Sequence[str]) -> str:
        """Return the new place, of a row's value and of the last place."""
        value, *before = values
        run = self._account.run
        # clocks go back: what is dated behind the last place is new all the same
        most = max(run.began, run.places.get(self._stream.name, ""))
        return max([min(value, most), *before])


def incremental(account: Account, stream: Stream) -> "dlt.sources.incremental[str]":
    """Return the cursor of a list, as a hint of its resource.

    Args:
        account (Account): The account.
        stream (Stream): The list.
    """
    return HeldIncremental(
        "updated_at",
        initial_value=account.start_of(stream),
        last_value_func=Cursor(account, stream).latest,
        # the interval of an orchestrator bounds a backfill, never this
        allow_external_schedulers=False,
        # dlt would remember each row at the cursor's second, however many
        primary_key=(),
        on_cursor_value_missing="include",
    )


class NewRows:
    """Tells which rows of a list are new, and notes where the next run begins.

    Rows at the cursor's second come again. They are known by all of their content:
    known by their key alone, a second change within that second would be taken for a
    repetition.

    Args:
        run (Run): The run.
        stream (Stream): The list.
        start (Optional[str]): Where the first run begins.

    Attributes:
        since (Optional[str]): The `updated_since` of this reading; None for all rows.
    """

    def __init__(self, run: Run, stream: Stream, start: Optional[str]) -> None:
        self._run = run
        self._name = stream.name
        self._state = state = run.state_of(stream.name)
        self._known = state["unfinished"] = cursor_of(state, start)
        run.places[stream.name] = self._known or ""
        self.since = second_before(self._known)
        self._before = set(state.get("boundary", ()))
        self._newest = ""
        self._digests: List[str] = []
        run.readings[stream.name] += 1

    def of(self, rows: Rows) -> Rows:
        """Return the rows of a page that the last run has not read."""
        found = []
        for row in rows:
            place = min(str(row.get("updated_at") or ""), self._run.began)
            if place > self._newest:
                self._newest, self._digests = place, []
            is_last = place == self._newest and len(self._digests) <= MOST_DIGESTS
            digest = _digest(row) if is_last or self._before else ""
            if is_last:
                self._digests.append(digest)
            if digest not in self._before:
                found.append(row)
        return found

    def end(self) -> None:
        """Note that all of the list was read."""
        self._state.pop("unfinished", None)
        self._state.pop("part", None)
        if not self._newest or self._newest < (self._known or ""):
            return
        # another reading in this run was a moment earlier or later
        alone = self._run.readings[self._name] == 1
        known = alone and len(self._digests) <= MOST_DIGESTS
        self._state["boundary"] = self._digests if known else []


def _digest(row: Row) -> str:
    text = json.dumps(row, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
