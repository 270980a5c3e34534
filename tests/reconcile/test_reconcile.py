"""Comparing a copy with Harvest and repairing it: what is found, what is not touched."""

import json
from datetime import date, timedelta
from typing import Any, Callable, Dict, List

import dlt
import pytest

from harvest import HarvestError, harvest_source
from harvest.reconcile import reconcile, verify
from harvest.settings import STREAMS
from sandbox import Account, Server
from tests.copy import Copy
from tests.helpers import agree, check, differing, heal, removed, repair, sql
from tests.lakes import Delta, Parquet
from tests.script import environment, run

REPORTS = [name for name, stream in STREAMS.items() if stream.kind == "report"]


@pytest.fixture
def postgres_copy(server: Server, postgres: str, monkeypatch: pytest.MonkeyPatch) -> Copy:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    return Copy(server, "postgres")


def test_a_whole_copy_is_equal(server: Server, destination: str) -> None:
    copy = Copy(server, destination)
    copy.begin()
    state = json.dumps(copy.pipeline.state, default=str, sort_keys=True)
    server.requests.clear()
    result = check(copy)
    agree(result)
    assert {each.stream for each in result.comparisons} == set(STREAMS)
    assert result.requests == len(server.requests) == 25
    assert json.dumps(copy.pipeline.state, default=str, sort_keys=True) == state
    entries = next(each for each in result.comparisons if each.stream == "time_entries")
    hours = sum(row["rounded_hours"] for row in server.account.rows("time_entries"))
    assert float(entries.amount_here or 0) == float(entries.amount_harvest or 0) == hours


def test_one_row_of_each_list_is_deleted(copy: Copy) -> None:
    account = copy.server.account
    lists = [name for name in STREAMS if STREAMS[name].kind == "list"]
    # others hang on nearly all of these that the account came with
    gone = {name: account.add(name)["id"] for name in ("clients", "users", "tasks")}
    copy.begin()
    for stream in reversed(lists):
        gone.setdefault(stream, account.rows(stream)[-1]["id"])
        account.delete(stream, gone[stream])
    found = differing(check(copy))
    assert found >= set(lists)
    # nothing else than what hangs on them is called different
    untouched = {"company", "cost_rates", "billable_rates"}
    assert not found & {*untouched, "pto_work_schedules", "pto_holiday_calendars"}
    heal(copy, max_deleted_share=1, load={"substream_refresh_hours": 0})
    assert removed(copy) >= gone.items()
    copy.check(names=False)
    agree(check(copy))


def test_what_hangs_on_something_goes_with_it(copy: Copy) -> None:
    account = copy.server.account
    copy.of("invoices", "invoice_messages", "invoice_payments", "estimates", "estimate_messages")
    copy.begin()
    payment = account.rows("invoice_payments")[0]["id"]
    with_message = {
        row["invoice_id"] for row in copy.table("invoice_messages") if row["invoice_id"]
    }
    invoice = next(
        row["invoice_id"]
        for row in copy.table("invoice_payments")
        if row["invoice_id"] in with_message and row["id"] != payment
    )
    estimate = copy.table("estimate_messages")[0]["estimate_id"]
    account.delete("invoices", invoice)
    account.delete("estimates", estimate)
    heal(copy)
    for stream, parent, key in (
        ("invoice_messages", invoice, "invoice_id"),
        ("invoice_payments", invoice, "invoice_id"),
        ("estimate_messages", estimate, "estimate_id"),
    ):
        assert parent not in {row[key] for row in copy.table(stream)}
    # nothing is left of their lists, whose rows have no key of Harvest's
    for table in ("invoices__line_items", "invoice_messages__recipients"):
        parents = {row["_dlt_id"] for row in copy.table(table.split("__")[0])}
        assert {row["_dlt_parent_id"] for row in copy.table(table)} <= parents
    copy.check(names=False)


@pytest.mark.long
def test_a_user_and_all_that_is_theirs(copy: Copy) -> None:
    account = copy.server.account
    copy.of(
        "users",
        "billable_rates",
        "cost_rates",
        "project_assignments",
        "teammates",
        "user_assignments",
        "time_entries",
    )
    copy.begin()
    user = account.rows("teammates")[0]
    manager = copy.table("teammates")[0]["user_id"]
    assert user
    account.delete("users", manager)
    heal(copy, max_deleted_share=1)
    for stream in ("billable_rates", "cost_rates", "project_assignments", "teammates"):
        assert manager not in {row["user_id"] for row in copy.table(stream)}
    # on the teams of others the user is seen with the next complete walk
    heal(copy, max_deleted_share=1, load={"substream_refresh_hours": 0})
    copy.check(names=False)


