"""The proof that a list, paged by number, was read whole though it changed."""

from dlt.common import logger

from ..typing import Row, Rows
from .decoding import Page
from .ids import Ids, first_met


class CompletenessCheck:
    """Proves that one reading of a list, paged by number, has missed no row.

    Every row that the first page counted must be met. New rows must not stand in for
    missing ones: their `stamp` tells them. Rows of the second in which the reading
    began may be new or not. The first reading takes them for new; a later one, for
    which the clock may stand still, does not.

    Without a stamp, nothing may have moved.

    Args:
        name (str): Name of the stream, for the log.
        stamp (str): Field that says since when a row is in the list, or nothing.
        first_reading (bool): The list was not read before.

    Attributes:
        total (int): Rows that the first page counts; 0 if there is nothing to prove.
        shown (int): Rows that were met.
        pages (int): Pages that were read.
    """

    def __init__(self, name: str, stamp: str, first_reading: bool) -> None:
        self._name = name
        self.total = 0
        self.shown = 0
        self.pages = 0
        self._stamp = stamp
        self._first_reading = first_reading
        self._met = Ids()
        self._began = ""
        self._old = 0
        self._new = 0
        self._moved = False

    def count(self, page: Page, new: Rows) -> Rows:
        """Count the rows of a page, and return those that this reading has not met.

        Args:
            page (Page): The page as it came.
            new (List[Dict[str, Any]]): Those of its rows that no reading met before.
        """
        if not self.pages:
            self._began = page.now
            self.total = (page.total_entries or 0) if page.is_numbered else 0
        self.pages += 1
        # in the first reading, a row that is met for the first time is also new
        rows = new if self._first_reading else first_met(page.rows, self._met)
        if self.total:
            self._moved |= page.total_entries != self.total
            self._new += len(new)
            self.shown += len(rows)
            self._old += sum(map(self._is_old, rows))
        return rows

    def _is_old(self, row: Row) -> bool:
        since = str(row.get(self._stamp) or "")
        return since < self._began or (since == self._began and not self._first_reading)

    @property
    def complete(self) -> bool:
        """Return whether no row can have slipped through."""
        if not self._stamp:
            return not self._moved and (not self.total or self.shown == self.total)
        return self._old >= self.total

    def settles(self, before: "CompletenessCheck") -> bool:
        """Return whether this reading, after another, shows that a count is wrong.

        It is, if reading again brought no new row while the count stood still. The list
        is then as whole as can be, and a warning says so.
        """
        settled = not self._new and not self._moved and self.total == before.total
        if settled:
            logger.warning(
                f"{self._name}: Harvest counts {self.total:,} rows but shows"
                f" {self.shown:,}, and the same when asked again: taken as it is"
            )
        return settled
