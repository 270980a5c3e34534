"""Where engineers run it: settings, streams, signals, folders, databases of others."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import dlt
import duckdb
import psycopg2
import pytest
from deltalake import DeltaTable
from fsspec.implementations.memory import MemoryFileSystem

from harvest import HarvestError, harvest_source
from harvest.cli import lock as locks
from harvest.cli.commands import load
from harvest.cli.destination import place
from harvest.cli.errors import explain
from harvest.cli.lock import bucket_lock, file_lock
from sandbox import Account, Server
from tests.chance import in_batches
from tests.copy import Copy
from tests.processes import Run
from tests.script import ROOT, counts, environment, one_sentence, run

SOME = ("--resources", "clients,tasks")


# ---------------------------------------------------------------- dlt's own settings


@pytest.mark.long
def test_datasets_in_a_folder_of_ones_own(server: Server, tmp_path: Path) -> None:
    """PIPELINES_DIR: what one dataset knows is nothing to the other."""
    env = {**environment(server), "PIPELINES_DIR": str(tmp_path / "elsewhere")}
    for dataset in ("prod", "dev", "dev", "prod"):
        assert run("--no-reconcile", "--dataset", dataset, *SOME, env=env).returncode == 0
        server.account.clock.advance(60)
        server.account.add("clients", name=f"Added after {dataset}")
    server.requests.clear()
    assert run("--no-reconcile", "--dataset", "prod", *SOME, env=env).returncode == 0
    assert counts("prod")["clients"] == server.account.counts()["clients"]
    assert (tmp_path / "elsewhere" / "harvest").is_dir()
    assert not (tmp_path / "dlt" / "pipelines").exists()


@pytest.mark.long
def test_pipelines_dir_of_a_settings_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "config.toml").write_text(f'pipelines_dir = "{tmp_path}/elsewhere"\n')
    assert run(*SOME, env=environment(server)).returncode == 0
    assert (tmp_path / "elsewhere" / "harvest.lock").exists()


@pytest.mark.long
def test_restoring_switched_off(server: Server) -> None:
    env = {**environment(server), "RESTORE_FROM_DESTINATION": "false"}
    assert "restore_from_destination" in one_sentence(run(env=env))
    assert "restore_from_destination" in one_sentence(run("verify", env=env))


@pytest.mark.parametrize("name", ["ADD_DLT_ID", "ADD_DLT_LOAD_ID"])
@pytest.mark.long
def test_ids_that_a_project_has_dlt_add(server: Server, name: str) -> None:
    env = {**environment(server), f"NORMALIZE__PARQUET_NORMALIZER__{name}": "true"}
    for _ in range(2):
        done = run("--resources", "clients,time_entries,invoices", env=env)
        assert done.returncode == 0, done.stderr
    with duckdb.connect("harvest.duckdb") as connection:
        rows = connection.execute(
            "SELECT count(*), count(DISTINCT _dlt_id) FROM harvest_data.time_entries"
        ).fetchone()
    assert rows == (400, 400)


def test_another_naming_convention(server: Server) -> None:
    env = {**environment(server), "SCHEMA__NAMING": "direct"}
    message = one_sentence(run(*SOME, env=env))
    assert "SCHEMA__NAMING" in message
    assert "direct" in message


def test_empty_variables_are_unset(server: Server, tmp_path: Path) -> None:
    env = environment(server)
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "secrets.toml").write_text(
        f'[sources.harvest]\naccess_token = "{server.token}"\n'
    )
    for name in ("ACCESS_TOKEN", "ACCOUNT_ID", "START_DATE", "RATE_WINDOW", "USER_AGENT",
                 "REPORT_PERIOD", "REPORT_LOOKBACK_DAYS", "CLIENT_ID", "ON_FORBIDDEN",
                 "INCLUDE_FIXED_FEE"):  # fmt: skip
        env[f"SOURCES__HARVEST__{name}"] = " " if name == "USER_AGENT" else ""
    env |= {"PIPELINES_DIR": "", "RESTORE_FROM_DESTINATION": "", "DLT_INTERVAL_START": ""}
    env |= {"DESTINATION__DUCKDB__CREDENTIALS": "", "NORMALIZE__WORKERS": ""}
    done = run(*SOME, env=env)
    assert done.returncode == 0, done.stderr
    assert counts()["clients"] == server.account.counts()["clients"]


@pytest.mark.parametrize(
    "around", ['"{}"', "'{}'", "Bearer {}", ' "Bearer {}"\n', "{}\r\n", "“{}”"]
)
def test_what_is_pasted_around_a_token(server: Server, around: str) -> None:
    copy = Copy(
        server, access_token=around.format(server.token), account_id=f"'{server.account_id}' "
    )
    copy.check_read(copy.read("tasks"))


@pytest.mark.parametrize("inside", ["ab\ncd", "ab\u200bcd", "ab…cd", "ab cd"])
def test_what_cannot_be_in_a_header(server: Server, inside: str) -> None:
    message = one_sentence(run(*SOME, env=environment(server, ACCESS_TOKEN=inside)))
    assert "access_token has a character in it" in message
    assert "cd" not in message.replace("once more", "")
    assert server.requests == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'\xef\xbb\xbf[sources.harvest]\naccess_token = "x"\n', "byte order mark"),
        ('[sources.harvest]\naccess_token = "x"\n'.encode("utf-16"), "byte order mark"),
        ('[sources.harvest]\nuser_agent = "café"\n'.encode("latin-1"), "line 2 is not UTF-8"),
        (b"[sources.harvest]\naccess_token = x y\n", "line 2 is not TOML"),
    ],
)
@pytest.mark.parametrize(
    "name", ["secrets.toml", pytest.param("config.toml", marks=pytest.mark.long)]
)
def test_a_settings_file_that_cannot_be_read(
    server: Server, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / name).write_bytes(content)
    message = one_sentence(run(*SOME, env=environment(server)))
    assert str(tmp_path / ".dlt" / name) in message
    assert words in message
    assert "codec" not in message


def test_another_folder(tmp_path: Path) -> None:
    """As cron starts it: the sentence names where it looked, and nothing is left there."""
    (tmp_path / "crontab").mkdir()
    os.chdir(tmp_path / "crontab")
    env = {**os.environ, "HOME": str(tmp_path)}
    done = run(env=env)
    assert f"in {tmp_path}/crontab/.dlt or " in one_sentence(done)
    assert os.listdir() == []


def test_a_wrong_token_leaves_no_database(server: Server) -> None:
    run(env=environment(server, ACCESS_TOKEN="wrong"))
    assert not list(Path().glob("harvest.duckdb*"))


def test_a_dataset_named_like_its_file(server: Server) -> None:
    message = one_sentence(run("--dataset", "Harvest", env=environment(server)))
    assert "--dataset" in message
    assert [record.path for record in server.requests] == ["/users/me"]


# ---------------------------------------------------------------- streams and signals


def wait_for(happens: Callable[[], Any]) -> None:
    for _ in range(600):
        if happens():
            return
        time.sleep(0.1)
    raise AssertionError("it does not happen")


def shell(command: str, env: Dict[str, str]) -> "subprocess.CompletedProcess[str]":
    script = f"{sys.executable} {ROOT / 'harvest_pipeline.py'}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace("SCRIPT", script)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "streams",
    [
        "| head -1",
        *(
            pytest.param(closed, marks=pytest.mark.long)
            for closed in (">&- 2>&-", "2>&-", ">&-", "< /dev/null 2>&-", "> /dev/full")
        ),
    ],
)
def test_whatever_becomes_of_the_report(server: Server, streams: str) -> None:
    done = shell(f"SCRIPT {' '.join(SOME)} {streams}", environment(server))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Broken" not in done.stderr
    assert counts()["clients"] == server.account.counts()["clients"]
    # what comes to descriptor 2 is no part of a database
    with duckdb.connect("harvest.duckdb", read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM harvest_data.clients").fetchone()


@pytest.mark.long
def test_verify_says_what_it_found_whatever_becomes_of_the_report(server: Server) -> None:
    env = environment(server)
    assert run(*SOME, env=env).returncode == 0
    assert shell(f"SCRIPT verify {' '.join(SOME)} | head -1", env).returncode == 0
    server.account.delete("clients", server.account.rows("clients")[0]["id"])
    assert shell(f"SCRIPT verify {' '.join(SOME)} | head -1", env).returncode == 1


@pytest.mark.parametrize(
    ("path", "number", "code"),
    [
        pytest.param("/users/me", signal.SIGINT, 130, marks=pytest.mark.long),
        pytest.param("/clients", signal.SIGTERM, 143, marks=pytest.mark.long),
        ("/reports/time/team", signal.SIGINT, 130),
        pytest.param("/users/me", signal.SIGTERM, 143, marks=pytest.mark.long),
        pytest.param("/clients", signal.SIGINT, 130, marks=pytest.mark.long),
        pytest.param("/reports/time/team", signal.SIGTERM, 143, marks=pytest.mark.long),
    ],
)
def test_a_run_that_is_stopped(
    server: Server, number: signal.Signals, code: int, path: str
) -> None:
    """In the middle of a request, and of a wait of 15 minutes: at once, in one line."""
    if path.startswith("/reports"):
        fault = server.faults.add(path, "status", times=None, code=429, retry_after=900)
    else:
        fault = server.faults.add(path, "slow", times=None, seconds=3)
    command = [sys.executable, str(ROOT / "harvest_pipeline.py"), "--resources"]
    command.append("clients,tasks,time_team" if "reports" in path else "clients,tasks")
    with subprocess.Popen(
        command,
        env=environment(server),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as going:
        wait_for(lambda: fault.hits)
        time.sleep(0.5)
        going.send_signal(number)
        try:
            out, err = going.communicate(timeout=30)
        finally:
            going.kill()
    assert going.returncode == code, err
    assert out == ""
    (line,) = [line for line in err.splitlines() if "[WARNING]" not in line]
    assert line.startswith("stopped")
    server.faults.clear()
    assert run(*SOME, env=environment(server)).returncode == 0
    assert counts()["clients"] == server.account.counts()["clients"]


# ---------------------------------------------------------------- folders


@pytest.mark.skipif(
    not shutil.which("setpriv") or os.getuid() != 0, reason="only root can do as another"
)
@pytest.mark.parametrize(
    "trouble",
    [
        "folder",
        *(pytest.param(each, marks=pytest.mark.long) for each in ("database", "dlt", "lock")),
    ],
)
def test_what_another_user_has_left(server: Server, tmp_path: Path, trouble: str) -> None:
    """A user without a right to what another has left, be it a folder or a file."""
    env, nobody = environment(server), 65534
    if trouble != "folder":
        assert run(*SOME, env=env).returncode == 0
    others = {
        "folder": [tmp_path / "here"],
        "database": [tmp_path / "harvest.duckdb"],
        "dlt": [*(tmp_path / "dlt").rglob("*")],
        "lock": [tmp_path / "dlt" / "pipelines" / "harvest.lock"],
    }[trouble]
    if trouble == "folder":
        others[0].mkdir()
        os.chdir(others[0])
    for path in others:
        os.chown(path, nobody, nobody)
    # root, without the right to do what it likes
    command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", sys.executable]
    done = subprocess.run(
        [*command, str(ROOT / "harvest_pipeline.py"), *SOME],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    (line,) = done.stderr.splitlines()
    assert str(tmp_path) in line
    assert "Permission" not in line
    assert "another run" not in line.lower()


def test_a_lock_that_is_something_else(server: Server, tmp_path: Path) -> None:
    (tmp_path / "dlt" / "pipelines").mkdir(parents=True)
    (tmp_path / "dlt" / "pipelines" / "harvest.lock").write_text("This is no database.")
    message = one_sentence(run(*SOME, env=environment(server)))
    assert "harvest.lock" in message
    assert "delete it" in message


# ---------------------------------------------------------------- two machines


@pytest.fixture(params=["duckdb", "postgres", "filesystem"])
def shared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A destination that two machines share."""
    if request.param == "postgres":
        # a database of the test's own
        address = request.getfixturevalue("own_postgres")
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", address)
    if request.param == "filesystem":
        monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(tmp_path / "lake"))
        monkeypatch.setenv("SOURCES__HARVEST__TABLE_FORMAT", "delta")
    return str(request.param)