@pytest.mark.long
def test_a_project_and_its_entries(copy: Copy) -> None:
    account = copy.server.account
    copy.of(
        "projects",
        "time_entries",
        "expenses",
        "users",
        "project_assignments",
        "user_assignments",
        "task_assignments",
    )
    copy.begin(healed=True)
    counts: Dict[int, int] = {}
    for row in account.rows("time_entries"):
        counts[row["project"]["id"]] = counts.get(row["project"]["id"], 0) + 1
    project = max(counts, key=lambda id: counts[id])
    account.delete("projects", project)
    result = heal(copy, max_deleted_share=1)
    gone = {each.stream: len(each.deleted) for each in result.comparisons if each.deleted}
    assert gone["projects"] == 1
    assert gone["time_entries"] == counts[project] > 10
    assert project not in {row["project__id"] for row in copy.table("project_assignments")}
    copy.check(names=False)


@pytest.mark.long
def test_every_row_of_a_month(server: Server, postgres_copy: Copy) -> None:
    account, copy = server.account, postgres_copy
    copy.of("time_entries", "expenses", "time_clients", "expenses_team", "uninvoiced")
    copy.begin(healed=True)
    month = account.rows("time_entries")[200]["spent_date"][:7]
    for stream in ("time_entries", "expenses"):
        for row in account.rows(stream):
            if row["spent_date"].startswith(month):
                account.delete(stream, row["id"])
    heal(copy)
    copy.check(names=False)
    assert {stream for stream, _ in removed(copy)} == {"time_entries", "expenses"}


def test_changes_that_leave_no_trace(server: Server, destination: str) -> None:
    account = server.account
    copy = Copy(server, destination)
    copy.of(
        "time_entries",
        "expenses",
        "clients",
        "invoices",
        "time_clients",
        "expenses_clients",
        "uninvoiced",
    )
    copy.begin(healed=True)
    entries, expenses = account.rows("time_entries"), account.rows("expenses")
    billed = next(row for row in entries[150:] if row["invoice"])
    unbilled = next(row for row in entries if not row["invoice"] and row["billable"])
    invoice = billed["invoice"]["id"]
    account.edit("time_entries", billed["id"], touch=False, invoice_id=None)
    account.edit("time_entries", unbilled["id"], touch=False, invoice_id=invoice)
    account.edit("time_entries", entries[-1]["id"], touch=False, hours=7.25)
    account.edit("time_entries", entries[-2]["id"], touch=False, billable_rate=11)
    account.edit("expenses", expenses[-1]["id"], touch=False, total_cost=1234.56)
    account.edit("clients", account.rows("clients")[0]["id"], touch=False, currency="CHF")
    account.edit("invoices", account.rows("invoices")[0]["id"], touch=False, amount=17)
    before = differing(check(copy))
    reports = {"time_clients", "expenses_clients"}
    # one entry more and one less on invoices may be as much
    assert before - {"uninvoiced"} == {"time_entries", "expenses", "clients", "invoices", *reports}
    heal(copy)
    copy.check(names=False)
    # nothing is left to be done
    server.requests.clear()
    again = repair(copy)
    assert differing(again) == set()
    assert len(server.requests) == again.requests


# the second makes the list so long that it is compared by figures
@pytest.mark.parametrize("page_size", [2000, 10])
def test_a_running_timer_makes_no_difference(account: Account, page_size: int) -> None:
    running = next(row for row in account.rows("time_entries") if row["is_running"])

    def grow(by: float, hours_without_timer: float) -> None:
        running["hours"] += by
        account.edit(
            "time_entries",
            running["id"],
            touch=False,
            hours=running["hours"],
            hours_without_timer=hours_without_timer,
        )

    with Server(account, limits=False, page_size=page_size) as server:
        copy = Copy(server).of("time_entries")
        copy.run()
        before = running["hours_without_timer"]
        server.before(".*", lambda _: grow(0.25, before), times=None)
        assert not differing(repair(copy))
        result = check(copy)
        agree(result)
        (entries,) = result.comparisons
        assert entries.verdict == "equal but for running timers, whose hours grow"
        server.forget_before()
        # hours from before the timer was started are compared
        grow(1, before + 1)
        assert differing(check(copy)) == {"time_entries"}


