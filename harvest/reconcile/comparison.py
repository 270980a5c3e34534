"""The result of a comparison: stream by stream, and as a whole."""

import os
import pickle
from collections import UserDict
from dataclasses import dataclass, field
from datetime import date  # noqa: I251
from tempfile import SpooledTemporaryFile
from typing import Any, Dict, List, Literal, NamedTuple, Optional, Set

from dlt.common import Decimal

from ..typing import Key, Row, Rows, Window

MOST_IN_MEMORY = 16 * 2**20
"""Bytes after which rows go to a temporary file."""

Outcome = Literal["equal", "different", "not compared", "not covered"]


class SpooledRows(UserDict[Key, Any]):
    """Rows by key, in a temporary file if they are many.

    A comparison may find that each row of a list differs, as when a client that all of
    them name was renamed.

    Examples:
        >>> rows = SpooledRows()
        >>> rows[7,] = {"id": 7}
        >>> rows[7,], len(rows)
        ({'id': 7}, 1)
    """

    def __init__(self) -> None:
        super().__init__()
        # closed with the object
        self._file: Any = SpooledTemporaryFile(MOST_IN_MEMORY)  # noqa: SIM115

    def __setitem__(self, key: Key, row: Row) -> None:
        self._file.seek(0, os.SEEK_END)
        self.data[key] = self._file.tell()
        pickle.dump(row, self._file)

    def __getitem__(self, key: Key) -> Any:
        self._file.seek(self.data[key])
        return pickle.load(self._file)


@dataclass
class Comparison:
    """The outcome of comparing one stream with its tables.

    Attributes:
        stream (str): Name of the stream.
        table (str): Name of its table.
        here (int): Rows in the destination.
        harvest (Optional[int]): Rows in Harvest; None if they were not counted.
        amount_here (Optional[Decimal]): Rounded hours of time entries, in hours; money
            of other streams, in the currencies of the account added up.
        amount_harvest (Optional[Decimal]): The same in Harvest.
        missing (SpooledRows): Rows that only Harvest has.
        different (SpooledRows): Rows that differ, as Harvest has them.
        deleted (Set[Key]): Keys of the rows that only the destination has.
        implied (Set[Key]): Those of them that went with a record that they belong to.
        deleted_elsewhere (Set[Key]): Keys of deleted records that are not stored, but
            that rows of other streams name.
        twice (Set[Key]): Keys that the destination has more than once.
        windows (List[Window]): Windows of a report whose rows differ.
        absent (List[str]): Tables that the destination should have, and has not.
        days (Set[date]): Days of the rows that differ, here and in Harvest.
        left_out (int): Stored rows that a step of the user leaves out now.
        sets (Dict[Key, Rows]): Harvest's rows that are to replace others as a set, by
            the values of `Stream.merge_key`.
        read_at (Dict[Window, str]): When windows of a report were read, by Harvest's
            clock.
        contradictions (Dict[Window, str]): Digests of how totals of windows that are as
            Harvest has them differ from the entries.
        running (bool): The timer of an entry runs, so that its hours were not compared.
        deletions_blocked (bool): Nothing is removed of it, for the token's owner may
            see less than the one who loaded it.
        note (str): Why it was not compared, or not altogether.
        status (Outcome): The outcome if no difference was found.
    """

    stream: str
    table: str = ""
    here: int = 0
    harvest: Optional[int] = None
    amount_here: Optional[Decimal] = None
    amount_harvest: Optional[Decimal] = None
    missing: SpooledRows = field(default_factory=SpooledRows)
    different: SpooledRows = field(default_factory=SpooledRows)
    deleted: Set[Key] = field(default_factory=set)
    implied: Set[Key] = field(default_factory=set)
    deleted_elsewhere: Set[Key] = field(default_factory=set)
    twice: Set[Key] = field(default_factory=set)
    windows: List[Window] = field(default_factory=list)
    absent: List[str] = field(default_factory=list)
    days: Set[date] = field(default_factory=set)
    left_out: int = 0
    sets: Dict[Key, Rows] = field(default_factory=dict)
    read_at: Dict[Window, str] = field(default_factory=dict)
    contradictions: Dict[Window, str] = field(default_factory=dict)
    running: bool = False
    deletions_blocked: bool = False
    note: str = ""
    status: Outcome = "equal"

    @property
    def outcome(self) -> Outcome:
        """Return whether it is equal, different, not compared, or not covered.

        `not covered` is what this comparison does not look at, or what the account
        does not have.
        """
        return "different" if self._differences else self.status

    @property
    def verdict(self) -> str:
        """Return the outcome in words, such as `2 missing here; 1 different`."""
        found = [*self._differences, *([self.note] if self.note else [])]
        if rows := self.left_out:
            found.append(
                f"{rows:,} stored row{'' if rows == 1 else 's'} left out now by a step"
                " that was added, and not compared: --full-refresh removes them"
            )
        if not found and self.running and self.amount_here != self.amount_harvest:
            return "equal but for running timers, whose hours grow"
        return "; ".join(found) or self.status

    @property
    def to_repair(self) -> List[str]:
        """Return what is to be written or removed, in words."""
        counted = (
            (self.missing, "missing here"),
            (self.different, "different"),
            (self.deleted, "deleted in Harvest"),
            (self.twice, "stored more than once"),
            (self.windows, "out of date"),
        )
        return [f"{len(rows):,} {what}" for rows, what in counted if rows]

    @property
    def _differences(self) -> List[str]:
        kinds = {True: "column", False: "table"}
        absent = (f"the {kinds['.' in name]} {name} is missing" for name in self.absent)
        return [*absent, *self.to_repair]

    def leave_out(self, status: Outcome, note: str) -> None:
        """Forget what was found by reading so far, which may be half the truth."""
        self.missing.clear()
        self.different.clear()
        self.sets.clear()
        self.windows.clear()
        self.deleted &= self.implied
        self.harvest = self.amount_here = self.amount_harvest = None
        self.status = status
        self.add_note(note)

    def add_note(self, note: str) -> None:
        """Add to what is to be said about it."""
        self.note = f"{self.note}; {note}" if self.note else note


class Result(NamedTuple):
    """The result of `verify` or `reconcile`.

    Attributes:
        comparisons (List[Comparison]): One for each selected stream.
        requests (int): Requests that it took.
        deleted (str): What became of rows that are deleted in Harvest: `remove`, `mark`
            or `ignore`.
        unrepaired (List[str]): A sentence for each thing that `reconcile` could not
            repair.
        failure (str): Why the destination could not be compared; empty if it was.
        hours_ago (Optional[float]): Hours since the last comparison, if nothing was
            compared because of it.
    """

    comparisons: List[Comparison]
    requests: int
    deleted: str
    unrepaired: List[str]
    failure: str = ""
    hours_ago: Optional[float] = None

    @property
    def equal(self) -> bool:
        """Return whether all that was to be compared was compared, and is equal."""
        if self.failure or self.hours_ago is not None:
            return False
        outcomes = {each.outcome for each in self.comparisons}
        return outcomes <= {"equal", "not covered"}

    def count(self, outcome: Outcome) -> int:
        """Return how many streams have an outcome.

        >>> verify(pipeline, harvest_source()).count("different")
        0
        """
        return sum(each.outcome == outcome for each in self.comparisons)
