"""Talking to Harvest: sign-in, both speed limits, retries, and errors in words."""

import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timezone  # noqa: I251
from email.utils import parsedate_to_datetime
from typing import (
    Any,
    Callable,
    ClassVar,
    Deque,
    Dict,
    List,
    NamedTuple,
    Optional,
    Tuple,
    TypeVar,
)
from urllib.parse import urljoin, urlsplit

import requests  # noqa: I251
from dlt.common import logger
from dlt.common.configuration.specs import RuntimeConfiguration
from pyrate_limiter import Limiter, Rate
from requests.auth import AuthBase
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from .settings import Stream
from .values import decode

T = TypeVar("T")
C = TypeVar("C")

LONGEST_WAIT = 3600
"""Seconds that a `Retry-After` may ask for before the run is given up."""
TOKENS_PAGE = "https://id.getharvest.com/developers"


class HarvestError(Exception):
    """Something went wrong that the user can understand: the message is one sentence for them."""


class AccessRefused(HarvestError):
    """Harvest answered 403: the role of the token's owner may not see this."""


class RecordGone(HarvestError):
    """Harvest no longer has the record that was asked about: it changed meanwhile."""

    status = 404


class Stopped(Exception):
    """The stream that asked for this has ended: nobody waits for the answer."""


class _Passing(Exception):
    """A fault that may pass: worth another attempt."""

    def __init__(self, what: str, wait: Optional[float] = None) -> None:
        super().__init__(what)
        self.wait = wait


class Unreadable(_Passing):
    """An answer came that is no page."""


class Page(NamedTuple):
    """One answer of the API.

    Attributes:
        body (Dict[str, Any]): The JSON object.
        rows (List[Dict[str, Any]]): Its rows, or the object itself where it is not a list.
        now (str): Harvest's clock at the answer, as in `2017-06-26T21:01:52Z`.
        first (bool): A walk over the list begins with it.
    """

    body: Dict[str, Any]
    rows: List[Dict[str, Any]]
    now: str
    first: bool = False

    @property
    def next_url(self) -> Optional[str]:
        """Address of the next page."""
        url: Optional[str] = (self.body.get("links") or {}).get("next")
        return url


class Token:
    """Sign-in by a personal access token or OAuth2.

    https://help.getharvest.com/api-v2/authentication-api/authentication/authentication/
    """

    def __init__(
        self,
        access_token: Optional[str],
        client_id: Optional[str],
        client_secret: Optional[str],
        refresh_token: Optional[str],
        token_url: str,
    ) -> None:
        self.personal = access_token
        self._token_url = token_url
        self._grant = {
            "grant_type": "refresh_token",
            "client_id": client_id,
            "client_secret": client_secret,
            "refresh_token": refresh_token,
        }
        self.owner = access_token or f"{client_id} {refresh_token}"
        self._lock = threading.Lock()
        self._fetched: Optional[str] = None
        self._expires = 0.0

    def get(self, session: requests.Session, refused: Optional[str] = None) -> str:
        """The access token; by OAuth2, a new one when it has expired or was `refused`."""
        if self.personal:
            return self.personal
        missing = [name for name, value in self._grant.items() if not value]
        if missing:
            raise HarvestError(
                "No Harvest credentials"
                + (f" ({', '.join(missing)} missing)" if len(missing) < 3 else "")
                + f": create a personal access token at {TOKENS_PAGE} and set access_token under"
                " [sources.harvest] in .dlt/secrets.toml or SOURCES__HARVEST__ACCESS_TOKEN in the"
                " environment; to try it without an account, type make demo."
            )
        with self._lock:
            if (
                self._fetched is None
                or self._fetched == refused
                or time.monotonic() > self._expires
            ):
                self._fetch(session)
            assert self._fetched
            return self._fetched

    def _fetch(self, session: requests.Session) -> None:
        answer = session.post(self._token_url, data=self._grant, allow_redirects=False)
        if answer.status_code == 429 or answer.status_code >= 500:
            raise _Passing(f"the sign-in answered {answer.status_code}", _retry_after(answer))
        try:
            grant = answer.json()
            self._fetched = str(grant["access_token"])
        except (ValueError, KeyError, TypeError):
            raise HarvestError(
                f"Harvest refused to renew the sign-in ({answer.status_code}): check client_id,"
                f" client_secret and refresh_token of the OAuth2 application at {TOKENS_PAGE}."
            ) from None
        # renewed early, so that it does not expire on the way
        self._expires = time.monotonic() + 0.9 * float(grant.get("expires_in") or "inf")
        if grant.get("refresh_token"):
            self._grant["refresh_token"] = grant["refresh_token"]


