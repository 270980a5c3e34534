"""Rows that do not all fit into memory."""

import os
import pickle
from tempfile import SpooledTemporaryFile
from typing import Any, Dict, Iterator, MutableMapping

from ..typing import Key, Row

MOST_IN_MEMORY = 16 * 2**20
"""Bytes after which rows go to a temporary file."""


class SpooledRows(MutableMapping[Key, Row]):
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
        # closed with the object
        self._file: Any = SpooledTemporaryFile(MOST_IN_MEMORY)  # noqa: SIM115
        self._places: Dict[Key, int] = {}

    def __setitem__(self, key: Key, row: Row) -> None:
        self._file.seek(0, os.SEEK_END)
        self._places[key] = self._file.tell()
        pickle.dump(row, self._file)

    def __getitem__(self, key: Key) -> Row:
        self._file.seek(self._places[key])
        row: Row = pickle.load(self._file)
        return row

    def __delitem__(self, key: Key) -> None:
        del self._places[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
