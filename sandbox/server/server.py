"""The HTTP server, in a thread."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from types import TracebackType

import uvicorn

from ..account import Account
from ..api.answers import Api
from ..api.permissions import Permissions
from .limits import SlidingWindow
from .service import API, ID, Service
from .sign_in import SignIn


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
        pages: how lists page that do not page as usual: stream -> one of `listings.PAGES`.
        paid_time_off: what is answered about it: `on`, `403`, `404` or `empty`.
        page_size: how many rows a page has, whatever is asked; None for what is asked.

    What it answers, and to whom, is changed while it runs by the attributes of its parts.

    Attributes:
        account: as above.
        sign_in: tokens, and the accounts of a token.
        permissions: whose token it is, and what that person may see.
        api: what is answered, and how lists page.
        service: what each request goes through: limits, delays, faults.
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
        pages: Mapping[str, str] | None = None,
        paid_time_off: str = "on",
        page_size: int | None = None,
    ) -> None:
        self.account = account
        self.sign_in = SignIn(account, tokens)
        self.permissions = Permissions(account.store)
        self.api = Api(account, self.permissions, pages, paid_time_off, page_size)
        self.service = Service(
            account,
            self.sign_in,
            self.permissions,
            self.api,
            SlidingWindow(rate_limit, rate_window),
            SlidingWindow(report_rate_limit, report_rate_window),
            limits,
            latency,
        )
        # What tests and people ask for most is at hand.
        self.token = self.sign_in.token
        self.account_id = self.sign_in.account_id
        self.accounts = self.sign_in.accounts
        self.headers = self.sign_in.headers
        self.owned_by = self.permissions.owned_by
        self.page_by = self.api.page_by
        self.requests = self.service.requests
        self.faults = self.service.faults
        self.before = self.service.before
        self.forget_before = self.service.forget_before
        self.respond = self.service.respond
        self.stats = self.service.stats
        self._wanted_port = port
        self._port = 0
        self._uvicorn: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def __setattr__(self, name: str, value: object) -> None:
        # A setting of one of the parts that is set here by mistake would do nothing.
        if hasattr(self, "_thread") and not hasattr(self, name):
            raise AttributeError(
                f"A server has no {name}; see its sign_in, permissions, api and service."
            )
        super().__setattr__(name, value)

    @property
    def forbidden(self) -> set[str]:
        """Return the names of streams that are answered 403; change it at will."""
        return self.permissions.forbidden

    @forbidden.setter
    def forbidden(self, streams: set[str]) -> None:
        self.permissions.forbidden = streams

    @property
    def missing(self) -> set[str]:
        """Return the names of streams that are answered 404; change it at will."""
        return self.permissions.missing

    @missing.setter
    def missing(self, streams: set[str]) -> None:
        self.permissions.missing = streams

    # ---------------------------------------------------------------- running

    @property
    def url(self) -> str:
        """Return the address that it listens at."""
        return f"http://127.0.0.1:{self._port or self._wanted_port}"

    @property
    def base_url(self) -> str:
        """Return what stands for https://api.harvestapp.com/v2."""
        return self.url + API

    @property
    def id_url(self) -> str:
        """Return what stands for https://id.getharvest.com/api/v2."""
        return self.url + ID

    def start(self) -> Server:
        """Start serving, and return once it does.

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
            self.service.app,
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
        """Stop serving."""
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