def test_rows_dropped_and_added_by_hand(server: Server, destination: str) -> None:
    copy = Copy(server, destination)
    copy.of(
        "time_entries",
        "expenses",
        "clients",
        "invoices",
        "invoice_payments",
        "projects",
        "time_team",
        "uninvoiced",
    )
    copy.begin(healed=True)
    ids = sorted(row["id"] for row in server.account.rows("time_entries"))
    sql(copy, f"DELETE FROM {{}}time_entries WHERE id IN ({ids[3]}, {ids[200]})")
    sql(copy, f"UPDATE {{}}time_entries SET id = 77 WHERE id = {ids[100]}")
    sql(copy, f"UPDATE {{}}time_entries SET rounded_hours = 99 WHERE id = {ids[101]}")
    sql(copy, "CREATE TABLE {}twice AS SELECT * FROM {}expenses")
    # PostgreSQL lets no _dlt_id in twice
    sql(copy, "UPDATE {}twice SET _dlt_id = CONCAT(_dlt_id, '2')")
    sql(copy, "INSERT INTO {}expenses SELECT * FROM {}twice")
    sql(copy, "DELETE FROM {}clients")
    sql(copy, "UPDATE {}invoice_payments SET invoice_id = 5 WHERE id = (SELECT MIN(id) FROM"
              " {}invoice_payments)")  # fmt: skip
    sql(copy, "DELETE FROM {}time_team WHERE total_hours > 0")
    sql(copy, "UPDATE {}uninvoiced SET uninvoiced_amount = 1")
    found = differing(check(copy))
    some = {"time_entries", "expenses", "clients", "invoice_payments", "time_team", "uninvoiced"}
    assert found == some
    heal(copy, load={"substream_refresh_hours": 0})
    copy.check(names=False)
    assert ("time_entries", 77) in removed(copy)


def test_a_child_whose_parent_was_made_up(copy: Copy) -> None:
    copy.of("invoices", "invoice_messages")
    copy.begin()
    lost = copy.table("invoice_messages")[0]["id"]
    sql(copy, f"UPDATE {{}}invoice_messages SET invoice_id = 5 WHERE id = {lost}")
    repair(copy)
    assert ("invoice_messages", lost) in removed(copy)


@pytest.mark.parametrize("period", ["year", pytest.param("month", marks=pytest.mark.long)])
def test_old_periods_of_reports_stay_true(copy: Copy, period: str) -> None:
    """Whatever a report depends on changes, in a window that loads read only once."""
    account = copy.server.account
    copy.of("time_entries", "expenses", "clients", "users", "tasks", "projects", *REPORTS)
    load = {"report_period": period}
    heal(copy, load=load, report_period=period)
    old = [
        row
        for row in account.rows("time_entries")
        if row["spent_date"] < str(date.today() - timedelta(days=250))
    ]
    assert len(old) > 20
    account.edit("time_entries", old[0]["id"], billable=not old[0]["billable"])
    account.edit("time_entries", old[1]["id"], hours=12.5)
    account.edit("time_entries", old[2]["id"], billable_rate=333)
    account.delete("time_entries", old[3]["id"])
    account.edit("clients", old[4]["client"]["id"], name="Renamed")
    account.edit("users", old[4]["user"]["id"], first_name="Renamed")
    account.edit("tasks", old[4]["task"]["id"], name="Renamed")
    account.edit("projects", old[4]["project"]["id"], name="Renamed")
    account.bill(old[5]["project"]["id"], to=old[5]["spent_date"])
    # a report that is read in the moment of a change would be read once more
    account.clock.advance(60)
    heal(copy, load=load, report_period=period)
    copy.check(*REPORTS, names=False, period=period)
    agree(heal(copy, load=load, report_period=period))


def test_the_state_of_the_load_is_not_touched(copy: Copy) -> None:
    """Cursors and stored windows are the load's: a repair must not move them."""
    copy.of("time_entries", "clients", "invoices", "invoice_payments", "time_team")
    copy.begin()
    account = copy.server.account
    entry = account.rows("time_entries")[-1]
    account.edit("time_entries", entry["id"], hours=3)
    account.delete("clients", account.add("clients")["id"])
    account.delete("time_entries", account.rows("time_entries")[3]["id"])

    def loads() -> Any:
        resources = copy.pipeline.state["sources"]["harvest"]["resources"]
        return {
            name: {key: value for key, value in state.items() if key != "read_at"}
            for name, state in resources.items()
            if name in STREAMS
        }

    before = loads()
    result = repair(copy)
    assert differing(result) == {"time_entries", "time_team"}
    assert loads() == before
    # the row that was repaired comes once more with the load, and is stored once
    copy.run()
    copy.check("time_entries", names=False)


