"""The client: it gets a page, however many attempts that takes."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Counter, Dict, Mapping, Optional, Tuple
from urllib.parse import urlsplit

import requests  # noqa: I251
from dlt.common.configuration.specs import RuntimeConfiguration
from requests.auth import AuthBase

from ..exceptions import AccessRefused, HarvestError, RecordDeleted
from ..settings import COMPANY, PER_PAGE, TOKENS_PAGE, Stream
from ..typing import Row
from .auth import TokenExpired
from .decoding import Page
from .errors import (
    PROXY_SIGN_IN,
    TransientError,
    explain_failure,
    retry_after,
    server_time,
    words_of,
)
from .rate_limit import RateLimit
from .request import Attempts, Request
from .session import Session, check_same_host

WORKERS = 50
"""Requests that are under way at once: those of several streams."""

ACCOUNTS = Stream("accounts", "/accounts", "whole")
OWNER = Stream("users/me", "/users/me", "whole", rows_under="")


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
        finds_account (bool): It asks for the account, which was not given.
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
        self.finds_account = not account_id
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

    async def page(
        self,
        stream: Stream,
        path: str = "",
        params: Optional[Mapping[str, Any]] = None,
        of_record: bool = False,
    ) -> Page:
        """Return a page.

        Args:
            stream (Stream): What is read.
            path (str): Path below the base URL, or an address; empty for the stream's.
            params (Optional[Mapping[str, Any]]): Query parameters, with `per_page` for
                lists; None if the address has them, as `next_url` does.
            of_record (bool): It asks for what a record has.

        Raises:
            AccessRefused: The token's owner may not read it.
            RecordDeleted: The record that it is about was deleted.
            HarvestError: Something else went wrong that another attempt does not mend.

        Examples:
            >>> page = await client.page(STREAMS["clients"], params={})
            >>> page = await client.page(STREAMS["clients"], page.next_url)
        """
        path = path or stream.path
        url = path if urlsplit(path).netloc else self.base_url + path
        check_same_host(url, self.base_url)
        query: Dict[str, Any] = {}
        if params is not None and stream.rows_in:
            query = {"per_page": PER_PAGE, **params}
        return await self._ask(Request(stream, url, query, of_record=of_record))

    async def record(self, stream: Stream, key: Any) -> Page:
        """Return one record by its id.

        Raises:
            RecordDeleted: It was deleted.
        """
        url = f"{self.base_url}{stream.path}/{key}"
        return await self._ask(Request(stream, url, {}, record=True, of_record=True))

    async def owner(self) -> Tuple[Row, str]:
        """Return the user whom the token belongs to, and the time by Harvest's clock.

        https://help.getharvest.com/api-v2/users-api/users/users/

        Raises:
            HarvestError: The token or the account is not known to Harvest.
        """
        await self._find_account()
        try:
            page = await self.page(OWNER, params={})
            return page.body, page.now
        except AccessRefused:
            return {}, await self._check_account()

    async def _check_account(self) -> str:
        """Raise an error if Harvest does not know the account; return the time."""
        try:
            return (await self.page(COMPANY, params={})).now
        except AccessRefused as refused:
            if refused.status == 404:
                raise HarvestError(
                    f"Harvest does not know the account_id {self.account_id} for this"
                    f" token (404): the ids are listed at {TOKENS_PAGE}."
                ) from None
            return ""

    async def _find_account(self) -> None:
        """Take the only Harvest account of the token, if none was given."""
        if self.account_id:
            return
        page = await self._ask(Request(ACCOUNTS, f"{self._id_url}/accounts", {}))
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

    async def _ask(self, request: Request) -> Page:
        """Send a request until it is answered."""
        limit = self.rate_limit(request.stream)
        attempts = Attempts(request, self.settings)
        loop = asyncio.get_running_loop()
        while True:
            await limit.turn()
            try:
                page = await loop.run_in_executor(
                    self._threads, self._send, request, limit
                )
            except TransientError as failure:
                await attempts.wait(failure, limit)
                continue
            if page is not None:
                self.pages_read[request.stream.name] += 1
                return page
            await asyncio.sleep(0.005)

    def _send(self, request: Request, limit: RateLimit) -> Optional[Page]:
        """Send a request once, in a thread; return None if it must be sent again.

        Slow answers may hold up all threads: its turn can be over when one is free.
        """
        if (turn := limit.take()) is None:
            return None
        headers = {"Harvest-Account-Id": self.account_id} if self.account_id else {}
        try:
            response = self._session.get(
                request.url, params=request.params, headers=headers, auth=self._auth
            )
        except TokenExpired:
            return None
        except requests.RequestException as error:
            raise explain_failure(error) from None
        limit.answered(turn)
        self._check(response, request, limit)
        return _page(response, request)

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
        said = words_of(response)
        if status == 401:
            raise HarvestError(
                f"Harvest refused the access token (401){said}: create one at"
                f" {TOKENS_PAGE} and set access_token under [sources.harvest] in"
                " .dlt/secrets.toml, or SOURCES__HARVEST__ACCESS_TOKEN in the"
                " environment."
            )
        if status == 407:
            raise HarvestError(PROXY_SIGN_IN)
        if status in (404, 422) and request.of_record:
            # 422: a user who is no longer a manager has no teammates
            where = urlsplit(request.url).path
            raise RecordDeleted(f"{name}: {where} was deleted ({status})", status)
        if status in (403, 404):
            why = f"Harvest refused access ({status}){said}"
            raise AccessRefused(f"{name}: {why}", status, said)
        raise HarvestError(
            f"{name}: Harvest rejected the request ({status}){said}: {response.url}."
        )


def _page(response: requests.Response, request: Request) -> Page:
    """Return the page in an answer.

    Raises:
        TransientError: There is none.
    """
    content_type = response.headers.get("Content-Type", "something").split(";")[0]
    now = server_time(response).strftime("%Y-%m-%dT%H:%M:%SZ")
    content, stream = response.content, request.stream
    try:
        return Page(stream, content, response.url, now, record=request.record)
    except LookupError as error:
        raise TransientError(str(error)) from None
    except ValueError:
        raise TransientError(
            f"the answer is {content_type} and not whole JSON"
        ) from None
