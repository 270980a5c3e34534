"""Loads Harvest (https://www.getharvest.com): time, projects, people, expenses, invoices."""

from typing import Iterator, Optional, Sequence
from urllib.parse import urlsplit

import dlt
from dlt.common.time import ensure_pendulum_datetime
from dlt.common.typing import TSecretStrValue
from dlt.extract import DltResource

from . import delta
from .account import Account
from .client import HarvestClient, HarvestError, Lane, Token
from .columnar import ToTable
from .resources import (
    DATED,
    INTERVAL,
    child_resource,
    list_resource,
    parent_listing,
    parent_resource,
    range_resource,
    report_resource,
    whole_resource,
)
from .settings import BASE_URL, ID_URL, STREAMS, USER_AGENT

__all__ = ["HarvestError", "harvest_source"]


@dlt.source(name="harvest")
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
    """A Harvest account (API v2, https://help.getharvest.com/api-v2/): 33 resources, one a table.

    Every argument can be set in `.dlt/config.toml` or `.dlt/secrets.toml` under
    `[sources.harvest]`, or in the environment as `SOURCES__HARVEST__NAME`. Declaring the source
    makes no request.

    Args:
        access_token (Optional[str]): Personal access token, from
            https://id.getharvest.com/developers.
        client_id (Optional[str]): With `client_secret` and `refresh_token`, sign-in by OAuth2
            instead of `access_token`.
        client_secret (Optional[str]): Secret of the OAuth2 application.
        refresh_token (Optional[str]): Refresh token that the OAuth2 application was granted.
        account_id (Optional[str]): Id of the account. Left out, Harvest is asked which accounts
            the token has, and the only one is taken.
        start_date (Optional[str]): Date or date-time in UTC: rows updated since then are read by
            the first run, and reports begin with its window. Default: everything.
        end_date (Optional[str]): Makes it a backfill: only the time entries and expenses with a
            `spent_date` from `start_date` to this day, both included, whatever other runs have
            read or will. `interval` takes the days of an orchestrator's interval: Airflow's data
            interval, or DLT_INTERVAL_START and DLT_INTERVAL_END in the environment.
        report_period (str): Length of the windows in which reports are read: `year`, `quarter`
            or `month` of the calendar.
        report_lookback_days (int): A window is read again by each run until so many days after
            its end.
        substream_refresh_hours (float): The streams below invoices, estimates and users are read
            for new and changed parents by each run, and for all of them after so many hours; 0
            means by each run.
        on_forbidden (str): What to do about a stream that the token's owner may not read: `skip`
            goes on without it and leaves its table as it was, `raise` gives up.
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
        HarvestError: An argument makes no sense, with a sentence that says which and why.

    Examples:
        >>> pipeline = dlt.pipeline("harvest", destination="duckdb", dataset_name="harvest_data")
        >>> pipeline.run(harvest_source())
        >>> pipeline.run(harvest_source().with_resources("clients", "projects", "time_entries"))
        >>> pipeline.run(harvest_source(start_date="2024-01-01", end_date="2024-03-31"))
    """
    _check("report_period", report_period, ("year", "quarter", "month"))
    _check("on_forbidden", on_forbidden, ("skip", "raise"))
    _check("table_format", table_format or "delta", ("delta",))
    for name, value in (
        ("rate_limit", rate_limit),
        ("rate_window", rate_window),
        ("report_rate_limit", report_rate_limit),
        ("report_rate_window", report_rate_window),
    ):
        if value <= 0:
            raise HarvestError(f"{name} is {value}, but has to be more than 0.")
    token = Token(
        _filled(access_token),
        _filled(client_id),
        _filled(client_secret),
        _filled(refresh_token),
        f"{_url('id_url', id_url)}/oauth2/token",
    )
    account = Account(
        client=HarvestClient(
            token=token,
            account_id=_filled(account_id),
            base_url=_url("base_url", base_url),
            id_url=_url("id_url", id_url),
            user_agent=user_agent,
            api=Lane.of(token.owner, "api", rate_limit, rate_window, workers=8),
            reports=Lane.of(
                token.owner, "reports", report_rate_limit, report_rate_window, workers=4
            ),
            runtime=dlt.current.run_context().runtime_config,
        ),
        start_date=_moment("start_date", _filled(start_date)),
        report_period=report_period,
        report_lookback_days=report_lookback_days,
        substream_refresh_hours=substream_refresh_hours,
        on_forbidden=on_forbidden,
        table_format=table_format,
        end_date=_last_day(_filled(start_date), _filled(end_date)),
    )
    parents = {
        stream.parent: STREAMS[stream.parent] for stream in STREAMS.values() if stream.parent
    }
    listings = {name: parent_listing(account, parent) for name, parent in parents.items()}

    for stream in STREAMS.values():
        if account.end_date:
            if stream.name not in DATED:
                continue
            resource = range_resource(account, stream)
        elif stream.kind == "whole":
            resource = whole_resource(account, stream)
        elif stream.kind == "report":
            resource = report_resource(account, stream)
        elif stream.kind == "child":
            resource = child_resource(account, stream, listings[stream.parent])
        elif stream.name in listings:
            resource = parent_resource(account, stream, listings[stream.name])
        else:
            resource = list_resource(account, stream)
        resource.add_step(ToTable(stream, account, arrow=stream.kind == "list"))
        yield delta.adapt(stream, resource) if account.delta else resource


def _filled(value: Optional[str]) -> Optional[str]:
    """The setting, or None where it is empty or still the placeholder that dlt writes."""
    return None if not value or value == "<configure me>" else str(value)


def _check(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise HarvestError(f"{name} is '{value}', but has to be one of: {', '.join(allowed)}.")


def _url(name: str, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    ):
        raise HarvestError(
            f"{name} is '{url}', but has to begin with https://, so that the access token cannot be"
            " overheard (http:// is allowed for this machine only)."
        )
    return url.rstrip("/")


def _moment(name: str, value: Optional[str]) -> Optional[str]:
    if value is None:
        return None
    try:
        # strftime leaves the zeros out of the year 0203
        return f"{ensure_pendulum_datetime(value).isoformat()[:19]}Z"
    except (ValueError, TypeError):
        raise HarvestError(
            f"{name} is '{value}', but has to be a date such as 2024-01-31."
        ) from None


def _last_day(start_date: Optional[str], end_date: Optional[str]) -> Optional[str]:
    if end_date in (None, INTERVAL):
        return end_date
    start, end = _moment("start_date", start_date), _moment("end_date", end_date)
    if not start or not end:
        raise HarvestError(
            f"end_date is {end_date}, but start_date is missing: a backfill takes both."
        )
    if end[:10] < start[:10]:
        raise HarvestError(f"end_date is {end_date}, but start_date, {start_date}, is later.")
    return end[:10]
