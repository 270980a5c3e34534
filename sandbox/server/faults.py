"""Misbehaviour on purpose: what a client must live through."""

from __future__ import annotations

import asyncio
import math
import re
import socket
import struct
import threading
from asyncio import BaseTransport
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from .recording import RequestRecord

HTML = "text/html; charset=utf-8"
TRANSPORT = "sandbox.transport"
"""Where a request's scope keeps the connection itself."""

INSTEAD = ("status", "reset", "html", "redirect")
"""Kinds that answer in the API's place."""
KINDS = (
    *INSTEAD,
    *("truncate", "no_key", "slow", "gather", "trickle", "next_loop", "next_endless"),
    *("next_elsewhere", "overcount", "repeat", "mutate"),
)


@dataclass
class Fault:
    """One misbehaviour, as `Faults.add` made it.

    Attributes:
        path: a regular expression for the whole path, without `/v2`.
        kind: what happens.
        times: how many more requests it strikes; None for all.
        after: how many more matching requests it lets pass first.
        when: a further condition on the request.
        details: what the kind needs to know.
        hits: how many requests it has struck.
    """

    path: str
    kind: str
    times: int | None
    after: int
    when: Callable[[RequestRecord], bool] | None
    details: dict[str, Any] = field(default_factory=dict)
    hits: int = 0
    spent: asyncio.Event = field(default_factory=asyncio.Event)

    async def gather(self) -> None:
        """Return once all of its requests have come."""
        if self.hits == self.times:
            self.spent.set()
        await asyncio.wait_for(self.spent.wait(), 60)


