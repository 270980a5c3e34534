"""A long list that changes all the time is read twice: more readings would take minutes."""

from typing import Any, Set

import pytest
from dlt.common.configuration.specs import RuntimeConfiguration
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth

from harvest.api.client import HarvestClient
from harvest.api.pagination import REREADS, pages
from harvest.api.rate_limit import RateLimit
from harvest.api.running import run
from harvest.exceptions import UnsteadyList
from harvest.settings import STREAMS
from sandbox import Server
from tests.helpers import long_account


@pytest.mark.parametrize(("page_size", "readings"), [(2, 2), (100, REREADS + 1)])
def test_a_list_that_changes_all_the_time(page_size: int, readings: int) -> None:
    account = long_account("expenses")
    found: Set[int] = set()
    with Server(account, limits=False, page_size=page_size) as server:

        def delete(record: Any) -> None:
            if record.query.get("page") == "2":
                account.delete("expenses", account.rows("expenses")[0]["id"])

        server.before("/expenses", delete, times=None)
        limit = RateLimit("api", 10**6, 15)
        client = HarvestClient(
            BearerTokenAuth(token=server.token),
            server.account_id,
            server.base_url,
            server.id_url,
            "test",
            (limit, limit),
            RuntimeConfiguration(),
        )

        async def read() -> None:
            async for page in pages(client, STREAMS["expenses"]):
                found.update(row["id"] for row in page.rows)

        with pytest.raises(UnsteadyList, match=f"changed each of the {readings} times"):
            run(read())
        first = [each for each in server.requests if each.query.get("page", "1") == "1"]
        assert len(first) == readings
        # all that is there was met in one of the readings
        assert found >= {row["id"] for row in account.rows("expenses")}
