"""Loads Harvest into PostgreSQL every hour, with Airflow 3.

How to use it:

1. Where Airflow runs its tasks: `pip install -r requirements-airflow.txt`.
2. Put this file, `harvest_pipeline.py` and the folder `harvest/` into the DAGs folder.
3. Put the secrets into the environment of Airflow's tasks, or both into one Airflow Variable with
   the name `dlt_secrets_toml`, which dlt reads, in the form of `.dlt/secrets.toml`:

       SOURCES__HARVEST__ACCESS_TOKEN=...   from https://id.getharvest.com/developers
       DESTINATION__POSTGRES__CREDENTIALS=postgresql://user:password@host:5432/database

An hour that was missed needs no backfill: each run goes on from where the last good one ended, and
the destination holds where that was, so that any worker can take any run. To read everything again:
`airflow dags trigger harvest --conf '{"full_refresh": true}'`.
"""

from datetime import datetime, timedelta
from typing import Any, Dict

from airflow.sdk import dag, task


@dag(
    schedule="@hourly",
    start_date=datetime(2024, 1, 1),
    catchup=False,
    # a run that is still going is not joined by the next one, which waits
    max_active_runs=1,
    params={"full_refresh": False},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
)
def harvest() -> None:
    # one task for all streams: they share Harvest's rate limits and the lists of parents
    @task
    def load(params: Dict[str, Any]) -> None:
        # imported here, as Airflow reads this file again and again without running the task
        import harvest_pipeline
        from harvest.cli.commands import load as load_harvest
        from harvest.cli.output import report

        loaded = load_harvest(
            harvest_pipeline.source(),
            harvest_pipeline.pipeline,
            destination="postgres",
            full_refresh=params["full_refresh"],
        )
        report(loaded)

    load()


harvest()
