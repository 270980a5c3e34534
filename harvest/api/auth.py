"""Sign-in: a personal access token, or OAuth2.

https://help.getharvest.com/api-v2/authentication-api/authentication/authentication/
"""

import os
import threading
from typing import Any, Dict, Optional, Sequence

import dlt
import requests  # noqa: I251
from dlt.common import logger, pendulum
from dlt.common.configuration.specs import configspec
from dlt.common.typing import TSecretStrValue
from dlt.sources.helpers.rest_client.auth import (
    BearerTokenAuth,
    OAuth2ClientCredentials,
)
from requests.auth import AuthBase

from ..exceptions import HarvestError
from ..settings import TOKENS_PAGE
from .errors import TransientError, retry_after, words_of

REPLACED = (
    "Harvest replaced the refresh_token of the OAuth2 application, and the new one is"
    " kept until this process ends. If the next run is refused, authorize the"
    f" application again, or set an access_token from {TOKENS_PAGE}."
)


class TokenExpired(Exception):
    """Harvest refused an access token that it accepted before."""


@configspec
class HarvestOAuth2(OAuth2ClientCredentials):
    """Sign-in by the refresh token that an OAuth2 application was granted.

    Args:
        access_token_url (str): Where access tokens are issued.
        client_id (str): Id of the application.
        client_secret (str): Its secret.
        refresh_token (str): Its refresh token. Harvest may replace it at each renewal.
        session (requests.Session): Sends the request for an access token.

    Raises:
        HarvestError: Harvest refuses to issue an access token.
        TransientError: The request for one failed, and may succeed later.
    """

    refresh_token: Optional[TSecretStrValue] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._lock = threading.Lock()
        self._accepted: Optional[str] = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request, and look whether its answer accepts the token."""
        with self._lock:
            signed = super().__call__(request)
        signed.hooks["response"].append(self._look_at)
        return signed

    def _look_at(self, response: requests.Response, **_: Any) -> None:
        """Forget a token that has expired: the next request gets another.

        Raises:
            TokenExpired: Send the request again.
        """
        token = response.request.headers.get("Authorization", "").split(" ")[-1]
        with self._lock:
            if response.status_code != 401:
                self._accepted = token
            elif token == self._accepted or token != self.access_token:
                if token == self.access_token:
                    self.access_token = None
                raise TokenExpired

    def build_access_token_request(self) -> Dict[str, Any]:
        """Return what is posted, as dlt's base class asks for it."""
        grant = {
            "grant_type": "refresh_token",
            "refresh_token": self.refresh_token,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        return {"data": grant, "allow_redirects": False}

    def obtain_token(self) -> None:
        """Ask Harvest for an access token."""
        response = self.session.post(
            self.access_token_url, **self.build_access_token_request()
        )
        status = response.status_code
        if status in (408, 429) or status >= 500:
            raise TransientError(
                f"the sign-in answered {status}", retry_after(response)
            )
        try:
            grant = response.json()
            self.access_token = str(grant["access_token"])
            seconds = 0.9 * float(
                grant.get("expires_in") or self.default_token_expiration
            )
        except (ValueError, KeyError, TypeError):
            raise HarvestError(
                f"Harvest refused to renew the sign-in ({status}){words_of(response)}:"
                " check client_id, client_secret and refresh_token of the OAuth2"
                f" application at {TOKENS_PAGE}. A refresh_token that Harvest replaced"
                " in an earlier run is no longer valid: authorize the application"
                " again."
            ) from None
        # renewed early, so that it does not expire on the way
        self.token_expiry = pendulum.now().add(seconds=seconds)
        replaced = grant.get("refresh_token") or self.refresh_token
        if replaced != self.refresh_token:
            self.refresh_token = replaced
            logger.warning(REPLACED)


class NoCredentials(AuthBase):
    """Refuses to sign a request, because credentials are missing.

    Args:
        missing (Sequence[str]): The settings of OAuth2 that are missing.
    """

    def __init__(self, missing: Sequence[str]) -> None:
        self._some = f" ({', '.join(missing)} missing)" if len(missing) < 3 else ""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        here = dlt.current.run_context()
        folders = dict.fromkeys(
            map(os.path.abspath, (here.settings_dir, here.global_dir))
        )
        raise HarvestError(
            f"No Harvest credentials{self._some}: create a personal access token at"
            f" {TOKENS_PAGE} and set access_token under [sources.harvest] in"
            f" secrets.toml (in {' or '.join(folders)}), or"
            " SOURCES__HARVEST__ACCESS_TOKEN in the"
            " environment."
        )


def sign_in(
    access_token: Optional[str],
    client_id: Optional[str],
    client_secret: Optional[str],
    refresh_token: Optional[str],
    token_url: str,
    session: requests.Session,
) -> AuthBase:
    """Return what signs the requests.

    Args:
        access_token (Optional[str]): A personal access token; it comes first.
        client_id (Optional[str]): Id of an OAuth2 application.
        client_secret (Optional[str]): Its secret.
        refresh_token (Optional[str]): The refresh token that it was granted.
        token_url (str): Where access tokens of OAuth2 are issued.
        session (requests.Session): Asks for them.

    Examples:
        >>> auth = sign_in("1234.pt.abcd", None, None, None, "", requests.Session())
        >>> requests.get("https://api.harvestapp.com/v2/users/me", auth=auth)
    """
    if access_token:
        return BearerTokenAuth(token=access_token)
    grant = (client_id, client_secret, refresh_token)
    names = ("client_id", "client_secret", "refresh_token")
    if missing := [name for name, value in zip(names, grant, strict=True) if not value]:
        return NoCredentials(missing)
    return HarvestOAuth2(
        access_token_url=token_url,
        client_id=str(client_id),
        client_secret=str(client_secret),
        refresh_token=str(refresh_token),
        session=session,
    )
