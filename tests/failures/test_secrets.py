"""The token and the other secrets: they go to Harvest, and are written nowhere."""

import gzip
import http.server
import logging
import os
import pickle
import re
import subprocess
import threading
import traceback
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import dlt
import pytest
from dlt.extract.exceptions import ResourceExtractionError

from harvest import HarvestError, harvest_source
from sandbox import Account, Server
from tests.copy import Copy
from tests.helpers import sentence, snapshot
from tests.script import ROOT, environment, run

SECRETS = {
    "access_token": "pat-b2f1c09a77",
    "client_secret": "cs-4d1be20c55",
    "refresh_token": "rt-90aa1f3e21",
    "fetched": "sandbox-access-",
}
"""Secrets that occur nowhere else. What OAuth2 gives out begins like the last."""


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    """As small as an account can be that has something of everything."""
    return generated(seed=3, time_entries=60, years=0.5)


@pytest.fixture
def server(account: Account) -> Iterator[Server]:
    with Server(account, tokens=[SECRETS["access_token"]], limits=False) as running:
        running.sign_in.client_secret = SECRETS["client_secret"]
        running.sign_in.refresh_token = SECRETS["refresh_token"]
        yield running


class Elsewhere:
    """Another server, which records what reaches it."""

    def __init__(self) -> None:
        self.seen: List[Tuple[str, Dict[str, str]]] = []
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append((self.path, dict(self.headers)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b'{"clients": [], "links": {}}')

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    running = Elsewhere()
    yield running
    running.stop()


def oauth(server: Server) -> Dict[str, Any]:
    return {
        "access_token": None,
        "client_id": server.sign_in.client_id,
        "client_secret": server.sign_in.client_secret,
        "refresh_token": server.sign_in.refresh_token,
    }


# ---------------------------------------------------------------- written nowhere


def search(text: bytes, where: object) -> None:
    for name, secret in SECRETS.items():
        assert secret.encode() not in text, f"{name} is in {where}"


def search_files(folder: Path) -> int:
    """Searches all files below a folder; their number."""
    count = 0
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root) / name
            search(str(path).encode(), "a file's name")
            content = path.read_bytes()
            search(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content, path)
            count += 1
    return count


def everything_of(error: BaseException) -> str:
    """An exception as it would be shown, and all that led to it, shown or not."""
    text = "".join(traceback.format_exception(error))
    seen: List[BaseException] = []
    todo: List[Any] = [error]
    while todo:
        each = todo.pop()
        if each is not None and each not in seen:
            seen.append(each)
            text += f"{each!r} {each} {each.args}"
            todo += [each.__cause__, each.__context__]
    return text


def ways(server: Server) -> Dict[str, Callable[[], Any]]:
    """Ways to make a run fail, each of which writes something else."""
    add = server.faults.add
    return {
        "nothing": lambda: None,
        "500": lambda: add("/clients", "status", times=None, code=500),
        "422": lambda: add("/clients", "status", times=None, code=422),
        "401": lambda: add("/clients", "status", times=None, code=401),
        "reset": lambda: add("/clients", "reset", times=None),
        "html": lambda: add("/clients", "html", times=None),
        "truncate": lambda: add("/clients", "truncate", times=None),
        "redirect": lambda: add("/clients", "redirect", times=None, location="http://a.invalid/"),
        "elsewhere": lambda: add("/clients", "next_elsewhere", times=None),
        "sign-in refused": lambda: setattr(server.sign_in, "refresh_token", "another"),
        "sign-in reset": lambda: add("/api/v2/oauth2/token", "reset", times=None),
        "sign-in html": lambda: add("/api/v2/oauth2/token", "html", times=None),
        "403": lambda: server.forbidden.update(("clients", "tasks")),
        # dlt shows a row that it cannot load
        "a row without a key": lambda: add(
            "/clients", "mutate", times=None, change=lambda body: body["clients"][0].pop("id")
        ),
        "a broken row": lambda: add(
            "/clients",
            "mutate",
            times=None,
            change=lambda body: body["clients"][0].update(updated_at={"no": "time"}),
        ),
    }


