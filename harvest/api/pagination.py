"""Lists, page by page: several requests at once, and whole though a list changes."""

import asyncio
from collections import deque
from typing import Any, AsyncGenerator, Deque, Iterator, Mapping, Optional, Set
from urllib.parse import parse_qs, urlsplit

from dlt.common import logger

from ..exceptions import AccessRefused, HarvestError, UnsteadyList
from ..settings import Stream
from ..typing import Row, Rows
from .client import HarvestClient, PendingPage
from .decoding import Page
from .ids import Ids, first_met

AHEAD = 8
"""Requests of one list under way at once. Their answers wait in memory as they came.

A list is read as fast as Harvest allows if an answer takes no longer than 1.2 seconds.
"""
REREADS = 5
"""Times that a list is read again because its rows moved while it was read."""
IDLE_PAGES = 10
"""Pages in a row without a new row, after which a list is taken for endless."""


async def in_order(
    pending: Iterator[PendingPage], limit: int = AHEAD
) -> AsyncGenerator[PendingPage, None]:
    """Yield requests in order, with several of them under way.

    Args:
        pending (Iterator[PendingPage]): Begins the next request with each `next()`.
        limit (int): How many may be under way.
    """
    ahead: Deque[PendingPage] = deque()
    try:
        while True:
            while len(ahead) < limit and (each := next(pending, None)):
                ahead.append(each)
            if not ahead:
                return
            yield ahead[0]
            ahead.popleft()
    finally:
        for each in ahead:
            each.cancel()


async def pages(
    client: HarvestClient,
    stream: Stream,
    params: Optional[Mapping[str, Any]] = None,
    stamp: str = "created_at",
) -> AsyncGenerator[Page, None]:
    """Yield all pages of a list, each row once.

    The rows of a list that is paged by number shift between its pages when others come
    or go. Its counts betray that, and the list is then read again.

    Args:
        client (HarvestClient): The client.
        stream (Stream): The list.
        params (Optional[Mapping[str, Any]]): Filters; those that are None are left out.
        stamp (str): Field that says since when a row is in the list: `updated_at` if
            the
            list is filtered by that, else `created_at`; empty where rows have neither:
            then nothing may have moved, and all rows come again when it is read again.

    Raises:
        AccessRefused: The list was refused, before any row was read.
        UnsteadyList: The list changed each time that it was read.
        HarvestError: It was refused half way through, or has no end.
    """
    filters = {k: v for k, v in (params or {}).items() if v is not None}
    yielded, begun = Ids(), False
    check: Optional[CompletenessCheck] = None
    for attempt in range(REREADS + 1):
        before = check
        check = CompletenessCheck(stream.name, stamp, first_reading=attempt == 0)
        try:
            async for page in _read(client, stream, filters):
                new = first_met(page.rows, yielded)
                rows = check.count(page, new)
                first = check.pages == 1
                yield page._replace(rows=new if stamp else rows, first=first)
                begun = True
        except AccessRefused as refused:
            if not begun:
                raise
            raise HarvestError(
                f"{refused} half way through the list; nothing of this run was loaded:"
                " run again."
            ) from None
        if check.complete or (before and check.settles(before)):
            return
        logger.warning(
            f"{stream.name}: rows came or went while the list was read; reading it"
            f" again ({attempt + 1} of {REREADS})"
        )
        # into Harvest's next second, so that what is new since then can be told
        await asyncio.sleep(1)
    raise UnsteadyList(
        f"{stream.name}: the list changed each of the {REREADS + 1} times that it was"
        " read; nothing of this run was loaded: run again at a quieter hour."
    )


async def all_rows(
    client: HarvestClient,
    stream: Stream,
    params: Optional[Mapping[str, Any]] = None,
) -> Rows:
    """Return all rows of a list that fits into memory."""
    rows: Rows = []
    async for page in pages(client, stream, params, stamp=""):
        rows = [*([] if page.first else rows), *page.rows]
    return rows


async def follow(
    client: HarvestClient, stream: Stream, page: Page, enough: Optional[int] = None
) -> AsyncGenerator[Page, None]:
    """Yield a page, and those that the links to the next page lead to.

    Args:
        client (HarvestClient): The client.
        stream (Stream): The list.
        page (Page): The page to begin with.
        enough (Optional[int]): Rows after which links that lead nowhere do no harm;
            those that the page counts, if left out.

    Raises:
        HarvestError: The links lead round in a circle, or on without new rows.
    """
    enough = page.total_entries if enough is None else enough
    seen: Set[str] = set()
    met = Ids()
    shown = idle = 0
    while True:
        new = len(first_met(page.rows, met))
        shown, idle = shown + new, 0 if new else idle + 1
        yield page
        url = page.next_url
        if not url:
            return
        if url in seen or idle >= IDLE_PAGES:
            if enough is not None and shown >= enough:
                return
            raise HarvestError(
                f"{stream.name}: Harvest's list never ends ({url}); nothing of this run"
                " was loaded: run again later."
            )
        seen.add(url)
        page = await client.start(stream, url).page()


async def _read(
    client: HarvestClient, stream: Stream, params: Mapping[str, Any]
) -> AsyncGenerator[Page, None]:
    """Yield the pages of one reading of a list.

    The answers say how: pages that are numbered and counted are asked for side by side,
    everything else by the link to the next page.
    """
    page = await client.start(stream, params=params).page()
    last = page.total_pages or 1
    if not is_numbered(page):
        async for each in follow(client, stream, page):
            yield each
        return

    def numbers() -> Iterator[PendingPage]:
        number = 1
        # `last` grows when rows are added meanwhile
        while number < last:
            number += 1
            yield client.start(stream, params={**params, "page": number})

    yield page
    promised, number = last, 1
    async for pending in in_order(numbers()):
        page = await pending.page()
        number += 1
        last = max(last, page.total_pages or 1)
        if number > 2 * promised + IDLE_PAGES:
            raise HarvestError(
                f"{stream.name}: Harvest's list never ends ({last:,} pages, where it"
                f" promised {promised:,}); nothing of this run was loaded: run again"
                " later."
            )
        if number == last and page.next_url:
            # more than was counted; that nothing is missing is proved elsewhere
            async for each in follow(client, stream, page, enough=0):
                yield each
            return
        yield page


def is_numbered(page: Page) -> bool:
    """Return whether further pages can be asked for by number, and are counted.

    >>> is_numbered(Page({"links": {"next": "https://x/v2/clients?cursor=abc"}}, [],
    "")) False
    """
    if not page.total_pages or page.total_entries is None:
        return False
    if not page.next_url:
        return page.total_pages > 1
    query = parse_qs(urlsplit(page.next_url).query)
    return query.get("page") == ["2"] and "cursor" not in query


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
            self.total = (page.total_entries or 0) if is_numbered(page) else 0
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
