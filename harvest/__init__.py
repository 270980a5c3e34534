"""Loads Harvest (https://www.getharvest.com): time, projects, people, invoices."""

from typing import Iterator, Optional

import dlt
from dlt.common.typing import TSecretStrValue
from dlt.extract import DltResource

from .exceptions import HarvestError
from .settings import BASE_URL, ID_URL, STREAMS, USER_AGENT
from .streams.arguments import Settings, account_from
from .streams.dlt_internals import named_source
from .streams.resources import feeding_resources, resource_of
from .streams.tables import declare_tables

__all__ = ["HarvestError", "harvest_source"]


@named_source("harvest")
def harvest_source(
    access_token: Optional[TSecretStrValue] = None,
    client_id: Optional[str] = None,
    client_secret: Optional[TSecretStrValue] = None,
    refresh_token: Optional[TSecretStrValue] = None,
    account_id: Optional[str] = None,
    start_date: Optional[str] = None,
    end_date: Optional[str] = None,
    report_period: str = "year",
    report_lookback_days: int = 90,
    include_fixed_fee: Optional[bool] = None,
    substream_refresh_hours: float = 24,
    on_forbidden: str = "skip",
    table_format: Optional[str] = None,
    user_agent: str = USER_AGENT,
    base_url: str = BASE_URL,
    id_url: str = ID_URL,
    rate_limit: int = 100,
    rate_window: float = 15,
    report_rate_limit: int = 100,
    report_rate_window: float = 900,
) -> Iterator[DltResource]:
    """Load a Harvest account (API v2, https://help.getharvest.com/api-v2/).

    Every argument can be set in `.dlt/config.toml` or `.dlt/secrets.toml` under
    `[sources.harvest]`, or in the environment as `SOURCES__HARVEST__NAME`. Declaring
    the source makes no request.

    Args:
        access_token (Optional[str]): Personal access token, from
            https://id.getharvest.com/developers.
        client_id (Optional[str]): With `client_secret` and `refresh_token`, sign-in by
            OAuth2 instead of `access_token`.
        client_secret (Optional[str]): Secret of the OAuth2 application.
        refresh_token (Optional[str]): Refresh token that the application was granted.
        account_id (Optional[str]): Id of the account. Without it, the only Harvest
            account of the token is taken.
        start_date (Optional[str]): Date or date-time in UTC. Of time entries, expenses,
            invoices, estimates and paid time off, the first run reads what was updated
            since then, and reports begin with its window. Default: everything. Clients,
            projects, people and the like are always read whole.
        end_date (Optional[str]): Makes it a backfill: only the time entries and
            expenses with a `spent_date` from `start_date` to this day, both included,
            whatever other runs have read or will. `interval` takes the days of an
            orchestrator's interval: Airflow's data interval, or DLT_INTERVAL_START and
            DLT_INTERVAL_END in the environment.
        report_period (str): Length of the windows in which reports are read: `year`,
            `quarter` or `month` of the calendar.
        report_lookback_days (int): Each run reads a window again until so many days
            after its end.
        include_fixed_fee (Optional[bool]): Whether reports count the fees of fixed-fee
            projects. Left out, Harvest decides: the time reports do not, and
            `uninvoiced` does. With True or False, both are asked for the same.
        substream_refresh_hours (float): Each run reads what is below new and changed
            invoices, estimates and users, and what is below all of them after so many
            hours; 0 means in each run.
        on_forbidden (str): What to do about a stream that the token's owner may not
            read: `skip` goes on without it and leaves its table as it was, `raise`
            gives up.
        table_format (Optional[str]): `delta` writes Delta Lake tables on a `filesystem`
            destination; left out, tables are as the destination makes them.
        user_agent (str): Name of the application and a contact, which Harvest demands.
        base_url (str): Where the API is.
        id_url (str): Where accounts and OAuth2 tokens are.
        rate_limit (int): Requests allowed in `rate_window`, reports aside.
        rate_window (float): Seconds.
        report_rate_limit (int): Requests of reports allowed in `report_rate_window`.
        report_rate_window (float): Seconds.

    Yields:
        DltResource: One for each stream of `settings.STREAMS`, by its name.

    Raises:
        HarvestError: An argument makes no sense. The message says which, and why.

    Examples:
        >>> pipeline = dlt.pipeline("harvest", destination="duckdb")
        >>> pipeline.run(harvest_source())
        >>> pipeline.run(harvest_source().with_resources("clients", "time_entries"))
        >>> pipeline.run(harvest_source(start_date="2024-01-01", end_date="2024-03-31"))
    """
    settings = Settings(
        access_token=access_token,
        client_id=client_id,
        client_secret=client_secret,
        refresh_token=refresh_token,
        account_id=account_id,
        start_date=start_date,
        end_date=end_date,
        report_period=report_period,
        report_lookback_days=report_lookback_days,
        include_fixed_fee=include_fixed_fee,
        substream_refresh_hours=substream_refresh_hours,
        on_forbidden=on_forbidden,
        table_format=table_format,
        user_agent=user_agent,
        base_url=base_url,
        id_url=id_url,
        rate_limit=rate_limit,
        rate_window=rate_window,
        report_rate_limit=report_rate_limit,
        report_rate_window=report_rate_window,
    )
    account = account_from(settings)
    declare_tables(dlt.current.source_schema())
    feeding = feeding_resources(account)
    for stream in STREAMS.values():
        if stream.backfilled or not account.end_date:
            yield resource_of(account, stream, feeding)
