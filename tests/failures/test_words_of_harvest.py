"""An error of Harvest is told in Harvest's words, on one line, and without a secret."""

import json
from typing import Any

import pytest
import requests
from dlt.pipeline.exceptions import PipelineStepFailed

from harvest.api.errors import MOST_WORDS, words_of
from sandbox import Account, Server
from tests.copy import Copy
from tests.helpers import sentence


def answer(body: Any, posted: Any = None) -> requests.Response:
    response = requests.Response()
    response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": "Bearer 1234.pt.secret"}
    request = requests.Request("POST", "https://harvest.example/", headers, data=posted)
    response.request = request.prepare()
    return response


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"code": 403, "message": "Not authorized!"}, "Not authorized!"),
        ({"error": "invalid_token", "error_description": "It expired."}, "It expired"),
        ({"status": 404, "error": "Not Found"}, "Not Found"),
        ({"errors": ["From is missing", "To is missing"]}, "From is missing; To is missing"),
        ({"errors": {"from": ["is missing"], "to": "is odd"}}, "from: is missing; to: is odd"),
        ({"message": None, "error": "", "errors": ["left"]}, "left"),
        ({"message": "two\nlines\x1b[31m"}, "two lines [31m"),
        ({"message": 42}, "42"),
        ({"message": "1234.pt.secret is wrong"}, "... is wrong"),
        ({"message": "x" * 5000}, "x" * MOST_WORDS),
    ],
)
def test_words(body: Any, words: str) -> None:
    assert words_of(answer(body)) == f' and says "{words}"'


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"{}", b'"x"', b"{}x", b"\xff"])
def test_an_answer_without_words(body: bytes) -> None:
    assert words_of(answer(body)) == ""


def test_what_was_posted_is_not_told() -> None:
    grant = {"grant_type": "refresh_token", "client_secret": "cs 1", "refresh_token": "rt/2"}
    said = words_of(answer({"error": "refresh_token rt/2 of cs 1 is wrong"}, grant))
    assert said == ' and says "refresh_token ... of ... is wrong"'


def test_a_link_that_is_relative_is_followed() -> None:
    account = Account.generate(seed=3, time_entries=20, years=0.3)
    for form in ("path", "last", "query"):
        with Server(account, limits=False, page_size=5, pages={"clients": "cursor"}) as server:

            def relative(body: Any, form: str = form) -> None:
                if url := body["links"]["next"]:
                    path = url.split("/", 3)[3]
                    query = path.split("?")[1]
                    links = {"path": f"/{path}", "last": f"clients?{query}", "query": f"?{query}"}
                    body["links"]["next"] = links[form]

            server.faults.add("/clients", "mutate", times=None, change=relative)
            copy = Copy(server)
            found = copy.read("clients")
            copy.check_read(found)
            assert len(found["clients"]) > 5


def test_a_link_without_a_scheme_to_another_host_is_not_followed(copy: Copy) -> None:
    def elsewhere(body: Any) -> None:
        body["links"]["next"] = "//harvest.example/v2/clients?cursor=x"

    copy.server.page_by("bare_cursor")
    copy.server.faults.add("/clients", "mutate", times=None, change=elsewhere)
    with pytest.raises(Exception, match=r"harvest\.example") as raised:
        copy.read("clients")
    assert "the access token must not go there" in sentence(raised.value)


def by_oauth(server: Server) -> Copy:
    return Copy(
        server,
        access_token=None,
        client_id=server.sign_in.client_id,
        client_secret=server.sign_in.client_secret,
        refresh_token=server.sign_in.refresh_token,
    )


def test_a_refresh_token_that_is_replaced(server: Server, said: pytest.LogCaptureFixture) -> None:
    old = server.sign_in.refresh_token

    def replace(body: Any) -> None:
        body["refresh_token"] = server.sign_in.refresh_token = "another-one"

    server.faults.add("/api/v2/oauth2/token", "mutate", change=replace)
    copy = by_oauth(server)
    copy.run("clients", "tasks")
    assert said.text.count("Harvest replaced the refresh_token") == 1
    assert "authorize the application again" in said.text
    assert "another-one" not in said.text
    # the next process knows the old one only
    copy.settings["refresh_token"] = old
    with pytest.raises(PipelineStepFailed) as raised:
        copy.run("clients")
    message = sentence(raised.value)
    assert message.startswith('Harvest refused to renew the sign-in (400) and says "invalid_grant')
    assert "replaced in an earlier run is no longer valid" in message
    assert old not in message


def test_a_token_is_refused_in_harvests_words(copy: Copy) -> None:
    with pytest.raises(PipelineStepFailed) as raised:
        copy.run("clients", access_token="made-up-value")
    assert 'refused the access token (401) and says "The access token' in sentence(raised.value)
