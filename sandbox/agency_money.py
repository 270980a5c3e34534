"""The history of an agency: expenses, estimates and invoices."""

from __future__ import annotations

from datetime import date, timedelta

from .agency_hours import HourHistory
from .amounts import TERMS
from .columns import Row

REIMBURSED = '{"id":7105,"status":"reimbursed"}'
"""What an expense says of its reimbursement; nobody knows what Harvest sends, save that it is
mostly null."""


class MoneyHistory(HourHistory):
    """Makes expenses, estimates and invoices, with messages and payments."""

    def make_expenses(self) -> None:
        rng = self.rng
        count = round(220 * self.size**0.75) if self.entries else 0
        members = [
            (project, *member) for project in self.projects[2:] for member in project["team"]
        ]
        members = [member for member in members if member[4] <= member[5]]
        plans = sorted(
            (self.day(member[4], min(member[5], self.today - timedelta(days=1))), number, member)
            for number, member in enumerate(rng.choices(members, k=count))
        )
        for day, _, (project, user, assignment, *_) in plans:
            written = day + timedelta(days=rng.choice([0, 0, 1, 3]))
            created = self.at(written)
            closed = int((self.today - day).days > 50 and rng.random() < 0.7)
            self.put(
                "expenses",
                created,
                updated_at=self.later(created, 12),
                spent_date=day.isoformat(),
                project_id=project["id"],
                user_id=user["id"],
                user_assignment_id=assignment["id"],
                is_closed=closed,
                is_submitted=int(not closed and (self.today - day).days > 14 and day.day < 10),
                is_explicitly_locked=int(closed and day.day == 28),
                reimbursement=REIMBURSED if day.day == 27 and day.month % 4 == 0 else None,
            )

    def make_estimates(self) -> None:
        rng = self.rng
        count = round(14 * self.size**0.45) if self.entries else 0
        self.estimates: list[Row] = []
        days = sorted(self.day(self.first, self.today - timedelta(days=3)) for _ in range(count))
        for number, day in enumerate(days):
            state = ["accepted", "sent", "declined", "draft", "accepted"][number % 5]
            client = rng.choice([c for c in [*self.clients, self.own] if c["since"] <= day])
            created = self.at(day, 8, 12)
            sent = self.at(day, 13, 18)
            answered = self.at(min(day + timedelta(days=rng.randrange(1, 15)), self.today))
            times: Row = {"sent_at": sent if state != "draft" else None}
            if state in ("accepted", "declined"):
                times[f"{state}_at"] = answered
            estimate = self.put(
                "estimates",
                created,
                client_id=client["id"],
                state=state,
                updated_at=max([created, *(time for time in times.values() if time)]),
                creator_id=self.people[rng.randrange(2)]["id"],
                **times,
            )
            self.estimates.append(estimate)
            if state != "draft":
                self.put("estimate_messages", sent, estimate_id=estimate["id"], updated_at=sent)
            if state in ("accepted", "declined"):
                self.put(
                    "estimate_messages",
                    answered,
                    estimate_id=estimate["id"],
                    updated_at=answered,
                    event_type="accept" if state == "accepted" else "decline",
                )

    def make_invoices(self) -> None:
        """Bill each project in stretches, most of them up to some weeks ago."""
        rng = self.rng
        wanted = 58 * self.size**0.55 if self.entries else 0
        billable = [project for project in self.projects[2:] if project["is_billable"]]
        lives = [((p["end"] or self.today) - p["begin"]).days + 30 for p in billable]
        plans: list[tuple[date, date, Row]] = []
        for project, life in zip(billable, lives, strict=True):
            pieces = max(1, round(wanted * life / sum(lives)))
            stop = min(
                project["end"] or self.today, self.today - timedelta(days=rng.choice([5, 30]))
            )
            step = max(7, (stop - project["begin"]).days // pieces)
            begin = project["begin"]
            for _ in range(pieces):
                end = begin + timedelta(days=step)
                if end <= stop:
                    plans.append((end, begin, project))
                begin = end + timedelta(days=1)
        plans.sort(key=lambda plan: (plan[0], plan[2]["id"]))
        made = 0
        for number, (end, begin, project) in enumerate(plans):
            issued = min(end + timedelta(days=rng.randrange(5, 10)), self.today - timedelta(days=1))
            age = (self.today - issued).days
            if age <= 25 or number >= len(plans) - 2:
                state = "open" if made % 2 else "draft"
            elif age <= 75:
                state = "open" if made % 2 else "paid"
            else:
                state = {3: "closed", 6: "open"}.get(made % 11, "paid")
            made += self.make_invoice(number, project, begin, end, issued, state)

    def make_invoice(
        self, number: int, project: Row, begin: date, end: date, issued: date, state: str
    ) -> bool:
        """Make one invoice and what follows on it; return False where there is nothing to bill."""
        rng = self.rng
        created = self.at(issued, 8, 11)
        sent = self.at(issued, 12, 18)
        term = rng.choice(list(TERMS)) if number % 9 else "custom"
        fields: Row = {
            "state": "draft" if state == "draft" else "open",
            "issue_date": issued,
            "created_at": created,
            "updated_at": created if state == "draft" else sent,
            "payment_term": term,
            "subject": f"{project['name']} {end:%m/%Y}",
            "sent_at": None if state == "draft" else sent,
            "creator_id": self.people[rng.randrange(2)]["id"],
        }
        if number % 7 == 0:
            fields["retainer"] = {"id": 90210 + number}
        if number % 11 == 0:
            fields["recurring_invoice_id"] = 31000 + number
        mine = [e for e in self.estimates if e["client_id"] == project["client_id"]]
        if mine and rng.random() < 0.5:
            fields["estimate_id"] = rng.choice(mine)["id"]
        if project["is_fixed_fee"]:
            fields["line_items"] = [
                {
                    "description": f"Part of the fixed fee for {project['name']}",
                    "quantity": 1.0,
                    "unit_price": project["fee"] // 400 / 1.0,
                    "project_id": project["id"],
                }
            ]
        invoice = self.account.bill(project["id"], from_=begin, to=end, **fields)
        if invoice is None:
            return False
        id, due = invoice["id"], round(invoice["amount"] * 100)
        updated = invoice["updated_at"]
        if state == "draft":
            return True
        event = rng.choice([None, None, "send"])
        self.put("invoice_messages", sent, invoice_id=id, updated_at=sent, event_type=event)
        late = issued + timedelta(days=TERMS.get(term, 21) + 10)
        overdue = self.at(late)
        if overdue < self.end and (state == "open" or rng.random() < 0.2):
            remind = late.isoformat()
            reminder: Row = {"reminder": 1, "send_reminder_on": remind}
            self.put("invoice_messages", overdue, invoice_id=id, updated_at=overdue, **reminder)
        changes: Row = {}
        if state == "closed":
            closed = self.at(min(late + timedelta(days=60), self.today - timedelta(days=1)))
            changes = {"state": "closed", "closed_at": closed}
            self.put(
                "invoice_messages", closed, invoice_id=id, updated_at=closed, event_type="close"
            )
            updated = max(updated, closed)
        parts = [due]
        if state == "open":
            parts = [due // 3] if rng.random() < 0.3 else []
        elif state == "closed":
            parts = []
        elif rng.random() < 0.2:
            parts = [due // 2, due - due // 2]
        paid = issued
        for part in parts:
            paid = min(paid + timedelta(days=rng.randrange(3, 35)), self.today - timedelta(days=1))
            recorded = max(self.at(paid), sent)
            self.put(
                "invoice_payments",
                recorded,
                invoice_id=id,
                amount=part,
                updated_at=recorded,
                paid_at=f"{paid}T00:00:00Z",
                paid_date=paid.isoformat(),
            )
            updated = max(updated, recorded)
        if state == "paid":
            changes = {
                "state": "paid",
                "paid_at": f"{paid}T00:00:00Z",
                "paid_date": paid.isoformat(),
            }
            if rng.random() < 0.5:
                self.put(
                    "invoice_messages", updated, invoice_id=id, updated_at=updated, thank_you=1
                )
        changes |= {"due_amount": due - sum(parts), "updated_at": updated}
        for column, value in changes.items():
            self.account.set_column("invoices", id, column, value)
        return True
