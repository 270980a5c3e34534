"""A comparison tells the truth: whatever was changed by hand or by Harvest, read or refused."""

from datetime import date
from typing import Any, Callable, Dict, List

import pytest
from dlt.pipeline.helpers import pipeline_drop

from harvest import HarvestError, harvest_source
from harvest.reconcile import reconcile, verify
from harvest.settings import STREAMS
from sandbox import Account, Fields, Server
from tests.copy import Copy, Row
from tests.helpers import agree, check, differing, heal, removed, repair, sql, streams
from tests.lakes import Delta

ENTRIES = ("time_entries", "clients")


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    """Enough of each kind of row, and not more."""
    return generated(seed=7, time_entries=120, years=0.8)


def serve(server: Server, stream: str, key: Any, fields: Row) -> None:
    """Has one row of a list, or all, served with other fields from now on."""

    def change(body: Dict[str, Any]) -> None:
        for row in body.get(stream, [body]):
            if key in (None, row.get("id")):
                row.update(fields)

    server.faults.add(f"{STREAMS[stream].path}(/.*)?", "mutate", times=None, change=change)


def outcomes(result: Any) -> Dict[str, str]:
    return {each.stream: each.outcome for each in result.comparisons}


def verdicts(result: Any) -> Dict[str, str]:
    return {each.stream: each.verdict for each in result.comparisons}


def comparison(result: Any, stream: str) -> Any:
    return next(each for each in result.comparisons if each.stream == stream)


# ---------------------------------------------------------------- odd values

ODD: Dict[str, List[Row]] = {
    "time_entries": [
        {"hours": ""},
        {"hours": 1 / 3},
        {"hours": "2.11"},
        {"rounded_hours": "two"},
        {"spent_date": "2024-02-31"},
        {"spent_date": "0203-05-01"},
        {"spent_date": None},
        {"is_locked": "maybe"},
        {"client": "x"},
        {"notes": 0.575},
        {"notes": {"text": "x"}},
        {"mood": ["a", {"b": [1, [2]]}, None]},
    ],
    "invoices": [
        {"amount": 1000000000.3000001},
        {"amount": 10**15},
        {"due_date": "soon"},
        {"line_items": [{"id": 1, "quantity": "", "unit_price": 1 / 3}]},
        {"line_items": [{"id": 1, "quantity": "2.11", "project": "x"}]},
        {"line_items": "none"},
    ],
    "clients": [{"name": 0.575, "created_at": "yesterday"}],
    "users": [{"weekly_capacity": 2**63, "roles": [1, None, {"x": 1}]}],
}
"""What rows of a stream are served with, one after the other."""


@pytest.mark.parametrize(
    "stream",
    [
        "time_entries",
        *(pytest.param(each, marks=pytest.mark.long) for each in ("invoices", "clients", "users")),
    ],
)
def test_odd_values_are_compared_and_healed(server: Server, stream: str) -> None:
    copy = Copy(server)
    copy.begin(stream)
    odd = {row["id"] for row in server.account.rows(stream)[1 : len(ODD[stream]) + 1]}
    for key, fields in zip(sorted(odd), ODD[stream], strict=True):
        serve(server, stream, key, fields)
    # Harvest has it all of a sudden, without a trace
    result = repair(copy, stream)
    assert {key for (key,) in comparison(result, stream).different} == odd
    result = check(copy, stream)
    agree(result)
    agree(heal(copy, stream))
    agree(verify(copy.pipeline, copy.source(stream), deep=True))
    # and a load that finds it leaves it equal, too
    copy.run(stream, full_refresh=True)
    agree(check(copy, stream))
    # nor does it stay when Harvest has it right again
    server.faults.clear()
    assert {key for (key,) in comparison(repair(copy, stream), stream).different} == odd
    agree(verify(copy.pipeline, copy.source(stream), deep=True))


@pytest.mark.long
def test_unforeseen_fields(server: Server) -> None:
    server.account.fields = Fields(unforeseen=True)
    copy = Copy(server)
    copy.run()
    result = verify(copy.pipeline, copy.source(), deep=True)
    agree(result)


def test_a_field_that_no_row_had_before(server: Server) -> None:
    copy = Copy(server)
    copy.begin("clients", "tasks")
    serve(server, "clients", None, {"mood": "fine"})
    assert differing(check(copy, "clients")) == {"clients"}
    repair(copy, "clients")
    assert {row["mood"] for row in copy.table("clients")} == {"fine"}
    agree(check(copy, "clients"))


