"""A made-up Harvest account: what it holds, and how it changes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime, time, timezone
from decimal import Decimal
from random import Random

import orjson

from . import changes, reports, time_off
from .clock import Clock
from .columns import Row
from .company import LIVE_COMPANY, company
from .editor import Editor
from .fields import Fields
from .generate import Agency
from .listings import BALANCES, LISTINGS


class Account(Editor):
    """A Harvest account. Every method may be called from any thread.

    `Account.generate` makes a whole agency, `Account.empty` one without data.

    Attributes:
        clock: the account's time.
        company: what `/company` answers; change its entries at will.
        seed: what the account was made from.
        project_codes: whether projects have codes; without, the code of every one is null.
        lock: holds off changes while it is held.
    """

    def __init__(
        self,
        seed: int = 0,
        clock: Clock | None = None,
        fields: Fields | None = None,
        project_codes: bool = True,
    ) -> None:
        super().__init__(seed, clock, fields, project_codes)
        self.company: Row = company()

    # ---------------------------------------------------------------- making one

    @classmethod
    def generate(
        cls,
        seed: int = 1,
        time_entries: int = 2000,
        years: float | None = None,
        today: date | None = None,
        clock: Clock | None = None,
        *,
        documented_only: bool = False,
        unforeseen: bool = False,
        saml_exempt: bool = False,
        project_codes: bool = True,
    ) -> Account:
        """Make an agency with all its history. The same arguments give the same account.

        Args:
            seed: what chance is drawn from.
            time_entries: how many time entries; everything else grows with it, more slowly.
            years: how far back it goes; by default two and a half for 2,000 entries, and more
                for more: seven for 200,000.
            today: the day on which the account is looked at. When it is not the clock's today
                the clock is moved to noon (UTC) of that day, and goes on from there.
            clock: the clock to use.
            documented_only: send only the fields that Harvest documents.
            unforeseen: add fields that nobody has declared to every row.
            saml_exempt: send `saml_exempt` of users, as accounts with single sign-on do.
            project_codes: give projects codes; False makes all of them null.
        """
        fields = Fields.of(documented_only, unforeseen, saml_exempt)
        account = cls(seed, clock, fields, project_codes)
        now = account.clock.now()
        if today is None:
            today = now.date()
        elif today != now.date():
            noon = datetime.combine(today, time(12), timezone.utc)
            account.clock.advance((noon - now).total_seconds())
        Agency(account, seed, time_entries, years, today).build()
        return account

    @classmethod
    def empty(
        cls,
        users: int = 0,
        clock: Clock | None = None,
        *,
        documented_only: bool = False,
        unforeseen: bool = False,
        saml_exempt: bool = False,
    ) -> Account:
        """Make an account with a company and nothing else, or with some users, all administrators.

        Args:
            users: how many users it has.
            clock: the clock to use.
            documented_only: as in `generate`.
            unforeseen: as in `generate`.
            saml_exempt: as in `generate`.
        """
        account = cls(clock=clock, fields=Fields.of(documented_only, unforeseen, saml_exempt))
        account.finish()
        for _ in range(users):
            account.add("users", access_roles=["administrator"])
        return account

    # ---------------------------------------------------------------- looking at it

    def rows(
        self,
        stream: str,
        parent: int | None = None,
        *,
        from_: date | str | None = None,
        to: date | str | None = None,
        include_fixed_fee: bool | None = None,
        year: int | None = None,
        exact: bool = False,
    ) -> list[Row]:
        """Return the rows that the API gives for a stream, in its order.

        Args:
            stream: one of the 40 stream names.
            parent: the invoice, estimate or user whose rows are wanted; left out, the rows of
                all parents follow each other.
            from_: the first day of a report.
            to: the last day of a report.
            include_fixed_fee: as the report's parameter of that name.
            year: the year of balances and allocations of paid time off; left out, the balances
                of this year and the last, and the allocations of all years.
            exact: give numbers with a fraction as Decimal rather than float.
        """
        with self.lock:
            if stream == "company":
                fragments = [self.company_row()]
            elif stream in reports.REPORTS:
                if stream != "project_budget" and not (from_ and to):
                    raise ValueError(f"{stream} needs from_ and to.")
                first, last = str(from_), str(to)
                fragments = self.report(stream, first, last, include_fixed_fee)
            elif stream == BALANCES:
                this = self.clock.now().year
                users = self.parents(stream) if parent is None else [parent]
                fragments = [
                    row
                    for user in users
                    for each in ([year] if year else [this, this - 1])
                    for row in self.balances(user, each)
                ]
            else:
                listing = LISTINGS[stream]
                conditions = ((listing.filters["year"][1], year),) if year else ()
                parents = self.parents(stream) if listing.parent[0] and parent is None else [parent]
                fragments = []
                for each in parents:
                    fragments += self.fragments(listing.table, self.ids(listing, each, conditions))
        body = b"[" + b",".join(fragments) + b"]"
        loaded: list[Row] = json.loads(body, parse_float=Decimal) if exact else orjson.loads(body)
        return loaded

    def children(self, stream: str, *, exact: bool = False) -> dict[int, list[Row]]:
        """Return the rows of a per-parent stream under each parent's id, empty lists included."""
        with self.lock:
            return {
                parent: self.rows(stream, parent, exact=exact) for parent in self.parents(stream)
            }

    def parents(self, stream: str) -> list[int]:
        """Return the ids of all records that have a list of this stream, in their own order."""
        table = "users" if stream == BALANCES else LISTINGS[stream].parent[1]
        ids = self.ids(LISTINGS[table])
        if stream == "teammates":
            return [user for user in ids if self.is_manager(user)]
        return list(ids)

    def counts(self) -> dict[str, int]:
        """Count the rows of each stream, but of reports, which depend on dates."""
        with self.lock:
            counts = {"company": 1}
            for name, listing in LISTINGS.items():
                counts[name] = self.one(
                    f"SELECT count(*) FROM {listing.stored_in} t WHERE {listing.where}"
                )
            return counts

    def company_row(self) -> bytes:
        """Return what `/company` answers, as JSON."""
        left_out = LIVE_COMPANY if self.fields.documented_only else {}
        row = {name: value for name, value in self.company.items() if name not in left_out}
        return self.fields.complete("company", [orjson.dumps(row)])[0]

    def balances(self, user: int, year: int, as_of: date | None = None) -> list[bytes]:
        """Return the balances of paid time off of a user in a year, each as JSON."""
        today = self.clock.now().date()
        as_of = as_of or (today if year == today.year else date(year, 12, 31))
        with self.lock:
            rows = [orjson.dumps(row) for row in time_off.balances(self, user, year, as_of)]
        return self.fields.complete(BALANCES, rows)

    def report(
        self,
        name: str,
        first: str = "",
        last: str = "",
        fixed_fee: bool | None = None,
        active: bool | None = None,
        seen: str = "1",
    ) -> list[bytes]:
        """Return the rows of a report, each as JSON, summed from entries and expenses."""
        today = self.clock.now().date()
        sql, values = reports.query(name, first, last, fixed_fee, today, active, seen)
        rows: list[bytes] = self.cached(
            (sql, tuple(values.items())),
            lambda: [row for (row,) in self.query(sql, named=values)],
        )
        return self.fields.complete(name, rows)

    # ---------------------------------------------------------------- changing it

    def change(
        self, seed: int, count: int = 10, kinds: Iterable[str] = changes.KINDS
    ) -> list[changes.Change]:
        """Make `count` believable changes of all kinds; the same seed repeats them.

        Args:
            seed: what chance is drawn from.
            count: how many changes.
            kinds: which kinds to make, of add, edit, delete and bill.
        """
        with self.lock:
            return changes.make(self, Random(f"change/{seed}"), count, sorted(kinds))