@pytest.mark.parametrize("lake", [Parquet, Delta])
@pytest.mark.long
def test_files(lake: Callable[..., Copy]) -> None:
    account = Account.generate(seed=7, time_entries=200, years=1.2)
    with Server(account, limits=False) as server:
        copy = lake(server)
        streams = (
            *("clients", "projects", "users", "project_assignments", "time_entries", "expenses"),
            *("invoices", "invoice_messages", "invoice_payments", "time_projects", "uninvoiced"),
        )
        heal(copy, *streams)
        agree(check(copy, *streams))
        entry, changed, other = account.rows("time_entries")[5:8]
        account.delete("time_entries", entry["id"])
        account.edit("time_entries", changed["id"], touch=False, hours=7.25)
        invoice = copy.table("invoice_payments")[0]["invoice_id"]
        account.delete("invoices", invoice)
        heal(copy, *streams)
        # on Delta, what is below an invoice has lists, and goes when all invoices are walked
        left = {"invoice_messages"} if lake is Delta else set()
        assert differing(check(copy, *streams)) <= left
        account.delete("projects", other["project"]["id"])
        heal(copy, *streams, max_deleted_share=1)
        # of the rows below a user some can only go when the user is walked
        assert differing(check(copy, *streams)) <= {"invoice_messages", "project_assignments"}
        heal(copy, *streams, max_deleted_share=1, load={"substream_refresh_hours": 0})
        copy.check(*streams, names=False)
        agree(check(copy, *streams))


@pytest.mark.parametrize("deleted", ["remove", "mark"])
@pytest.mark.long
def test_a_row_with_lists_that_changes_in_a_delta_table(deleted: str) -> None:
    """After the load that replaced it, and before the comparison."""
    account = Account.generate(seed=7, time_entries=60, years=0.6)
    with Server(account, limits=False) as server:
        copy = Delta(server).of("invoices", "estimates", "users")
        copy.run()
        changes = {"invoices": {"amount": 17}, "estimates": {"subject": "New"}}
        for stream, fields in {**changes, "users": {"telephone": "1"}}.items():
            account.edit(stream, account.rows(stream)[0]["id"], touch=False, **fields)
        repair(copy, deleted=deleted)
        copy.check()
        agree(check(copy))
        heal(copy)


def test_a_destination_that_cannot_be_read_back(server: Server) -> None:
    @dlt.destination(batch_size=0)
    def nowhere(items: Any, table: Any) -> None:
        pass

    copy = Copy(server, nowhere)
    copy.run("clients")
    for result in (check(copy), repair(copy, "clients")):
        assert not result.equal
        assert "reads nothing back" in result.failure


def test_what_is_left_out_stays_out(server: Server) -> None:
    """Who has the load leave out personal data does not find it brought in by a comparison."""
    copy = Copy(server)

    def source() -> Any:
        made = copy.source("contacts", "users", "tasks")
        made.contacts.add_map(lambda row: {**row, "email": None})
        made.users.add_filter(lambda row: row["is_active"])
        return made

    copy.pipeline.run(source())
    agree(verify(copy.pipeline, source()))
    gone = next(row["id"] for row in server.account.rows("contacts"))
    server.account.delete("contacts", gone)
    sql(copy, "DELETE FROM {}contacts WHERE id = (SELECT MAX(id) FROM {}contacts)")
    result = reconcile(copy.pipeline, source(), max_deleted_share=1)
    assert differing(result) == {"contacts"}
    rows = copy.table("contacts")
    assert {row["id"] for row in rows} == {row["id"] for row in server.account.rows("contacts")}
    assert not any(row["email"] for row in rows)
    assert all(row["is_active"] for row in copy.table("users"))


# ------------------------------------------------------------------ what is not to happen


def test_too_much_at_once(server: Server, postgres_copy: Copy) -> None:
    copy = postgres_copy.of("time_entries", "tasks", "clients", "time_team")
    copy.begin()
    rows = server.account.rows("time_entries")
    for row in rows[:90]:
        server.account.delete("time_entries", row["id"])
    server.account.edit("tasks", server.account.rows("tasks")[0]["id"], touch=False, name="New")
    before = {name: copy.rows(name) for name in copy.streams}
    with pytest.raises(HarvestError) as error:
        repair(copy)
    assert "90 of the 400 rows of time_entries" in str(error.value)
    assert "max_deleted_share=0.23" in str(error.value)
    assert {name: copy.rows(name) for name in copy.streams} == before
    heal(copy, max_deleted_share=0.23)
    copy.check("time_entries", names=False)


def test_a_refusal_removes_nothing(copy: Copy) -> None:
    copy.of("expenses", "invoices", "invoice_payments", "users", "cost_rates", "tasks")
    copy.begin()
    account = copy.server.account
    account.delete("expenses", account.rows("expenses")[0]["id"])
    account.delete("invoices", account.rows("invoices")[0]["id"])
    before = {name: copy.rows(name) for name in ("expenses", "invoices", "users")}
    copy.server.forbidden |= {"expenses", "invoices", "users"}
    result = repair(copy)
    notes = {each.stream: each.note for each in result.comparisons}
    assert "403" in notes["expenses"]
    assert {name: copy.rows(name) for name in before} == before
    with pytest.raises(HarvestError, match="403"):
        repair(copy, on_forbidden="raise")