@pytest.mark.long
def test_a_column_cast_by_hand(server: Server, destination: str) -> None:
    copy = Copy(server, destination)
    copy.begin(*ENTRIES, "time_clients")
    sql(copy, "ALTER TABLE {}time_entries ALTER COLUMN rounded_hours TYPE DOUBLE PRECISION")
    for deep in (False, True):
        result = verify(copy.pipeline, copy.source(*ENTRIES, "time_clients"), deep=deep)
        agree(result)
    agree(repair(copy, *ENTRIES, "time_clients"))


# ------------------------------------------------- tables and columns that are gone


def test_dropped_tables_are_missing_and_come_back(server: Server, destination: str) -> None:
    copy = Copy(server, destination).of(
        *("clients", "tasks", "roles", "users", "teammates", "invoices", "invoice_payments"),
        *("time_entries", "time_team"),
    )
    copy.begin()
    dropped = (
        "clients",
        "roles",
        "invoices__line_items",
        "invoice_payments",
        "time_team",
        "teammates",
    )
    for table in dropped:
        sql(copy, f"DROP TABLE {{}}{table}")
    result = check(copy)
    for table in dropped:
        stream = table.partition("__")[0]
        assert f"the table {table} is missing" in comparison(result, stream).verdict
    assert differing(result) == {table.partition("__")[0] for table in dropped}
    repair(copy)
    result = check(copy)
    agree(result)
    copy.check()


def test_a_dropped_column(server: Server, destination: str) -> None:
    copy = Copy(server, destination)
    copy.begin(*ENTRIES)
    sql(copy, "ALTER TABLE {}time_entries DROP COLUMN notes")
    result = check(copy, *ENTRIES)
    assert "time_entries.notes is missing" in comparison(result, "time_entries").verdict
    repair(copy, *ENTRIES)
    agree(check(copy, *ENTRIES))
    copy.check(*ENTRIES)


@pytest.mark.long
def test_a_table_that_dlt_was_told_to_drop(server: Server) -> None:
    copy = Copy(server)
    copy.begin("clients", "tasks")
    pipeline_drop(copy.pipeline, resources=["clients"])()
    result = check(copy, "clients", "tasks")
    assert differing(result) == {"clients"}
    assert "the table clients is missing" in comparison(result, "clients").verdict
    heal(copy, "clients", "tasks")
    agree(check(copy, "clients", "tasks"))


# ---------------------------------------------------------------- what was not read


def test_what_was_refused_is_not_equal(server: Server) -> None:
    copy = Copy(server)
    copy.begin()
    lists = {name for name, stream in STREAMS.items() if stream.kind in ("list", "whole")}
    for row in server.account.rows("time_entries")[::2]:
        server.account.delete("time_entries", row["id"])
    server.forbidden |= lists - {"company"}
    result = check(copy)
    assert not result.equal
    required = {name for name in lists - {"company"} if not STREAMS[name].section}
    assert streams(result, "not compared") == required
    assert result.count("not compared") == len(required)


@pytest.mark.long
def test_a_list_that_never_stands_still_is_not_equal(server: Server) -> None:
    copy = Copy(server)
    copy.begin("invoices", "tasks")
    server.api.page_size = 7

    def change(record: Any) -> None:
        server.account.delete("invoices", server.account.rows("invoices")[0]["id"])
        server.account.add("invoices")

    server.before("/invoices", change, times=None)
    result = check(copy, "invoices", "tasks")
    assert streams(result, "not compared") <= {"invoices"}
    assert not result.equal


@pytest.mark.parametrize("how", ["403", "404"])
def test_an_account_without_paid_time_off(server: Server, how: str) -> None:
    server.api.paid_time_off = how
    optional = [name for name, stream in STREAMS.items() if stream.section]
    copy = Copy(server).of("clients", "users", *optional)
    copy.run()
    copy.server.requests.clear()
    result = check(copy)
    agree(result)
    assert streams(result, "not covered") == {*optional}
    assert sum("/pto/" in path for path in copy.requests()) == 1
    agree(heal(copy))


def test_features_that_are_off_do_not_count(server: Server) -> None:
    copy = Copy(server).of("company", "clients", "expenses", "expenses_team")
    copy.begin()
    server.account.company["expense_feature"] = False
    result = check(copy)
    assert "expense_feature is switched off" in comparison(result, "expenses").verdict
    assert comparison(result, "expenses").outcome == "not covered"
    assert "expenses_team" in streams(result, "not covered")
    assert differing(result) == {"company"}


# ------------------------------------------------------------------ whose token


