"""What is looked at of the versions of records, on any destination."""

import re
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any, Dict, List

from tests.copy import Copy, Row, plain
from tests.script import ROOT
from tests.sums import script_load

SOME = ("clients", "projects", "tasks")
OWN = ("valid_from", "seen_at", "deleted_at")


def record(row: Row) -> Row:
    """A row without what dlt and the version add to it, and without its nulls."""
    return {
        name: plain(value)
        for name, value in row.items()
        if value is not None and name[:4] != "_dlt" and name not in OWN
    }


def kept(copy: Copy, stream: str) -> Dict[int, List[Row]]:
    """The versions of each record, oldest first."""
    found: Dict[int, List[Row]] = defaultdict(list)
    if f"{stream}_versions" in copy.pipeline.default_schema.tables:
        for row in sorted(copy.table(f"{stream}_versions"), key=lambda row: row["seen_at"]):
            found[row["id"]].append(row)
    return found


def check_stamps(rows: List[Row]) -> None:
    """A version is valid since Harvest changed it; else since it was noticed."""
    before = None
    for row in rows:
        if row["deleted_at"]:
            assert row["deleted_at"] == row["seen_at"] == row["valid_from"]
        elif row["updated_at"] == before:
            assert row["valid_from"] == row["seen_at"]
        else:
            assert row["valid_from"] == row["updated_at"]
        before = row["updated_at"]


def one_history(copy: Copy, **how: Any) -> None:
    """An edit, a silent change, a deletion, and runs in which nothing happens."""
    account, settings = copy.server.account, {"resources": SOME, "history": ["projects"], **how}
    first, second = [row["id"] for row in account.rows("projects")][:2]
    loaded = script_load(copy, **settings)
    count = len(account.rows("projects"))
    assert loaded.versions == {"projects": count}
    assert script_load(copy, **settings).versions == {}

    account.clock.advance(60)
    account.edit("projects", first, budget=1234.56)
    assert script_load(copy, **settings).versions == {"projects": 1}
    account.edit("projects", first, touch=False, budget=None)
    assert script_load(copy, **settings).versions == {"projects": 1}
    account.delete("projects", second)
    assert script_load(copy, **settings).versions == {"projects": 1}
    assert script_load(copy, full_refresh=True, **settings).versions == {}

    versions = kept(copy, "projects")
    assert [row["budget"] for row in versions[first]][1:] == [plain(1234.56), None]
    edited, silent = versions[first][1:]
    assert edited["valid_from"] == edited["updated_at"] == silent["updated_at"]
    assert silent["valid_from"] == silent["seen_at"] > edited["seen_at"]
    before, gone = versions[second]
    assert record(before) == record(gone)
    assert gone["deleted_at"] == gone["valid_from"] == gone["seen_at"] > before["seen_at"]
    assert sum(map(len, versions.values())) == count + 3
    for rows in versions.values():
        check_stamps(rows)


def documented_queries(copy: Copy) -> None:
    """Those of docs/history.md give what was done to the account, day by day."""
    account = copy.server.account
    entries = account.rows("time_entries")
    worked_on = {(row["project"]["id"], row["spent_date"]) for row in entries}
    ((project, _),) = Counter(project for project, _ in worked_on).most_common(1)
    theirs = [row for row in entries if row["project"]["id"] == project]
    days = sorted({row["spent_date"] for row in theirs})
    gone = next(row["id"] for row in account.rows("projects") if row["id"] != project)
    how: Dict[str, Any] = {"resources": (*SOME, "time_entries"), "history": ["projects"]}
    budgets = [
        (f"{days[1]}T08:00:00Z", 50),
        (f"{days[3]}T08:00:00Z", 100),
        # on the same day, of which it is the last word
        (f"{days[3]}T23:59:59Z", 150),
        (f"{days[5]}T00:00:00Z", None),
    ]
    for moment, budget in budgets:
        account.edit("projects", project, budget=budget, updated_at=moment)
        assert script_load(copy, **how).versions["projects"]
    account.delete("projects", gone)
    script_load(copy, max_deleted_share=1, **how)

    text = (
        (ROOT / "docs/history.md").read_text().replace("harvest_data", copy.pipeline.dataset_name)
    )
    one_day, view_and_hours = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    view, hours = view_and_hours.split(";\n", 1)
    worked: Dict[Any, Decimal] = defaultdict(Decimal)
    for row in theirs:
        known = [budget for moment, budget in budgets if moment[:10] <= row["spent_date"]]
        worked[known[-1] if known else None] += Decimal(str(row["rounded_hours"]))
    assert len(worked) == 3
    with copy.reading() as client:
        client.execute_sql(view)
    for last in (False, True):
        with copy.reading() as client:
            if copy.pipeline.destination.destination_name != "bigquery":
                client.execute_sql("SET TimeZone = 'UTC'")
            for day in days:
                known = [budget for moment, budget in budgets if moment[:10] <= day]
                found = client.execute_sql(one_day.replace("2026-03-31", day))
                assert [row[2] for row in found if row[0] == project] == known[-1:], day
            found = client.execute_sql(hours)
            assert {row[1]: row[3] for row in found if row[0] == project} == worked
            now = client.execute_sql(one_day.replace("2026-03-31", "9999-12-31"))
            assert {row[0] for row in now} == {row["id"] for row in account.rows("projects")}
        # the view does not stand in its way
        if not last:
            script_load(copy, full_refresh=True, **how)