def test_a_list_that_is_suddenly_empty_removes_nothing(copy: Copy) -> None:
    copy.of("projects", "time_entries", "tasks")
    copy.begin()
    before = copy.rows("projects")
    nothing = {"per_page": 2000, "total_pages": 1, "total_entries": 0, "links": {}}
    copy.server.respond("/projects", {**nothing, "projects": []})
    with pytest.raises(HarvestError, match="max_deleted_share"):
        repair(copy)
    assert copy.rows("projects") == before


def test_a_row_that_one_answer_lacks_is_asked_for_again(copy: Copy) -> None:
    """One answer without a row that lives is not enough to remove it."""
    copy.of("tasks", "clients")
    copy.begin()
    rows = copy.server.account.rows("tasks")
    about = {"per_page": 2000, "total_pages": 1, "total_entries": len(rows) - 1, "links": {}}
    asked: List[Any] = []

    def answer(record: Any) -> None:
        asked.append(record)
        first = len(asked) == 1
        copy.server.respond("/tasks", {**about, "tasks": rows[1:]} if first else None)

    copy.server.before("/tasks", answer, times=None)
    repair(copy)
    assert len(asked) == 2
    copy.check("tasks")


@pytest.mark.parametrize(
    "path",
    [
        "/tasks",
        *(
            pytest.param(path, marks=pytest.mark.long)
            for path in ("/time_entries", "/reports/time/team")
        ),
    ],
)
def test_a_failed_request_repairs_nothing(copy: Copy, path: str) -> None:
    streams = ("time_entries", "expenses", "tasks", "time_team", "expenses_team")
    copy.begin(*streams)
    account = copy.server.account
    account.delete("time_entries", account.rows("time_entries")[-1]["id"])
    account.delete("expenses", account.rows("expenses")[-1]["id"])
    before = {name: copy.rows(name) for name in streams}
    copy.server.faults.add(path, "status", code=500, times=None)
    with pytest.raises(Exception, match="attempts") as error:
        repair(copy, *streams)
    if path.startswith("/reports"):
        # what was repaired before is; the report stays as it was
        assert copy.rows("time_team") == before["time_team"]
    else:
        assert "nothing was removed or repaired" in str(error.value)
        assert {name: copy.rows(name) for name in streams} == before
    copy.server.faults.clear()
    heal(copy, *streams)
    copy.check(*streams, names=False)


@pytest.mark.long
def test_a_feature_that_is_switched_off(copy: Copy) -> None:
    copy.of("company", "expenses", "expense_categories", "expenses_team", "tasks")
    copy.begin()
    before = copy.rows("expenses")
    copy.server.account.company["expense_feature"] = False
    result = heal(copy)
    assert copy.rows("expenses") == before
    notes = {each.stream: each.note for each in result.comparisons}
    assert "expense_feature is switched off" in notes["expenses"]


def test_only_the_selected_streams(copy: Copy) -> None:
    copy.begin("clients", "time_entries", "time_team")
    account = copy.server.account
    assert {each.stream for each in check(copy).comparisons} == {
        *("clients", "time_entries", "time_team")
    }
    account.delete("time_entries", account.rows("time_entries")[0]["id"])
    client = account.rows("clients")[0]["id"]
    account.edit("clients", client, touch=False, address="Elsewhere")
    copy.server.requests.clear()
    result = repair(copy, "clients")
    assert copy.requests() == ["/users/me", "/clients"]
    assert differing(result) == {"clients"}
    assert len(copy.table("time_entries")) == 400
    copy.check("clients")


@pytest.mark.long
def test_start_date(server: Server, postgres_copy: Copy) -> None:
    """Rows from before it are not missing, and those that are here can go."""
    account, copy = server.account, postgres_copy.of("time_entries", "clients", "time_team")
    stamps = sorted(row["updated_at"] for row in account.rows("time_entries"))
    start = stamps[200][:10]
    heal(copy, load={"start_date": start}, start_date=start)
    first = copy.rows("time_entries")
    assert 0 < len(first) < 300
    agree(check(copy))
    gone = min(key for (key,) in first)
    account.delete("time_entries", gone)
    old = min(account.rows("time_entries"), key=lambda row: str(row["updated_at"]))
    assert (old["id"],) not in first
    account.delete("time_entries", old["id"])
    # a later run need not know the date
    result = heal(copy)
    assert [each.deleted for each in result.comparisons if each.stream == "time_entries"] == [
        {(gone,)}
    ]
    assert copy.rows("time_entries").keys() == first.keys() - {(gone,)}


