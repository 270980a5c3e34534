"""Whether reports count fixed fees: Harvest decides, unless it is asked for one of both."""

from typing import Any, Optional

import pytest

from harvest.settings import STREAMS
from sandbox import Server
from tests.copy import Copy

REPORTS = [name for name, stream in STREAMS.items() if stream.fixed_fees]


@pytest.mark.parametrize(("value", "sent"), [(None, None), (True, "true"), (False, "false")])
def test_what_is_sent(copy: Copy, value: Optional[bool], sent: Optional[str]) -> None:
    copy.run(*REPORTS, "expenses_clients", include_fixed_fee=value)
    for record in copy.server.requests:
        if record.path.startswith("/reports/"):
            takes_it = not record.path.startswith("/reports/expenses")
            assert record.query.get("include_fixed_fee") == (sent if takes_it else None)


def test_another_setting_reads_the_windows_again(server: Server) -> None:
    copy = Copy(server, report_lookback_days=0)

    def asked(value: Any) -> int:
        copy.run("time_clients", "uninvoiced", include_fixed_fee=value)
        return len([each for each in server.requests if each.path.startswith("/reports/")])

    whole = asked(None)
    settled = asked(None)
    assert settled < whole
    for value in (False, True, None):
        assert asked(value) == whole
        assert asked(value) == settled


@pytest.mark.parametrize(("old", "value"), [(False, None), (True, True)])
def test_an_older_version_did_not_send_false(copy: Copy, old: bool, value: Any) -> None:
    copy.run("time_clients", include_fixed_fee=value, report_lookback_days=0)
    whole = len(copy.requests())
    with copy.pipeline.managed_state() as state:
        state["sources"]["harvest"]["resources"]["time_clients"]["include_fixed_fee"] = old
    copy.run("time_clients", include_fixed_fee=value, report_lookback_days=0)
    assert len(copy.requests()) < whole