@pytest.mark.parametrize("signed_in", [pytest.param("token", marks=pytest.mark.long), "oauth"])
def test_no_secret_is_written(
    server: Server,
    signed_in: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("RUNTIME__REQUEST_MAX_ATTEMPTS", "2")
    settings = {"token": {"access_token": server.token}, "oauth": oauth(server)}[signed_in]
    for name, value in settings.items():
        if value:
            monkeypatch.setenv(f"SOURCES__HARVEST__{name.upper()}", value)
    dlt.current.run_context().reload()
    # every logger there is, those of requests and urllib3 included
    caplog.set_level(logging.DEBUG)
    failed, files = [], 0
    for name, make in ways(server).items():
        server.faults.clear()
        server.forbidden.clear()
        server.sign_in.refresh_token = SECRETS["refresh_token"]
        # given in the environment as users do, and in arguments
        given = {} if name in ("nothing", "500", "422") else settings
        copy = Copy(server, **given)
        if not given:
            copy.settings.pop("access_token")
        make()
        try:
            copy.run("clients", "tasks")
        except Exception as error:
            failed.append(name)
            search(everything_of(error).encode(), f"the exception of {name}")
        trace = copy.pipeline.last_trace
        search(trace.asstr(verbosity=2).encode(), "the trace")
        search(repr(trace.asdict()).encode(), "the trace")
        search(pickle.dumps(trace), "the trace")
        for schema in copy.pipeline.schemas.values():
            search(schema.to_pretty_yaml().encode(), "the schema")
        search(repr(copy.pipeline.state).encode(), "the state")
        search(repr(snapshot(copy)).encode(), "a table")
        # dlt's working directory, the database, and what the test could forget
        files += search_files(tmp_path)
    assert {"500", "401", "redirect", "elsewhere", "403"} <= set(failed)
    if signed_in == "oauth":
        assert {"sign-in refused", "sign-in reset", "sign-in html"} <= set(failed)
    assert "GET /v2/clients" in caplog.text, "DEBUG logging is not on"
    search(caplog.text.encode(), "the log")
    for record in caplog.records:
        search(repr(record.__dict__).encode(), "a record of the log")
    written = capfd.readouterr()
    search(written.out.encode(), "what was printed")
    search(written.err.encode(), "what was printed")
    assert files > 100


@pytest.mark.parametrize("signed_in", ["token", "oauth"])
@pytest.mark.long
def test_the_script_prints_no_secret(server: Server, signed_in: str, tmp_path: Path) -> None:
    given = {"token": {}, "oauth": oauth(server)}[signed_in]
    env = environment(server, **{name.upper(): value or "" for name, value in given.items()})
    env["RUNTIME__LOG_LEVEL"] = "DEBUG"
    server.faults.add("/clients", "reset", times=None)
    server.faults.add("/tasks", "status", times=1, code=401)
    # with a traceback of everything, too
    for arguments in ([], ["-v"]):
        done = run("--resources", "clients,tasks", *arguments, env=env)
        assert done.returncode == 1
        assert ("Traceback" in done.stderr) == bool(arguments)
        search((done.stdout + done.stderr).encode(), "what the script printed")
    search_files(tmp_path)


# ---------------------------------------------------------------- sent nowhere else


@pytest.mark.parametrize("kind", ["redirect", "next_elsewhere"])
@pytest.mark.parametrize(
    ("stream", "path"),
    [
        ("clients", "/clients"),
        ("time_entries", "/time_entries"),
        ("invoices", "/invoices"),
        ("cost_rates", "/users/[0-9]+/cost_rates"),
        ("roles", "/roles"),
        ("company", "/company"),
        ("time_team", "/reports/time/team"),
        ("project_budget", "/reports/project_budget"),
    ],
)
def test_no_other_host_is_asked(
    server: Server, elsewhere: Elsewhere, kind: str, stream: str, path: str
) -> None:
    if kind == "next_elsewhere" and stream == "company":
        pytest.skip("it has no next page")
    copy = Copy(server, **({} if kind == "redirect" else oauth(server)))
    details = {"location": elsewhere.url + path} if kind == "redirect" else {"host": elsewhere.url}
    fault = server.faults.add(path, kind, times=None, **details)
    with pytest.raises(ResourceExtractionError) as raised:
        copy.read(stream)
    assert fault.hits
    assert elsewhere.seen == []
    assert f"Harvest's answer leads to {elsewhere.url}, which is not" in sentence(raised.value)
    assert "the access token must not go there" in sentence(raised.value)


def test_the_refresh_token_goes_to_no_other_host(server: Server, elsewhere: Elsewhere) -> None:
    for code in (302, 307, 308):
        server.faults.clear()
        headers = {"Location": elsewhere.url + "/oauth2/token"}
        server.faults.add("/api/v2/oauth2/token", "status", times=None, code=code, headers=headers)
        with pytest.raises(ResourceExtractionError):
            Copy(server, **oauth(server)).read("clients")
    assert elsewhere.seen == []


def test_the_list_of_accounts_is_asked_of_no_other_host(
    server: Server, elsewhere: Elsewhere
) -> None:
    server.faults.add("/api/v2/accounts", "redirect", times=None, location=elsewhere.url)
    with pytest.raises(ResourceExtractionError):
        Copy(server, account_id=None).read("clients")
    assert elsewhere.seen == []


def test_another_port_name_or_scheme_is_another_host(server: Server) -> None:
    for host in (
        server.url.replace("127.0.0.1", "localhost"),
        server.url.replace("http:", "https:"),
        server.url.replace("http://", "http://127.0.0.1@"),
        server.url + "0",
    ):
        server.faults.clear()
        server.faults.add("/clients", "next_elsewhere", times=None, host=host)
        with pytest.raises(ResourceExtractionError) as raised:
            Copy(server).read("clients")
        assert "Harvest's answer leads to " in sentence(raised.value)
        # who asks, and the page
        assert len(server.requests) == 2


def test_a_redirect_to_the_same_host_is_followed(server: Server) -> None:
    server.faults.add("/clients", "redirect", location=f"{server.base_url}/clients?per_page=2000")
    server.faults.add("/tasks", "redirect", location="/v2/tasks?per_page=2000")
    copy = Copy(server)
    copy.check_read(copy.read("clients", "tasks"))


def test_netrc_does_not_replace_the_token(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password something\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    Copy(server).read("clients")
    asked = {record.headers["authorization"] for record in server.requests}
    assert asked == {f"Bearer {server.token}"}


@pytest.mark.parametrize("name", ["base_url", "id_url"])
@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://api.harvestapp.com/v2", True),
        ("http://127.0.0.1:8000/v2", True),
        ("http://localhost:8000/v2", True),
        ("http://[::1]:8000/v2", True),
        ("http://api.harvestapp.com/v2", False),
        ("http://10.0.0.1/v2", False),
        ("http://127.0.0.1.example.com/v2", False),
        ("http://localhost@example.com/v2", False),
        ("http://example.com#@localhost/v2", False),
        ("ftp://127.0.0.1/v2", False),
        ("api.harvestapp.com/v2", False),
        ("", False),
    ],
)
def test_http_is_for_this_machine_only(name: str, url: str, allowed: bool) -> None:
    def declare() -> None:
        harvest_source(access_token="made-up", **{name: url})

    if allowed:
        declare()
    else:
        with pytest.raises(HarvestError, match=f"{name} is '.*', but must begin with https://"):
            declare()


