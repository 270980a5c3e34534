"""The application: what every request goes through, and doors for tests and people."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from email.utils import format_datetime
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..account import Account
from ..api.answers import JSON, Api, Handler, address, numbered
from ..api.errors import Refusal, not_found
from ..api.permissions import Permissions
from ..api.reports import REPORTS
from .faults import HTML, INSTEAD, TRANSPORT, Faults, Reset, instead, spoil
from .limits import SlidingWindow
from .recording import RequestRecord
from .sign_in import SignIn

API, ID = "/v2", "/api/v2"


class Service:
    """An application that answers as the API does, with rate limits and faults.

    Args:
        account: what to serve.
        sign_in: who is let in.
        permissions: what the owner of the token may see.
        api: what is answered.
        rate_limit: how many requests of lists and records in how many seconds.
        report_rate_limit: how many requests of reports in how many seconds.
        limits: whether the limits are enforced.
        latency: seconds by which each answer is delayed.

    Attributes:
        requests: every request that was served.
        faults: misbehaviour to come.
        latency: as above; may be changed while it runs.
        limits: as above; may be changed while it runs.
    """

    def __init__(
        self,
        account: Account,
        sign_in: SignIn,
        permissions: Permissions,
        api: Api,
        rate_limit: SlidingWindow,
        report_rate_limit: SlidingWindow,
        limits: bool,
        latency: float,
    ) -> None:
        self._account = account
        self._sign_in = sign_in
        self._permissions = permissions
        self._api = api
        self.limits = limits
        self.latency = latency
        self.requests: list[RequestRecord] = []
        self.faults = Faults()
        self._windows = {False: rate_limit, True: report_rate_limit}
        self._before: list[list[Any]] = []
        self._responses: dict[str, bytes] = {}
        self._starlette = Starlette(routes=self._routes())

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, as ASGI has it."""
        # The send that uvicorn gives is a method of what holds the connection.
        scope[TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await self._starlette(scope, receive, self._dated(send))

    # ---------------------------------------------------------------- for tests

    def before(
        self, path: str, callback: Callable[[RequestRecord], Any], times: int | None = 1
    ) -> None:
        """Call back before a matching request is answered, so as to change the account then.

        Args:
            path: a path without `/v2`, or a regular expression for the whole of it.
            callback: gets the request; it runs in a thread and may take its time.
            times: for how many requests; None for all.
        """
        self._before.append([path, callback, times])

    def forget_before(self) -> None:
        """End all that `before` has set up."""
        self._before.clear()

    def respond(self, path: str, body: Any) -> None:
        """Serve this JSON for a path, as it stands, instead of the account; None ends that."""
        if body is None:
            self._responses.pop(path, None)
        else:
            self._responses[path] = orjson.dumps(body)

    def stats(self) -> dict[str, Any]:
        """Count requests by path and status, those that met a limit, and rows by stream."""
        paths: dict[str, Counter[str]] = {}
        for record in list(self.requests):
            path = re.sub(r"/\d+", "/{id}", record.path)
            paths.setdefault(path, Counter())[str(record.status)] += 1
        limited = sum(counter["429"] for counter in paths.values())
        total = sum(counter.total() for counter in paths.values())
        rows = self._account.counts()
        return {"total": total, "limited": limited, "requests": paths, "rows": rows}

    # ---------------------------------------------------------------- routes

    def _routes(self) -> list[Route]:
        routes = [
            Route(API + numbered(path), self._guarded(handler, stream))
            for path, handler, stream in self._api.handlers()
        ]
        routes.append(Route(API + "/{rest:path}", self._guarded(_unknown_path)))
        accounts = self._guarded(self._accounts, needs="token")
        oauth = self._guarded(self._oauth, needs="")
        routes.append(Route(ID + "/accounts", accounts))
        routes.append(Route(ID + "/oauth2/token", oauth, methods=["POST"]))
        routes.append(Route("/sandbox/change", self._change, methods=["POST"]))
        routes.append(Route("/sandbox/stats", self._stats))
        routes.append(Route("/sandbox/stats/reset", self._reset, methods=["POST"]))
        return routes

    def _dated(self, send: Send) -> Send:
        async def dated(message: Any) -> None:
            if message["type"] == "http.response.start":
                now = format_datetime(self._account.clock.now(), usegmt=True)
                message["headers"] = [*message["headers"], (b"date", now.encode())]
            await send(message)

        return dated

    def _record(self, request: Request) -> RequestRecord:
        path = request.url.path
        record = RequestRecord(
            method=request.method,
            path=path[len(API) :] if path.startswith(API) else path,
            query=dict(request.query_params),
            status=0,
            at=time.monotonic(),
            headers=dict(request.headers),
        )
        self.requests.append(record)
        return record

    def _guarded(
        self, handler: Handler, stream: str = "", needs: str = "account"
    ) -> Callable[[Request], Awaitable[Response]]:
        """Take a request through all that comes before, and after, its answer.

        Args:
            handler: what answers it.
            stream: the stream that it belongs to.
            needs: what it must show: a token, and an account too, or nothing.
        """

        async def guarded(request: Request) -> Response:
            record = self._record(request)
            faults = self.faults.strike(record)
            answered = next((instead(f) for f in faults if f.kind in INSTEAD), None)
            # The limits count arrivals: they come before the delay.
            response = answered or self._enter(request, record, stream in REPORTS, needs)
            request.state.repeat = any(fault.kind == "repeat" for fault in faults)
            delay = sum(f.details.get("seconds", 1) for f in faults if f.kind == "slow")
            await asyncio.sleep(self.latency + delay)
            for fault in faults:
                if fault.kind == "gather":
                    await fault.gather()
            if response is None:
                response = await self._answer(request, record, handler, stream)
            if not answered:
                for fault in faults:
                    response = spoil(fault, response, address(request, request.url.query))
            record.status = 0 if isinstance(response, Reset) else response.status_code
            return response

        return guarded

    def _enter(
        self, request: Request, record: RequestRecord, report: bool, needs: str
    ) -> Response | None:
        """Refuse those who may not come in."""
        try:
            token = self._sign_in.signed_in(request) if needs else ""
            if needs == "account":
                self._sign_in.known_account(request)
                return self._limited(token, report, record.at)
        except Refusal as refusal:
            return _json(refusal.body, refusal.status)
        return None

    async def _answer(
        self, request: Request, record: RequestRecord, handler: Handler, stream: str
    ) -> Response:
        try:
            await self._call_back(record)
            if record.path in self._responses:
                return Response(self._responses[record.path], media_type=JSON)
            self._api.permit(stream)
            response = handler(request)
            return response if isinstance(response, Response) else await response
        except Refusal as refusal:
            return _json(refusal.body, refusal.status)
        except Exception:
            # A mistake of the sandbox's own must not pass for the API's misbehaviour.
            logging.getLogger(__name__).exception("%s %s", record.path, record.query)
            return _json({"message": "The sandbox failed; see its log."}, 500)

    async def _call_back(self, record: RequestRecord) -> None:
        for entry in list(self._before):
            path, callback, times = entry
            if re.fullmatch(path, record.path) and times != 0:
                if times is not None:
                    entry[2] = times - 1
                await asyncio.to_thread(callback, record)

    def _limited(self, token: str, report: bool, now: float) -> Response | None:
        wait = self._windows[report].wait(token, now) if self.limits else 0.0
        if not wait:
            return None
        page = "<!DOCTYPE html><html><body><h1>Too many requests</h1></body></html>"
        headers = {"Retry-After": str(math.ceil(wait))}
        return Response(page, 429, headers, HTML)

    # ---------------------------------------------------------------- sign-in

    def _accounts(self, request: Request) -> Response:
        return _json({"user": self._permissions.who(), "accounts": list(self._sign_in.accounts)})

    async def _oauth(self, request: Request) -> Response:
        body, kind = await request.body(), request.headers.get("content-type", "")
        return _json(*self._sign_in.new_token(body, kind))

    # ---------------------------------------------------------------- the door for people

    async def _change(self, request: Request) -> Response:
        query = request.query_params
        try:
            seed, count = int(query.get("seed", "1")), int(query.get("count", "10"))
            kinds = [kind for kind in query.get("kinds", "").split(",") if kind]
            done = await asyncio.to_thread(
                self._account.change, seed, count, *([kinds] if kinds else [])
            )
        except ValueError as error:
            return _json({"message": str(error)}, 422)
        return _json({"changes": [vars(change) | {"line": str(change)} for change in done]})

    async def _stats(self, request: Request) -> Response:
        return _json(self.stats())

    async def _reset(self, request: Request) -> Response:
        self.requests.clear()
        return _json({})


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type=JSON)


def _unknown_path(request: Request) -> Response:
    raise not_found()