class _Bearer(AuthBase):
    # as `auth` rather than as a header, since requests lets ~/.netrc replace a header
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Session(requests.Session):
    """A session with a time-out, that follows a redirect only to where it came from."""

    def __init__(self, user_agent: str, timeout: float) -> None:
        super().__init__()
        self.headers["User-Agent"] = user_agent
        self._timeout = timeout

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        kwargs["timeout"] = self._timeout
        return super().send(request, **kwargs)

    def get_redirect_target(self, resp: requests.Response) -> Optional[str]:
        target = super().get_redirect_target(resp)
        if target:
            check_same_host(urljoin(resp.url, target), resp.url)
        return target


class Lane:
    """The requests under one of Harvest's two speed limits.

    https://help.getharvest.com/api-v2/introduction/overview/general/#rate-limiting

    Args:
        rate (int): Requests allowed in a window.
        window (float): Length of the window in seconds.
        workers (int): Requests under way at once.

    Attributes:
        sent (int): Requests that were let through.
    """

    def __init__(self, name: str, rate: int, window: float, workers: int) -> None:
        self.rate = rate
        self.window = window
        # Harvest counts on arrival: without a margin, a slow request followed by a quick one
        # could arrive as one too many
        self._limiter = Limiter(Rate(rate, int(window * 1050)))
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=f"harvest-{name}")
        self._paused_until = 0.0
        self._lock = threading.Lock()
        self._sent: Deque[float] = deque(maxlen=rate)
        self._held = 0
        self._held_since = 0.0
        self.name = name
        self.sent = 0
        self._held_seconds = 0.0

    _all: ClassVar[Dict[Tuple[Any, ...], "Lane"]] = {}
    _all_lock: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def of(cls, token: str, name: str, rate: int, window: float, workers: int) -> "Lane":
        """The lane of a token in this process: Harvest counts per token, not per source."""
        key = (token, name, rate, window)
        with cls._all_lock:
            if key not in cls._all:
                cls._all[key] = cls(name, rate, window, workers)
            return cls._all[key]

    @classmethod
    def known(cls) -> List["Lane"]:
        """The lanes of this process."""
        return [*cls._all.values()]

    def submit(self, function: Callable[[C], T], argument: C) -> "Future[T]":
        return self._pool.submit(function, argument)

    def pause(self, seconds: float) -> None:
        """Holds all requests back for so long, since Harvest asked for it."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def enter(self, stop: threading.Event) -> None:
        """Waits until a request may be sent."""
        held = False
        try:
            while not stop.is_set():
                now = time.monotonic()
                if now >= self._paused_until and self._limiter.try_acquire(blocking=False):
                    with self._lock:
                        self.sent += 1
                        self._sent.append(now)
                    return
                if not held:
                    held = True
                    self._hold(1)
                stop.wait(0.02)
        finally:
            if held:
                self._hold(-1)
        raise Stopped

    def _hold(self, more: int) -> None:
        with self._lock:
            now = time.monotonic()
            if self._held:
                self._held_seconds += now - self._held_since
            self._held_since = now
            self._held += more

    @property
    def held_seconds(self) -> float:
        """How long any requests were held back so far."""
        with self._lock:
            present = time.monotonic() - self._held_since if self._held else 0
            return self._held_seconds + present

    @property
    def wait(self) -> float:
        """Seconds until the next request may be sent; 0 when none is held back."""
        with self._lock:
            if not self._held:
                return 0
            full = len(self._sent) == self.rate
            free = self._sent[0] + 1.05 * self.window if full else 0
            return max(0, max(free, self._paused_until) - time.monotonic())


class Call(NamedTuple):
    """One request for a page.

    Attributes:
        url (str): Address, or path below the base URL.
        params (Dict[str, Any]): Query parameters.
        name (str): Stream, for messages.
        field (str): Field that must hold the rows; empty when the answer is the row.
        lane (Lane): The speed limit that it falls under.
        stop (threading.Event): Set when nobody waits for the answer any more.
        of_record (bool): It is asked of one record, so that 404 means that the record is gone.
        unreadable (Optional[Answer]): An answer that has come already, to no use.
    """

    url: str
    params: Dict[str, Any]
    name: str
    field: str
    lane: Lane
    stop: threading.Event
    of_record: bool = False
    unreadable: Optional["Answer"] = None


class Answer(NamedTuple):
    """An answer as it came: decoded, it takes several times the memory.

    Attributes:
        call (Call): What was asked.
        content (bytes): JSON, or what came in its place.
        kind (str): What it calls itself, `application/json` or other.
        now (str): Harvest's clock, as in `2017-06-26T21:01:52Z`.
    """

    call: Call
    content: bytes
    kind: str
    now: str

    def page(self) -> Page:
        """Decodes it.

        Raises:
            Unreadable: It is no page.
        """
        try:
            body = decode(self.content)
        except ValueError:
            raise Unreadable(f"the answer is {self.kind} and not whole JSON") from None
        field = self.call.field
        rows = body.get(field) if isinstance(body, dict) and field else [body]
        if not isinstance(body, dict) or not isinstance(rows, list):
            raise Unreadable(f"the answer has no {field or 'object'}")
        return Page(body, rows, self.now)


class HarvestClient:
    """A Harvest account over HTTP. It makes no request before it is asked for something.

    Args:
        token (Token): The sign-in.
        account_id (Optional[str]): Account to read; None asks Harvest which one the token has.
        base_url (str): Where the API is.
        id_url (str): Where accounts and tokens are.
        user_agent (str): Name of the application and a contact, which Harvest demands.
        api (Lane): Speed limit of everything except reports.
        reports (Lane): Speed limit of the reports.
        runtime (RuntimeConfiguration): dlt's settings for time-outs and retries.
    """

    def __init__(
        self,
        token: Token,
        account_id: Optional[str],
        base_url: str,
        id_url: str,
        user_agent: str,
        api: Lane,
        reports: Lane,
        runtime: RuntimeConfiguration,
    ) -> None:
        self.base_url = base_url
        self._token = token
        self.account_id = account_id
        self._account_lock = threading.Lock()
        self._id_url = id_url
        self._user_agent = user_agent
        self._api = api
        self._reports = reports
        self._runtime = runtime
        self._local = threading.local()

    def lane(self, stream: Stream) -> Lane:
        return self._reports if stream.path.startswith("/reports/") else self._api

    @property
    def sent(self) -> int:
        """Requests that were made so far, by all sources of this process with the same token."""
        return self._api.sent + self._reports.sent

    @property
    def _session(self) -> _Session:
        # a requests session is not made to be shared by threads
        if not hasattr(self._local, "session"):
            self._local.session = _Session(self._user_agent, self._runtime.request_timeout)
        return self._local.session  # type: ignore[no-any-return]

    def _account(self, stop: threading.Event) -> str:
        """The account to read: when it was left out, the only Harvest account of the token."""
        with self._account_lock:
            if not self.account_id:
                url = f"{self._id_url}/accounts"
                call = Call(url, {}, "accounts", "accounts", self._api, stop)
                found = self._patiently(call, {}, check=True).page()
                rows = [row for row in found.rows if row.get("product") == "harvest"]
                if len(rows) != 1:
                    names = ", ".join(f"{row.get('id')} ({row.get('name')})" for row in rows)
                    raise HarvestError(
                        f"The token has {len(rows)} Harvest accounts, {names}: set account_id"
                        " under [sources.harvest] in .dlt/secrets.toml to one of them."
                        if rows
                        else f"The token has no Harvest account: create one at {TOKENS_PAGE} while"
                        " signed in to the account that is to be loaded."
                    )
                self.account_id = str(rows[0]["id"])
            return self.account_id

    def get(self, call: Call) -> Answer:
        """Asks for one page, however many attempts it takes.

        Whether the answer is readable is seen when it is read. A call that comes again with an
        unreadable one goes on where that left off, and its answer is readable.

        Raises:
            AccessRefused: 403.
            RecordGone: 404 for a call of one record.
            HarvestError: Everything else that another attempt does not mend.
        """
        url = self.base_url + call.url if call.url.startswith("/") else call.url
        check_same_host(url, self.base_url)
        headers = {"Harvest-Account-Id": self._account(call.stop)}
        return self._patiently(call._replace(url=url), headers, check=bool(call.unreadable))

    def _patiently(self, call: Call, headers: Dict[str, str], check: bool) -> Answer:
        attempts = self._runtime.request_max_attempts
        come = [call.unreadable] if call.unreadable else []

        def attempt() -> Answer:
            answer = come.pop() if come else self._attempt(call, headers)
            if check:
                answer.page()
            return answer

        def wait(state: RetryCallState) -> float:
            fault = state.outcome.exception() if state.outcome else None
            seconds = getattr(fault, "wait", None)
            if seconds is None:
                backoff = self._runtime.request_backoff_factor * 2 ** (state.attempt_number - 1)
                seconds = min(backoff, self._runtime.request_max_retry_delay)
            return float(seconds)

        def say(state: RetryCallState) -> None:
            fault = state.outcome.exception() if state.outcome else None
            logger.warning(
                f"{call.name}: {fault}; attempt {state.attempt_number + 1} of {attempts}"
                f" in {state.upcoming_sleep:.0f} s"
            )

        def sleep(seconds: float) -> None:
            if call.stop.wait(seconds):
                raise Stopped

        retrying = Retrying(
            retry=retry_if_exception_type(_Passing),
            stop=stop_after_attempt(attempts),
            wait=wait,
            sleep=sleep,
            before_sleep=say,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except _Passing as fault:
            raise HarvestError(
                f"{call.name}: {call.url.split('?')[0]} could not be read in {attempts} attempts:"
                f" {fault}; run again later, and it goes on from the last good state."
            ) from None

    def _attempt(self, call: Call, headers: Dict[str, str]) -> Answer:
        try:
            token = self._token.get(self._session)
            answer = self._ask(call, headers, token)
            if answer.status_code == 401 and not self._token.personal:
                answer = self._ask(call, headers, self._token.get(self._session, refused=token))
        except requests.RequestException as error:
            raise _Passing(_in_words(error)) from None
        if answer.status_code != 200:
            raise self._meaning(answer, call)
        kind = answer.headers.get("Content-Type", "something").split(";")[0]
        now = _date(answer).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Answer(call, answer.content, kind, now)

    def _ask(self, call: Call, headers: Dict[str, str], token: str) -> requests.Response:
        call.lane.enter(call.stop)
        return self._session.get(call.url, params=call.params, headers=headers, auth=_Bearer(token))

    def _meaning(self, answer: requests.Response, call: Call) -> Exception:
        """What an answer other than 200 means."""
        status = answer.status_code
        if status == 429:
            asked = _retry_after(answer)
            seconds = call.lane.window if asked is None else asked
            if seconds > LONGEST_WAIT:
                return HarvestError(
                    f"{call.name}: Harvest asks to wait {seconds:.0f} s (429): run again later."
                )
            call.lane.pause(seconds)
            return _Passing("Harvest's speed limit was reached (429)", seconds)
        if status >= 500:
            return _Passing(f"Harvest answered {status}", _retry_after(answer))
        if status == 401:
            return HarvestError(
                f"Harvest refused the access token (401): create one at {TOKENS_PAGE} and set"
                " access_token under [sources.harvest] in .dlt/secrets.toml, or"
                " SOURCES__HARVEST__ACCESS_TOKEN in the environment."
            )
        if status == 403:
            return AccessRefused(f"{call.name}: Harvest refused access (403)")
        if status in (404, 422) and call.of_record:
            # 422: the user is no longer a manager, so there are no teammates to be had
            gone = RecordGone(f"{call.name}: {call.url} is gone ({status})")
            gone.status = status
            return gone
        if status == 404:
            return HarvestError(
                f"Harvest does not know the account_id {self.account_id} for this token (404 at"
                f" {call.name}): the ids are listed at {TOKENS_PAGE}."
            )
        return HarvestError(
            f"{call.name}: Harvest rejected the request ({status}{_said(answer)}): {answer.url}."
        )


def check_same_host(url: str, base_url: str) -> None:
    """Refuses an address at which the token has no business.

    Raises:
        HarvestError: `url` has another scheme, host or port than `base_url`.
    """
    if urlsplit(url)[:2] != urlsplit(base_url)[:2]:
        where = urlsplit(url)
        raise HarvestError(
            f"Harvest's answer leads to {where.scheme}://{where.netloc}, which is not"
            f" {urlsplit(base_url).netloc}: not followed, since the access token must not go there."
        )


def _date(answer: requests.Response) -> datetime:
    """Harvest's clock, which may differ from this machine's by hours."""
    try:
        return parsedate_to_datetime(answer.headers["Date"]).astimezone(timezone.utc)
    except (KeyError, ValueError, TypeError):
        return datetime.now(timezone.utc)


def _retry_after(answer: requests.Response) -> Optional[float]:
    """Seconds that Harvest asks to wait, given as such or as a date."""
    header = answer.headers.get("Retry-After", "").strip()
    if header.isdigit():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - _date(answer)).total_seconds())
    except (ValueError, TypeError):
        return None


def _said(answer: requests.Response) -> str:
    """What Harvest said about an error, if it did so in JSON."""
    try:
        return f": {answer.json()['message']}"
    except (ValueError, KeyError, TypeError):
        return ""


def _in_words(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    text = str(error)
    if "NameResolution" in text or "getaddrinfo" in text:
        return "the host's name is not known: check base_url and the network"
    if "refused" in text.lower():
        return "the connection was refused: check base_url and the network"
    if isinstance(error, (requests.exceptions.ChunkedEncodingError,)):
        return "the answer broke off"
    if isinstance(error, requests.ConnectionError):
        return "the connection broke"
    return type(error).__name__