def test_who_sees_less_removes_nothing(server: Server) -> None:
    account = server.account
    copy = Copy(server).of("time_entries", "projects", "users", "clients", "time_team")
    copy.begin()
    gone = account.rows("time_entries")[3]["id"]
    account.delete("time_entries", gone)
    before = {name: copy.rows(name).keys() for name in ("time_entries", "projects", "users")}
    server.owned_by("manager")
    result = heal(copy, max_deleted_share=1)
    assert {name: copy.rows(name).keys() for name in before} == before
    assert "may see less" in comparison(result, "time_entries").note
    assert not result.equal
    server.owned_by("administrator")
    heal(copy)
    assert ("time_entries", gone) in removed(copy)
    copy.check("time_entries", names=False)


def test_an_administrator_who_becomes_a_manager(server: Server) -> None:
    copy = Copy(server)
    copy.begin("time_entries", "clients", "invoices", "invoice_payments")
    before = copy.rows("time_entries").keys()
    owner = server.owned_by("administrator")
    server.account.edit("users", owner, access_roles=["manager"])
    some = ("time_entries", "clients", "invoices", "invoice_payments")
    result = heal(copy, *some, max_deleted_share=1)
    assert copy.rows("time_entries").keys() >= before
    assert comparison(result, "time_entries").deletions_blocked


# ---------------------------------------------------------------------- reports


@pytest.mark.parametrize("by", ["0.05", pytest.param("-0.01", marks=pytest.mark.long)])
def test_a_report_with_other_sums_than_the_entries(server: Server, by: str) -> None:
    copy = Copy(server).of("time_entries", "time_team", "time_clients")
    copy.begin(healed=True)
    sql(copy, f"UPDATE {{}}time_team SET total_hours = total_hours + {by} WHERE user_id ="
              " (SELECT MIN(user_id) FROM {}time_team)")  # fmt: skip
    assert differing(check(copy)) == {"time_team"}
    repair(copy)
    copy.check("time_team")
    agree(check(copy))


@pytest.mark.parametrize(
    "some",
    [
        ("time_entries", "time_clients"),
        ("time_entries", "time_team", "uninvoiced"),
        ("time_team", "clients"),
        ("expenses", "expenses_categories", "uninvoiced"),
    ],
)
@pytest.mark.long
def test_some_streams_only(server: Server, some: Any) -> None:
    copy = Copy(server)
    copy.begin(*some, healed=True)
    server.account.clock.advance(60)
    heal(copy, *some)
    result = heal(copy, *some)
    agree(result)
    result = check(copy, *some)
    agree(result)
    entries = {"time_team": "time_entries", "uninvoiced": "time_entries"}
    for report in set(some) & entries.keys():
        told = f"that takes {entries[report]}" in comparison(result, report).note
        assert told == (entries[report] not in some)


# ------------------------------------------------------------------------- deep


def test_deep_finds_what_leaves_no_trace(server: Server, destination: str) -> None:
    account = server.account
    copy = Copy(server, destination).of(
        *("clients", "users", "billable_rates", "invoices", "invoice_payments"),
        *("invoice_messages", "expense_categories", "time_entries", "time_clients"),
    )
    copy.begin(healed=True)
    payment = account.rows("invoice_payments")[0]["id"]
    message = account.rows("invoice_messages")[0]["id"]
    rate = account.rows("billable_rates")[0]["id"]
    account.edit("invoice_payments", payment, touch=False, notes="Other")
    account.delete("invoice_messages", message)
    account.edit("billable_rates", rate, touch=False, amount=1)
    account.add("expense_categories")
    client = account.rows("invoices")[0]["client"]
    account.edit("clients", client["id"], name="Renamed")
    heal(copy)
    agree(check(copy))
    result = verify(copy.pipeline, copy.source(), deep=True)
    below = {"invoice_payments", "invoice_messages", "billable_rates"}
    # and everywhere the name of the client that rows repeat
    assert differing(result) >= below | {"invoices"}
    reconcile(copy.pipeline, copy.source(), deep=True)
    assert ("invoice_messages", message) in removed(copy)
    copy.check()
    result = verify(copy.pipeline, copy.source(), deep=True)
    agree(result)
    assert not streams(result, "not covered")


