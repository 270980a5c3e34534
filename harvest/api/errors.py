"""Failed requests in words: those worth another attempt, and those that are not."""

from datetime import datetime, timezone  # noqa: I251
from email.utils import parsedate_to_datetime
from typing import Any, Iterator, Optional
from urllib.parse import parse_qs

import requests  # noqa: I251

from ..exceptions import HarvestError

PROXY_SIGN_IN = (
    "The proxy demands a sign-in (407): put user and password into the address in"
    " HTTPS_PROXY, as in http://user:password@host:port."
)
NO_SOCKS = (
    "The proxy in HTTPS_PROXY is a SOCKS proxy, which needs a package that is not"
    " installed: pip install 'requests[socks]'."
)


MOST_WORDS = 200
"""Characters of an error's text that are told."""


class TransientError(Exception):
    """A failure that another attempt may mend.

    Args:
        message (str): What failed, in words.
        wait (Optional[float]): Seconds that Harvest asks to wait.
        counts (bool): It counts as an attempt. A rate limit that was reached does not.
    """

    def __init__(
        self, message: str, wait: Optional[float] = None, counts: bool = True
    ) -> None:
        super().__init__(message)
        self.wait = wait
        self.counts = counts


def explain_failure(error: requests.RequestException) -> TransientError:
    """Return a failed request as one that may be repeated.

    Raises:
        HarvestError: Repeating it is of no use.
    """
    text = str(error)
    if (
        isinstance(error, requests.exceptions.SSLError)
        and "certificate" in text.lower()
    ):
        raise HarvestError(
            "The certificate of Harvest's host is not trusted here: if a proxy of your"
            " network inspects traffic, set REQUESTS_CA_BUNDLE to the file with its"
            " certificate."
        ) from None
    if "Missing dependencies for SOCKS" in text:
        raise HarvestError(NO_SOCKS) from None
    if "failed: 407" in text:
        raise HarvestError(PROXY_SIGN_IN) from None
    if isinstance(error, requests.exceptions.ProxyError):
        return TransientError("the proxy in HTTPS_PROXY could not be reached")
    if isinstance(error, requests.Timeout):
        return TransientError("no answer in time")
    if "NameResolution" in text or "getaddrinfo" in text:
        return TransientError(
            "the host's name is not known: check base_url and the network"
        )
    if "refused" in text.lower():
        return TransientError(
            "the connection was refused: check base_url and the network"
        )
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return TransientError("the answer broke off")
    if isinstance(error, requests.ConnectionError):
        return TransientError("the connection broke")
    return TransientError(type(error).__name__)


def server_time(response: requests.Response) -> datetime:
    """Return Harvest's clock, which may differ from this machine's by hours."""
    try:
        moment = parsedate_to_datetime(response.headers["Date"])
        return moment.astimezone(timezone.utc)
    except (KeyError, ValueError, TypeError):
        return datetime.now(timezone.utc)


def retry_after(response: requests.Response) -> Optional[float]:
    """Return the seconds that Harvest asks to wait, given as such or as a date."""
    header = response.headers.get("Retry-After", "").strip()
    if header.isdigit():
        return float(header)
    try:
        until = parsedate_to_datetime(header) - server_time(response)
        return max(0.0, until.total_seconds())
    except (ValueError, TypeError):
        return None


def words_of(response: requests.Response) -> str:
    """Return what Harvest says about an error, as a part of a sentence.

    Its answers have `message`, or `error_description`, `error` or `errors`. What was
    sent as a secret is left out, should an answer quote it.

    >>> f"Harvest rejected the request (422){words_of(response)}."
    'Harvest rejected the request (422) and says "From is missing".'
    """
    try:
        answer = response.json()
    except ValueError:
        return ""
    fields = answer if isinstance(answer, dict) else {}
    names = ("message", "error_description", "error", "errors")
    words = next((text for name in names if (text := _text(fields.get(name)))), "")
    for secret in _secrets_in(response.request):
        words = words.replace(secret, "...")
    short = words if len(words) <= MOST_WORDS else f"{words[:MOST_WORDS]}..."
    return f' and says "{short.rstrip(".")}"' if short else ""


def _text(value: Any) -> str:
    """Return a text, or the texts in a list or an object, on one line."""
    if isinstance(value, dict):
        value = [f"{name}: {_text(each)}" for name, each in value.items()]
    if isinstance(value, list):
        return "; ".join(filter(None, map(_text, value)))
    text = "" if value is None else str(value)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _secrets_in(request: requests.PreparedRequest) -> Iterator[str]:
    """Yield the token of a request, and the values that were posted."""
    yield from request.headers.get("Authorization", "").split()[1:]
    body = request.body or ""
    posted = parse_qs(body if isinstance(body, str) else body.decode())
    for name, values in posted.items():
        if name != "grant_type":
            yield from values
