"""Loads Harvest into PostgreSQL every hour, with Dagster: one asset for each stream.

How to use it:

1. `pip install -r requirements-dagster.txt`
2. Put this file beside the folder `harvest/`.
3. Put the secrets into the environment, or into `.dlt/secrets.toml` in the folder where you start
   Dagster:

       SOURCES__HARVEST__ACCESS_TOKEN=...   from https://id.getharvest.com/developers
       DESTINATION__POSTGRES__CREDENTIALS=postgresql://user:password@host:5432/database

4. `dagster dev -f dagster_assets.py`, and switch the schedule on. Materialize some assets, and only
   these streams are read.

For two runs never to overlap, give the pool `harvest` a limit of 1, in Dagster's settings of
concurrency or with `dagster instance concurrency set harvest 1`.
"""

import dlt
from dagster import AssetExecutionContext, AssetSpec, Definitions, ScheduleDefinition
from dagster_dlt import DagsterDltResource, DagsterDltTranslator, dlt_assets
from dagster_dlt.translator import DltResourceTranslatorData

from harvest import harvest_source
from harvest.settings import STREAMS


class Tables(DagsterDltTranslator):
    """Names each asset as its table, and hangs it below the one it is read for."""

    def get_asset_spec(self, data: DltResourceTranslatorData) -> AssetSpec:
        stream = STREAMS[data.resource.name]
        return (
            super()
            .get_asset_spec(data)
            .replace_attributes(
                key=["harvest", stream.name],
                deps=[["harvest", stream.parent]] if stream.parent else [],
                description=f"{stream.path} of Harvest's API",
            )
        )


@dlt_assets(
    # makes no request yet, and needs no secrets
    dlt_source=harvest_source(),
    dlt_pipeline=dlt.pipeline("harvest", destination="postgres", dataset_name="harvest_data"),
    name="harvest",
    group_name="harvest",
    dagster_dlt_translator=Tables(),
    pool="harvest",
)
def harvest_assets(context: AssetExecutionContext, dlt: DagsterDltResource):
    yield from dlt.run(context=context)


definitions = Definitions(
    assets=[harvest_assets],
    schedules=[
        ScheduleDefinition(name="hourly", cron_schedule="17 * * * *", target=[harvest_assets])
    ],
    resources={"dlt": DagsterDltResource()},
)
