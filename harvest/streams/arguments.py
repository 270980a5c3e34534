"""The arguments of the source: what they may be, and what is made of them."""

from dataclasses import dataclass
from typing import Any, Optional, Sequence
from urllib.parse import urlsplit

import dlt
from dlt.common.time import ensure_pendulum_datetime

from ..api.auth import sign_in
from ..api.client import HarvestClient
from ..api.credentials import clean
from ..api.rate_limit import shared_limit
from ..api.session import Session
from ..exceptions import HarvestError
from .account import Account
from .due import utc
from .lists import INTERVAL

SIGN_IN = ("access_token", "client_id", "client_secret", "refresh_token")


@dataclass(frozen=True)
class Settings:
    """The arguments of `harvest_source`, where they are explained."""

    access_token: Optional[str]
    client_id: Optional[str]
    client_secret: Optional[str]
    refresh_token: Optional[str]
    account_id: Optional[str]
    start_date: Optional[str]
    end_date: Optional[str]
    report_period: str
    report_lookback_days: int
    include_fixed_fee: Optional[bool]
    substream_refresh_hours: float
    on_forbidden: str
    table_format: Optional[str]
    user_agent: str
    base_url: str
    id_url: str
    rate_limit: int
    rate_window: float
    report_rate_limit: int
    report_rate_window: float


def account_from(given: Settings) -> Account:
    """Return the account of a source.

    Args:
        given (Settings): The arguments of `harvest_source`.

    Raises:
        HarvestError: An argument makes no sense.
    """
    table_format = _filled(given.table_format)
    _one_of("report_period", given.report_period, ("year", "quarter", "month"))
    _one_of("on_forbidden", given.on_forbidden, ("skip", "raise"))
    _one_of("table_format", table_format or "delta", ("delta",))
    for name in (
        "rate_limit",
        "rate_window",
        "report_rate_limit",
        "report_rate_window",
    ):
        if (value := getattr(given, name)) <= 0:
            raise HarvestError(f"{name} is {value}, but must be more than 0.")
    for name in ("report_lookback_days", "substream_refresh_hours"):
        if (value := getattr(given, name)) < 0:
            raise HarvestError(f"{name} is {value}, but must not be less than 0.")
    start = _filled(given.start_date)
    return Account(
        client=_client(given),
        start_date=_moment("start_date", start),
        end_date=_last_day(start, _filled(given.end_date)),
        report_period=given.report_period,
        report_lookback_days=given.report_lookback_days,
        substream_refresh_hours=given.substream_refresh_hours,
        include_fixed_fee=given.include_fixed_fee,
        on_forbidden=given.on_forbidden,
        delta=table_format == "delta",
    )


def _client(given: Settings) -> HarvestClient:
    token, client_id, secret, refresh_token, account_id = (
        clean(_filled(getattr(given, name)) or "", name) or None
        for name in (*SIGN_IN, "account_id")
    )
    owner = token or f"{client_id} {refresh_token}"
    settings = dlt.current.run_context().runtime_config
    id_url = _url("id_url", given.id_url)
    token_url = f"{id_url}/oauth2/token"
    session = Session(given.user_agent, settings.request_timeout)
    return HarvestClient(
        auth=sign_in(token, client_id, secret, refresh_token, token_url, session),
        account_id=account_id,
        base_url=_url("base_url", given.base_url),
        id_url=id_url,
        user_agent=given.user_agent,
        rate_limits=(
            shared_limit(owner, "api", given.rate_limit, given.rate_window),
            shared_limit(
                owner, "reports", given.report_rate_limit, given.report_rate_window
            ),
        ),
        settings=settings,
    )


def _filled(value: Any) -> Optional[str]:
    """Return the setting, or None if it is empty or still the placeholder of dlt."""
    return None if not value or value == "<configure me>" else str(value)


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise HarvestError(
            f"{name} is '{value}', but must be one of: {', '.join(allowed)}."
        )


def _url(name: str, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    ):
        raise HarvestError(
            f"{name} is '{url}', but must begin with https://, so that nobody can"
            " overhear the access token (http:// is allowed for this machine only)."
        )
    return url.rstrip("/")


def _moment(name: str, value: Optional[str]) -> Optional[str]:
    if value is None:
        return None
    try:
        return utc(ensure_pendulum_datetime(value))
    except (ValueError, TypeError):
        raise HarvestError(
            f"{name} is '{value}', but must be a date such as 2024-01-31."
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
        raise HarvestError(
            f"end_date is {end_date}, but start_date, {start_date}, is later."
        )
    return end[:10]
