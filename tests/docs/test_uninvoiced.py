"""The query of docs/streams.md adds up what is uninvoiced, fixed fees once."""

import re
from datetime import date
from decimal import Decimal

import pytest

from sandbox import Account, Server
from tests.copy import Copy
from tests.script import ROOT


@pytest.mark.parametrize("period", ["year", pytest.param("quarter", marks=pytest.mark.long)])
def test_the_windows_add_up_to_one_report(period: str) -> None:
    account = Account.generate(seed=11, time_entries=300, years=2.5)
    for project in account.rows("projects")[:4]:
        if project["is_billable"]:
            account.edit("projects", project["id"], is_fixed_fee=True, fee=5000.0)
    text = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
    [query] = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    with Server(account, limits=False) as server:
        copy = Copy(server, dataset="harvest_data", report_period=period)
        copy.run("time_entries", "expenses", "projects", "uninvoiced")
        with copy.pipeline.sql_client() as client:
            found = {tuple(row[:2]): row[2] for row in client.execute_sql(query) or ()}
    whole = account.rows("uninvoiced", from_=date(2015, 1, 1), to=date.today(), exact=True)
    expected = {
        (row["project_id"], row["currency"]): Decimal(str(row["uninvoiced_amount"]))
        for row in whole
    }
    fixed = {row["id"] for row in account.rows("projects") if row["is_fixed_fee"]}
    assert fixed & {project for project, _ in expected}
    assert found.keys() == expected.keys()
    for key, amount in expected.items():
        # Harvest rounds the sum of each window
        assert abs(found[key] - amount) < Decimal("0.05"), key