class Faults:
    """The faults of a server, in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(
        self,
        path: str,
        kind: str,
        *,
        times: int | None = 1,
        after: int = 0,
        when: Callable[[RequestRecord], bool] | None = None,
        **details: Any,
    ) -> Fault:
        """Make matching requests go wrong.

        Kinds and their details:

        - `status`: answer with `code` (503), `body` (an HTML page; text, bytes, or a dict for
          JSON), `headers`, `retry_after` (seconds, a datetime for an HTTP date, or None)
        - `reset`: the connection is reset without an answer
        - `truncate`: the body ends half way, while Content-Length promises all of it
        - `html`: a page of HTML with status 200
        - `no_key`: JSON without the collection
        - `slow`: the answer comes after `seconds` (1)
        - `gather`: no answer comes before `times` requests have come
        - `trickle`: the body comes in pieces, over `seconds` (1)
        - `overcount`: `total_entries` is higher by `more` (3) than the rows that are shown
        - `repeat`: each page but the first begins with the last row of the page before
        - `next_loop`: `links.next` is the page itself
        - `next_endless`: `links.next` is never null
        - `next_elsewhere`: `links.next` is on another `host` (http://elsewhere.example.com)
        - `redirect`: 302 to `location`
        - `mutate`: `change(body)` gets the JSON and changes it in place, or returns another

        Args:
            path: a path without `/v2`, or a regular expression for the whole of it.
            kind: one of the above.
            times: how many requests it strikes; None for all.
            after: how many matching requests it lets pass first.
            when: a further condition on the request.
            **details: what the kind needs to know.

        Returns:
            The fault; its `hits` counts the requests that it struck.
        """
        if kind not in KINDS:
            raise ValueError(f"There is no fault {kind!r}; there are {', '.join(KINDS)}.")
        if kind == "gather" and times is None:
            raise ValueError("gather needs times: after how many requests they are answered.")
        fault = Fault(path, kind, times, after, when, details)
        with self._lock:
            self._faults.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """End one fault."""
        with self._lock:
            self._faults.remove(fault)

    def clear(self) -> None:
        """End all faults."""
        with self._lock:
            self._faults.clear()

    def strike(self, record: RequestRecord) -> list[Fault]:
        """Return the faults that this request meets with, and count each."""
        struck = []
        with self._lock:
            for fault in self._faults:
                if fault.times is not None and fault.hits >= fault.times:
                    continue
                if not re.fullmatch(fault.path, record.path):
                    continue
                if fault.when and not fault.when(record):
                    continue
                if fault.after:
                    fault.after -= 1
                    continue
                fault.hits += 1
                struck.append(fault)
        return struck


class Reset(Response):
    """Not an answer: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Drop the connection at once."""
        transport = scope[TRANSPORT]
        linger = struct.pack("ii", 1, 0)
        connection = transport.get_extra_info("socket")
        # Closing without lingering makes the system send a reset rather than a goodbye.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()


class Truncated(Response):
    """An answer of which half arrives."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half of what the headers promise, then close the connection."""
        transport: BaseTransport = scope[TRANSPORT]
        start = {"type": "http.response.start", "status": self.status_code}
        await send(start | {"headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        transport.close()


class Trickling(Response):
    """An answer that comes in pieces."""

    seconds = 1.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send ten pieces, with a pause before each."""
        start = {"type": "http.response.start", "status": self.status_code}
        await send(start | {"headers": self.raw_headers})
        size = len(self.body) // 10 + 1
        for place in range(0, len(self.body), size):
            piece = bytes(self.body[place : place + size])
            await asyncio.sleep(self.seconds / 10)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def instead(fault: Fault) -> Response:
    """Return what the fault answers in the API's place."""
    details = fault.details
    if fault.kind == "reset":
        return Reset()
    if fault.kind == "redirect":
        return RedirectResponse(details["location"], 302)
    if fault.kind == "html":
        page = "<!DOCTYPE html><html><body><h1>Down for maintenance</h1></body></html>"
        return Response(page, media_type=HTML)
    headers = dict(details.get("headers") or {})
    retry = details.get("retry_after")
    if isinstance(retry, datetime):
        headers["Retry-After"] = format_datetime(retry, usegmt=True)
    elif retry is not None:
        headers["Retry-After"] = str(retry)
    code = details.get("code", 503)
    body = details.get("body", f"<!DOCTYPE html><html><body><h1>{code}</h1></body></html>")
    if isinstance(body, Mapping):
        return Response(orjson.dumps(body), code, headers, "application/json")
    return Response(body, code, headers, HTML)


def spoil(fault: Fault, response: Response, url: str) -> Response:
    """Return the API's answer as the fault leaves it.

    Args:
        fault: what goes wrong.
        response: what the API answered.
        url: what was asked for.
    """
    if fault.kind == "truncate":
        return Truncated(response.body, response.status_code, media_type=response.media_type)
    if fault.kind == "trickle":
        slow = Trickling(response.body, response.status_code, media_type=response.media_type)
        slow.seconds = fault.details.get("seconds", 1)
        return slow
    # The others are seen to elsewhere: before the answer, or while it is made.
    if fault.kind in ("slow", "gather", "repeat") or response.status_code != 200:
        return response
    body = orjson.loads(response.body)
    if fault.kind == "mutate":
        changed = fault.details["change"](body)
        body = body if changed is None else changed
    elif fault.kind == "no_key":
        body = {key: value for key, value in body.items() if not isinstance(value, list)}
    elif fault.kind == "overcount":
        if "total_entries" in body:
            body["total_entries"] += fault.details.get("more", 3)
            body["total_pages"] = max(1, math.ceil(body["total_entries"] / body["per_page"]))
    elif "links" in body:
        _mislead(fault, body, url)
    return Response(orjson.dumps(body), media_type=response.media_type)


def _mislead(fault: Fault, body: dict[str, Any], url: str) -> None:
    links = body["links"]
    if fault.kind == "next_loop":
        links["next"] = url
    elif fault.kind == "next_endless" and links["next"] is None:
        parts = urlsplit(url)
        query = [pair for pair in parse_qsl(parts.query) if pair[0] not in ("page", "cursor")]
        number = dict(parse_qsl(parts.query)).get("page") or body.get("page") or 1
        query.append(("page", str(int(number) + 1)))
        links["next"] = urlunsplit(parts._replace(query=urlencode(query)))
    elif fault.kind == "next_elsewhere":
        host = urlsplit(fault.details.get("host", "http://elsewhere.example.com"))
        there = urlsplit(links["next"] or url)._replace(scheme=host.scheme, netloc=host.netloc)
        links["next"] = urlunsplit(there)
