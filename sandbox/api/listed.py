"""The rows that pages are cut from."""

from __future__ import annotations

from array import array

from ..store.database import Conditions, Store
from ..store.listings import Listing
from .pages import Key


class ListRows:
    """The rows of a list.

    Args:
        store: which holds them.
        listing: the list.
        parent: the id of the record that the list belongs to, if any.
        conditions: what the rows must meet.
    """

    def __init__(
        self, store: Store, listing: Listing, parent: int | None, conditions: Conditions
    ) -> None:
        self._store = store
        self._where = (listing, parent, conditions)
        self._ids: array[int] = store.ids(listing, parent, conditions)

    def __len__(self) -> int:
        return len(self._ids)

    def between(self, start: int, stop: int) -> list[bytes]:
        """Return some of the rows, each as JSON."""
        return self._store.fragments(self._where[0].table, self._ids[start:stop])

    def key(self, position: int) -> Key:
        """Return what a row is sorted by, and its id."""
        return self._store.sort_key(self._where[0], self._ids[position])

    def position(self, key: Key) -> int:
        """Return how many rows stand before this key, or are it."""
        return self._store.before(*self._where, key)


class ReportRows:
    """The rows of a report, or of any list that is there as a whole.

    Args:
        rows: each as JSON.
    """

    def __init__(self, rows: list[bytes]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def between(self, start: int, stop: int) -> list[bytes]:
        """Return some of the rows."""
        return self._rows[start:stop]

    def key(self, position: int) -> Key:
        """Return the row's place in the list."""
        return "", position

    def position(self, key: Key) -> int:
        """Return how many rows stand before this key, or are it."""
        return max(0, key[1] + 1)
