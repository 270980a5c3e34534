"""The last step of each resource: rows that can be stored, or Arrow tables."""

from typing import Any, ClassVar, Dict

import dlt
from dlt.extract.items_transform import ItemTransform

from ..settings import Stream
from .account import Account
from .dlt_internals import feeds_transformers
from .values import storable


class ToTable(ItemTransform[Any, Dict[str, Any]]):
    """Turns pages of rows into what the destination can hold, lists into Arrow tables.

    dlt looks at each row and value of a list of dictionaries; on Arrow tables it works
    by column. A page with lists in its rows, or with a value that contradicts the type
    of its column, stays a list of dictionaries. Both ways lead to the same table.

    Transformers of the user's always get lists of dictionaries.

    Args:
        account (Account): The account.
        stream (Stream): The stream.
        arrow (bool): Make Arrow tables where the destination takes them.
    """

    # behind what users add
    placement_affinity: ClassVar[float] = 1.05

    def __init__(self, account: Account, stream: Stream, arrow: bool) -> None:
        super().__init__(lambda item: item)
        self._account = account
        self._stream = stream
        self._arrow = arrow

    def bind(self, pipe: Any) -> "ToTable":
        """Return the step of one run, which knows where the rows go."""
        arrow = self._arrow and not feeds_transformers(pipe)
        return ToTable(self._account, self._stream, arrow)

    def __call__(self, item: Any, meta: Any = None) -> Any:
        """Return a page as a table, or as rows that can be stored."""
        if not isinstance(item, list) or not item or not isinstance(item[0], dict):
            return item
        schema, run = dlt.current.source_schema(), self._account.run
        table = run.tables.get(self._stream.name)
        if not table:
            # read for a transformer alone
            return storable(schema, self._stream, item)
        if self._arrow and table.takes_arrow and run.load_id:
            # late: `dlt init` imports the source where pyarrow may be missing yet
            from .arrow import ByRows, to_arrow, with_ids

            try:
                return with_ids(
                    to_arrow(item, schema, self._stream, table), run.load_id
                )
            except ByRows:
                pass
        return storable(schema, self._stream, item, table)
