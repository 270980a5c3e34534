"""The HTTP server: routes, pages, sign-in and limits, over an account."""

from __future__ import annotations

import asyncio
import base64
import logging
import math
import re
import secrets
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from email.utils import format_datetime
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlencode

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from .account import Account, Conditions
from .catalog import LISTINGS, PROJECT_LISTINGS, Listing
from .faults import HTML, INSTEAD, TRANSPORT, Faults, Reset, instead, spoil
from .reports import REPORTS

JSON = "application/json; charset=utf-8"
API, ID = "/v2", "/api/v2"
MAX_PER_PAGE = 2000
LONGEST_REPORT = 365

FEATURES = {
    **{name: listing.feature for name, listing in LISTINGS.items()},
    **{name: "expense_feature" for name in REPORTS if name.startswith("expenses_")},
}
"""The setting of the company that a stream needs, or nothing."""

Handler = Callable[[Request], Response | Awaitable[Response]]


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


class Refusal(Exception):
    """A request that is answered with an error.

    Args:
        status: the HTTP status.
        message: what is wrong.
        error: the error's code where the API gives one, as sign-in does.
    """

    def __init__(self, status: int, message: str, error: str = "") -> None:
        super().__init__(message)
        self.status = status
        body = {"error": error, "error_description": message} if error else {"message": message}
        self.body = ({} if error else {"code": status}) | body


