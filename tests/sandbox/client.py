"""A client of the sandbox, for its own tests."""

from __future__ import annotations

from datetime import date
from typing import Any

import requests

from sandbox import BALANCES, LISTINGS, REPORTS, Account, Server

TODAY = date(2026, 5, 20)
STREAMS = ["company", BALANCES, *LISTINGS, *REPORTS]
WITH_ID = [name for name in LISTINGS if name != "pto_assignments"]
Row = dict[str, Any]


class Client:
    """What a test needs to ask a server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.session = requests.Session()
        self.session.headers.update(server.headers())

    def get(self, path: str, **query: Any) -> requests.Response:
        url = path if path.startswith("http") else self.server.base_url + path
        return self.session.get(url, params=query, timeout=10)

    def walk(self, path: str, **query: Any) -> list[Row]:
        rows: list[Row] = []
        following: str | None = path
        while following:
            response = self.get(following, **query)
            assert response.status_code == 200, response.text
            body = response.json()
            if isinstance(body, list):
                return body
            rows += next(value for value in body.values() if isinstance(value, list))
            following, query = body.get("links", {}).get("next"), {}
        return rows


def every_row(account: Account) -> dict[str, list[Row]]:
    return {name: account.rows(name) for name in ("company", *LISTINGS)}
