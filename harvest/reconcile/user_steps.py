"""Pass rows of Harvest through the steps that users have added to a resource.

A row is compared and written as the load would store it, and not otherwise: else a
comparison would bring back what a user has taken out.
"""

from collections import Counter
from typing import Any, List

import dlt
from dlt.extract import DltResource
from dlt.extract.incremental import Incremental, IncrementalResourceWrapper
from dlt.extract.items_transform import LimitItem, MetricsItem

from ..api.decoding import is_int64
from ..settings import Stream
from ..streams.dlt_internals import steps_of
from ..streams.rows import ToTable
from ..streams.values import value_at
from ..typing import Key, Row, Rows

NOT_OF_USERS = (
    Incremental,
    IncrementalResourceWrapper,
    LimitItem,
    MetricsItem,
    ToTable,
)
"""Steps that are the source's, or do not change rows."""


class NotComparable(Exception):
    """A stream cannot be compared, for a reason that the message gives."""


class UserSteps:
    """The steps that a user has added to the resource of a stream.

    Args:
        resource (DltResource): The resource of the stream.
        stream (Stream): The stream.

    Attributes:
        exist (bool): There are some.
    """

    def __init__(self, resource: DltResource, stream: Stream) -> None:
        self._stream = stream
        # the first one reads Harvest
        self._steps: List[Any] = [
            step
            for step in steps_of(resource)[1:]
            if not isinstance(step, NOT_OF_USERS)
        ]
        self.exist = bool(self._steps)

    def apply(self, rows: Rows) -> Rows:
        """Return rows as the load has them.

        Args:
            rows (List[Dict[str, Any]]): Rows of Harvest, which steps may change.

        Raises:
            NotComparable: The steps make something else of them than rows of the same
                records.
        """
        if not (self.exist and rows):
            return rows
        before = Counter(keys_of(self._stream, rows))
        try:
            loaded = list(self._replayed(rows))
        except Exception as error:
            # not its text, which may quote a value
            name = type(error.__cause__ or error).__name__
            raise NotComparable(
                f"a step that was added to it cannot be run again ({name})"
            ) from None
        dictionaries = all(isinstance(row, dict) for row in loaded)
        if not dictionaries or not Counter(keys_of(self._stream, loaded)) <= before:
            raise NotComparable(
                "a step that was added to it makes rows with other keys, several of"
                " one, or no dictionaries"
            )
        return loaded

    def _replayed(self, rows: Rows) -> DltResource:
        # in a resource of its own, dlt runs each kind of step as it does in a load
        replay: DltResource = dlt.resource([rows], name=self._stream.name)
        for step in self._steps:
            replay.add_step(step)
        return replay.add_map(_not_sent_elsewhere)


def _not_sent_elsewhere(row: Row, meta: Any = None) -> Row:
    """Return a row, unless `dlt.mark` has given it a table or hints of its own."""
    if meta is not None:
        raise NotComparable
    return row


def keys_of(stream: Stream, rows: Rows) -> List[Key]:
    """Return the keys of rows of Harvest; one without a key is not stored.

    >>> keys_of(STREAMS["clients"], [{"id": "7"}, {"id": None}])
    [(7,)]
    """
    found = ([value_at(row, name) for name in stream.key] for row in rows)
    return [tuple(map(int, key)) for key in found if all(map(is_int64, key))]
