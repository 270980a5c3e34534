"""A list that never stands still does not end the run, and is read again."""

from typing import Any, Dict, List

import pytest

from sandbox import Server
from tests.copy import Copy
from tests.helpers import long_account, long_server


def delete_while_it_is_read(server: Server, stream: str, path: str) -> List[int]:
    """Deletes a row each time that a second page is asked for."""
    deleted: List[int] = []

    def delete(record: Any) -> None:
        with server.account.lock:
            if {"page", "cursor"} & record.query.keys():
                deleted.append(server.account.rows(stream)[0]["id"])
                server.account.delete(stream, deleted[-1])

    server.before(path, delete, times=None)
    return deleted


def state_of(copy: Copy, stream: str) -> Dict[str, Any]:
    found: Dict[str, Any] = copy.pipeline.state["sources"]["harvest"]["resources"][stream]
    return found


@pytest.mark.parametrize("stream", ["expenses", "invoices"])
def test_what_was_read_is_loaded(stream: str, said: pytest.LogCaptureFixture) -> None:
    account = long_account(stream)
    with long_server(account) as server:
        copy = Copy(server)
        deleted = delete_while_it_is_read(server, stream, f"/{stream}")
        copy.run(stream, "clients")
        assert len(deleted) > 5
        assert "the next run reads it again" in said.text
        copy.check("clients")
        loaded = {row["id"] for row in copy.table(stream)}
        assert loaded >= {row["id"] for row in account.rows(stream)}
        assert state_of(copy, stream)["unproven"] is True
        assert state_of(copy, stream)["unfinished"] is None
        server.forget_before()
        copy.run(stream, "clients")
        assert not {"unproven", "unfinished"} & state_of(copy, stream).keys()
        assert state_of(copy, stream)["incremental"]["updated_at"]["last_value"]
        assert {row["id"] for row in copy.table(stream)} == loaded
