"""The holidays of a calendar, of which Harvest may embed a part only."""

import pytest

from sandbox import Server
from tests.copy import Copy
from tests.helpers import check

STREAM = "pto_holiday_calendars"


def test_a_list_that_is_cut_off_is_read_whole(server: Server) -> None:
    calendar = server.account.add(STREAM)
    assert len(calendar["entries"]) > 2
    server.api.embedded_holidays = 1
    copy = Copy(server).of(STREAM, "clients")
    copy.run()
    copy.check()
    assert check(copy).equal
    asked = len([path for path in copy.requests() if path.endswith("/entries")])
    server.api.embedded_holidays = 100
    copy.run()
    copy.check()
    assert asked
    assert not [path for path in copy.requests() if path.endswith("/entries")]


def test_what_is_refused_stays_as_it_is_embedded(
    server: Server, said: pytest.LogCaptureFixture
) -> None:
    calendar = server.account.add(STREAM)
    server.api.embedded_holidays = 1
    server.faults.add(r"/pto/holiday_calendars/\d+/entries", "status", times=None, code=403)
    copy = Copy(server).of(STREAM, "clients")
    copy.run()
    rows = copy.table(STREAM)
    assert calendar["id"] in {row["id"] for row in rows}
    assert len(copy.table(f"{STREAM}__entries")) == len(rows)
    assert "since Harvest refused the others (403)" in said.text
