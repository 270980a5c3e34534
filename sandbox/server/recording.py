"""Requests as a server remembers them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class RequestRecord:
    """One request that was served.

    Attributes:
        method: GET, or another.
        path: without `/v2`.
        query: the query parameters.
        status: of the answer; 0 as long as there is none, or when the connection was reset.
        at: when it came, by `time.monotonic()`.
        headers: with names in lower case.
    """

    method: str
    path: str
    query: dict[str, str]
    status: int
    at: float
    headers: dict[str, str]
