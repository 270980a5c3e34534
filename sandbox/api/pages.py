"""Pages of lists, in all the ways in which a list can page."""

from __future__ import annotations

import base64
import math
from typing import Any, Protocol
from urllib.parse import urlencode

import orjson

from .errors import Refusal

Query = dict[str, str]
Key = tuple[Any, int]


class Rows(Protocol):
    """What a page is cut from."""

    def __len__(self) -> int:
        """Return how many rows the list has."""

    def between(self, start: int, stop: int) -> list[bytes]:
        """Return some of the rows, each as JSON."""

    def key(self, position: int) -> Key:
        """Return what tells where a row stands, though others come and go."""

    def position(self, key: Key) -> int:
        """Return how many rows stand before this key, or are it."""


class Page:
    """One page of a list.

    Args:
        rows: the whole list.
        style: how the list pages, one of `listings.PAGES`.
        url: where the request went, without its query.
        query: the query parameters.
        per_page: how many rows a page has.
        repeat: whether the page begins with the last row of the page before.
    """

    def __init__(
        self, rows: Rows, style: str, url: str, query: Query, per_page: int, repeat: bool = False
    ) -> None:
        self._rows = rows
        self._by_cursor = style.endswith("cursor")
        self._counts = not style.startswith("bare_")
        self._whole = style == "whole"
        self._url = url
        self._query = query
        self._per_page = per_page
        self._repeat = repeat
        self._total = len(rows)
        self._start = 0 if self._whole else self._first_row()

    def body(self, key: str) -> bytes:
        """Return the page as JSON, its rows under a key, or a bare list where the key is empty."""
        stop = self._total if self._whole else self._start + self._per_page
        start = self._start - 1 if self._repeat and self._start else self._start
        rows = b",".join(self._rows.between(start, stop))
        if not key:
            return b"[" + rows + b"]"
        about = b"}" if self._whole else b"," + orjson.dumps(self._about())[1:]
        # In one go: a page is megabytes long.
        return b"".join((b'{"', key.encode(), b'":[', rows, b"]", about))

    def _first_row(self) -> int:
        query = self._query
        if self._by_cursor and "cursor" in query and "page" not in query:
            forward, key = _cursor_of(query["cursor"])
            start = self._rows.position(key)
            return start if forward else max(0, start - 1 - self._per_page)
        page = int(query.get("page", "1"))
        if self._by_cursor and not self._counts and page > 1:
            raise Refusal(422, "This list pages by cursor: follow links.next.")
        return (page - 1) * self._per_page

    def _about(self) -> dict[str, Any]:
        """Return all that a page says of itself."""
        pages = max(1, math.ceil(self._total / self._per_page))
        page: int | None = self._start // self._per_page + 1
        assert page is not None
        following: int | None = page + 1 if page < pages else None
        previous: int | None = page - 1 if page > 1 else None
        links = {
            "first": self._link(page=1),
            "next": self._link(page=following) if following else None,
            "previous": self._link(page=previous) if previous else None,
            "last": self._link(page=pages),
        }
        if self._by_cursor:
            after, before = self._cursors()
            links["next"] = self._link(cursor=after) if after else None
            links["previous"] = self._link(cursor=before) if before else None
            if after and before and "page" not in self._query:
                # In the middle nobody knows the number of a page.
                page = following = previous = None
            elif before and "page" not in self._query:
                page, following, previous = pages, None, pages - 1 if pages > 1 else None
        if not self._counts:
            del links["last"]
            return {"per_page": self._per_page, "links": links}
        return {
            "per_page": self._per_page,
            "total_pages": pages,
            "total_entries": self._total,
            "next_page": following,
            "previous_page": previous,
            "page": page,
            "links": links,
        }

    def _cursors(self) -> tuple[str, str]:
        """Return the cursors of the next page and of the one before; empty where there is none."""
        stop = self._start + self._per_page
        shown = min(stop, self._total) - self._start
        if shown <= 0:
            return "", ""
        after = _cursor(True, self._rows.key(stop - 1)) if stop < self._total else ""
        before = _cursor(False, self._rows.key(self._start)) if self._start > 0 else ""
        return after, before

    def _link(self, **where: Any) -> str:
        # Filters travel on as they came.
        kept = {
            name: value
            for name, value in self._query.items()
            if name not in ("page", "cursor", "per_page")
        }
        return f"{self._url}?{urlencode({**kept, **where, 'per_page': self._per_page})}"


def _cursor(forward: bool, key: Key) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([forward, *key])).decode().rstrip("=")


def _cursor_of(text: str) -> tuple[bool, Key]:
    try:
        padded = text + "=" * (-len(text) % 4)
        forward, value, id = orjson.loads(base64.urlsafe_b64decode(padded))
        return bool(forward), (str(value), int(id))
    except (ValueError, TypeError):
        raise Refusal(422, "The cursor is not one that was given out.") from None