def test_another_account_is_not_compared(copy: Copy) -> None:
    copy.of("clients", "tasks")
    copy.begin()
    with Server(Account.generate(seed=8, time_entries=50), limits=False) as other:
        other.account_id = "2000002"
        other.accounts[0]["id"] = 2000002
        settings = {**copy.settings, **Copy(other).settings}
        with pytest.raises(HarvestError, match="account 1000001, so that account 2000002"):
            reconcile(copy.pipeline, harvest_source(**settings))
    copy.check()


def test_a_backfill_is_not_compared(copy: Copy) -> None:
    copy.begin("time_entries")
    days = {"start_date": "2024-01-01", "end_date": "2024-01-31"}
    with pytest.raises(HarvestError, match="end_date"):
        verify(copy.pipeline, copy.source(**days))


def test_before_the_first_load(copy: Copy) -> None:
    with pytest.raises(HarvestError, match="load it first"):
        check(copy)


# ------------------------------------------------------------------ mark and ignore


@pytest.mark.long
def test_marking(server: Server, destination: str) -> None:
    account = server.account
    copy = Copy(server, destination).of(
        *("time_entries", "invoices", "invoice_messages", "clients", "time_clients", "uninvoiced")
    )
    copy.begin(healed=True)
    entry = account.rows("time_entries")[7]
    with_items = next(row for row in copy.rows("invoice_messages").values() if row["recipients"])
    invoice = with_items["invoice_id"]
    before = copy.rows("invoices")[invoice,]
    account.delete("time_entries", entry["id"])
    account.delete("invoices", invoice)
    heal(copy, deleted="mark")
    marked = {row["id"]: row for row in copy.table("time_entries") if row["deleted_at"]}
    assert marked.keys() == {entry["id"]}
    assert marked[entry["id"]]["client__name"] == entry["client"]["name"]
    after = copy.rows("invoices")[invoice,]
    assert after.pop("deleted_at")
    assert after == before
    messages = [row for row in copy.table("invoice_messages") if row["invoice_id"] == invoice]
    assert messages
    assert all(row["deleted_at"] for row in messages)
    # marked once, and not taken for a difference from then on
    agree(check(copy))
    when = marked[entry["id"]]["deleted_at"]
    heal(copy, deleted="mark")
    again = {row["id"]: row for row in copy.table("time_entries") if row["deleted_at"]}
    assert again[entry["id"]]["deleted_at"] == when
    # the other rows are as they should be
    for stream in ("time_entries", "invoices"):
        assert len(copy.table(stream)) == len(account.rows(stream)) + 1
    copy.check("time_clients", "uninvoiced", names=False)


def test_lists_of_a_marked_row_keep_their_order(copy: Copy) -> None:
    """Whatever order the database has them in."""
    copy.of("invoices", "tasks")
    copy.begin()
    items = "{}invoices__line_items"
    sql(copy, f"CREATE TABLE {{}}turned AS SELECT * FROM {items} ORDER BY _dlt_list_idx DESC")
    sql(copy, f"DELETE FROM {items}")
    sql(copy, f"INSERT INTO {items} SELECT * FROM {{}}turned")
    several = next(r for r in copy.server.account.rows("invoices") if len(r["line_items"]) > 1)
    copy.server.account.delete("invoices", several["id"])
    repair(copy, deleted="mark")
    marked = copy.rows("invoices")[several["id"],]
    assert marked["deleted_at"]
    found = [item["id"] for item in marked["line_items"]]
    assert found == [item["id"] for item in several["line_items"]]


@pytest.mark.long
def test_a_marked_row_that_comes_back(copy: Copy) -> None:
    copy.of("time_entries", "tasks")
    copy.begin()
    entry = copy.server.account.rows("time_entries")[7]
    sql(copy, f"UPDATE {{}}time_entries SET deleted_at = NOW() WHERE id = {entry['id']}")
    heal(copy, deleted="mark")
    copy.check("time_entries", names=False)


@pytest.mark.long
def test_ignoring(copy: Copy) -> None:
    copy.of("time_entries", "tasks")
    copy.begin()
    entry = copy.server.account.rows("time_entries")[7]
    copy.server.account.delete("time_entries", entry["id"])
    for _ in range(2):
        result = heal(copy, deleted="ignore")
        assert differing(result) == {"time_entries"}
        assert entry["id"] in {row["id"] for row in copy.table("time_entries")}


def test_an_odd_share(copy: Copy) -> None:
    with pytest.raises(HarvestError, match="max_deleted_share is 7, but must be"):
        repair(copy, max_deleted_share=7)