@pytest.mark.long
def test_deep_reads_long_lists_page_by_page(server: Server) -> None:
    copy = Copy(server)
    copy.begin("time_entries", "expenses")
    server.api.page_size = 7
    sql(copy, "UPDATE {}time_entries SET notes = 'x', rounded_hours = rounded_hours"
              " WHERE id = (SELECT MIN(id) FROM {}time_entries)")  # fmt: skip
    found = check(copy, "time_entries", "expenses")
    agree(found)
    deep = {"deep": True}
    assert differing(verify(copy.pipeline, copy.source("time_entries", "expenses"), **deep)) == {
        "time_entries"
    }
    gone = server.account.rows("time_entries")[5]["id"]
    server.account.delete("time_entries", gone)
    result = reconcile(copy.pipeline, copy.source("time_entries", "expenses"), **deep)
    assert comparison(result, "time_entries").deleted == {(gone,)}
    copy.check("time_entries", "expenses", names=False)


def test_deep_is_as_careful_as_ever(server: Server) -> None:
    copy = Copy(server).of("invoices", "invoice_payments", "invoice_messages", "tasks")
    copy.begin()
    before = {name: copy.rows(name) for name in copy.streams}
    for row in server.account.rows("invoice_payments")[:15]:
        server.account.delete("invoice_payments", row["id"])
    with pytest.raises(HarvestError, match=r"rows of invoice_payments .* max_deleted_share="):
        reconcile(copy.pipeline, copy.source(), deep=True)
    assert {name: copy.rows(name) for name in copy.streams} == before
    result = reconcile(copy.pipeline, copy.source(), deep=True, deleted="ignore")
    assert len(comparison(result, "invoice_payments").deleted) == 15
    assert copy.rows("invoice_payments") == before["invoice_payments"]
    reconcile(copy.pipeline, copy.source(), deep=True, deleted="mark", max_deleted_share=1)
    marked = [row for row in copy.table("invoice_payments") if row["deleted_at"]]
    assert len(marked) == 15
    assert len(copy.table("invoice_payments")) == len(before["invoice_payments"])
    agree(verify(copy.pipeline, copy.source(), deep=True))


@pytest.mark.long
def test_deep_compares_each_window_of_a_report(server: Server) -> None:
    copy = Copy(server).of("time_entries", "time_team", "clients")
    copy.begin(healed=True)
    sql(copy, "UPDATE {}time_team SET user_name = 'Nobody', billable_amount = 1")
    agree(check(copy))
    assert differing(verify(copy.pipeline, copy.source(), deep=True)) == {"time_team"}
    reconcile(copy.pipeline, copy.source(), deep=True)
    copy.check("time_team")


# ------------------------------------------------------------------ stored twice


@pytest.mark.long
def test_rows_that_are_stored_twice(server: Server, destination: str) -> None:
    tables = ("invoice_payments", "teammates", "time_team", "clients")
    copy = Copy(server, destination).of(*tables, "users", "invoices", "time_entries")
    copy.begin(healed=True)
    for table in tables:
        sql(copy, f"CREATE TABLE {{}}doubled AS SELECT * FROM {{}}{table}")
        # PostgreSQL lets no _dlt_id in twice
        sql(copy, "UPDATE {}doubled SET _dlt_id = CONCAT(_dlt_id, '2')")
        sql(copy, f"INSERT INTO {{}}{table} SELECT * FROM {{}}doubled")
        sql(copy, "DROP TABLE {}doubled")
    copy.server.requests.clear()
    result = check(copy)
    assert differing(result) == {*tables}
    for table in tables:
        assert "stored more than once" in comparison(result, table).verdict
        if STREAMS[table].parent:
            path = STREAMS[table].path.rpartition("/")[2]
            assert not [each for each in copy.requests() if each.endswith(path)]
    result = repair(copy)
    assert not result.unrepaired
    result = check(copy)
    agree(result)
    copy.check(*tables)


@pytest.mark.long
def test_rows_that_are_twice_in_a_lake() -> None:
    """Delta Lake would write to both of them, and keep both."""
    account = Account.generate(seed=7, time_entries=60, years=0.6)
    with Server(account, limits=False) as server:
        copy = Delta(server)
        some = ("tasks", "time_entries", "invoices", "invoice_payments", "time_team")
        heal(copy, *some)
        for table in ("tasks", "time_entries", "invoice_payments", "time_team"):
            double(copy, table)
        result = check(copy, *some)
        assert differing(result) == set(some) - {"invoices"}
        result = repair(copy, *some)
        assert not result.unrepaired
        copy.check(*some, names=False)
        agree(check(copy, *some))


def double(copy: Delta, table: str) -> None:
    """Appends the rows of a Delta table to it once more."""
    from deltalake import DeltaTable, write_deltalake

    folder = str(copy.folder / table)
    write_deltalake(folder, DeltaTable(folder).to_pyarrow_table(), mode="append")


