"""The types that several modules share."""

from datetime import date  # noqa: I251
from typing import Any, AsyncIterator, Dict, List, Tuple

Row = Dict[str, Any]
"""One record, as Harvest's JSON has it: objects and lists inside."""

Rows = List[Row]

Items = AsyncIterator[Any]
"""What a resource yields: lists of rows."""

Key = Tuple[Any, ...]
"""The values of a stream's key columns."""

Window = Tuple[date, date]
"""The first and last day of a period, both included."""