# ---------------------------------------------------------------- the repository

# as Harvest writes them: the number of the account, what it is, and the secret
REAL = re.compile(rb"\b[0-9]{4,}\.(pt|at|rt)\.[A-Za-z0-9_-]{20,}")


def committed(folder: Path) -> List[Path]:
    """The files of a repository that are, or could be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=folder,
        capture_output=True,
        check=True,
        text=True,
    )
    paths = (folder / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def leaked(folder: Path) -> List[str]:
    """Files with a token that looks real, and settings of secrets with a value."""
    found = [str(path) for path in committed(folder) if REAL.search(path.read_bytes())]
    for path in committed(folder):
        if path.name == "secrets.toml":
            for name, value in re.findall(r'^\s*(\w+)\s*=\s*"(.*)"', path.read_text(), re.M):
                if value not in ("", "<configure me>"):
                    found.append(f"{path}: {name}")
    return found


def test_no_token_is_committed() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a repository")
    assert ROOT / ".dlt" / "secrets.toml" in committed(ROOT)
    assert leaked(ROOT) == []


def test_a_committed_token_is_found(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert leaked(tmp_path) == []
    token = "1234567" + ".pt." + "Ab1_" * 20
    (tmp_path / "notes.md").write_text(f"My token is {token}.\n")
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "secrets.toml").write_text('[sources.harvest]\naccount_id = "12"\n')
    assert sorted(leaked(tmp_path)) == [
        f"{tmp_path / '.dlt' / 'secrets.toml'}: account_id",
        str(tmp_path / "notes.md"),
    ]
