"""Lists, page by page: read side by side, and whole though they change meanwhile."""

import threading
import time
from array import array
from collections import deque
from concurrent.futures import Future
from typing import Any, Deque, Dict, Generator, Iterable, Iterator, List, Optional, Set, TypeVar

from dlt.common import logger
from dlt.common.runtime import signals

from .client import (
    AccessRefused,
    Answer,
    Call,
    HarvestClient,
    HarvestError,
    Page,
    Unreadable,
    check_same_host,
)
from .settings import PER_PAGE, Stream
from .values import identifies

T = TypeVar("T")
Waiting = Generator[Any, None, T]
"""A generator that yields None, which dlt takes as "ask the others first", until it returns."""

AHEAD = 8
"""Requests that one stream has under way at once, whose answers wait in memory as they came.

A list is read as fast as Harvest allows where an answer takes no longer than 1.2 seconds.
"""
REREADS = 5
"""Times that a list is read again because its rows moved while it was read."""


class Unsteady(HarvestError):
    """A list never stood still while it was read."""


class Reader:
    """The requests of one resource: under way side by side, and dropped when it ends.

    Its methods are generators to be used with `yield from`: they yield None while they wait, so
    that dlt goes on with the other resources meanwhile.
    """

    def __init__(self, client: HarvestClient, stream: Stream) -> None:
        self._client = client
        self.stream = stream
        self._stop = threading.Event()
        self._futures: Set[Future[Answer]] = set()
        self._once: Optional[Future[Answer]] = None
        self._begun = False
        self._yielded = Ids()
        self.answers = 0

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        for future in list(self._futures):
            future.cancel()

    def submit(self, url: str, params: Optional[Dict[str, Any]] = None) -> "Future[Answer]":
        """Starts one request. `params` None means that `url` has them, as `links.next` does."""
        lane = self._client.lane(self.stream)
        field = self.stream.field if self.stream.key else ""
        query = {"per_page": PER_PAGE, **params} if params is not None and field else {}
        of_record = self.stream.kind == "child"
        return self._send(Call(url, query, self.stream.name, field, lane, self._stop, of_record))

    def _send(self, call: Call) -> "Future[Answer]":
        future = call.lane.submit(self._client.get, call)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def once(self, path: str) -> Waiting[Page]:
        """One request whose answer several wait for. The first of them to give up ends it."""
        self._once = self._once or self.submit(path)
        try:
            return (yield from self.wait(self._once))
        except BaseException:
            self._stop.set()
            raise

    def wait(self, future: "Future[Answer]") -> Waiting[Page]:
        """The page that an answer brings."""
        while True:
            while not future.done():
                signals.raise_if_signalled()
                yield None
            answer = future.result()
            try:
                page = answer.page()
            except Unreadable:
                future = self._send(answer.call._replace(unreadable=answer))
                continue
            self.answers += 1
            return page

    def side_by_side(self, calls: Iterator["Future[Answer]"]) -> Iterator["Future[Answer]"]:
        """The calls in order, with up to `AHEAD` of them under way."""
        ahead: Deque[Future[Answer]] = deque()
        while True:
            while len(ahead) < AHEAD and (call := next(calls, None)) is not None:
                ahead.append(call)
            if not ahead:
                return
            yield ahead.popleft()

    def pages(self, stamp: str = "", **params: Any) -> Iterator[Optional[Page]]:
        """All pages of the list.

        The rows of a list that is paged by number shift between its pages when others come or
        go. That is noticed, and the list is then read (and yielded) again.

        Args:
            stamp (str): Field that tells which rows are new to the list since the walk began:
                `updated_at` when it is filtered by that, else `created_at`.
            **params (Any): Filters.

        Raises:
            AccessRefused: 403, before any row was read.
            Unsteady: The list never stood still.
            HarvestError: It was refused half way through.
        """
        try:
            yield from self._walks(stamp, params)
        except AccessRefused as refused:
            if not self._begun:
                raise
            raise HarvestError(
                f"{refused} half way through the list; nothing of this run was loaded: run again."
            ) from None

    def _walks(self, stamp: str, params: Dict[str, Any]) -> Iterator[Optional[Page]]:
        params = {name: value for name, value in params.items() if value is not None}
        walk = self._numbered if self.stream.numbered else self._linked
        for attempt in range(REREADS + 1):
            if (yield from walk(params, stamp, strict=attempt == 0)):
                return
            logger.warning(
                f"{self.stream.name}: rows came or went while the list was read; reading it"
                f" again ({attempt + 1} of {REREADS})"
            )
            # into Harvest's next second, so that what is new since then can be told
            yield from self.pause(1)
        raise Unsteady(
            f"{self.stream.name}: the list changed each of the {REREADS + 1} times that it was"
            " read; nothing of this run was loaded: run again at a quieter hour."
        )

    def pause(self, seconds: float) -> Waiting[None]:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            signals.raise_if_signalled()
            yield None

    def _linked(self, params: Dict[str, Any], stamp: str, strict: bool) -> Waiting[bool]:
        """Walks by `links.next`, which leads on reliably where Harvest pages by cursor."""
        for page in self.follow((yield from self.wait(self.submit(self.stream.path, params)))):
            yield page and self._new(page, stamp)
        return True

    def follow(self, page: Page) -> Iterator[Optional[Page]]:
        """A page, and those that the links to the next page lead to."""
        seen: Set[str] = set()
        while True:
            yield page._replace(first=not seen)
            if not page.next_url:
                return
            if page.next_url in seen or self._too_many(len(seen), page.body.get("total_pages")):
                raise self._endless(page.next_url)
            seen.add(page.next_url)
            page = yield from self.wait(self.submit(page.next_url))

    def _too_many(self, pages: int, promised: Any) -> bool:
        return pages > 10 + 2 * int(promised or 0)

    def _endless(self, url: str) -> HarvestError:
        return HarvestError(
            f"{self.stream.name}: Harvest's list never ends ({url}); nothing of this run was"
            " loaded: run again later."
        )

    def _new(self, page: Page, stamp: str) -> Page:
        """A page of a list without the rows that were yielded before.

        Rows are met again when others were added before them, and when the list is read again.
        The schema promises destinations that each comes once.
        A row that changed in between comes with the next run, since the cursor stays behind.
        """
        self._begun = True
        return page._replace(rows=_first_met(page.rows, self._yielded)) if stamp else page

    def _numbered(self, params: Dict[str, Any], stamp: str, strict: bool) -> Waiting[bool]:
        """Walks the page numbers. Returns whether no row can have slipped through.

        Every row that the first page counted has to be seen. New rows must not stand in for
        missing ones: they are told by `stamp`, or, where there is none, nothing may have moved.
        Rows of the second in which the walk began may be new or not. A `strict` walk takes them
        for new; the next one, whose clock may stand still, does not.
        """
        page: Page = yield from self.wait(self.submit(self.stream.path, params))
        if page.next_url:
            check_same_host(page.next_url, self._client.base_url)
        began = page.now
        promised = last = int(page.body.get("total_pages") or 1)
        total = int(page.body["total_entries"]) if last > 1 else 0
        met = Ids()
        old = rows = 0
        steady = True

        def numbers() -> Iterator["Future[Answer]"]:
            number = 1
            # `last` grows when rows are added meanwhile
            while number < last:
                number += 1
                yield self.submit(self.stream.path, {**params, "page": number})

        def count(page: Page) -> Page:
            """Counts the rows, and returns the page with those that were not yielded before."""
            nonlocal rows, old
            rows += len(page.rows)
            new = self._new(page, stamp)
            if stamp and last > 1:
                # in the first walk, a row that is met for the first time is also yielded
                first_met = new.rows if strict else _first_met(page.rows, met)
                old += sum(is_old(str(row.get(stamp) or "")) for row in first_met)
            return new

        def is_old(since: str) -> bool:
            return since < began or (since == began and not strict)

        yield count(page._replace(first=True))
        if promised == 1:
            return True
        number = 1
        for call in self.side_by_side(numbers()):
            page = yield from self.wait(call)
            number += 1
            last = max(last, int(page.body.get("total_pages") or 1))
            if self._too_many(number, promised):
                raise self._endless(self.stream.path)
            steady = steady and page.body.get("total_entries") == total
            yield count(page)
            # only the pages that are ahead, and not the last one too, are kept in memory
            del page, call
        return old >= total if stamp else steady and rows == total

    def rows(self, **params: Any) -> Waiting[List[Dict[str, Any]]]:
        """All rows of a list that fits into memory, from one undisturbed walk."""
        rows: List[Dict[str, Any]] = []
        for page in self.pages(**params):
            if page is None:
                yield None
                continue
            rows = [*([] if page.first else rows), *page.rows]
        return rows


