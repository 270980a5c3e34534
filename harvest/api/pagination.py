"""Lists, page by page: several requests at once, and whole though a list changes."""

import asyncio
from collections import deque
from typing import (
    Any,
    AsyncGenerator,
    Coroutine,
    Deque,
    Iterator,
    Mapping,
    Optional,
    Set,
    TypeVar,
)

from dlt.common import logger

from ..exceptions import AccessRefused, HarvestError, UnsteadyList
from ..settings import Stream
from ..typing import Rows
from .client import HarvestClient
from .completeness import CompletenessCheck
from .decoding import Page
from .ids import Ids, first_met

T = TypeVar("T")

AHEAD = 8
"""Requests of one list under way at once. Their answers wait in memory as they came.

A list is read as fast as Harvest allows if an answer takes no longer than 1.2 seconds.
"""
REREADS = 5
"""Times that a list is read again because its rows moved while it was read."""
MANY_PAGES = 200
"""Pages after which a list is read again no more: further readings take minutes."""
IDLE_PAGES = 10
"""Pages in a row without a new row, after which a list is taken for endless."""


async def in_order(
    asked: Iterator[Coroutine[Any, Any, T]], limit: int = AHEAD
) -> AsyncGenerator[T, None]:
    """Yield what coroutines return, in their order, with several of them under way.

    Args:
        asked (Iterator[Coroutine[Any, Any, T]]): The coroutines.
        limit (int): How many may be under way.

    Examples:
        >>> calls = (client.page(stream, params={"page": n}) for n in range(1, 9))
        >>> async for page in in_order(calls):
        ...     print(len(page.rows))
    """
    ahead: Deque[asyncio.Task[T]] = deque()
    try:
        while True:
            while len(ahead) < limit and (each := next(asked, None)):
                ahead.append(asyncio.create_task(each))
            if not ahead:
                return
            yield await ahead[0]
            # no sooner, for it counts among those that are in memory
            ahead.popleft()
    finally:
        for task in ahead:
            task.cancel()
            # so that asyncio does not complain of an error that nobody looked at
            task.add_done_callback(lambda done: done.cancelled() or done.exception())


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
            the list is filtered by that, else `created_at`; empty where rows have
            neither: then nothing may have moved, and all rows come again when the list
            is read again.

    Raises:
        AccessRefused: The list was refused, before any row was read.
        UnsteadyList: The list changed each time that it was read. All rows that were
            met have been yielded by then.
        HarvestError: It was refused half way through, or has no end.
    """
    filters = {k: v for k, v in (params or {}).items() if v is not None}
    yielded, begun, read = Ids(), False, 0
    check: Optional[CompletenessCheck] = None
    for attempt in range(REREADS + 1):
        before, check = check, CompletenessCheck(stream.name, stamp, not attempt)
        try:
            async for page in _read(client, stream, filters):
                new = first_met(page.rows, yielded)
                rows = check.count(page, new)
                page.rows, page.first = new if stamp else rows, check.pages == 1
                yield page
                begun = True
        except AccessRefused as refused:
            # without a stamp, the rows are collected and none has been passed on
            if not begun or not stamp:
                raise
            raise HarvestError(
                f"{refused} half way through the list; nothing of this run was loaded:"
                " run again."
            ) from None
        if check.complete or (before and check.settles(before)):
            return
        read += check.pages
        if attempt == REREADS or (attempt and read >= MANY_PAGES):
            break
        logger.warning(
            f"{stream.name}: rows came or went while the list was read; reading it"
            f" again ({attempt + 1} of {REREADS})"
        )
        # into Harvest's next second, so that what is new since then can be told
        await asyncio.sleep(1)
    raise UnsteadyList(
        f"{stream.name}: the list changed each of the {attempt + 1} times it was read."
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
        page = await client.page(stream, url)


async def _read(
    client: HarvestClient, stream: Stream, params: Mapping[str, Any]
) -> AsyncGenerator[Page, None]:
    """Yield the pages of one reading of a list.

    The answers say how: pages that are numbered and counted are asked for side by side,
    everything else by the link to the next page.
    """
    page = await client.page(stream, params=params)
    last = page.total_pages or 1
    if not page.is_numbered:
        async for each in follow(client, stream, page):
            yield each
        return

    def numbers() -> Iterator[Coroutine[Any, Any, Page]]:
        number = 1
        # `last` grows when rows are added meanwhile
        while number < last:
            number += 1
            yield client.page(stream, params={**params, "page": number})

    yield page
    promised, number = last, 1
    async for page in in_order(numbers()):
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
