"""Records of invoices and estimates, and of what belongs to them."""

from __future__ import annotations

from datetime import date, timedelta

import orjson

from . import words
from .amounts import TAXES, TERMS, product
from .columns import Row
from .maker import BaseMaker


class BillMaker(BaseMaker):
    """Completes records of invoices and estimates, and of what belongs to them."""

    def estimate_item_categories(self, given: Row) -> Row:
        return {"name": f"Category {self.rng.randrange(2, 1000)}"}

    def invoice_item_categories(self, given: Row) -> Row:
        name = f"Category {self.rng.randrange(2, 1000)}"
        return {"name": name, "use_as_service": 0, "use_as_expense": 0}

    def _bill(self, given: Row, number: str) -> Row:
        """Return what invoices and estimates have in common, sums included."""
        rng = self.rng
        client = self.some("clients", given, "client_id")
        currency = given.get("currency") or self.account.columns_of("clients", client)["currency"]
        row: Row = {
            "client_id": client,
            "creator_id": self.account.pick("users", rng),
            "client_key": f"{rng.getrandbits(160):040x}",
            "number": number,
            "purchase_order": rng.choice(["", None, str(rng.randrange(1000, 9999))]),
            "tax": TAXES.get(currency),
            "discount": rng.choice([None, None, None, 5.0, 10.0]),
            "subject": rng.choice(words.PROJECTS),
            "notes": rng.choice(
                ["", None, "Thank you for your business. Payment terms: as agreed."]
            ),
            "currency": currency,
            "issue_date": (given.get("created_at") or self.now)[:10],
        } | given
        if currency == "USD" and "tax" not in given:
            row |= rng.choice([{}, {}, {"tax": 8.25, "tax2": 1.5}])
        lines = orjson.loads(given.get("line_items") or "null")
        if lines is None:
            item = {"kind": "Service", "description": row["subject"]}
            lines = [item | {"quantity": rng.randrange(4, 80) / 2, "unit_price": 112.5}]
        subtotal = taxed = taxed2 = 0
        for line in lines:
            line.setdefault("id", self.account.next_id("line_items"))
            amount = product(line.setdefault("quantity", 1.0), line.setdefault("unit_price", 1.0))
            line["amount"] = amount / 100
            line.setdefault("kind", "Service")
            line.setdefault("description", None)
            line.setdefault("taxed", row["tax"] is not None)
            line.setdefault("taxed2", row.get("tax2") is not None)
            subtotal += amount
            taxed += amount * line["taxed"]
            taxed2 += amount * line["taxed2"]
        share = 100 - (row["discount"] or 0)

        def percent(of: int, rate: float | None) -> int:
            return product(of / 100, (rate or 0) / 100)

        sums: Row = {
            "discount_amount": percent(subtotal, row["discount"]),
            "tax_amount": percent(percent(taxed, share), row["tax"]),
            "tax2_amount": percent(percent(taxed2, share), row.get("tax2")),
        }
        sums["amount"] = subtotal - sums["discount_amount"]
        sums["amount"] += sums["tax_amount"] + sums["tax2_amount"]
        if row["tax"] is None:
            sums["tax_amount"] = None
        row |= {name: value for name, value in sums.items() if name not in given}
        return row | {"line_items": lines}

    def invoices(self, given: Row) -> Row:
        rng = self.rng
        row = self._bill(given, str(self.account.next_id("invoice_numbers")))
        for line in row["line_items"]:
            project = self.account.columns_of("projects", line.pop("project_id", None))
            nested = {name: project[name] for name in ("id", "name", "code")} if project else None
            line.setdefault("project", nested)
        term = row.get("payment_term") or rng.choice(list(TERMS))
        issued = date.fromisoformat(row["issue_date"])
        row |= {"payment_term": term, "state": row.get("state") or "draft"}
        row.setdefault("due_date", (issued + timedelta(days=TERMS.get(term, 21))).isoformat())
        row.setdefault("payment_options", rng.choice(["[]", '["credit_card"]', '["ach","paypal"]']))
        row.setdefault("due_amount", row["amount"])
        if row["state"] != "draft":
            row.setdefault("sent_at", row.get("created_at") or self.now)
        return row | {"line_items": orjson.dumps(row["line_items"]).decode()}

    def estimates(self, given: Row) -> Row:
        row = self._bill(given, str(self.account.next_id("estimate_numbers")))
        state = row.setdefault("state", "draft")
        created = row.get("created_at") or self.now
        if state != "draft":
            row.setdefault("sent_at", created)
        if state in ("accepted", "declined"):
            row.setdefault(f"{state}_at", created)
        return row | {"line_items": orjson.dumps(row["line_items"]).decode()}

    def _message(self, parent: Row, subject: str) -> Row:
        rng = self.rng
        user = self.account.columns_of("users", parent["creator_id"])
        sender = f"{user['first_name']} {user['last_name']}" if user else None
        email = user.get("email")
        client = self.account.columns_of("clients", parent["client_id"])
        first, last, mail = self.person()
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

    def invoice_messages(self, given: Row) -> Row:
        invoice = self.some("invoices", given, "invoice_id", active=False)
        parent = self.account.columns_of("invoices", invoice)
        reminder = bool(given.get("reminder"))
        subject = "Invoice reminder" if reminder else "Invoice"
        if given.get("thank_you"):
            subject = "Receipt, with thanks for paying, for invoice"
        return self._message(parent, subject) | {
            "invoice_id": invoice,
            "include_link_to_client_invoice": int(parent["payment_options"] != "[]"),
            "attach_pdf": 1,
            "thank_you": 0,
            "reminder": 0,
        }

    def estimate_messages(self, given: Row) -> Row:
        estimate = self.some("estimates", given, "estimate_id", active=False)
        message = self._message(self.account.columns_of("estimates", estimate), "Estimate")
        return message | {"estimate_id": estimate}

    def invoice_payments(self, given: Row) -> Row:
        rng = self.rng
        invoice = given.get("invoice_id") or self.account.pick("invoices", rng, "state = 'open'")
        invoice = self.some("invoices", {"invoice_id": invoice}, "invoice_id", active=False)
        due = self.account.columns_of("invoices", invoice)["due_amount"]
        user = self.account.columns_of("users", self.account.pick("users", rng))
        card = rng.random() < 0.4
        gateway = {"id": 1201, "name": "Examplepay"} if card else {"id": None, "name": None}
        paid = (given.get("created_at") or self.now)[:10]
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
