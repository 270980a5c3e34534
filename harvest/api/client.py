"""The client: one request at a time or several, however many attempts each takes."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Counter, Dict, Mapping, Optional, Tuple
from urllib.parse import urljoin, urlsplit

import requests  # noqa: I251
from dlt.common.configuration.specs import RuntimeConfiguration
from requests.auth import AuthBase

from ..exceptions import AccessRefused, HarvestError, RecordDeleted
from ..settings import COMPANY, PER_PAGE, TOKENS_PAGE, Stream
from ..typing import Row
from .auth import HarvestOAuth2
from .decoding import Page
from .errors import (
    PROXY_SIGN_IN,
    TransientError,
    explain_failure,
    message_of,
    retry_after,
    server_time,
)
from .rate_limit import RateLimit
from .request import Attempts, Request, Response
from .session import Session, check_same_host

WORKERS = 50
"""Requests that are under way at once: those of several streams."""

ACCOUNTS = Stream("accounts", "/accounts", "whole")
OWNER = Stream("users/me", "/users/me", "whole", rows_under="")


class PendingPage:
    """A request under way, whose answer is decoded when its turn comes."""

    def __init__(self, client: "HarvestClient", request: Request) -> None:
        self._client = client
        self._request = request
        self._attempts = Attempts(request, client.settings)
        self._task = asyncio.ensure_future(client.send(request, self._attempts))

    async def page(self) -> Page:
        """Wait for the page.

        Raises:
            AccessRefused: The token's owner may not read it.
            RecordDeleted: The record that it is about was deleted.
            HarvestError: Something else went wrong that another attempt does not mend.
        """
        while True:
            response = await self._task
            try:
                page = response.page(self._request)
                self._client.pages_read[self._request.stream.name] += 1
                return page
            except TransientError as failure:
                limit = self._client.rate_limit(self._request.stream)
                await self._attempts.wait(failure, limit)
                send = self._client.send(self._request, self._attempts)
                self._task = asyncio.ensure_future(send)

    def cancel(self) -> None:
        """Give it up."""
        self._task.cancel()
        if self._task.done() and not self._task.cancelled():
            # read, so that asyncio does not complain of an error that nobody saw
            self._task.exception()


class HarvestClient:
    """A Harvest account over HTTP, which makes no request before it is asked to.

    Args:
        auth (AuthBase): Signs the requests.
        account_id (Optional[str]): Account to read; None takes the token's only one.
        base_url (str): Where the API is.
        id_url (str): Where accounts and tokens are.
        user_agent (str): Name of the application and a contact, which Harvest demands.
        rate_limits (Tuple[RateLimit, RateLimit]): That of the API, and of the reports.
        settings (RuntimeConfiguration): dlt's settings for time-outs and retries.

    Attributes:
        account_id (Optional[str]): The account, once it is known.
        pages_read (Counter[str]): Pages that were read, by stream.
    """

    def __init__(
        self,
        auth: AuthBase,
        account_id: Optional[str],
        base_url: str,
        id_url: str,
        user_agent: str,
        rate_limits: Tuple[RateLimit, RateLimit],
        settings: RuntimeConfiguration,
    ) -> None:
        self.account_id = account_id
        self.base_url = base_url
        self.rate_limits = rate_limits
        self.settings = settings
        self.pages_read: Counter[str] = Counter()
        self._auth = auth
        self._id_url = id_url
        self._user_agent = user_agent
        self._local = threading.local()
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="harvest")

    @property
    def requests_sent(self) -> int:
        """Return how many requests all sources of this process made with the token."""
        return sum(limit.sent for limit in self.rate_limits)

    def rate_limit(self, stream: Stream) -> RateLimit:
        """Return the rate limit that counts the requests of a stream."""
        return self.rate_limits[stream.rate_limit == "reports"]

    def start(
        self,
        stream: Stream,
        path: str = "",
        params: Optional[Mapping[str, Any]] = None,
        below_record: bool = False,
    ) -> PendingPage:
        """Begin a request for a page.

        Args:
            stream (Stream): What is read.
            path (str): Path below the base URL, or an address; empty for the stream's.
            params (Optional[Mapping[str, Any]]): Query parameters, with `per_page` for
                lists; None if the address has them, as `links.next` does.
            below_record (bool): It asks for what a record has.
        """
        url = urljoin(f"{self.base_url}/", path or stream.path)
        if not urlsplit(path).netloc:
            url = self.base_url + (path or stream.path)
        check_same_host(url, self.base_url)
        query: Dict[str, Any] = {}
        if params is not None and stream.rows_in:
            query = {"per_page": PER_PAGE, **params}
        request = Request(stream, url, query, below_record=below_record)
        return PendingPage(self, request)

    def start_record(self, stream: Stream, key: Any) -> PendingPage:
        """Begin a request for one record by its id."""
        url = f"{self.base_url}{stream.path}/{key}"
        return PendingPage(
            self, Request(stream, url, {}, record=True, below_record=True)
        )

    async def owner(self) -> Row:
        """Return the user whom the token belongs to, with their `access_roles`.

        https://help.getharvest.com/api-v2/users-api/users/users/

        Raises:
            HarvestError: The token or the account is not known to Harvest.
        """
        await self._find_account()
        try:
            return (await self.start(OWNER, params={}).page()).body
        except AccessRefused:
            await self._check_account()
            return {}

    async def _check_account(self) -> None:
        """Raise an error if Harvest does not know the account for this token."""
        try:
            await self.start(COMPANY, params={}).page()
        except AccessRefused as refused:
            if refused.status == 404:
                raise HarvestError(
                    f"Harvest does not know the account_id {self.account_id} for this"
                    f" token (404): the ids are listed at {TOKENS_PAGE}."
                ) from None

    async def _find_account(self) -> None:
        """Take the only Harvest account of the token, if none was given."""
        if self.account_id:
            return
        page = await PendingPage(
            self, Request(ACCOUNTS, f"{self._id_url}/accounts", {})
        ).page()
        rows = [row for row in page.rows if row.get("product") == "harvest"]
        if not rows:
            raise HarvestError(
                f"The token has no Harvest account: create one at {TOKENS_PAGE} while"
                " signed in to the account that you want to load."
            )
        if len(rows) > 1:
            names = ", ".join(f"{row.get('id')} ({row.get('name')})" for row in rows)
            raise HarvestError(
                f"The token has {len(rows)} Harvest accounts, {names}: set account_id"
                " under [sources.harvest] in .dlt/secrets.toml to one of them."
            )
        self.account_id = str(rows[0]["id"])

    async def send(self, request: Request, attempts: Attempts) -> Response:
        """Send a request until it is answered.

        Raises:
            AccessRefused: 403, or 404 for a list.
            RecordDeleted: 404 or 422 for what a record has.
            HarvestError: Something else that another attempt does not mend.
        """
        limit = self.rate_limit(request.stream)
        while True:
            try:
                response = await self._sent(request, limit)
                if response.status_code == 401 and isinstance(
                    self._auth, HarvestOAuth2
                ):
                    self._auth.forget(_token_of(response))
                    response = await self._sent(request, limit)
                self._check(response, request, limit)
            except TransientError as failure:
                await attempts.wait(failure, limit)
                continue
            content_type = response.headers.get("Content-Type", "something").split(";")[
                0
            ]
            now = server_time(response).strftime("%Y-%m-%dT%H:%M:%SZ")
            return Response(response.content, content_type, now)

    async def _sent(self, request: Request, limit: RateLimit) -> requests.Response:
        """Send a request once, when its turn has come and a thread is free."""
        loop = asyncio.get_running_loop()
        while True:
            await limit.turn()
            # slow answers may hold up all threads: its turn can be over by then
            response = await loop.run_in_executor(
                self._threads, self._get, request, limit
            )
            if response is not None:
                return response
            await asyncio.sleep(0.005)

    def _get(self, request: Request, limit: RateLimit) -> Optional[requests.Response]:
        """Send a request in a thread; None if it may not be sent at this moment."""
        if (turn := limit.take()) is None:
            return None
        headers = {"Harvest-Account-Id": self.account_id} if self.account_id else {}
        try:
            response = self._session.get(
                request.url, params=request.params, headers=headers, auth=self._auth
            )
        except requests.RequestException as error:
            raise explain_failure(error) from None
        limit.answered(turn)
        return response

    @property
    def _session(self) -> Session:
        # a requests session is not made to be shared by threads
        if not hasattr(self._local, "session"):
            session = Session(self._user_agent, self.settings.request_timeout)
            self._local.session = session
        return self._local.session  # type: ignore[no-any-return]

    def _check(
        self, response: requests.Response, request: Request, limit: RateLimit
    ) -> None:
        """Raise what an answer other than 200 means."""
        status, name = response.status_code, request.stream.name
        if status == 200:
            return
        if status == 429:
            asked = retry_after(response)
            seconds = limit.window if asked is None else asked
            raise TransientError(
                "Harvest's rate limit was reached (429)", seconds, False
            )
        if status == 408 or status >= 500:
            raise TransientError(f"Harvest answered {status}", retry_after(response))
        if status == 401:
            raise HarvestError(
                f"Harvest refused the access token (401): create one at {TOKENS_PAGE}"
                " and set access_token under [sources.harvest] in .dlt/secrets.toml, or"
                " SOURCES__HARVEST__ACCESS_TOKEN in the environment."
            )
        if status == 407:
            raise HarvestError(PROXY_SIGN_IN)
        if status in (404, 422) and request.below_record:
            # 422: a user who is no longer a manager has no teammates
            where = urlsplit(request.url).path
            raise RecordDeleted(f"{name}: {where} was deleted ({status})", status)
        if status in (403, 404):
            raise AccessRefused(f"{name}: Harvest refused access ({status})", status)
        said = message_of(response)
        raise HarvestError(
            f"{name}: Harvest rejected the request ({status}{said}): {response.url}."
        )


def _token_of(response: requests.Response) -> Optional[str]:
    sent = response.request.headers.get("Authorization", "")
    return sent[len("Bearer ") :] or None
