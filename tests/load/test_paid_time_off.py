"""Paid time off: seven streams, of which nobody here has seen a live answer."""

from datetime import date
from typing import Callable

import pytest

from harvest.settings import STREAMS
from sandbox import TIME_OFF, Account, Server
from tests.copy import Copy
from tests.helpers import snapshot

FEW = ("clients", "users", *TIME_OFF)


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    return generated(seed=3, time_entries=60, years=0.5)


def test_the_seven_streams() -> None:
    assert {name for name, stream in STREAMS.items() if stream.section} == set(TIME_OFF)


@pytest.mark.parametrize("answer", ["403", "404", "empty"])
def test_an_account_without_it_loads_everything_else(
    server: Server, answer: str, said: pytest.LogCaptureFixture
) -> None:
    server.api.paid_time_off = answer
    copy = Copy(server, on_forbidden="raise")
    copy.run(*FEW)
    copy.check("clients", "users")
    skipped = {name for name in copy.skipped() if STREAMS[name].section}
    assert skipped == (set() if answer == "empty" else set(TIME_OFF))
    if answer != "empty":
        assert said.text.count("the account has no paid time off") == 1
        # single users are not asked about what the account has not got
        assert "/pto/balances" not in copy.requests()
    else:
        assert all(copy.table(name) == [] for name in TIME_OFF)


@pytest.mark.parametrize("answer", ["403", "404"])
def test_what_was_loaded_stays_when_it_is_refused(server: Server, answer: str) -> None:
    copy = Copy(server)
    copy.begin(*TIME_OFF)
    before = snapshot(copy)
    server.api.paid_time_off = answer
    copy.run("clients", *TIME_OFF, substream_refresh_hours=0)
    after = snapshot(copy)
    assert {name: after[name] for name in before if name.startswith("pto_")} == {
        name: rows for name, rows in before.items() if name.startswith("pto_")
    }


@pytest.mark.parametrize("key", ["", "pto_assignments", "assignments", "whatever"])
def test_rows_load_under_whatever_name(server: Server, key: str) -> None:
    server.api.assignments_key = key
    copy = Copy(server)
    copy.run("pto_assignments")
    copy.check("pto_assignments")
    assert copy.table("pto_assignments")


def test_changes_and_deletions_arrive(server: Server, destination: str) -> None:
    account = server.account
    copy = Copy(server, destination)
    copy.begin(*TIME_OFF)
    copy.check(*TIME_OFF)
    account.clock.advance(60)
    account.edit("pto_requests", account.rows("pto_requests")[0]["id"], notes="changed")
    account.delete(
        "pto_allocations", account.rows("pto_allocations", year=date.today().year)[0]["id"]
    )
    account.delete("pto_holiday_calendars", account.rows("pto_holiday_calendars")[0]["id"])
    copy.run(*TIME_OFF, substream_refresh_hours=0)
    copy.check(*TIME_OFF)


def test_requests_are_few(server: Server) -> None:
    """Balances are asked for once a user and year, of this year and the last."""
    copy = Copy(server)
    copy.run("pto_balances")
    users = len(server.account.rows("users"))
    years = {record.query["year"] for record in server.requests if "year" in record.query}
    assert copy.requests().count("/pto/balances") == 2 * users
    assert years == {str(date.today().year - 1), str(date.today().year)}
    copy.run("pto_balances")
    assert copy.requests().count("/pto/balances") == 0


def test_numbers_that_come_as_text_are_numbers(server: Server) -> None:
    copy = Copy(server)
    copy.run("pto_balances")
    columns = copy.pipeline.default_schema.get_table_columns("pto_balances")
    assert columns["remaining_days"]["data_type"] == "decimal"
    assert not [name for name in columns if "__v_" in name]
