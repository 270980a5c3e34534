"""What loads left behind in the state of the source, and comparisons too."""

from datetime import date  # noqa: I251
from typing import List, Mapping, Optional

import dlt

from ..settings import STREAMS, Stream
from ..typing import Row, Window
from .prints import Prints, name_of


class SourceState:
    """The state of a source in a pipeline, as it is at the moment.

    Args:
        pipeline (dlt.Pipeline): The pipeline.
        name (str): Name of the source.
    """

    def __init__(self, pipeline: dlt.Pipeline, name: str) -> None:
        self._pipeline = pipeline
        self._name = name

    @property
    def values(self) -> Row:
        """Return all of it."""
        return dict(self._pipeline.state.get("sources", {}).get(self._name, {}))

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

    def start_of(self, stream: str) -> Optional[str]:
        """Return the `start_date` with which the table of a stream was begun."""
        cursor: Row = self.of(stream).get("incremental", {}).get("updated_at", {})
        return cursor.get("initial_value")

    # ------------------------------------------------------- windows of reports

    def windows(self, report: Stream) -> List[Window]:
        """Return the windows that were loaded of a report."""
        return [
            (date.fromisoformat(first), date.fromisoformat(last))
            for first, last in self.of(report.name).get("windows", [])
        ]

    def read_at(self, report: Stream, window: Window) -> Optional[str]:
        """Return when a window was read, by Harvest's clock."""
        return dict(self.of(report.name).get("read_at", {})).get(name_of(window))

    def look(self, report: Stream, window: Window) -> Optional[str]:
        """Return the digest of a window, if it was not read again since then."""
        seen = self.values.get("looks", {}).get(report.name, {}).get(name_of(window))
        current = seen and seen[0] == self.read_at(report, window)
        return str(seen[1]) if current else None

    def looks(self, prints: Mapping[str, Optional[Prints]], settled: date) -> Row:
        """Return the digests of windows that no load reads any more.

        Args:
            prints (Mapping[str, Optional[Prints]]): What was seen, by report.
            settled (date): The first day of a window's end that a load reads again.
        """
        noted = {
            name: {
                name_of(window): [self.read_at(STREAMS[name], window), each.digest]
                for window, each in seen.items()
                if window[1] < settled
            }
            for name, seen in prints.items()
            if seen is not None
        }
        return {**self.values.get("looks", {}), **noted}
