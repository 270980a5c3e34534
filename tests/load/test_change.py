"""The account changes while it is read: nothing else may be lost, and the next run is right."""

from datetime import timedelta
from functools import partial
from typing import Any, Callable, List

import pytest

from sandbox import Account, Server
from sandbox.clock import Clock, stamp
from tests.copy import Copy
from tests.helpers import PAGE, after_page_1, long_account, long_server

HOURS = 3600


def cursor(copy: Copy, stream: str) -> str:
    """Where a stream stands."""
    state = copy.pipeline.state["sources"]["harvest"]["resources"][stream]
    return str(state["incremental"]["updated_at"]["last_value"])


# ---------------------------------------------------------------- the cursor and the clocks


@pytest.mark.parametrize("hours", [-5, 0, 5])
def test_the_cursor_never_passes_harvests_now(hours: int) -> None:
    clock = Clock(offset=hours * HOURS)
    account = Account.generate(seed=3, time_entries=60, years=0.5, clock=clock)
    streams = {"clients": {"name": "edited"}, "invoices": {"notes": "edited"}}
    first = {stream: account.rows(stream)[0]["id"] for stream in streams}
    with Server(account, limits=False) as server:
        copy = Copy(server)
        for stream in streams:
            # later than now, as rows of later pages may be
            ahead = stamp(clock.now() + timedelta(minutes=10))
            account.edit(stream, account.rows(stream)[1]["id"], updated_at=ahead)
        copy.run(*streams)
        for stream, fields in streams.items():
            # "now" is Harvest's, not this machine's
            assert cursor(copy, stream) <= clock.stamp()
            assert cursor(copy, stream) >= stamp(clock.now() - timedelta(minutes=1))
            account.edit(stream, first[stream], **fields)
        copy.run(*streams)
        copy.check(*streams, names=False)


@pytest.mark.parametrize(
    ("stream", "run", "hours"),
    [
        pytest.param("task_assignments", "first", -5, marks=pytest.mark.long),
        pytest.param("task_assignments", "incremental", 5, marks=pytest.mark.long),
        pytest.param("invoices", "first", 5, marks=pytest.mark.long),
        ("invoices", "incremental", -5),
    ],
)
def test_a_row_edited_behind_the_walk_arrives_next_time(stream: str, run: str, hours: int) -> None:
    field = {"task_assignments": "hourly_rate", "invoices": "notes"}[stream]
    clock = Clock(offset=hours * HOURS)
    account = long_account(stream, clock=clock)
    ids = [row["id"] for row in account.rows(stream)]
    with long_server(account) as server:
        copy = Copy(server)
        if run == "incremental":
            copy.run(stream)
            for id in ids:
                account.edit(stream, id, **{field: 70})
            clock.advance(60)
        began = clock.stamp()

        def behind() -> None:
            clock.advance(10)
            account.edit(stream, ids[0], **{field: 71})
            clock.advance(10)
            account.edit(stream, ids[-1], **{field: 72})

        after_page_1(server, stream, behind)
        copy.run(stream)
        here = copy.rows(stream)
        # otherwise it was not edited behind the walk
        assert str(here[ids[0],].get(field)) != "71"
        if stream == "task_assignments":
            assert str(here[ids[-1],][field]) == "72"
        assert cursor(copy, stream) <= stamp(clock.now() - timedelta(seconds=19))
        assert cursor(copy, stream) >= began[:10]
        copy.run(stream)
        copy.check(stream, names=False)


def test_an_invoice_that_changes_after_its_children_were_read(copy: Copy) -> None:
    account, server = copy.server.account, copy.server
    copy.run("invoices", "invoice_messages")
    account.clock.advance(60)
    invoice = next(row["id"] for row in account.rows("invoices") if row["state"] != "draft")
    account.edit("invoices", invoice, notes="once")
    account.clock.advance(60)

    def again(_: Any) -> None:
        account.clock.advance(10)
        account.add("invoice_messages", invoice_id=invoice)
        account.edit("invoices", invoice, notes="twice")

    server.faults.add(f"/invoices/{invoice}/messages", "mutate", change=again)
    copy.run("invoices", "invoice_messages")
    assert copy.rows("invoices")[invoice,]["notes"] == "once"
    copy.run("invoices", "invoice_messages")
    copy.check("invoices", "invoice_messages")


