"""A mistyped date costs one window, and nothing once it is corrected."""

from datetime import date
from typing import Any, List

import pytest

from sandbox import Server
from sandbox.server import RequestRecord
from tests.copy import Copy

REPORTS = ("time_clients", "uninvoiced")


def reports(server: Server) -> List[RequestRecord]:
    return [each for each in server.requests if each.path.startswith("/reports/")]


def first_days(copy: Copy) -> List[str]:
    return sorted({str(row["period_start"]) for row in copy.table("uninvoiced")})


@pytest.mark.parametrize("year", [1, pytest.param(4, marks=pytest.mark.long)])
@pytest.mark.parametrize("streams", [("time_entries", "expenses", *REPORTS), REPORTS])
def test_a_day_in_the_future_that_is_corrected(copy: Copy, streams: Any, year: int) -> None:
    account, server = copy.server.account, copy.server
    settings: Any = {"report_period": "month", "report_lookback_days": 0}
    entry = account.rows("time_entries")[5]
    spent = entry["spent_date"]
    copy.run(*streams, **settings)
    before = len(reports(server))
    copy.run(*streams, **settings)
    settled = len(reports(server))
    account.clock.advance(60)
    far = date.today().replace(year=date.today().year + year, day=1)
    account.edit("time_entries", entry["id"], spent_date=str(far))
    copy.run(*streams, **settings)
    assert len(reports(server)) in (settled, settled + len(REPORTS))
    known = "time_entries" in streams
    assert (str(far) in first_days(copy)) == known
    account.clock.advance(60)
    account.edit("time_entries", entry["id"], spent_date=spent)
    copy.run(*streams, **settings)
    assert len(reports(server)) == settled
    assert str(far) not in first_days(copy)
    assert before > settled


def test_a_day_of_another_century(copy: Copy) -> None:
    """The first load reads no report for each month between."""
    account, server = copy.server.account, copy.server
    streams = ("time_entries", "expenses", *REPORTS)
    copy.run(*streams, report_period="month")
    usual = len(reports(server))
    other = Copy(server, name="other", report_period="month")
    for number, day in enumerate(("1985-01-31", "0026-05-01", "2204-05-01", "9999-12-31")):
        account.edit("time_entries", account.rows("time_entries")[number]["id"], spent_date=day)
    other.run(*streams)
    assert usual <= len(reports(server)) <= usual + len(REPORTS)
    assert first_days(other)[0] == "1985-01-01"
    assert {str(row["spent_date"]) for row in other.table("time_entries")} >= {"2204-05-01"}