class Window:
    """A limit on requests in a sliding window of time, for each token.

    Args:
        limit: how many requests.
        seconds: in how long.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._arrivals: dict[str, deque[float]] = {}

    def wait(self, token: str, now: float) -> float:
        """Counts a request; gives 0, or the seconds to wait if it is one too many."""
        arrivals = self._arrivals.setdefault(token, deque())
        while arrivals and arrivals[0] <= now - self.seconds:
            arrivals.popleft()
        if len(arrivals) >= self.limit:
            return arrivals[0] + self.seconds - now
        arrivals.append(now)
        return 0.0


class Server:
    """Serves an account over HTTP, in a thread, on 127.0.0.1.

    Example:
        >>> with Server(Account.generate()) as server:
        ...     headers = server.headers()
        ...     requests.get(server.base_url + "/clients", headers=headers)

    Args:
        account: what to serve.
        tokens: personal access tokens that are valid; one is made up by default.
        rate_limit: how many requests in `rate_window` seconds, for each token.
        rate_window: see `rate_limit`.
        report_rate_limit: how many requests to reports in `report_rate_window` seconds.
        report_rate_window: see `report_rate_limit`.
        limits: whether the limits are enforced.
        latency: seconds by which each answer is delayed.
        port: the port, or 0 for any that is free.

    Attributes:
        account: what is served.
        token: a valid token.
        account_id: the account's id, for the `Harvest-Account-Id` header.
        client_id: of the OAuth2 application.
        client_secret: of the OAuth2 application.
        refresh_token: what OAuth2 access tokens are had for.
        token_lifetime: how many seconds an OAuth2 access token is valid.
        accounts: what `/accounts` lists; change it at will.
        requests: every request that was served.
        forbidden: the names of streams that are answered 403; change it at will.
        faults: misbehaviour to come.
        latency: as above; may be changed while it runs.
        limits: as above; may be changed while it runs.
    """

    def __init__(
        self,
        account: Account,
        tokens: Iterable[str] | None = None,
        rate_limit: int = 100,
        rate_window: float = 15,
        report_rate_limit: int = 100,
        report_rate_window: float = 900,
        limits: bool = True,
        latency: float = 0.0,
        port: int = 0,
    ) -> None:
        self.account = account
        self.limits = limits
        self.latency = latency
        self.account_id = "1000001"
        self.accounts: list[dict[str, Any]] = [
            {"id": int(self.account_id), "name": account.company["name"], "product": "harvest"}
        ]
        self.client_id = "sandbox-client"
        self.client_secret = "sandbox-client-secret"
        self.refresh_token = "sandbox-refresh-token"
        self.token_lifetime = 1209600.0
        self.requests: list[RequestRecord] = []
        self.forbidden: set[str] = set()
        self.faults = Faults()
        self._tokens: dict[str, datetime | None] = dict.fromkeys(tokens or ["sandbox-token"])
        self.token = next(iter(self._tokens))
        self._windows = {
            False: Window(rate_limit, rate_window),
            True: Window(report_rate_limit, report_rate_window),
        }
        self._wanted_port = port
        self._port = 0
        self._before: list[list[Any]] = []
        self._responses: dict[str, bytes] = {}
        self._starlette = Starlette(routes=self._routes())
        self._uvicorn: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    # ---------------------------------------------------------------- running

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port or self._wanted_port}"

    @property
    def base_url(self) -> str:
        """What stands for https://api.harvestapp.com/v2."""
        return self.url + API

    @property
    def id_url(self) -> str:
        """What stands for https://id.getharvest.com/api/v2."""
        return self.url + ID

    def headers(self) -> dict[str, str]:
        """Headers of a request that is let in."""
        return {
            "Authorization": f"Bearer {self.token}",
            "Harvest-Account-Id": self.account_id,
            "User-Agent": "sandbox-client (someone@example.com)",
        }

    def start(self) -> Server:
        """Starts serving, and returns once it does.

        Raises:
            OSError: the port is taken.
        """
        # Without the protocol named, asyncio leaves Nagle's delay on: 40 ms for each answer.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", self._wanted_port))
        except OSError:
            listener.close()
            raise
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            http="h11",
            interface="asgi3",
            proxy_headers=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # The account's clock writes the Date header.
            date_header=False,
            # A client that waits out a limit must find its connection as it left it.
            timeout_keep_alive=600,
            timeout_graceful_shutdown=1,
        )
        # Connections are broken on purpose, which uvicorn would report as errors.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._uvicorn = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._uvicorn.run, args=([listener],), name="sandbox", daemon=True
        )
        self._thread.start()
        while not self._uvicorn.started and self._thread.is_alive():
            time.sleep(0.002)
        return self

    def stop(self) -> None:
        """Stops serving."""
        if self._uvicorn and self._thread:
            self._uvicorn.should_exit = True
            self._thread.join()
            self._uvicorn = self._thread = None

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # ---------------------------------------------------------------- for tests

    def before(
        self, path: str, callback: Callable[[RequestRecord], Any], times: int | None = 1
    ) -> None:
        """Calls back before a matching request is answered, so as to change the account then.

        Args:
            path: a path without `/v2`, or a regular expression for the whole of it.
            callback: gets the request; it runs in a thread and may take its time.
            times: for how many requests; None for all.
        """
        self._before.append([path, callback, times])

    def respond(self, path: str, body: Any) -> None:
        """Serves this JSON for a path, as it stands, instead of the account; None ends that."""
        if body is None:
            self._responses.pop(path, None)
        else:
            self._responses[path] = orjson.dumps(body)

    def stats(self) -> dict[str, Any]:
        """Requests by path and status, how many met a limit, and rows by stream."""
        paths: dict[str, Counter[str]] = {}
        for record in list(self.requests):
            path = re.sub(r"/\d+", "/{id}", record.path)
            paths.setdefault(path, Counter())[str(record.status)] += 1
        limited = sum(counter["429"] for counter in paths.values())
        total = sum(counter.total() for counter in paths.values())
        rows = self.account.counts()
        return {"total": total, "limited": limited, "requests": paths, "rows": rows}

    # ---------------------------------------------------------------- routes

    def _routes(self) -> list[Route]:
        routes: list[Route] = []

        def get(path: str, handler: Handler, stream: str = "", report: bool = False) -> None:
            # {parent} and {id} are numbers; what is not one is an unknown path.
            numbered = re.sub(r"\{(\w+)\}", r"{\1:int}", path)
            routes.append(Route(API + numbered, self._guarded(handler, stream, report)))

        get("/company", self._company, "company")
        get("/users/me", self._me)
        mine = replace(LISTINGS["project_assignments"], cursor=False)
        get("/users/me/project_assignments", self._lister(mine, me=True), "project_assignments")
        for stream, path in REPORTS.items():
            get(path, self._reporter(stream), stream, report=True)
        for name, listing in [*LISTINGS.items(), *PROJECT_LISTINGS.items()]:
            get(listing.path, self._lister(listing), name)
            if listing.single:
                get(listing.path + "/{id}", self._getter(listing), name)
        routes.append(Route(API + "/{rest:path}", self._guarded(_nothing)))
        accounts = self._guarded(self._accounts, needs="token")
        oauth = self._guarded(self._oauth, needs="")
        routes.append(Route(ID + "/accounts", accounts))
        routes.append(Route(ID + "/oauth2/token", oauth, methods=["POST"]))
        routes.append(Route("/sandbox/change", self._change, methods=["POST"]))
        routes.append(Route("/sandbox/stats", self._stats))
        routes.append(Route("/sandbox/stats/reset", self._reset, methods=["POST"]))
        return routes

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The send that uvicorn gives is a method of what holds the connection.
        scope[TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await self._starlette(scope, receive, self._dated(send))

    def _dated(self, send: Send) -> Send:
        async def dated(message: Any) -> None:
            if message["type"] == "http.response.start":
                now = format_datetime(self.account.clock.now(), usegmt=True)
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
        self, handler: Handler, stream: str = "", report: bool = False, needs: str = "account"
    ) -> Callable[[Request], Awaitable[Response]]:
        """What every request goes through before, and after, it is answered.

        Args:
            handler: what answers it.
            stream: the stream that it belongs to.
            report: whether the limit of reports holds for it.
            needs: what it must show: a token, and an account too, or nothing.
        """

        async def guarded(request: Request) -> Response:
            record = self._record(request)
            faults = self.faults.strike(record)
            answered = next((instead(f) for f in faults if f.kind in INSTEAD), None)
            # The limits count arrivals: they come before the delay.
            response = answered or self._enter(request, record, report, needs)
            delay = sum(f.details.get("seconds", 1) for f in faults if f.kind == "slow")
            await asyncio.sleep(self.latency + delay)
            if response is None:
                response = await self._answer(request, record, handler, stream)
            if not answered:
                for fault in faults:
                    response = spoil(fault, response, _url(request, request.url.query))
            record.status = 0 if isinstance(response, Reset) else response.status_code
            return response

        return guarded

    def _enter(
        self, request: Request, record: RequestRecord, report: bool, needs: str
    ) -> Response | None:
        """Refuses who may not come in."""
        try:
            token = self._signed_in(request) if needs else ""
            if needs == "account":
                self._known_account(request)
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
            self._permitted(stream)
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

    # ---------------------------------------------------------------- who may

    def _signed_in(self, request: Request) -> str:
        if not request.headers.get("user-agent"):
            raise Refusal(400, "A User-Agent header that names the application is required.")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in self._tokens:
            raise Refusal(401, "There is no such access token.", "invalid_token")
        expires = self._tokens[token]
        if expires is not None and expires <= self.account.clock.now():
            raise Refusal(401, "The access token has expired.", "invalid_token")
        return token

    def _known_account(self, request: Request) -> None:
        wanted = request.headers.get("harvest-account-id")
        if not any(
            str(account["id"]) == wanted and account["product"] == "harvest"
            for account in list(self.accounts)
        ):
            raise Refusal(404, f"There is no Harvest account {wanted} for this token.")

    def _permitted(self, stream: str) -> None:
        if stream in self.forbidden:
            raise Refusal(403, "The user's role does not allow this.")
        feature = FEATURES.get(stream)
        if feature and not self.account.company.get(feature):
            raise Refusal(403, f"The account has the {feature.split('_')[0]} module switched off.")

    def _limited(self, token: str, report: bool, now: float) -> Response | None:
        wait = self._windows[report].wait(token, now) if self.limits else 0.0
        if not wait:
            return None
        page = "<!DOCTYPE html><html><body><h1>Too many requests</h1></body></html>"
        headers = {"Retry-After": str(math.ceil(wait))}
        return Response(page, 429, headers, HTML)

    # ---------------------------------------------------------------- answers

    def _company(self, request: Request) -> Response:
        return Response(self.account.company_row(), media_type=JSON)

    def _me(self, request: Request) -> Response:
        return self._one("users", self.account.current_user())

    def _one(self, table: str, id: int | None) -> Response:
        found = self.account.fragments(table, [id]) if id else []
        if not found:
            return _nothing()
        return Response(found[0], media_type=JSON)

    def _getter(self, listing: Listing) -> Handler:
        def getter(request: Request) -> Response:
            id = _number(request.path_params["id"])
            parent = request.path_params.get("parent")
            if parent is not None:
                column = listing.parent[0]
                if self.account.columns_of(listing.table, id).get(column) != parent:
                    return _nothing()
            return self._one(listing.table, id)

        return getter

    def _lister(self, listing: Listing, me: bool = False) -> Handler:
        def lister(request: Request) -> Response:
            query = request.query_params
            values = {
                name: parse(name, kind, query[name])
                for name, (kind, _) in listing.filters.items()
                if name in query
            }
            if values.get("from", "") > values.get("to", "~"):
                raise Refusal(422, "from is later than to.")
            conditions = tuple((listing.filters[name][1], values[name]) for name in values)
            parent = request.path_params.get("parent")
            if me:
                parent = self.account.current_user() or 0
            if parent is not None:
                parent = _number(parent)
                if not self.account.exists(listing.parent[1], parent):
                    return _nothing()
                if listing.table == "teammates" and not self.account.is_manager(parent):
                    raise Refusal(422, "Only a manager has teammates assigned.")
            # Ids and rows must be of one moment, whatever other threads do to the account.
            with self.account.lock:
                return self._page(request, listing, parent, conditions)

        return lister

    def _page(
        self, request: Request, listing: Listing, parent: int | None, conditions: Conditions
    ) -> Response:
        query = request.query_params
        per_page = _size(query.get("per_page"), listing.per_page)
        ids = self.account.ids(listing, parent, conditions)
        if not listing.cursor or "page" in query or "cursor" not in query:
            start = (_positive("page", query.get("page", "1")) - 1) * per_page
        else:
            forward, key = _uncursor(query["cursor"])
            start = self.account.before(listing, parent, conditions, key)
            if not forward:
                start = max(0, start - 1 - per_page)
        page_ids = ids[start : start + per_page]
        pager = Pager(request, len(ids), per_page, start)
        if listing.cursor:
            following = previous = ""
            if page_ids and start + per_page < len(ids):
                following = _cursor(True, self.account.sort_key(listing, page_ids[-1]))
            if page_ids and start > 0:
                previous = _cursor(False, self.account.sort_key(listing, page_ids[0]))
            pager.by_cursor(following, previous, numbered="page" in query)
        return pager.answer(listing.table, self.account.fragments(listing.table, page_ids))

    def _reporter(self, stream: str) -> Handler:
        def reporter(request: Request) -> Response:
            query = request.query_params
            first = last = ""
            flags: dict[str, bool | None] = {}
            for name in ("include_fixed_fee", "is_active"):
                flags[name] = parse(name, "bool", query[name]) if name in query else None
            if stream != "project_budget":
                for name in ("from", "to"):
                    if name not in query:
                        raise Refusal(422, f"{name} is required.")
                first = parse("from", "date", query["from"])
                last = parse("to", "date", query["to"])
                if first > last:
                    raise Refusal(422, "from is later than to.")
                if (date.fromisoformat(last) - date.fromisoformat(first)).days > LONGEST_REPORT:
                    raise Refusal(422, f"from and to are more than {LONGEST_REPORT} days apart.")
            rows = self.account.report(
                stream, first, last, flags["include_fixed_fee"], flags["is_active"]
            )
            per_page = _size(query.get("per_page"), MAX_PER_PAGE)
            start = (_positive("page", query.get("page", "1")) - 1) * per_page
            pager = Pager(request, len(rows), per_page, start)
            return pager.answer("results", rows[start : start + per_page])

        return reporter

    # ---------------------------------------------------------------- sign-in

    def _accounts(self, request: Request) -> Response:
        user = self.account.get("users", self.account.current_user() or 0) or {}
        names = ("id", "first_name", "last_name", "email")
        who = {name: user.get(name) for name in names}
        return _json({"user": who, "accounts": list(self.accounts)})

    async def _oauth(self, request: Request) -> Response:
        body = await request.body()
        try:
            if "json" in request.headers.get("content-type", ""):
                given = orjson.loads(body)
            else:
                given = {name: values[-1] for name, values in parse_qs(body.decode()).items()}
        except ValueError:
            given = {}
        return self._new_token(given)

    def _new_token(self, given: dict[str, Any]) -> Response:
        if given.get("grant_type") != "refresh_token":
            return _json({"error": "unsupported_grant_type"}, 400)
        client = (given.get("client_id"), given.get("client_secret"))
        if client != (self.client_id, self.client_secret):
            return _json({"error": "invalid_client"}, 401)
        if given.get("refresh_token") != self.refresh_token:
            return _json({"error": "invalid_grant"}, 400)
        token = f"sandbox-access-{secrets.token_hex(8)}"
        lifetime = timedelta(seconds=self.token_lifetime)
        self._tokens[token] = self.account.clock.now() + lifetime
        return _json(
            {
                "access_token": token,
                "refresh_token": self.refresh_token,
                "token_type": "bearer",
                "expires_in": int(self.token_lifetime),
            }
        )

    # ---------------------------------------------------------------- the door for people

    async def _change(self, request: Request) -> Response:
        query = request.query_params
        try:
            seed, count = int(query.get("seed", "1")), int(query.get("count", "10"))
            kinds = [kind for kind in query.get("kinds", "").split(",") if kind]
            done = await asyncio.to_thread(
                self.account.change, seed, count, *([kinds] if kinds else [])
            )
        except ValueError as error:
            return _json({"message": str(error)}, 422)
        return _json({"changes": [vars(change) | {"line": str(change)} for change in done]})

    async def _stats(self, request: Request) -> Response:
        return _json(self.stats())

    async def _reset(self, request: Request) -> Response:
        self.requests.clear()
        return _json({})