def test_an_unknown_way_with_deleted_rows(copy: Copy) -> None:
    with pytest.raises(HarvestError, match="remove, mark, ignore"):
        repair(copy, deleted="forget")


# ------------------------------------------------------------------ long lists


@pytest.fixture
def long(generated: Callable[..., Account]) -> Account:
    """More entries than are compared row by row."""
    return generated(seed=5, time_entries=11_000, years=3)


def spanned(account: Account) -> int:
    """Years of the calendar from the oldest to the newest entry."""
    days = [row["spent_date"] for row in account.rows("time_entries")]
    return int(max(days)[:4]) - int(min(days)[:4]) + 1


@pytest.mark.long
def test_long_lists(long: Account, destination: str) -> None:
    with Server(long, limits=False) as server:
        copy = Copy(server, destination)
        streams = ("time_entries", "expenses", "time_projects", "uninvoiced", "projects", "clients")
        copy.run(*streams)
        server.requests.clear()
        agree(check(copy))
        years = spanned(long)
        # the first page, rows in total, and of each year rows, billed and by approval
        entries = [record for record in server.requests if record.path == "/time_entries"]
        assert len(entries) == 2 + 4 * years
        rows = long.rows("time_entries")
        billed = next(row for row in rows[5000:] if row["invoice"])
        long.delete("time_entries", rows[10_000]["id"])
        long.edit("time_entries", rows[4_000]["id"], touch=False, hours=20)
        long.edit("time_entries", billed["id"], touch=False, invoice_id=None)
        # to another year, so that each looks at one place where it is not
        moved = rows[8_000]["id"]
        long.edit("time_entries", moved, touch=False, spent_date=rows[10]["spent_date"])
        long.add("time_entries", spent_date="2019-02-03")
        sql(copy, f"DELETE FROM {{}}time_entries WHERE id = {rows[7_000]['id']}")
        # nothing of it was loaded, so that all has to be found
        result = repair(copy, *streams)
        entries_found = next(e for e in result.comparisons if e.stream == "time_entries")
        assert entries_found.deleted == {(rows[10_000]["id"],)}
        copy.check("time_entries", names=False)
        heal(copy, *streams)
        copy.check("time_projects", "uninvoiced", names=False)
        agree(check(copy, *streams))


@pytest.mark.long
def test_rows_from_before_the_start_in_a_long_list(long: Account) -> None:
    """A backfill has brought them: the list from `start_date` on shows them no more."""
    rows = long.rows("time_entries")
    start = sorted(row["updated_at"] for row in rows)[500][:10]
    older = [row for row in rows if row["updated_at"] < start]
    first, last = (str(each(row["spent_date"] for row in older)) for each in (min, max))
    with Server(long, limits=False) as server:
        copy = Copy(server, start_date=start)
        copy.run("time_entries")
        copy.run("time_entries", start_date=first, end_date=last)
        assert len(copy.table("time_entries")) == len(rows)
        gone = next(row["id"] for row in rows if row["spent_date"] == last)
        long.delete("time_entries", gone)
        (found,) = check(copy, "time_entries").comparisons
        assert found.deleted == {(gone,)}


@pytest.mark.long
def test_many_deletions_in_a_long_list(long: Account) -> None:
    with Server(long, limits=False) as server:
        copy = Copy(server)
        copy.begin("time_entries")
        for row in long.rows("time_entries")[3000:3400]:
            long.delete("time_entries", row["id"])
        server.requests.clear()
        result = repair(copy, "time_entries")
        assert len(removed(copy)) == 400
        pages = 6
        assert result.requests == len(server.requests) <= 3 + 5 * spanned(long) + 2 * pages
        copy.check("time_entries", names=False)


def test_a_row_that_moves_while_windows_are_read(long: Account) -> None:
    """It is in neither window when that is read, and lives all the same."""
    with Server(long, limits=False) as server:
        copy = Copy(server)
        copy.begin("time_entries")
        rows = long.rows("time_entries")
        oldest, newest = rows[-1]["spent_date"], rows[0]["spent_date"]
        traveller = rows[5000]["id"]
        long.delete("time_entries", rows[5100]["id"])
        long.delete("time_entries", rows[20]["id"])

        def move(record: Any) -> None:
            window = (record.query.get("from", ""), record.query.get("to", ""))
            if record.query.get("per_page") == "2000" and window[0]:
                day = oldest if window[0] <= newest <= window[1] else newest
                long.edit("time_entries", traveller, touch=False, spent_date=day)

        server.before("/time_entries", move, times=None)
        repair(copy, "time_entries")
        here = {row["id"] for row in copy.table("time_entries")}
        assert traveller in here
        assert rows[5100]["id"] not in here


