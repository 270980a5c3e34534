"""The account: the same each time, sound, and with every kind of row."""

from __future__ import annotations

import re
import threading
import unicodedata
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

import pytest

from sandbox import (
    LISTINGS,
    REPORTS,
    TIME_OFF,
    UNFORESEEN,
    Account,
    Fields,
    Server,
)
from sandbox.store.tables import TABLES
from tests.sandbox.client import STREAMS, TODAY, WITH_ID, Client, Row, every_row


def stamp(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def check_money(account: Account) -> None:
    payments = account.children("invoice_payments", exact=True)
    for invoice in account.rows("invoices", exact=True):
        paid = sum(payment["amount"] for payment in payments[invoice["id"]])
        assert invoice["due_amount"] == invoice["amount"] - paid
        assert (invoice["state"] == "paid") == (invoice["paid_at"] is not None)
        assert (invoice["closed_at"] is not None) == (invoice["state"] == "closed")
        if invoice["state"] == "paid":
            assert invoice["due_amount"] <= 0
            assert invoice["paid_date"]
        subtotal = sum(item["amount"] for item in invoice["line_items"])
        extra = (invoice["tax_amount"] or 0) + invoice["tax2_amount"]
        assert invoice["amount"] == subtotal - invoice["discount_amount"] + extra
        for item in invoice["line_items"]:
            exact = item["quantity"] * item["unit_price"]
            assert item["amount"] == exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


def check_references(account: Account) -> None:
    rows = every_row(account)
    ids = {name: {row["id"] for row in rows[name]} for name in WITH_ID if name != "teammates"}
    numbers = {row["id"]: row["number"] for row in rows["invoices"]}
    for name in ("time_entries", "expenses"):
        for row in rows[name]:
            assert row["user"]["id"] in ids["users"]
            assert row["project"]["id"] in ids["projects"]
            assert row["is_billed"] == (row["invoice"] is not None)
            locked = row["is_billed"] or row["is_closed"] or row["is_explicitly_locked"]
            assert row["is_locked"] == locked
            assert (row["approval_status"] == "approved") == row["is_closed"]
            assert (row["locked_reason"] is not None) == row["is_locked"]
            if row["invoice"]:
                assert row["invoice"]["number"] == numbers[row["invoice"]["id"]]
    for row in rows["time_entries"]:
        quarters = (Decimal(str(row["hours"])) * 4).to_integral_value("ROUND_CEILING") / 4
        assert Decimal(str(row["rounded_hours"])) == quarters
        assert (row["timer_started_at"] is not None) == row["is_running"]
    for role in rows["roles"]:
        having = [user["id"] for user in rows["users"] if role["name"] in user["roles"]]
        assert role["user_ids"] == sorted(having)


def check_rates(account: Account) -> None:
    for stream, column in (("billable_rates", "default_hourly_rate"), ("cost_rates", "cost_rate")):
        for user, rates in account.children(stream).items():
            for earlier, later in pairwise(rates):
                day = date.fromisoformat(later["start_date"]) - timedelta(days=1)
                assert earlier["end_date"] == day.isoformat()
            if rates:
                assert rates[-1]["end_date"] is None
                row = account.get("users", user)
                assert row
                assert row[column] == rates[-1]["amount"]


def test_same_arguments_same_account() -> None:
    first, second, other = (
        every_row(Account.generate(seed=seed, time_entries=250, today=TODAY)) for seed in (1, 1, 2)
    )
    assert first == second
    assert first["time_entries"] != other["time_entries"]


def test_has_the_entries_asked_for() -> None:
    for entries in (0, 1, 7, 500):
        account = Account.generate(time_entries=entries)
        assert len(account.rows("time_entries")) == account.counts()["time_entries"] == entries


def test_time_reports_add_up_to_the_entries(still: Client) -> None:
    """What Harvest documents as the checksum of a copy."""
    account = still.server.account
    window = {"from_": "2025-06-01", "to": "2026-05-31"}
    hours = sum(
        entry["rounded_hours"]
        for entry in account.rows("time_entries", exact=True)
        if window["from_"] <= entry["spent_date"] <= window["to"]
    )
    for subject in ("clients", "projects", "tasks", "team"):
        rows = account.rows(f"time_{subject}", exact=True, **window)
        assert sum(row["total_hours"] for row in rows) == hours > 0


def test_has_every_kind_of_row(still: Client) -> None:
    account = still.server.account
    rows = every_row(account)
    assert {row["state"] for row in rows["invoices"]} == {"draft", "open", "paid", "closed"}
    assert {row["state"] for row in rows["estimates"]} == {"draft", "sent", "accepted", "declined"}
    assert {row["bill_by"] for row in rows["projects"]} == {"Project", "People", "Tasks", "none"}
    budgets = {"project", "project_cost", "task", "task_fees", "person", "none"}
    assert {row["budget_by"] for row in rows["projects"]} == budgets
    assert any(row["is_fixed_fee"] for row in rows["projects"])
    assert any(not row["is_active"] for row in rows["users"])
    assert any(row["is_running"] for row in rows["time_entries"])
    assert any(row["external_reference"] for row in rows["time_entries"])
    assert any(row["hours"] != row["rounded_hours"] for row in rows["time_entries"])
    assert min(row["id"] for row in rows["time_entries"]) > 2**32
    for flag in ("reminder", "thank_you"):
        assert any(row[flag] for row in rows["invoice_messages"])
    gateways = {row["payment_gateway"]["id"] for row in rows["invoice_payments"]}
    assert len(gateways) == 2
    assert None in gateways
    characters = {unicodedata.name(character, "") for character in str(rows)}
    for script in (
        "CYRILLIC",
        "GREEK",
        "HIRAGANA",
        "ARABIC",
        "LATIN SMALL LETTER E WITH",
        "ROCKET",
    ):
        assert any(name.startswith(script) for name in characters), script


def test_time_is_in_order(still: Client) -> None:
    now = still.server.account.clock.now()
    for name, rows in every_row(still.server.account).items():
        for row in rows:
            if "created_at" in row:
                assert stamp(row["created_at"]) <= stamp(row["updated_at"]) <= now, (name, row)
            if "spent_date" in row:
                assert row["spent_date"] <= row["created_at"][:10]


def test_money_and_references_agree(still: Client) -> None:
    check_money(still.server.account)
    check_references(still.server.account)
    check_rates(still.server.account)


def test_projects_without_codes() -> None:
    account = Account.generate(time_entries=50, project_codes=False)
    account.add("projects")
    assert {row["code"] for row in account.rows("projects")} == {None}
    assert {row["project"]["code"] for row in account.rows("time_entries")} == {None}


def test_fields_on_request() -> None:
    assert "saml_exempt" not in Account.generate(time_entries=5).rows("users")[0]
    users = Account.generate(time_entries=5, saml_exempt=True).rows("users")
    assert {row["saml_exempt"] for row in users} == {True, False}


def test_unforeseen_fields_are_in_every_row() -> None:
    account = Account.generate(seed=3, time_entries=300, today=TODAY, unforeseen=True)
    plain = Account.generate(seed=3, time_entries=300, today=TODAY)
    days = {"from_": "2026-01-01", "to": "2026-05-01"}
    for stream in STREAMS:
        period = days if stream in REPORTS else {}
        rows, others = account.rows(stream, **period), plain.rows(stream, **period)
        assert rows, stream
        assert [
            {name: value for name, value in row.items() if name not in UNFORESEEN} for row in rows
        ] == others
        for row in rows:
            kinds = [type(row[name]) for name in UNFORESEEN]
            assert kinds == [bool, str, float, type(None), dict], (stream, row)
        assert rows == account.rows(stream, **period)
    account.fields = Fields(more={"clients": {"labels": ["a", "b"]}})
    assert [row["labels"] for row in account.rows("clients")[:2]] == [["a", "b"]] * 2
    with Server(account, limits=False) as server:
        client = Client(server)
        assert client.walk("/clients") == account.rows("clients")
        account.fields = Fields(unforeseen=True)
        assert client.walk("/clients") == account.rows("clients")
        assert client.get("/company").json() == account.rows("company")[0]
        walked = client.walk("/reports/time/clients", **{"from": days["from_"], "to": days["to"]})
        assert walked == account.rows("time_clients", **days)


def test_no_name_gets_a_number_behind_it(client: Client) -> None:
    """Names tell records apart without one, also those of records that are added or renamed."""
    account = client.server.account
    account.change(1, 120, {"add", "edit"})
    named = {name: rows for name, rows in every_row(account).items() if "name" in rows[0]}
    assert len(named) > 8
    for stream, rows in named.items():
        assert not [row["name"] for row in rows if re.search(r"[0-9]", row["name"])], stream


def test_nobody_works_on_a_holiday_or_on_leave(still: Client) -> None:
    account = still.server.account
    worked = {(e["user"]["id"], e["spent_date"]) for e in account.rows("time_entries")}
    away = {
        (request["user"]["id"], day["date"])
        for request in account.rows("pto_requests")
        if request["status"] == "approved"
        for day in request["request_days"]
    }
    days = {
        calendar["id"]: [entry["date"] for entry in calendar["entries"]]
        for calendar in account.rows("pto_holiday_calendars")
    }
    for row in account.rows("pto_assignments"):
        if row["holiday_calendar"]:
            away |= {(row["user"]["id"], day) for day in days[row["holiday_calendar"]["id"]]}
    assert not worked & away


def test_paid_time_off_is_sound(still: Client) -> None:
    account = still.server.account
    rows = {name: account.rows(name) for name in TIME_OFF}
    users = {row["id"] for row in account.rows("users")}
    assert {row["status"] for row in rows["pto_requests"]} == {"approved", "denied", "pending"}
    assert {row["user"]["id"] for row in rows["pto_assignments"]} == users
    assert any(row["work_schedule"] is None for row in rows["pto_assignments"])
    for row in rows["pto_requests"]:
        days = [day["date"] for day in row["request_days"]]
        assert days
        assert row["start_date"] <= days[0] <= days[-1] <= row["end_date"]
        assert row["days"] == sum(day["day_fraction"] for day in row["request_days"])
        assert (row["reviewer"] is None) == (row["reviewed_at"] is None)
        assert (row["reviewer"] is None) == (row["status"] == "pending")
        assert set(row["pto_type"]) == {"id", "name", "color", "icon"}
    for row in rows["pto_holiday_calendars"]:
        assert row["entries_count"] == len(row["entries"]) > 0
    for row in rows["pto_work_schedules"]:
        days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
        assert row["weekly_hours"] == sum(row[f"{day}_hours"] for day in days)
    assert len({row["year"] for row in rows["pto_allocations"]}) > 1


def test_add_edit_delete(client: Client) -> None:
    account = client.server.account
    account.clock.advance(60)
    now = account.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    for stream, table in TABLES.items():
        if stream in ("teammates", "pto_assignments") or table.kept_in:
            continue
        highest = max(row["id"] for row in account.rows(stream))
        row = account.add(stream)
        assert row["id"] > highest
        assert row["created_at"] == row["updated_at"] == now
        parent = account.columns_of(stream, row["id"]).get(LISTINGS[stream].parent[0])
        assert row in account.rows(stream, parent)
        account.delete(stream, row["id"])
        assert account.get(stream, row["id"]) is None
        again = account.add(stream)
        assert again["id"] > row["id"]
    entry = account.rows("time_entries")[5]
    account.clock.advance(60)
    edited = account.edit("time_entries", entry["id"], hours=3.14, notes="x")
    assert (edited["hours"], edited["rounded_hours"], edited["notes"]) == (3.14, 3.25, "x")
    assert edited["updated_at"] > now
    silent = account.edit("time_entries", entry["id"], notes="y", touch=False)
    assert silent == edited | {"notes": "y"}
    with pytest.raises(ValueError, match="no field"):
        account.edit("clients", account.rows("clients")[0]["id"], nonsense=1)
    with pytest.raises(ValueError, match="follows from"):
        account.edit("time_entries", entry["id"], is_billed=True)
    with pytest.raises(KeyError):
        account.delete("clients", 1)


def test_fields_of_additions(client: Client) -> None:
    account = client.server.account
    project = account.rows("projects")[2]
    entry = account.add(
        "time_entries", project_id=project["id"], spent_date=date(2026, 5, 1), hours=1.1
    )
    assert entry["project"]["id"] == project["id"]
    assert (entry["spent_date"], entry["hours"], entry["rounded_hours"]) == (
        "2026-05-01",
        1.1,
        1.25,
    )
    contact = account.add("contacts", client={"id": project["client"]["id"]}, first_name="Zoë")
    assert contact["client"]["id"] == project["client"]["id"]
    invoice = account.add(
        "invoices",
        client_id=project["client"]["id"],
        tax=10,
        discount=None,
        line_items=[{"quantity": 3, "unit_price": 33.335, "project_id": project["id"]}],
    )
    assert invoice["line_items"][0]["project"]["id"] == project["id"]
    check_money(account)


def test_payments_settle_an_invoice(client: Client) -> None:
    account = client.server.account
    invoice = next(row for row in account.rows("invoices") if row["state"] == "open")
    account.clock.advance(60)
    payment = account.add(
        "invoice_payments", invoice_id=invoice["id"], amount=invoice["due_amount"]
    )
    paid = account.get("invoices", invoice["id"])
    assert paid
    assert paid["state"] == "paid"
    assert paid["due_amount"] == 0
    assert paid["updated_at"] == payment["updated_at"] > invoice["updated_at"]
    account.delete("invoice_payments", payment["id"])
    open_again = account.get("invoices", invoice["id"])
    assert open_again
    assert open_again["state"] == "open"
    assert open_again["paid_at"] is None
    check_money(account)


def test_bill_and_delete_the_invoice(client: Client) -> None:
    account = client.server.account
    before = account.rows("uninvoiced", from_="2025-06-01", to="2026-05-31")
    row = next(row for row in before if row["uninvoiced_hours"] > 0)
    account.clock.advance(60)
    invoice = account.bill(row["project_id"], state="open")
    assert invoice is not None
    mine = [
        entry
        for entry in account.rows("time_entries")
        if (entry["invoice"] or {}).get("id") == invoice["id"]
    ]
    assert mine
    assert all(entry["is_billed"] and entry["is_locked"] for entry in mine)
    assert {entry["updated_at"] for entry in mine} == {invoice["updated_at"]}
    assert account.bill(row["project_id"]) is None
    check_money(account)
    account.add("invoice_messages", invoice_id=invoice["id"])
    account.clock.advance(60)
    account.delete("invoices", invoice["id"])
    assert client.get(f"/invoices/{invoice['id']}/messages").status_code == 404
    for entry in mine:
        now = account.get("time_entries", entry["id"])
        assert now
        assert not now["is_billed"]
        assert now["updated_at"] > entry["updated_at"]
    assert account.rows("uninvoiced", from_="2025-06-01", to="2026-05-31") == before


def test_deleting_takes_along_what_belongs_to_it(client: Client) -> None:
    account = client.server.account
    project = account.rows("time_entries")[50]["project"]["id"]
    user = account.rows("time_entries")[0]["user"]["id"]
    role = account.rows("roles")[-1]
    account.delete("projects", project)
    account.delete("users", user)
    account.delete("pto_types", account.rows("pto_requests")[0]["pto_type"]["id"])
    account.delete("pto_holiday_calendars", account.rows("pto_holiday_calendars")[0]["id"])
    account.delete("clients", account.rows("projects")[0]["client"]["id"])
    account.delete("roles", role["id"])
    for stream in ("time_entries", "expenses", "user_assignments"):
        for row in account.rows(stream):
            assert row["project"]["id"] != project
            assert row["user"]["id"] != user
    assert not any(role["name"] in row["roles"] for row in account.rows("users"))
    check_references(account)
    check_money(account)


def test_changes_repeat_and_stay_sound() -> None:
    def run(seed: int) -> tuple[list[str], dict[str, list[Row]]]:
        account = Account.generate(seed=9, time_entries=300, today=TODAY)
        account.clock.freeze(datetime(2026, 5, 20, 12, tzinfo=timezone.utc))
        lines = [str(change) for change in account.change(seed, 150)]
        check_money(account)
        check_references(account)
        check_rates(account)
        return lines, every_row(account)

    assert run(1) == run(1)
    assert len(run(1)[0]) == 150
    assert run(1)[0] != run(2)[0]


def test_kinds_of_change(client: Client) -> None:
    for kind in ("add", "edit", "delete", "bill"):
        check_kind(kind, client)
    with pytest.raises(ValueError, match="no kind"):
        client.server.account.change(1, 1, {"explode"})


def check_kind(kind: str, client: Client) -> None:
    account = client.server.account
    before = {name: {row["id"] for row in account.rows(name)} for name in WITH_ID}
    changes = account.change(1, 30, {kind})
    assert {change.kind for change in changes} == {kind}
    after = {name: {row["id"] for row in account.rows(name)} for name in WITH_ID}
    for change in changes:
        assert (change.id in before[change.stream]) == (kind in ("edit", "delete"))
        assert (change.id in after[change.stream]) == (kind != "delete")


def test_every_change_reaches_updated_since_or_the_ids(client: Client) -> None:
    """An edit moves updated_at; nothing else but names nested in other rows changes silently."""
    account = client.server.account
    before = {name: {row["id"]: row for row in account.rows(name)} for name in WITH_ID}
    account.clock.advance(60)
    moment = account.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    account.change(5, 80)
    for name in WITH_ID:
        # Roles are read whole, and a teammate has no time of its own.
        if name in ("roles", "teammates", "project_assignments"):
            continue
        for row in account.rows(name):
            old = before[name].get(row["id"])
            flat = {key: value for key, value in row.items() if not isinstance(value, dict)}
            if row["updated_at"] < moment:
                assert old, name
                assert flat == {key: old[key] for key in flat}, name


def test_changing_while_serving(client: Client) -> None:
    account = client.server.account
    stop = threading.Event()
    failures: list[str] = []

    def read() -> None:
        own = Client(client.server)
        while not stop.is_set():
            response = own.get("/time_entries", per_page=100)
            body = response.json()
            if response.status_code != 200 or len(body["time_entries"]) != 100:
                failures.append(response.text)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(10):
        account.change(number, 10)
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures


def test_a_copy_changes_apart_from_its_account() -> None:
    account = Account.generate(seed=3, time_entries=60, years=0.5, project_codes=False)
    account.add("clients", name="Before")
    copied = account.copy()
    for stream in ("clients", "projects", "time_entries", "invoice_payments", "pto_requests"):
        assert copied.rows(stream) == account.rows(stream), stream
    before = account.rows("clients")
    # what is drawn by chance is the same, too, and so are the ids
    added = [each.add("estimates", created_at="2026-01-01T00:00:00Z") for each in (account, copied)]
    assert added[0]["id"] == added[1]["id"]
    assert added[0]["number"] == added[1]["number"]
    copied.add("clients", name="Elsewhere")
    copied.company["name"] = "Another"
    assert account.rows("clients") == before
    assert account.company["name"] != "Another"
    client = copied.rows("projects")[0]["client"]["id"]
    copied.delete("clients", client)
    assert client not in {row["client"]["id"] for row in copied.rows("projects")}