class Pager:
    """Where a page lies in its list, and the links around it.

    Args:
        request: what was asked.
        total: the length of the list.
        per_page: the length of a page.
        start: how many rows come before this page.
    """

    def __init__(self, request: Request, total: int, per_page: int, start: int) -> None:
        self._url = _url(request)
        # Filters travel on as they came.
        self._query = {
            name: value
            for name, value in request.query_params.items()
            if name not in ("page", "cursor", "per_page")
        }
        self._total, self._per_page = total, per_page
        self._pages = max(1, math.ceil(total / per_page))
        self._page: int | None = start // per_page + 1
        self._next: int | None = self._page + 1 if self._page < self._pages else None
        self._previous: int | None = self._page - 1 if self._page > 1 else None
        self._links = {
            "first": self._link(page=1),
            "next": self._link(page=self._next) if self._next else None,
            "previous": self._link(page=self._previous) if self._previous else None,
            "last": self._link(page=self._pages),
        }

    def by_cursor(self, following: str, previous: str, numbered: bool) -> None:
        """Makes it a page of a list that pages by cursor.

        Args:
            following: the cursor of the next page, if any.
            previous: the cursor of the page before, if any.
            numbered: whether the page was asked for by its number.
        """
        if following and previous and not numbered:
            # In the middle nobody knows the number of a page.
            self._page = self._next = self._previous = None
        elif previous and not numbered:
            self._page, self._next = self._pages, None
            self._previous = self._pages - 1 if self._pages > 1 else None
        self._links["next"] = self._link(cursor=following) if following else None
        self._links["previous"] = self._link(cursor=previous) if previous else None

    def answer(self, key: str, rows: list[bytes]) -> Response:
        """The page as JSON."""
        about = {
            "per_page": self._per_page,
            "total_pages": self._pages,
            "total_entries": self._total,
            "next_page": self._next,
            "previous_page": self._previous,
            "page": self._page,
            "links": self._links,
        }
        parts = (f'{{"{key}":['.encode(), b",".join(rows), b"],", orjson.dumps(about)[1:])
        return Response(b"".join(parts), media_type=JSON)

    def _link(self, **where: Any) -> str:
        query = {**self._query, **where, "per_page": self._per_page}
        return f"{self._url}?{urlencode(query)}"


