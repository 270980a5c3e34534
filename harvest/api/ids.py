"""The ids that were met in a list, in as little memory as can be."""

from array import array
from typing import Any, Iterable, Set

from ..typing import Row, Rows
from .decoding import is_int64


class Ids:
    """A set of ids in eight bytes each: all that a long list leaves in memory."""

    def __init__(self) -> None:
        # in one piece each: small ones would lie between what comes and goes with pages
        self._ids = array("q")
        self._ends = array("q")
        self._odd: Set[Any] = set()

    def add(self, ids: Iterable[Any]) -> Set[Any]:
        """Add the ids of a page, and return those that were not there before."""
        new = set(ids) - self._odd
        odd = {each for each in new if not isinstance(each, int)}
        self._odd |= odd
        new -= odd
        if new:
            low, high = min(new), max(new)
            start = 0
            for end in self._ends:
                # ids grow with time, by which lists are sorted: few pages come near
                if self._ids[start] <= high and low <= self._ids[end - 1]:
                    new.difference_update(self._ids[start:end])
                start = end
            if new:
                self._ids.extend(sorted(new))
                self._ends.append(len(self._ids))
        return new | odd


def first_met(rows: Rows, met: Ids) -> Rows:
    """Return the rows with ids that were not met before, each once."""
    by_id = {_id(row): row for row in rows}
    new = met.add(by_id)
    return [row for key, row in by_id.items() if key in new]


def _id(row: Row) -> Any:
    """Return the id of a row, or without a proper one what tells it from others."""
    value: Any = row.get("id")
    return int(value) if is_int64(value) else repr(row if value is None else value)
