"""The session that requests are sent with, and the hosts that the token may go to."""

from typing import Any, Optional
from urllib.parse import urljoin, urlsplit

import requests  # noqa: I251

from ..exceptions import HarvestError


class Session(requests.Session):
    """A session with a time-out, which follows redirects only to the same host."""

    def __init__(self, user_agent: str, timeout: float) -> None:
        super().__init__()
        self.headers["User-Agent"] = user_agent
        self._timeout = timeout

    def send(
        self, request: requests.PreparedRequest, **kwargs: Any
    ) -> requests.Response:
        """Send a request with the session's time-out."""
        kwargs["timeout"] = self._timeout
        return super().send(request, **kwargs)

    def get_redirect_target(self, resp: requests.Response) -> Optional[str]:
        """Return where a redirect leads, if the token may go there."""
        target = super().get_redirect_target(resp)
        if target:
            check_same_host(urljoin(resp.url, target), resp.url)
        return target


def check_same_host(url: str, base_url: str) -> None:
    """Refuse an address that the token must not go to.

    Raises:
        HarvestError: `url` has another scheme, host or port than `base_url`.
    """
    where, home = urlsplit(url), urlsplit(base_url)
    if where[:2] != home[:2]:
        raise HarvestError(
            f"Harvest's answer leads to {where.scheme}://{where.netloc}, which is not"
            f" {home.netloc}: not followed, since the access token must not go there."
        )