def test_hours_that_may_not_be_seen(long: Account) -> None:
    with Server(long, limits=False) as server:
        copy = Copy(server)
        copy.begin("time_entries")
        server.forbidden |= {"time_clients"}
        entries = check(copy).comparisons[0]
        assert entries.outcome == "not compared"
        assert "hours" in entries.note
        assert entries.amount_harvest is None


@pytest.mark.long
def test_approvals_in_a_long_list(long: Account) -> None:
    with Server(long, limits=False) as server:
        copy = Copy(server)
        copy.begin("time_entries")
        row = next(
            r for r in long.rows("time_entries")[5000:] if r["approval_status"] != "approved"
        )
        long.edit("time_entries", row["id"], touch=False, approval_status="approved")
        assert differing(check(copy)) == {"time_entries"}
        result = repair(copy, "time_entries")
        assert result.comparisons[0].different.keys() == {(row["id"],)}
        copy.check("time_entries", names=False)
        agree(check(copy))


@pytest.mark.long
def test_a_slip_of_the_pen_in_a_long_list(long: Account) -> None:
    """One row of the year 0203, and one of no day at all, cost a few requests each."""
    with Server(long, limits=False) as server:
        copy = Copy(server)
        rows = long.rows("time_entries")
        days = {rows[4000]["id"]: "0203-05-01", rows[4001]["id"]: "2024-02-31"}

        def slip(body: Any) -> None:
            for row in body.get("time_entries", [body]):
                row["spent_date"] = days.get(row["id"], row["spent_date"])

        server.faults.add("/time_entries(/.*)?", "mutate", times=None, change=slip)
        copy.run("time_entries")
        server.requests.clear()
        result = repair(copy, "time_entries")
        assert result.requests <= 5 + 5 * (spanned(long) + 1) + 25
        assert not result.comparisons[0].deleted
        assert {row["id"] for row in copy.table("time_entries")} == {row["id"] for row in rows}


@pytest.mark.long
def test_two_hundred_thousand_entries() -> None:
    """The budget: 70 requests to verify, 90 to find and repair one deletion."""
    account = Account.generate(seed=1, time_entries=200_000)
    with Server(account, limits=False) as server:
        copy = Copy(server)
        copy.run()
        server.requests.clear()
        result = check(copy)
        agree(result)
        assert result.requests == len(server.requests) <= 70
        rows = account.rows("time_entries")
        account.delete("time_entries", rows[77_777]["id"])
        server.requests.clear()
        result = repair(copy)
        assert result.requests == len(server.requests) <= 90
        assert removed(copy) == {("time_entries", rows[77_777]["id"])}
        # what each load replaces is the next load's to put right
        assert differing(check(copy)) <= {"project_budget"}
        copy.check("time_clients", names=False)


# ------------------------------------------------------------------ the script


STREAMS_HERE = ("clients", "projects", "time_entries", "time_clients")
SOME = ("--resources", ",".join(STREAMS_HERE))
"""What the script loads and compares here."""


@pytest.mark.long
def test_the_script_verifies_and_repairs(server: Server) -> None:
    Copy(server).begin(*STREAMS_HERE, healed=True)
    env = environment(server)
    server.account.delete("time_entries", server.account.rows("time_entries")[5]["id"])
    done = run("verify", "--json", *SOME, env=env)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    entries = next(each for each in found["streams"] if each["stream"] == "time_entries")
    assert not found["equal"]
    assert (entries["rows_in_harvest"], entries["rows_here"], entries["deleted"]) == (399, 400, 1)
    assert found["requests"] > 3
    done = run("--no-reconcile", *SOME, env=env)
    assert "Compared" not in done.stdout
    assert done.returncode == 0
    done = run(*SOME, env=env)
    assert done.returncode == 0, done.stderr
    assert "1 deleted row removed" in done.stdout
    done = run("verify", *SOME, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "time_entries" in done.stdout
    assert "requests" in done.stdout
    done = run("verify", *SOME, env=env)
    assert done.returncode == 0, done.stdout


@pytest.mark.long
def test_the_script_says_how_to_let_much_go(server: Server) -> None:
    Copy(server).begin(*STREAMS_HERE, healed=True)
    env = environment(server)
    for row in server.account.rows("time_entries")[:100]:
        server.account.delete("time_entries", row["id"])
    done = run(*SOME, env=env)
    assert done.returncode == 1
    assert "--max-deleted-share 0.25" in done.stderr
    assert run("--max-deleted-share", "0.25", *SOME, env=env).returncode == 0
    assert run("verify", *SOME, env=env).returncode == 0


def test_the_script_verifies_nothing_yet(server: Server) -> None:
    done = run("verify", env=environment(server))
    assert done.returncode == 1
    assert "load it first" in done.stderr