# ---------------------------------------------------------------- lists paged by number


def loss(account: Account, stream: str) -> None:
    """Deletes the five newest rows: the next page loses five rows to the one just read."""
    for row in account.rows(stream)[:5]:
        account.delete(stream, row["id"])


def replacement(account: Account, stream: str) -> None:
    """Deletes rows and adds as many at the end, so that their number stays the same."""
    loss(account, stream)
    oldest = account.rows(stream)[-1]
    dated = "spent_date" if "spent_date" in oldest else "issue_date"
    for _ in range(5):
        account.add(stream, **{dated: oldest[dated]})


def addition(account: Account, stream: str) -> None:
    """Adds rows at the front: the next page repeats rows of the one just read."""
    newest = account.rows(stream)[0]
    dated = "spent_date" if "spent_date" in newest else "issue_date"
    for _ in range(5):
        account.add(stream, **{dated: newest[dated]})


def move(account: Account, stream: str) -> None:
    """Dates rows back to the end: the next page has them again, in place of five unread ones."""
    rows = account.rows(stream)
    for row in rows[:5]:
        account.edit(stream, row["id"], spent_date=rows[-1]["spent_date"])


def come_and_go(
    change: Callable[[Account, str], None],
    streams: List[str],
    said: pytest.LogCaptureFixture,
    full_refresh: bool = False,
) -> None:
    account = long_account(*streams)
    before = {stream: {row["id"] for row in account.rows(stream)} for stream in streams}
    with long_server(account) as server:
        copy = Copy(server)
        for stream in streams:
            after_page_1(server, stream, partial(change, account, stream))
        copy.run(*streams, full_refresh=full_refresh)
        for stream in streams:
            here = [row["id"] for row in copy.table(stream)]
            after = {row["id"] for row in account.rows(stream)}
            assert len(here) == len(set(here)), f"{stream}: rows are there twice"
            assert (before[stream] & after) <= set(here), f"{stream}: other rows were lost"
            assert set(here) <= before[stream] | after
            if change is not addition:
                assert (before[stream] == after) == (change is move)
                assert f"{stream}: rows came or went" in said.text
                asked = [r.query for r in server.requests if r.path == f"/{stream}"]
                assert [query.get("page", "1") for query in asked] == ["1", "2", "1", "2"]
        copy.run(*streams)
        for stream in streams:
            here = [row["id"] for row in copy.table(stream)]
            after = {row["id"] for row in account.rows(stream)}
            # what was deleted before it was read the second time need not be known as deleted
            assert sorted(here) == sorted(after | (set(here) & before[stream]))


@pytest.mark.parametrize(
    ("change", "full_refresh"),
    [
        *((loss, False), (replacement, False), (move, False)),
        pytest.param(addition, False, marks=pytest.mark.long),
        *(pytest.param(each, True, marks=pytest.mark.long) for each in (replacement, addition)),
    ],
)
def test_entries_come_and_go_between_pages(
    change: Callable[[Account, str], None], full_refresh: bool, said: pytest.LogCaptureFixture
) -> None:
    come_and_go(change, ["time_entries"], said, full_refresh)


@pytest.mark.parametrize("full_refresh", [False, True])
@pytest.mark.long
def test_rows_come_and_go_between_pages(full_refresh: bool, said: pytest.LogCaptureFixture) -> None:
    come_and_go(replacement, ["expenses", "invoices", "estimates"], said, full_refresh)


