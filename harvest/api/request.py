"""One request for a page, and the attempts at it."""

import asyncio
from dataclasses import dataclass
from typing import Any, Mapping

from dlt.common import logger
from dlt.common.configuration.specs import RuntimeConfiguration

from ..exceptions import HarvestError
from ..settings import Stream
from .errors import TransientError
from .rate_limit import RateLimit

MOST_DELAYS = 12
"""A request is given up once it has waited for so many times dlt's
`request_max_retry_delay` in all: an hour, as that is 300 seconds by default."""


@dataclass(frozen=True)
class Request:
    """One request for a page.

    Attributes:
        stream (Stream): What is read.
        url (str): The address.
        params (Mapping[str, Any]): Query parameters.
        record (bool): It asks for one record by its id.
        of_record (bool): It asks for a record, or for what a record has, so that 404
            means that the record was deleted.
    """

    stream: Stream
    url: str
    params: Mapping[str, Any]
    record: bool = False
    of_record: bool = False


class Attempts:
    """The attempts at one request: how many failed, and how long they waited."""

    def __init__(self, request: Request, settings: RuntimeConfiguration) -> None:
        self._request = request
        self._settings = settings
        self._failed = 0
        self._counted = 0
        self._waited = 0.0

    async def wait(self, failure: TransientError, limit: RateLimit) -> None:
        """Wait until the next attempt.

        A rate limit that was reached holds all requests back, and is no attempt.

        Raises:
            HarvestError: There were enough.
        """
        most = self._settings.request_max_attempts
        self._counted += failure.counts
        backoff = self._settings.request_backoff_factor * 2 ** min(self._failed, 20)
        self._failed += 1
        longest = self._settings.request_max_retry_delay
        seconds = max(min(backoff, longest), failure.wait or 0)
        name, where = self._request.stream.name, self._request.url.split("?")[0]
        if self._counted >= most:
            raise HarvestError(
                f"{name}: {where} could not be read in {most} attempts: {failure}; run"
                " again later, and it goes on from the last good state."
            )
        if self._waited + seconds > MOST_DELAYS * longest:
            raise HarvestError(
                f"{name}: {failure}; {self._waited:,.0f} s were waited already, and it"
                f" would take {seconds:,.0f} s more: run again later."
            )
        self._waited += seconds
        logger.warning(f"{name}: {failure}; next attempt in {seconds:.0f} s")
        if failure.counts:
            await asyncio.sleep(seconds)
        else:
            limit.pause(seconds)