def _url(request: Request, query: str = "") -> str:
    """Where the request went, by the name that the client knows this server by."""
    url = f"http://{request.headers['host']}{request.url.path}"
    return f"{url}?{query}" if query else url


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type=JSON)


def _nothing(request: Request | None = None) -> Response:
    return _json({"status": 404, "error": "Not Found"}, 404)


def _number(value: int) -> int:
    # SQLite's integers end here; no record has a higher id.
    return min(value, 2**63 - 1)


def _positive(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
        raise Refusal(422, f"{name} must be a whole number from 1 up.")
    return int(value)


def _size(value: str | None, default: int) -> int:
    size = default if value is None else _positive("per_page", value)
    if size > MAX_PER_PAGE:
        raise Refusal(422, f"per_page must be between 1 and {MAX_PER_PAGE}.")
    return size


def _cursor(forward: bool, key: tuple[Any, int]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([forward, *key])).decode().rstrip("=")


def _uncursor(cursor: str) -> tuple[bool, tuple[Any, int]]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        forward, value, id = orjson.loads(base64.urlsafe_b64decode(padded))
        return bool(forward), (str(value), int(id))
    except (ValueError, TypeError):
        raise Refusal(422, "The cursor is not one that was given out.") from None


def parse(name: str, kind: str, text: str) -> Any:
    """A query parameter as the database compares it.

    Args:
        name: of the parameter.
        kind: int, bool, date, time, text, or the values that there are, separated by `|`.
        text: its value.

    Raises:
        Refusal: it is not of that kind.
    """
    if kind == "text":
        return text
    if kind == "int" and re.fullmatch(r"\d{1,18}", text):
        return int(text)
    if kind == "bool" and text in ("true", "false"):
        return int(text == "true")
    if "|" in kind and text in kind.split("|"):
        return text
    try:
        if kind == "date" and re.fullmatch(r"\d{8}|\d{4}-\d\d-\d\d", text):
            digits = text.replace("-", "")
            return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).isoformat()
        if kind == "time":
            moment = datetime.fromisoformat(re.sub(r"[Zz]$", "+00:00", text))
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=timezone.utc)
            # Records carry whole seconds: a fraction excludes the second that it is in.
            moment += timedelta(seconds=1 if moment.microsecond else 0)
            return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    raise Refusal(422, f"{name} has a value that it cannot have: {text!r}.")