class Ids:
    """A set of ids in eight bytes each, for they are all that a long list leaves in memory."""

    def __init__(self) -> None:
        # in one piece each: small ones would lie between what comes and goes with each page
        self._ids = array("q")
        self._ends = array("q")
        self._odd: Set[Any] = set()

    def add(self, ids: Iterable[Any]) -> Set[Any]:
        """Adds the ids of a page. Returns those that were not there before."""
        new = set(ids) - self._odd
        odd = {each for each in new if not isinstance(each, int)}
        self._odd |= odd
        new -= odd
        if new:
            low, high = min(new), max(new)
            start = 0
            for end in self._ends:
                # ids grow with time, by which lists are sorted: few pages come near each other
                if self._ids[start] <= high and low <= self._ids[end - 1]:
                    new.difference_update(self._ids[start:end])
                start = end
            if new:
                self._ids.extend(sorted(new))
                self._ends.append(len(self._ids))
        return new | odd


def _first_met(rows: List[Dict[str, Any]], met: Ids) -> List[Dict[str, Any]]:
    """The rows with ids that were not met before, each once."""
    by_id = {_id(row): row for row in rows}
    new = met.add(by_id)
    return [row for key, row in by_id.items() if key in new]


def _id(row: Dict[str, Any]) -> Any:
    """The id of a row; something that tells it from others where it has no proper one."""
    value: Any = row.get("id")
    return int(value) if identifies(value) else repr(row if value is None else value)
