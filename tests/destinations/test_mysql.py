"""The script on MySQL's protocol: a real MariaDB, whose own character set is latin1."""

import getpass
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest

from sandbox import Account, Server
from tests import script

pymysql = pytest.importorskip("pymysql")
pytest.importorskip("sqlalchemy")

if not shutil.which("mariadbd"):
    pytest.skip("there is no mariadbd", allow_module_level=True)

LONG = "long " * 20_000
"""A text of 100 kB, where MySQL's TEXT ends at 64."""


@pytest.fixture(scope="module")
def socket() -> Iterator[str]:
    """The socket of a MariaDB that runs for these tests."""
    user = getpass.getuser()
    # the server does not run as root
    how = ["--no-defaults", *(["--user=mysql"] if user == "root" else [])]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if user == "root":
            shutil.chown(folder, "mysql")
        data, place = f"--datadir={folder}/data", f"{folder}/mysql.sock"
        install = ["mariadb-install-db", *how, data, "--auth-root-authentication-method=normal"]
        subprocess.run(install, check=True, capture_output=True)
        serve = ["mariadbd", *how, data, f"--socket={place}", "--skip-networking"]
        with Path(folder, "log").open("w") as log:
            server = subprocess.Popen([*serve, "--character-set-server=latin1"], stderr=log)
        try:
            while not Path(place).exists() and server.poll() is None:
                time.sleep(0.1)
            assert server.poll() is None, Path(folder, "log").read_text()
            yield place
        finally:
            server.terminate()
            server.wait()


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    account = generated(seed=7, time_entries=120, years=0.8)
    entries = account.rows("time_entries")
    account.edit("time_entries", entries[0]["id"], notes="Zoë \N{GRINNING FACE}")
    account.edit("time_entries", entries[1]["id"], notes=LONG)
    account.clock.advance(60)
    return account


@pytest.fixture
def env(socket: str, server: Server) -> Dict[str, str]:
    found = script.environment(server)
    address = f"mysql+pymysql://root@localhost/?unix_socket={socket}"
    return {**found, "DESTINATION__SQLALCHEMY__CREDENTIALS": address}


def run(env: Dict[str, str], *arguments: str, code: int = 0) -> str:
    """Runs the script, and returns what it prints."""
    done = script.run(*arguments, "--destination", "sqlalchemy", env=env)
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout


def column(socket: str, statement: str) -> List[Any]:
    how = {"unix_socket": socket, "user": "root", "database": "harvest_data"}
    with pymysql.connect(**how) as database, database.cursor() as cursor:
        cursor.execute(statement)
        return [value for (value,) in cursor.fetchall()]


def test_a_copy_is_loaded_compared_and_repaired(
    account: Account, env: Dict[str, str], socket: str
) -> None:
    run(env, "verify", code=1)
    run(env)
    assert "0 written again" in run(env)
    run(env, "verify")
    run(env, "verify", "--deep")
    entries = account.rows("time_entries")
    notes = column(socket, "SELECT notes FROM time_entries")
    assert {LONG, "Zoë \N{GRINNING FACE}"} <= {*notes}

    account.delete("time_entries", entries[3]["id"])
    account.edit("clients", account.rows("clients")[0]["id"], touch=False, name="Silent")
    payment = account.rows("invoice_payments")[0]["id"]
    account.edit("invoice_payments", payment, touch=False, notes="Silent")
    run(env, "verify", code=1)
    run(env)
    run(env, "verify")
    assert column(socket, "SELECT id FROM removed_rows") == [entries[3]["id"]]
    run(env, "verify", "--deep", code=1)
    run(env, "--deep")
    run(env, "verify", "--deep")

    run(env, "--history", "projects")
    kept = "SELECT count(*) FROM projects_versions"
    projects = len(account.rows("projects"))
    assert column(socket, kept) == [projects]
    account.edit("projects", account.rows("projects")[0]["id"], name="Renamed")
    run(env, "--history", "projects")
    assert column(socket, kept) == [projects + 1]

    run(env, "--full-refresh")
    run(env, "verify", "--deep")