# ------------------------------------------------------------------- elsewhere


@pytest.mark.long
def test_a_source_with_a_name_of_its_own(server: Server) -> None:
    copy = Copy(server)
    clone = harvest_source.clone(name="agency", section="harvest")

    def agency(**settings: Any) -> Any:
        return clone(**settings).with_resources("time_entries", "clients", "time_team")

    copy.pipeline.run(agency(**copy.settings))
    result = verify(copy.pipeline, agency(**copy.settings))
    agree(result)
    gone = server.account.rows("time_entries")[3]["id"]
    server.account.delete("time_entries", gone)
    copy.pipeline.run(agency(**copy.settings))
    reconcile(copy.pipeline, agency(**copy.settings))
    assert ("time_entries", gone) in removed(copy)
    agree(verify(copy.pipeline, agency(**copy.settings)))


def test_another_naming_convention(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEMA__NAMING", "direct")
    with pytest.raises(HarvestError, match="SCHEMA__NAMING"):
        Copy(server).run("clients", "invoices")


@pytest.mark.long
def test_a_connection_that_the_server_closes(
    server: Server, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", postgres)
    copy = Copy(server, "postgres").of(
        *("clients", "time_entries", "time_team", "invoices", "invoice_payments")
    )
    heal(copy)
    sql(copy, "ALTER DATABASE postgres SET idle_session_timeout = '1s'")
    try:
        server.faults.add("/clients", "slow", times=None, seconds=2)
        server.faults.add("/invoices/.*/payments", "slow", times=3, seconds=2)
        gone = server.account.rows("clients")[0]["id"]
        assert gone
        server.account.edit("time_entries", server.account.rows("time_entries")[-1]["id"],
                            touch=False, hours=3)  # fmt: skip
        repair(copy)
        agree(verify(copy.pipeline, copy.source(), deep=True))
    finally:
        sql(copy, "ALTER DATABASE postgres RESET idle_session_timeout")


# ---------------------------------------------- sets: below a parent, of a year, of a window


@pytest.mark.long
def test_a_deep_comparison_by_who_sees_less(server: Server) -> None:
    """Reports and whole tables stay as the owner who sees more has left them."""
    whole = ("project_budget", "time_clients", "uninvoiced", "pto_allocations")
    copy = Copy(server).of("clients", "projects", "users", "time_entries", *whole)
    copy.begin(healed=True)
    before = {name: copy.rows(name) for name in copy.streams}
    server.owned_by("manager")
    for deep in (False, True):
        result = repair(copy, deep=deep, max_deleted_share=1)
        assert {name: copy.rows(name) for name in copy.streams} == before
        assert streams(result, "not compared") == {*whole}
        assert not result.equal


@pytest.mark.parametrize(
    "deleted", ["remove", "mark", pytest.param("ignore", marks=pytest.mark.long)]
)
def test_a_deleted_row_of_a_year(server: Server, deleted: str) -> None:
    copy = Copy(server).of("users", "pto_types", "pto_allocations")
    copy.begin()
    year = date.today().year
    gone = server.account.rows("pto_allocations", year=year)[0]["id"]
    rows = len(copy.table("pto_allocations"))
    server.account.delete("pto_allocations", gone)
    result = repair(copy, deep=True, deleted=deleted, max_deleted_share=1)
    assert [key[0] for key in comparison(result, "pto_allocations").deleted] == [gone]
    here = {row["id"]: row for row in copy.table("pto_allocations")}
    assert len(here) == rows - (deleted == "remove")
    assert (gone in here) == (deleted != "remove")
    if deleted == "mark":
        assert [id for id, row in here.items() if row["deleted_at"]] == [gone]


def test_a_row_that_only_the_second_answer_has(server: Server) -> None:
    copy = Copy(server).of("invoices", "invoice_payments")
    copy.begin()
    children = server.account.children("invoice_payments")
    invoice, payments = next((id, rows) for id, rows in children.items() if len(rows) > 1)
    changed = payments[1]["id"]
    server.account.edit("invoice_payments", changed, touch=False, notes="In silence")

    def lacking(body: Dict[str, Any]) -> None:
        del body["invoice_payments"][0]

    fault = server.faults.add(f"/invoices/{invoice}/payments", "mutate", change=lacking)
    result = repair(copy, deep=True)
    assert fault.hits == 1
    assert not comparison(result, "invoice_payments").deleted
    copy.check("invoice_payments")
