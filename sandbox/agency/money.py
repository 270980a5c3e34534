"""Estimates and invoices, with their messages and payments."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NamedTuple, Protocol

import orjson

from ..store.amounts import product
from ..store.columns import Row
from . import story, words
from .filling import Filling, Record
from .past import Past
from .people import Person
from .projects import Project

TERMS = {"upon receipt": 0, "net 15": 15, "net 30": 30, "net 45": 45, "net 60": 60}
TAXES = {"EUR": 21.0, "GBP": 20.0, "USD": None}


def _estimate_item_categories(fill: Filling, given: Row) -> Row:
    return {"name": words.new_name(fill.rng, "estimate_item_categories")}


def _invoice_item_categories(fill: Filling, given: Row) -> Row:
    name = words.new_name(fill.rng, "invoice_item_categories")
    return {"name": name, "use_as_service": 0, "use_as_expense": 0}


def _lines(fill: Filling, given: Row, row: Row) -> list[Row]:
    """Return the line items that are given, completed, or one."""
    lines: list[Row] | None = orjson.loads(given.get("line_items") or "null")
    if lines is None:
        item = {"kind": "Service", "description": row["subject"]}
        lines = [item | {"quantity": fill.rng.randrange(4, 80) / 2, "unit_price": 112.5}]
    for line in lines:
        line.setdefault("id", fill.store.next_id("line_items"))
        amount = product(line.setdefault("quantity", 1.0), line.setdefault("unit_price", 1.0))
        line["amount"] = amount / 100
        line.setdefault("kind", "Service")
        line.setdefault("description", None)
        line.setdefault("taxed", row["tax"] is not None)
        line.setdefault("taxed2", row.get("tax2") is not None)
    return lines


def _sums(lines: list[Row], row: Row) -> Row:
    """Return the amounts that follow from the lines, the discount and the taxes."""
    amounts = [round(line["amount"] * 100) for line in lines]
    share = 100 - (row["discount"] or 0)

    def percent(of: int, rate: float | None) -> int:
        return product(of / 100, (rate or 0) / 100)

    def tax(rate: str, flag: str) -> int:
        taxed = sum(amount * line[flag] for amount, line in zip(amounts, lines, strict=True))
        return percent(percent(taxed, share), row.get(rate))

    sums: Row = {
        "discount_amount": percent(sum(amounts), row["discount"]),
        "tax_amount": tax("tax", "taxed"),
        "tax2_amount": tax("tax2", "taxed2"),
    }
    taxes = sums["tax_amount"] + sums["tax2_amount"]
    sums["amount"] = sum(amounts) - sums["discount_amount"] + taxes
    if row["tax"] is None:
        sums["tax_amount"] = None
    return sums


def _bill(fill: Filling, given: Row, number: str) -> tuple[Row, list[Row]]:
    """Return what invoices and estimates have in common, sums included, and their lines."""
    rng = fill.rng
    client = fill.some("clients", given, "client_id")
    currency = given.get("currency") or fill.store.columns_of("clients", client)["currency"]
    row: Row = {
        "client_id": client,
        "creator_id": fill.store.pick("users", rng),
        "client_key": f"{rng.getrandbits(160):040x}",
        "number": number,
        "purchase_order": rng.choice(["", None, str(rng.randrange(1000, 9999))]),
        "tax": TAXES.get(currency),
        "discount": rng.choice([None, None, None, None, 5.0, 10.0]),
        "subject": rng.choice(words.PROJECTS),
        "notes": rng.choice(["", None, "Thank you for your business. Payment terms: as agreed."]),
        "currency": currency,
        "issue_date": (given.get("created_at") or fill.now)[:10],
    } | given
    if currency == "USD" and "tax" not in given:
        row |= rng.choice([{}, {}, {"tax": 8.25, "tax2": 1.5}])
    lines = _lines(fill, given, row)
    sums = _sums(lines, row)
    return row | {name: value for name, value in sums.items() if name not in given}, lines


def _invoices(fill: Filling, given: Row) -> Row:
    rng = fill.rng
    row, lines = _bill(fill, given, str(fill.store.next_id("invoice_numbers")))
    for line in lines:
        project = fill.store.columns_of("projects", line.pop("project_id", None))
        nested = {name: project[name] for name in ("id", "name", "code")} if project else None
        line.setdefault("project", nested)
    term = row.get("payment_term") or rng.choice(list(TERMS))
    issued = date.fromisoformat(row["issue_date"])
    row |= {"payment_term": term, "state": row.get("state") or "draft"}
    row.setdefault("due_date", (issued + timedelta(days=TERMS.get(term, 21))).isoformat())
    row.setdefault("payment_options", rng.choice(["[]", '["credit_card"]', '["ach","paypal"]']))
    row.setdefault("due_amount", row["amount"])
    if row["state"] != "draft":
        row.setdefault("sent_at", row.get("created_at") or fill.now)
    return row | {"line_items": orjson.dumps(lines).decode()}


def _estimates(fill: Filling, given: Row) -> Row:
    row, lines = _bill(fill, given, str(fill.store.next_id("estimate_numbers")))
    state = row.setdefault("state", "draft")
    created = row.get("created_at") or fill.now
    if state != "draft":
        row.setdefault("sent_at", created)
    if state in ("accepted", "declined"):
        row.setdefault(f"{state}_at", created)
    return row | {"line_items": orjson.dumps(lines).decode()}


def _message(fill: Filling, parent: Row, subject: str) -> Row:
    rng = fill.rng
    user = fill.store.columns_of("users", parent["creator_id"])
    sender = f"{user['first_name']} {user['last_name']}" if user else None
    email = user.get("email")
    client = fill.store.columns_of("clients", parent["client_id"])
    first, last, mail = fill.person()
    people: list[Row] = [{"name": f"{first} {last}", "email": f"{mail}@example.org"}]
    copy = rng.random() < 0.4
    if copy and user:
        people.append({"name": sender, "email": email})
    return {
        "sent_by": sender,
        "sent_by_email": email,
        "sent_from": sender,
        "sent_from_email": email,
        "recipients": orjson.dumps(people).decode(),
        "subject": f"{subject} #{parent['number']} from Studio Tamarisk",
        "body": f"Dear {client['name']},\r\n\r\nplease find our {subject.lower()} attached.",
        "send_me_a_copy": int(copy),
    }


def _invoice_messages(fill: Filling, given: Row) -> Row:
    invoice = fill.some("invoices", given, "invoice_id", active=False)
    parent = fill.store.columns_of("invoices", invoice)
    subject = "Invoice reminder" if given.get("reminder") else "Invoice"
    if given.get("thank_you"):
        subject = "Receipt, with thanks for paying, for invoice"
    return _message(fill, parent, subject) | {
        "invoice_id": invoice,
        "include_link_to_client_invoice": int(parent["payment_options"] != "[]"),
        "attach_pdf": 1,
        "thank_you": 0,
        "reminder": 0,
    }


def _estimate_messages(fill: Filling, given: Row) -> Row:
    estimate = fill.some("estimates", given, "estimate_id", active=False)
    message = _message(fill, fill.store.columns_of("estimates", estimate), "Estimate")
    return message | {"estimate_id": estimate}


def _invoice_payments(fill: Filling, given: Row) -> Row:
    rng = fill.rng
    invoice = given.get("invoice_id") or fill.store.pick("invoices", rng, "state = 'open'")
    invoice = fill.some("invoices", {"invoice_id": invoice}, "invoice_id", active=False)
    due = fill.store.columns_of("invoices", invoice)["due_amount"]
    user = fill.store.columns_of("users", fill.store.pick("users", rng))
    card = rng.random() < 0.4
    gateway = {"id": 1201, "name": "Examplepay"} if card else {"id": None, "name": None}
    paid = (given.get("created_at") or fill.now)[:10]
    return {
        "invoice_id": invoice,
        "amount": max(0, due) if rng.random() < 0.7 else max(0, due) // 2,
        "paid_at": f"{paid}T00:00:00Z",
        "paid_date": paid,
        "recorded_by": f"{user['first_name']} {user['last_name']}" if user else None,
        "recorded_by_email": user.get("email"),
        "notes": rng.choice([None, "", "Bank transfer", "Paid by cheque #4321"]),
        "transaction_id": f"ch_{rng.getrandbits(48):012x}" if card else None,
        "payment_gateway": orjson.dumps(gateway).decode(),
    }


RECORDS: dict[str, Record] = {
    "estimate_item_categories": _estimate_item_categories,
    "estimates": _estimates,
    "estimate_messages": _estimate_messages,
    "invoice_item_categories": _invoice_item_categories,
    "invoices": _invoices,
    "invoice_messages": _invoice_messages,
    "invoice_payments": _invoice_payments,
}


class Biller(Protocol):
    """What makes an invoice of what is billable, as `Editor.bill` does."""

    def __call__(
        self,
        project: int | None = None,
        *,
        from_: date | str | None = None,
        to: date | str | None = None,
        **fields: Any,
    ) -> Row | None:
        """Return the invoice, or None where there is nothing to bill."""


def categorize(past: Past) -> None:
    """Make the categories of items."""
    for name in ("Service", "Product"):
        past.put("estimate_item_categories", past.at(past.opening), name=name)
        service = name == "Service"
        uses = {"use_as_service": int(service), "use_as_expense": int(not service)}
        past.put("invoice_item_categories", past.at(past.opening), name=name, **uses)


def estimate(past: Past, clients: list[Row], people: list[Person]) -> list[Row]:
    """Make the estimates with their messages."""
    rng = past.rng
    count = round(14 * max(1.0, past.entries / 2000) ** 0.45) if past.entries else 0
    made: list[Row] = []
    days = sorted(past.day(past.first, past.today - timedelta(days=3)) for _ in range(count))
    for number, day in enumerate(days):
        state = ["accepted", "sent", "declined", "draft", "accepted"][number % 5]
        client = rng.choice([client for client in clients if client["since"] <= day])
        created, sent = past.at(day, 8, 12), past.at(day, 13, 18)
        answered = past.at(min(day + timedelta(days=rng.randrange(1, 15)), past.today))
        times: Row = {"sent_at": sent if state != "draft" else None}
        if state in ("accepted", "declined"):
            times[f"{state}_at"] = answered
        row = past.put(
            "estimates",
            created,
            client_id=client["id"],
            state=state,
            updated_at=max([created, *(time for time in times.values() if time)]),
            creator_id=people[rng.randrange(2)].id,
            **times,
        )
        made.append(row)
        given = {"estimate_id": row["id"]}
        if state != "draft":
            past.put("estimate_messages", sent, updated_at=sent, **given)
        if state in ("accepted", "declined"):
            event = "accept" if state == "accepted" else "decline"
            past.put("estimate_messages", answered, updated_at=answered, event_type=event, **given)
    return made


class _Stretch(NamedTuple):
    """Days of a project that one invoice is for, and the part of a fixed fee that it asks."""

    issued: date
    begin: date
    end: date
    project: Project
    fee: float


def _months(past: Past, project: Project) -> list[_Stretch]:
    """Return the whole months of a project of time and materials, each billed soon after."""
    found = []
    begin, last = project.begin, project.end or past.yesterday
    while begin <= last:
        following = (begin.replace(day=1) + timedelta(days=32)).replace(day=1)
        end = min(following - timedelta(days=1), last)
        issued = max(following, end) + timedelta(days=past.rng.randrange(1, 5))
        if issued < past.today:
            found.append(_Stretch(issued, begin, end, project, 0.0))
        begin = following
    return found


def _thirds(past: Past, project: Project) -> list[_Stretch]:
    """Return the thirds of a project of a fixed fee, each billed soon after."""
    last = project.end or date.fromisoformat(project.row["ends_on"])
    days = (last - project.begin).days
    ends = [project.begin + timedelta(days=days * number // 3) for number in (1, 2, 3)]
    fee, found, begin = project.row["fee"], [], project.begin
    for number, end in enumerate(ends):
        part = fee // 3 if number < 2 else fee - fee // 3 * 2
        issued = end + timedelta(days=past.rng.randrange(1, 5))
        if issued < past.today:
            found.append(_Stretch(issued, begin, end, project, part / 100))
        begin = end + timedelta(days=1)
    return found


def invoice(
    past: Past,
    bill: Biller,
    projects: list[Project],
    estimates: list[Row],
    people: list[Person],
) -> None:
    """Bill the projects, and make what follows on each invoice."""
    billable = [project for project in projects if project.row["is_billable"]]
    # One client does not pay.
    debtor = billable[len(billable) // 3].row["client_id"] if billable else 0
    stretches = [
        stretch
        for project in billable
        for stretch in (_thirds if project.row["is_fixed_fee"] else _months)(past, project)
    ]
    stretches.sort(key=lambda stretch: (stretch.issued, stretch.project.id))
    made = 0
    for number, stretch in enumerate(stretches):
        age = (past.today - stretch.issued).days
        state = "open"
        if age <= 4 or number >= len(stretches) - 2:
            state = "open" if made % 2 else "draft"
        fields = _fields(past, number, stretch, state, people)
        mine = [e for e in estimates if e["client_id"] == stretch.project.row["client_id"]]
        if mine and past.rng.random() < 0.5:
            fields["estimate_id"] = past.rng.choice(mine)["id"]
        row = bill(stretch.project.id, from_=stretch.begin, to=stretch.end, **fields)
        if row is None:
            continue
        made += 1
        if state != "draft":
            bad = stretch.project.row["client_id"] == debtor
            _follow(
                past, row, stretch.issued, number, (bad and age < 200) or (bad and number % 2 == 0)
            )


def _fields(past: Past, number: int, stretch: _Stretch, state: str, people: list[Person]) -> Row:
    rng, project = past.rng, stretch.project.row
    created, sent = past.at(stretch.issued, 8, 11), past.at(stretch.issued, 12, 18)
    fields: Row = {
        "state": state,
        "issue_date": stretch.issued,
        "created_at": created,
        "updated_at": created if state == "draft" else sent,
        "payment_term": rng.choice(["net 30", "net 30", *TERMS]) if number % 9 else "custom",
        "subject": f"{project['name']} {stretch.end:%m/%Y}",
        "sent_at": None if state == "draft" else sent,
        "creator_id": people[rng.randrange(2)].id,
    }
    if number % 7 == 0:
        fields["retainer"] = {"id": 90210 + number}
    if number % 11 == 0:
        fields["recurring_invoice_id"] = 31000 + number
    if stretch.fee:
        item = {"description": f"Part of the fixed fee for {project['name']}", "quantity": 1.0}
        item |= {"unit_price": stretch.fee, "project_id": project["id"]}
        fields |= {"line_items": [item], "discount": None}
    return fields


def _follow(past: Past, row: Row, issued: date, number: int, unpaid: bool) -> None:
    """Send an invoice, remind of it, and have it paid, or written off."""
    rng, id, sent = past.rng, row["id"], row["sent_at"]
    events: list[tuple[str, Row]] = [(sent, {"event_type": rng.choice([None, None, "send"])})]
    changes: Row = {}
    late = unpaid or number % 8 == 5
    between = story.DAYS_TO_LATE_PAYMENT if late else story.DAYS_TO_PAYMENT
    paid = issued + timedelta(days=rng.randrange(*between))
    remind = issued + timedelta(days=TERMS.get(row["payment_term"], 21) + 10)
    if late and remind < past.today:
        given: Row = {"reminder": 1, "send_reminder_on": remind.isoformat()}
        events.append((past.at(remind), given))
    due, parts = round(row["amount"] * 100), []
    if unpaid:
        given_up = issued + timedelta(days=240)
        if given_up < past.yesterday:
            closed = past.at(given_up)
            changes = {"state": "closed", "closed_at": closed}
            events.append((closed, {"event_type": "close"}))
    elif paid < past.today:
        parts = [(paid, due)]
        if rng.random() < 0.15:
            parts = [(paid - timedelta(days=rng.randrange(8)), due // 3), (paid, due - due // 3)]
        day = paid.isoformat()
        changes = {"state": "paid", "paid_at": f"{day}T00:00:00Z", "paid_date": day}
    elif rng.random() < 0.15:
        parts = [(min(issued + timedelta(days=rng.randrange(1, 20)), past.yesterday), due // 3)]
    recorded = _pay(past, id, parts, sent)
    if changes.get("state") == "paid" and rng.random() < 0.5:
        events.append((recorded, {"thank_you": 1}))
    for moment, given in events:
        past.put("invoice_messages", moment, invoice_id=id, updated_at=moment, **given)
    changes["due_amount"] = due - sum(part for _, part in parts)
    changes["updated_at"] = max(row["updated_at"], recorded, *(moment for moment, _ in events))
    past.store.update("invoices", changes, "id = ?", id)


def _pay(past: Past, invoice: int, parts: list[tuple[date, int]], sent: str) -> str:
    """Make the payments of an invoice, and return when the last one was recorded."""
    recorded = sent
    for day, part in parts:
        recorded = max(past.at(day), recorded)
        past.put(
            "invoice_payments",
            recorded,
            invoice_id=invoice,
            amount=part,
            updated_at=recorded,
            paid_at=f"{day}T00:00:00Z",
            paid_date=day.isoformat(),
        )
    return recorded