@pytest.fixture
def own_postgres(postgres: str) -> Iterator[str]:
    name = f"own_{uuid.uuid4().hex[:8]}"
    with closing(psycopg2.connect(postgres)) as owner:
        owner.autocommit = True
        owner.cursor().execute(f"CREATE DATABASE {name}")
        yield postgres.replace("/postgres?", f"/{name}?")
        owner.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")


STREAMS = ("clients", "invoices", "invoice_payments", "time_team", "time_entries", "roles")


def on_machine(
    number: int, server: Server, destination: str, monkeypatch: pytest.MonkeyPatch, **how: Any
) -> Run:
    """A run with a working directory of its own, as on another machine."""
    monkeypatch.setenv("DLT_DATA_DIR", str(Path(f"machine{number}").absolute()))
    settings = {**Copy(server).settings, "report_lookback_days": 10_000}
    return Run(*STREAMS, destination=destination, **settings, **how)


@in_batches
@pytest.mark.parametrize("full_refresh", [False, True])
@pytest.mark.long
def test_two_machines_at_once(
    server: Server,
    shared: str,
    full_refresh: bool,
    batch: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second says so and stops, or both end right: nothing is there twice."""
    if full_refresh:
        code, said = on_machine(1, server, shared, monkeypatch).end()
        assert code == 0, said
    runs = [
        on_machine(number, server, shared, monkeypatch, full_refresh=full_refresh)
        for number in (1, 2)
    ]
    ends = [each.end() for each in runs]
    assert 0 in (ends[0][0], ends[1][0]), ends
    for code, said in ends:
        assert code == 0 or said.startswith("Another run of this pipeline is under way"), said
    if shared == "filesystem":
        for stream in set(STREAMS) - {"time_team"}:
            rows = DeltaTable(f"lake/harvest_data/{stream}").to_pyarrow_table(columns=["id"])
            assert len(rows) == len({*rows["id"].to_pylist()}), stream
            assert len(rows) == server.account.counts()[stream], stream
        return
    copy = Copy(server, shared, dataset="harvest_data")
    copy.pipeline.sync_destination()
    copy.check(*STREAMS)


@pytest.mark.long
def test_a_lock_of_postgres_ends_with_its_owner(
    server: Server, own_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", own_postgres)
    fault = server.faults.add("/clients", "slow", times=1, seconds=20)
    first = on_machine(1, server, "postgres", monkeypatch)
    wait_for(lambda: fault.hits)
    # idle for long, while Harvest is slow
    code, said = on_machine(2, server, "postgres", monkeypatch).end()
    assert code == 1
    assert said.startswith("Another run of this pipeline is under way")
    first.kill()
    first.end()
    code, said = on_machine(2, server, "postgres", monkeypatch).end()
    assert code == 0, said


def taken(lock: Any) -> bool:
    """Whether another has a lock."""
    with suppress(HarvestError), lock:
        return False
    return True


def test_a_lock_in_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    files = MemoryFileSystem()
    place = f"/{uuid.uuid4().hex}/harvest_data.lock"
    for _ in range(2):
        with bucket_lock(files, place):
            assert taken(bucket_lock(files, place))
    # who died renews nothing
    monkeypatch.setattr(locks, "LEASE", 0.5)
    dead = bucket_lock(files, place)
    monkeypatch.setattr(locks, "_renew", lambda *_: None)
    dead.__enter__()
    assert taken(bucket_lock(files, place))
    time.sleep(0.6)
    with bucket_lock(files, place):
        assert len(files.ls(place)) == 1


def test_one_of_many_gets_a_lock_in_a_bucket() -> None:
    files = MemoryFileSystem()
    place = f"/{uuid.uuid4().hex}/harvest_data.lock"
    inside: List[int] = []
    ended = threading.Barrier(8)

    def take(number: int) -> None:
        try:
            with bucket_lock(files, place):
                inside.append(number)
                ended.wait(10)
        except HarvestError:
            ended.wait(10)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(inside) == 1


def test_a_lock_file(tmp_path: Path) -> None:
    with file_lock(tmp_path / "a" / "lock"):
        assert taken(file_lock(tmp_path / "a" / "lock"))
    assert not taken(file_lock(tmp_path / "a" / "lock"))


# ---------------------------------------------------------------- PostgreSQL


def statement(address: str, *statements: str) -> None:
    with closing(psycopg2.connect(address)) as connection:
        connection.autocommit = True
        for each in statements:
            connection.cursor().execute(each)


@pytest.mark.long
def test_a_role_that_may_not_create_schemas(server: Server, own_postgres: str) -> None:
    role = f"loader_{uuid.uuid4().hex[:8]}"
    database = own_postgres.split("?")[0].rpartition("/")[2]
    statement(
        own_postgres,
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
        f"REVOKE CREATE ON DATABASE {database} FROM PUBLIC, {role}",
    )
    address = own_postgres.replace("postgres:x@", f"{role}:x@")
    env = {**environment(server), "DESTINATION__POSTGRES__CREDENTIALS": address}
    arguments = ("--destination", "postgres", *SOME)
    done = run(*arguments, env=env)
    message = one_sentence(done)
    assert "harvest_data and harvest_data_staging" in message
    assert role in message
    assert [record.path for record in server.requests] == ["/users/me"]
    # as the sentence says
    for schema in ("harvest_data", "harvest_data_staging"):
        statement(own_postgres, f'CREATE SCHEMA "{schema}"')
    assert "GRANT USAGE, CREATE ON SCHEMA" in one_sentence(run(*arguments, env=env))
    for schema in ("harvest_data", "harvest_data_staging"):
        statement(own_postgres, f'GRANT USAGE, CREATE ON SCHEMA "{schema}" TO "{role}"')
    done = run(*arguments, env=env)
    assert done.returncode == 0, done.stderr
    statement(own_postgres, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_an_encoding_that_cannot_hold_everything(
    server: Server, postgres: str, encoding: str
) -> None:
    name = f"old_{uuid.uuid4().hex[:8]}"
    statement(
        postgres,
        f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
        " TEMPLATE template0",
    )
    address = postgres.replace("/postgres?", f"/{name}?")
    env = {**environment(server), "DESTINATION__POSTGRES__CREDENTIALS": address}
    message = one_sentence(run("--destination", "postgres", env=env))
    assert encoding in message
    assert "UTF8" in message
    assert [record.path for record in server.requests] == ["/users/me"]
    statement(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("postgres:x@", "nobody:x@"), "user name or password"),
        (("/postgres?", "/nothing?"), "nothing"),
        (("host=", "host=/nowhere"), "cannot be reached"),
    ],
)
def test_a_database_that_lets_nobody_in(
    server: Server, postgres: str, change: Tuple[str, str], words: str
) -> None:
    env = {**environment(server), "DESTINATION__POSTGRES__CREDENTIALS": postgres.replace(*change)}
    message = one_sentence(run("--destination", "postgres", *SOME, env=env))
    assert words in message
    assert "FATAL" not in message


def test_credentials_of_the_destination_are_missing(server: Server) -> None:
    message = one_sentence(run("--destination", "postgres", *SOME, env=environment(server)))
    assert "DESTINATION__POSTGRES__CREDENTIALS" in message
    assert ".dlt/secrets.toml" in message


# ---------------------------------------------------------------- the command line


def test_the_version() -> None:
    done = run("--version", env=dict(os.environ))
    assert done.returncode == 0
    assert done.stdout.startswith("harvest 0.")
    assert "dlt 1." in done.stdout


def test_deep(server: Server) -> None:
    env = environment(server)
    arguments = ("--resources", "clients,invoices,invoice_payments,time_entries,time_team")
    Copy(server).begin(*arguments[1].split(","), healed=True)
    found = json.loads(run("--dry-run", "--deep", "--json", *arguments, env=env).stdout)
    planned = sum(each["requests"] for each in found["deep"])
    done = run("verify", "--deep", "--json", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["equal"]
    assert {each["outcome"] for each in result["streams"]} == {"equal"}
    assert result["requests"] == planned
    # a change that only each row of each stream betrays
    with duckdb.connect("harvest.duckdb") as connection:
        connection.execute("UPDATE harvest_data.invoice_payments SET amount = amount + 1")
    done = run("--deep", *arguments, env=env)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^invoice_payments .*different", done.stdout, re.M), done.stdout


def test_a_lake_that_two_change_at_once() -> None:
    error = duckdb.TransactionException(
        "Failed to commit DuckLake transaction. Exceeded the maximum"
    )
    assert explain(error) == "Another program changed the lake at the same moment: run again."


def test_too_little_memory(server: Server) -> None:
    name = "DESTINATION__DUCKDB__CREDENTIALS__GLOBAL_CONFIG"
    env = {**environment(server), name: '{"memory_limit": "9MB"}'}
    done = run("--resources", "time_entries,projects", env=env)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "error: DuckDB has too little memory: give it more by"
        f""" {name}='{{"memory_limit": "1GB"}}' in the environment."""
    )


def test_what_is_unexpected_is_told_without_its_words() -> None:
    message = explain(ValueError("a 'codec' said something"))
    assert message.startswith("Unexpected ValueError. Run again with -v for the traceback, and")
    assert "report it: https://" in message
    assert "codec" not in message


def test_loading_from_python(server: Server) -> None:
    source = harvest_source(**Copy(server).settings).with_resources("clients")
    loaded = load(source)
    assert loaded.rows["clients"] == server.account.counts()["clients"]
    assert loaded.compared
    assert loaded.compared.equal


def test_accounts_of_another_size(server: Server) -> None:
    """What a run asks is the same whoever counts."""
    with Server(Account.generate(seed=8, time_entries=60, years=0.5), limits=False) as other:
        source = harvest_source(**Copy(other).settings).with_resources("clients")
        loaded = load(source)
        requests = loaded.requests + (loaded.compared.requests if loaded.compared else 0)
        assert requests == len(other.requests)


def test_the_place_in_bigquery(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROJECT_ID", "CLIENT_EMAIL", "PRIVATE_KEY"):
        monkeypatch.setenv(f"DESTINATION__BIGQUERY__CREDENTIALS__{name}", name.lower())
    pipeline = dlt.pipeline("place", destination="bigquery", dataset_name="agency")
    assert place(pipeline) == "agency (BigQuery project project_id)"
