"""`make models`: load a made-up Harvest account into DuckDB, run the models, show the answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

from sandbox import Account, Server
from sandbox.demo import DATABASE, HOME, environment, load

MODELS = Path(__file__).parent

ANSWERS = {
    "Are we making money? The last twelve months, by client (account's currency)": """
        select client_name, account_currency as currency,
            round(sum(revenue_account)) as revenue, round(sum(cost_account)) as cost,
            round(sum(profit_account)) as profit
        from project_profitability
        where month > (select max(month) from project_profitability) - interval 12 month
        group by client_name, account_currency
        having count(*) = count(profit_account)
        order by profit desc limit 5""",
    "Who has room? The last four whole weeks": """
        select person_name, round(sum(hours), 1) as hours,
            round(sum(net_capacity_hours), 1) as net_capacity,
            round(100 * sum(hours) / nullif(sum(net_capacity_hours), 0)) as percent
        from utilization
        where is_complete and week_start >= (
            select max(week_start) from utilization where is_complete) - interval 21 day
        group by person_name order by percent limit 5""",
    "What has to be billed? Work and expenses on no invoice, by age in days": """
        select currency, round(sum(amount_0_to_30)) as "0 to 30",
            round(sum(amount_31_to_60)) as "31 to 60", round(sum(amount_61_to_90)) as "61 to 90",
            round(sum(amount_more_than_90)) as "more", round(sum(uninvoiced_fee)) as "fixed fees"
        from work_in_progress group by currency order by currency""",
    "Who owes us? Open invoices, by days after the due date": """
        select currency, bucket, count(*) as invoices, round(sum(due_amount)) as due
        from receivables where state = 'open' group by currency, bucket order by all""",
}


def main() -> int:
    """Run it all.

    Returns:
        int: Exit code.
    """
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir()
    with Server(Account.generate(), limits=False) as server:
        load(server)
        env = environment(server)
        verify(env)
    if code := build(DATABASE, env):
        return code
    with duckdb.connect(str(DATABASE), read_only=True) as connection:
        connection.sql("use harvest_models")
        for question, sql in ANSWERS.items():
            print(f"\n{question}")
            connection.sql(sql).show()
    print(
        f"All answers are in {os.path.relpath(DATABASE)}, in the schema harvest_models."
        " models/README.md says what they mean."
    )
    return 0


def verify(env: dict[str, str]) -> None:
    """Compare what was loaded with the sandbox, and keep the outcome for the app.

    Args:
        env (dict[str, str]): The environment of the script.
    """
    command = [sys.executable, str(MODELS.parent / "harvest_pipeline.py"), "verify", "--json"]
    with (HOME / "verify.json").open("w", encoding="utf-8") as file:
        subprocess.run(command, env=env, cwd=HOME, stdout=file, check=False)


def build(database: Path, env: dict[str, str]) -> int:
    """Run and test all models on a DuckDB file.

    Args:
        database (Path): The file, which the source has loaded.
        env (dict[str, str]): The environment of dbt.

    Returns:
        int: Exit code of dbt.
    """
    print("\n$ dbt build", flush=True)
    dbt = str(Path(sys.executable).with_name("dbt"))
    # without the tests of the source's own tables, which take most of the time
    left_out = [f"test_name:harvest_{kind}" for kind in ("unique", "not_null", "relationships")]
    command = [dbt, "build", "--quiet", "--threads", "4", "--exclude", *left_out]
    command += ["--exclude-resource-type", "unit_test"]
    folders = {
        "HARVEST_DUCKDB": str(database),
        "DBT_TARGET_PATH": str(HOME / "target"),
        "DBT_LOG_PATH": str(HOME / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    done = subprocess.run(
        [*command, "--project-dir", str(MODELS), "--profiles-dir", str(MODELS)],
        env={**env, **folders},
        check=False,
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
