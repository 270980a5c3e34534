"""The notes of loads and comparisons in the state of a source."""

from datetime import date, datetime, timezone  # noqa: I251
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import dlt
from dlt.extract import DltResource

from ..streams.due import name_of
from ..typing import Row, Window

REMOVED = "removed_rows"
"""The table of the rows that were removed."""


class SourceState:
    """The state of a source in a pipeline, as it was when this was made.

    Args:
        pipeline (dlt.Pipeline): The pipeline.
        name (str): Name of the source.

    Attributes:
        values (Dict[str, Any]): All of it.
    """

    def __init__(self, pipeline: dlt.Pipeline, name: str) -> None:
        # once, since dlt reads its file each time
        self.values: Row = dict(pipeline.state.get("sources", {}).get(name, {}))

    def of(self, stream: str) -> Row:
        """Return what loads left behind of a stream."""
        return dict(self.values.get("resources", {}).get(stream, {}))

    def was_created(self, stream: str) -> bool:
        """Return whether a load has created the table of a stream."""
        return bool(
            self.of(stream).get("created") or stream in self.values.get("created", ())
        )

    def was_tried(self, stream: str) -> bool:
        """Return whether a load has read a stream, or has tried to."""
        # the load notes on whose behalf it asks
        return stream in self.values.get("owners", {}) or self.was_created(stream)

    def params(self, stream: str) -> Row:
        """Return the filter for the rows that the table of a stream must hold.

        Rows that were last changed before the `start_date` with which it was begun are
        not missing in it.
        """
        cursor: Row = self.of(stream).get("incremental", {}).get("updated_at", {})
        start = cursor.get("initial_value")
        return {"updated_since": start} if start else {}

    def hours_since_comparison(self) -> Optional[float]:
        """Return how many hours ago the last comparison was; None if none is noted."""
        noted = self.values.get("compared_at")
        if not noted:
            return None
        since = datetime.now(timezone.utc) - datetime.fromisoformat(noted)
        return since.total_seconds() / 3600

    # ------------------------------------------------------- windows of reports

    def windows(self, report: str) -> List[Window]:
        """Return the windows that were loaded of a report."""
        return [
            (date.fromisoformat(first), date.fromisoformat(last))
            for first, last in self.of(report).get("windows", [])
        ]

    def read_at(self, report: str, window: Window) -> Optional[str]:
        """Return when a window was read, by Harvest's clock."""
        read_at: Dict[str, str] = self.of(report).get("read_at", {})
        return read_at.get(name_of(window))

    def contradiction(self, report: str, window: Window) -> str:
        """Return how the totals of a window differ from the entries in Harvest, too."""
        known: Dict[str, str] = self.of(report).get("contradictions", {})
        return known.get(name_of(window), "")


def notes(state: Row, removed: Sequence[Tuple[str, Any]] = ()) -> DltResource:
    """Return a resource that notes something in the state, and rows that were removed.

    Args:
        state (Dict[str, Any]): What is noted: values of the source's state. What
            `resources` holds of a stream is added to what is known of it; an entry that
            is None is forgotten.
        removed (Sequence[Tuple[str, Any]]): Stream and id of each removed row.
    """
    now = datetime.now(timezone.utc)

    @dlt.resource(name=REMOVED, write_disposition="append")
    def removed_rows() -> Iterator[Any]:
        _merge(dlt.current.source_state(), state)
        yield [{"stream": name, "id": key, "removed_at": now} for name, key in removed]

    return removed_rows


def _merge(known: Row, more: Row) -> None:
    for name, value in more.items():
        if value is None:
            known.pop(name, None)
        elif isinstance(value, dict):
            _merge(known.setdefault(name, {}), value)
        else:
            known[name] = value
