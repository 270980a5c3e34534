"""What a failed request means, and what is said of it."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from harvest import HarvestError
from harvest.api.errors import explain_failure


class SignIn(BaseHTTPRequestHandler):
    """A proxy that demands a sign-in."""

    def do_CONNECT(self) -> None:
        self.send_error(407)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_proxy_that_demands_a_sign_in() -> None:
    with HTTPServer(("127.0.0.1", 0), SignIn) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{proxy.server_port}"
        with pytest.raises(requests.RequestException) as raised:
            requests.get("https://api.harvestapp.com/v2/", proxies={"https": address})
        proxy.shutdown()
    with pytest.raises(HarvestError, match=r"proxy demands a sign-in \(407\).*HTTPS_PROXY"):
        explain_failure(raised.value)


def test_a_certificate_that_is_not_trusted() -> None:
    error = requests.exceptions.SSLError(
        "HTTPSConnectionPool(host='api.harvestapp.com', port=443): Max retries exceeded with"
        " url: /v2/users/407/x (Caused by SSLError(SSLCertVerificationError(1, '[SSL:"
        " CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate')))"
    )
    with pytest.raises(HarvestError, match=r"not trusted here.*REQUESTS_CA_BUNDLE"):
        explain_failure(error)


def test_a_socks_proxy_without_its_package() -> None:
    error = requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")
    with pytest.raises(HarvestError, match=r"SOCKS proxy.*pip install 'requests\[socks\]'"):
        explain_failure(error)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.exceptions.ReadTimeout("x"), "no answer in time"),
        (requests.exceptions.ConnectionError("Connection refused"), "refused"),
        (requests.exceptions.ConnectionError("getaddrinfo failed"), "name is not known"),
        (requests.exceptions.ConnectionError("reset by peer, url: /407"), "connection broke"),
        (requests.exceptions.ChunkedEncodingError("x"), "the answer broke off"),
        (requests.exceptions.SSLError("EOF occurred"), "connection broke"),
        (requests.exceptions.ProxyError("x"), "proxy in HTTPS_PROXY could not be reached"),
    ],
)
def test_what_may_pass(error: requests.RequestException, words: str) -> None:
    assert words in str(explain_failure(error))
