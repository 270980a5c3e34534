"""The types that several modules share."""

from datetime import date  # noqa: I251
from typing import Any, AsyncGenerator, Dict, List, Tuple

Row = Dict[str, Any]
"""One record, as Harvest's JSON has it: objects and lists inside."""

Rows = List[Row]

Items = AsyncGenerator[Any, None]
"""The lists of rows that a resource yields."""

Key = Tuple[Any, ...]
"""The values of a stream's key columns."""

Window = Tuple[date, date]
"""The first and last day of a period, both included."""