def test_rows_come_and_go_in_an_incremental_walk(said: pytest.LogCaptureFixture) -> None:
    account = long_account("time_entries")
    with long_server(account) as server:
        copy = Copy(server)
        copy.run("time_entries")
        for row in account.rows("time_entries"):
            account.edit("time_entries", row["id"], notes="again")
        account.clock.advance(60)
        gone = {row["id"] for row in account.rows("time_entries")[:5]}
        after_page_1(server, "time_entries", lambda: replacement(account, "time_entries"))
        copy.run("time_entries")
        assert "time_entries: rows came or went" in said.text
        here = {key: row for key, row in copy.rows("time_entries").items() if key[0] not in gone}
        assert here.keys() == {(row["id"],) for row in account.rows("time_entries")}
        assert all(row["notes"] == "again" for (id,), row in here.items() if id < min(gone))


@pytest.mark.long
def test_a_row_edited_while_the_list_is_read_again(said: pytest.LogCaptureFixture) -> None:
    account = long_account("time_entries")
    edited = account.rows("time_entries")[100]["id"]

    def change() -> None:
        loss(account, "time_entries")
        account.clock.advance(5)
        account.edit("time_entries", edited, notes="between two readings")

    with long_server(account) as server:
        copy = Copy(server)
        after_page_1(server, "time_entries", change)
        copy.run("time_entries")
        copy.run("time_entries")
        assert copy.rows("time_entries")[edited,]["notes"] == "between two readings"


@pytest.mark.parametrize("stream", ["project_budget", "time_projects"])
def test_reports_with_several_pages(stream: str, said: pytest.LogCaptureFixture) -> None:
    account = Account.generate(seed=3, time_entries=30, years=0.3)
    today = account.clock.now().date()
    user = account.rows("users")[0]["id"]
    task = account.rows("tasks")[0]["id"]
    for _ in range(PAGE + 20):
        project = account.add("projects", is_active=True, budget_by="project", budget=10)["id"]
        account.add(
            "time_entries", project_id=project, user_id=user, task_id=task, spent_date=today
        )

    def change() -> None:
        for row in account.rows(stream, from_=f"{today.year}-01-01", to=today)[:5]:
            account.delete("projects", row["project_id"])

    with long_server(account) as server:
        copy = Copy(server, start_date=f"{today.year}-01-01")
        path = "reports/project_budget" if stream == "project_budget" else "reports/time/projects"
        after_page_1(server, path, change)
        copy.run(stream)
        copy.check(stream)
        assert f"{stream}: rows came or went" in said.text


# ---------------------------------------------------------------- parents that go


@pytest.mark.parametrize(
    "child",
    [
        "invoice_messages",
        *(
            pytest.param(each, marks=pytest.mark.long)
            for each in ("invoice_payments", "estimate_messages")
        ),
    ],
)
def test_a_parent_is_deleted_before_its_children_are_read(
    copy: Copy, child: str, said: pytest.LogCaptureFixture
) -> None:
    parents = "invoices" if child.startswith("invoice") else "estimates"
    account, server = copy.server.account, copy.server
    doomed = account.rows(parents)[1]["id"]
    path = f"/{parents}/{doomed}/{child.split('_')[1]}"
    server.before(path, lambda record: account.delete(parents, doomed))
    copy.run(parents, child)
    assert [record.status for record in server.requests if record.path == path] == [404]
    assert f"{child}: " in said.text
    assert "1 of the " in said.text
    assert "were deleted meanwhile" in said.text
    copy.check(child)
    # its own row was read before it was deleted
    assert (doomed,) in copy.rows(parents)
    # nor does it stop the next run, which reads the children of all parents again
    copy.run(parents, child, substream_refresh_hours=0)
    copy.check(child)


def test_a_manager_is_none_any_more_when_the_teammates_are_read(copy: Copy) -> None:
    account, server = copy.server.account, copy.server
    managers = [row["id"] for row in account.rows("users") if "manager" in row["access_roles"]]
    assert managers
    server.before(
        f"/users/{managers[0]}/teammates",
        lambda record: account.edit("users", managers[0], access_roles=["member"]),
    )
    copy.run("users", "teammates")
    assert {row["user_id"] for row in copy.table("teammates")} == set(managers[1:])
