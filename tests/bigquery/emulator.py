"""BigQuery's API on this machine: the package bqemulator, behind a bridge.

python -m tests.bigquery.emulator FOLDER keeps both running, and prints the settings to use them.
"""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, Dict, Iterator, List, NamedTuple, Tuple
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PROJECT = "project"
OWN = {"connection", "content-length", "date", "server", "transfer-encoding"}
"""Headers that each connection has its own of."""

Answer = Tuple[int, Dict[str, str], bytes]


class Bridge(BaseHTTPRequestHandler):
    """Passes requests on, and bridges four things that the emulator does unlike BigQuery.

    1. Signing in: `/token` is answered as Google does; the emulator looks at no token.
    2. Uploads: the emulator takes a gzipped file for text, where BigQuery unpacks it.
    3. Failed queries: the emulator answers 200 with `errors`, where BigQuery answers with the
       status of the error. The client takes 200 for an empty result.
    4. New columns: the emulator adds one by one, where BigQuery takes several in one statement.
    """

    protocol_version = "HTTP/1.1"
    emulator = 0
    statements: ClassVar[List[str]] = []

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, content = self.token() if self.path == "/token" else self.passed_on(body)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def token(self) -> Answer:
        token = {"access_token": "token", "expires_in": 3600, "token_type": "Bearer"}
        return 200, {"Content-Type": "application/json"}, json.dumps(token).encode()

    def passed_on(self, body: bytes) -> Answer:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OWN}
        headers["Accept-Encoding"] = "identity"
        if body.startswith(b"\x1f\x8b"):
            body = gzip.decompress(body)
            # the client writes it in small letters, and the emulator takes the first of two
            headers = {name: headers[name] for name in headers if name.lower() != "content-range"}
            headers["Content-Range"] = f"bytes 0-{len(body) - 1}/{len(body)}"
        if not urlsplit(self.path).path.endswith("/queries"):
            return self.asked(body, headers)
        query = json.loads(body)
        self.statements.append(query["query"])
        answer: Answer = (0, {}, b"")
        for statement in one_by_one(query["query"]):
            answer = self.asked(json.dumps({**query, "query": statement}).encode(), headers)
            if (failed := self.failed(answer))[0] != 200:
                return failed
        return answer

    def asked(self, body: bytes, headers: Dict[str, str]) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.emulator, timeout=120)
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        given = {name: value for name, value in response.getheaders() if name.lower() not in OWN}
        answer = response.status, given, response.read()
        connection.close()
        return answer

    def failed(self, answer: Answer) -> Answer:
        status, headers, content = answer
        if status != 200 or not (errors := json.loads(content).get("errors")):
            return answer
        status = 404 if errors[0]["reason"] == "notFound" else 400
        error = {"code": status, "message": errors[0]["message"], "errors": errors}
        return status, headers, json.dumps({"error": error}).encode()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: pytest shows what is printed."""


def one_by_one(statement: str) -> List[str]:
    """A statement, or one for each column where it adds several."""
    if not statement.startswith("ALTER TABLE"):
        return [statement]
    table, *columns = re.split(r",?\s*ADD COLUMN ", statement)
    return [f"{table} ADD COLUMN {column}" for column in columns]


def key_file(path: Path, token_uri: str) -> None:
    """Writes a service account's key file, with a key made on the spot."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "project_id": PROJECT,
        "client_email": "loader@example.com",
        "private_key_id": "1",
        "private_key": key.decode(),
        "token_uri": token_uri,
    }
    path.write_text(json.dumps(account))


class Emulator(NamedTuple):
    """An emulator that runs.

    Attributes:
        environment: has Google's client talk to it.
        statements: all SQL that came, as it came.
    """

    environment: Dict[str, str]
    statements: List[str]


@contextmanager
def serving(folder: Path) -> Iterator[Emulator]:
    """Runs the emulator in a process of its own, and the bridge in this one.

    Args:
        folder: for the key file, the emulator's log, and DuckDB's extensions, as its home.
    """
    extension = "from duckdb_extensions import import_extension as i; i('spatial')"
    home = {**os.environ, "HOME": str(folder)}
    subprocess.run([sys.executable, "-c", extension], env=home, check=True)
    port, other = free_ports(2)
    command = [sys.executable, "-m", "bqemulator", "start", "--rest-port", str(port)]
    with open(folder / "emulator.log", "w") as log:
        emulator = subprocess.Popen(
            [*command, "--grpc-port", str(other)], env=home, stdout=log, stderr=log
        )
    statements: List[str] = []
    handler = type("Handler", (Bridge,), {"emulator": port, "statements": statements})
    bridge = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=bridge.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{bridge.server_port}"
    key_file(folder / "key.json", f"{address}/token")
    try:
        wait_for(emulator, port)
        environment = {
            "BIGQUERY_EMULATOR_HOST": address,
            "GOOGLE_APPLICATION_CREDENTIALS": str(folder / "key.json"),
        }
        yield Emulator(environment, statements)
    finally:
        bridge.shutdown()
        bridge.server_close()
        emulator.terminate()
        emulator.wait()


def free_ports(count: int) -> Tuple[int, ...]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = tuple(each.getsockname()[1] for each in sockets)
    for each in sockets:
        each.close()
    return ports


def wait_for(process: "subprocess.Popen[bytes]", port: int) -> None:
    while process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the emulator ended with {process.returncode}: see its log")


if __name__ == "__main__":
    # a shell has what it starts in the background ignore it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with serving(Path(sys.argv[1])) as running:
        for name, value in running.environment.items():
            print(f"export {name}={value}", flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
