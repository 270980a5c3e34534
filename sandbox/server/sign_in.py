"""Who is let in: tokens, accounts, and OAuth2."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import orjson
from starlette.requests import Request

from ..account import Account
from ..api.errors import Refusal

INVALID_TOKEN = (
    "The access token provided is expired, revoked, malformed or invalid for other reasons."
)


class SignIn:
    """The tokens of an account, and the accounts of a token.

    Args:
        account: whose clock tells which tokens have expired.
        tokens: personal access tokens that are valid; one is made up by default.

    Attributes:
        account_id: the account's id, for the `Harvest-Account-Id` header.
        client_id: of the OAuth2 application.
        client_secret: of the OAuth2 application.
        refresh_token: what OAuth2 access tokens are had for.
        token_lifetime: how many seconds an OAuth2 access token is valid.
        accounts: what `/accounts` lists; change it at will.
        token: a valid token.
    """

    def __init__(self, account: Account, tokens: Iterable[str] | None = None) -> None:
        self._clock = account.clock
        self.account_id = "1000001"
        self.accounts: list[dict[str, Any]] = [
            {"id": int(self.account_id), "name": account.company["name"], "product": "harvest"}
        ]
        self.client_id = "sandbox-client"
        self.client_secret = "sandbox-client-secret"
        self.refresh_token = "sandbox-refresh-token"
        self.token_lifetime = 1209600.0
        self._tokens: dict[str, datetime | None] = dict.fromkeys(tokens or ["sandbox-token"])
        self.token = next(iter(self._tokens))

    def headers(self) -> dict[str, str]:
        """Return headers of a request that is let in."""
        return {
            "Authorization": f"Bearer {self.token}",
            "Harvest-Account-Id": self.account_id,
            "User-Agent": "sandbox-client (someone@example.com)",
        }

    def signed_in(self, request: Request) -> str:
        """Return the token that a request shows.

        Raises:
            Refusal: it has no User-Agent, or no valid token.
        """
        if not request.headers.get("user-agent"):
            raise Refusal(400, "A User-Agent header that names the application is required.")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in self._tokens:
            raise Refusal(401, INVALID_TOKEN, "invalid_token")
        expires = self._tokens[token]
        if expires is not None and expires <= self._clock.now():
            raise Refusal(401, INVALID_TOKEN, "invalid_token")
        return token

    def known_account(self, request: Request) -> None:
        """Check the account that a request names.

        Raises:
            Refusal: the token has no such account.
        """
        wanted = request.headers.get("harvest-account-id")
        if not any(
            str(account["id"]) == wanted and account["product"] == "harvest"
            for account in list(self.accounts)
        ):
            raise Refusal(404, f"There is no Harvest account {wanted} for this token.")

    def new_token(self, body: bytes, content_type: str) -> tuple[dict[str, Any], int]:
        """Answer a request for an access token; return the JSON and the status."""
        try:
            if "json" in content_type:
                given = orjson.loads(body)
            else:
                given = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
        except ValueError:
            given = {}
        if given.get("grant_type") != "refresh_token":
            return {"error": "unsupported_grant_type"}, 400
        client = (given.get("client_id"), given.get("client_secret"))
        if client != (self.client_id, self.client_secret):
            return {"error": "invalid_client"}, 401
        if given.get("refresh_token") != self.refresh_token:
            return {"error": "invalid_grant"}, 400
        token = f"sandbox-access-{secrets.token_hex(8)}"
        lifetime = timedelta(seconds=self.token_lifetime)
        self._tokens[token] = self._clock.now() + lifetime
        return {
            "access_token": token,
            "refresh_token": self.refresh_token,
            "token_type": "bearer",
            "expires_in": int(self.token_lifetime),
        }, 200
