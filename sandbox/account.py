"""A made-up Harvest account: what it holds, and how it changes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from datetime import date, datetime, time, timezone
from decimal import Decimal
from random import Random

import orjson

from .agency import changes, history
from .agency.company import LIVE_COMPANY, company
from .agency.records import complete
from .api import balances, reports
from .clock import Clock
from .store.columns import Row
from .store.database import Store
from .store.editor import Editor, is_manager
from .store.fields import Fields
from .store.listings import BALANCES, LISTINGS


class Account:
    """A Harvest account. Every method may be called from any thread.

    `Account.generate` makes a whole agency, `Account.empty` one without data.

    Args:
        seed: what chance is drawn from.
        clock: the account's time.
        fields: which fields the rows have.
        project_codes: whether projects have codes; without, the code of every one is null.

    Attributes:
        store: the rows.
        editor: changes them.
        clock: the account's time.
        company: what `/company` answers; change its entries at will.
        lock: holds off changes while it is held.
    """

    def __init__(
        self,
        seed: int = 0,
        clock: Clock | None = None,
        fields: Fields | None = None,
        project_codes: bool = True,
    ) -> None:
        self._seed = seed
        self.store = Store(clock, fields, project_codes)
        self.editor = Editor(self.store, complete, seed)
        self.company: Row = company()
        self.clock = self.store.clock
        self.lock = self.store.lock
        self.get = self.store.get
        self.ids = self.store.ids
        self.columns_of = self.store.columns_of
        self.add = self.editor.add
        self.edit = self.editor.edit
        self.delete = self.editor.delete
        self.bill = self.editor.bill

    @property
    def fields(self) -> Fields:
        """Return which fields the account sends; set it to change that at once."""
        return self.store.fields

    @fields.setter
    def fields(self, fields: Fields) -> None:
        self.store.fields = fields

    # ---------------------------------------------------------------- making one

    @classmethod
    def generate(
        cls,
        seed: int = 1,
        time_entries: int = 6000,
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
            years: how far back it goes; by default nearly two for 6,000 entries, and more for
                more: seven for 200,000.
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
        history.make(account.editor, seed, time_entries, years, today)
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
        account.store.finish()
        for _ in range(users):
            account.add("users", access_roles=["administrator"])
        return account

    def copy(self, clock: Clock | None = None) -> Account:
        """Return an account that holds the same and changes apart from this one.

        Args:
            clock: the clock to use.
        """
        with self.lock:
            made = Account(self._seed, clock, self.fields, self.store.project_codes)
            self.store.fill(made.store)
            made.editor.added = self.editor.added
            made.company = copy.deepcopy(self.company)
        return made

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
                fragments = reports.rows(self.store, stream, first, last, include_fixed_fee)
            elif stream == BALANCES:
                this = self.clock.now().year
                users = self.parents(stream) if parent is None else [parent]
                fragments = [
                    row
                    for user in users
                    for each in ([year] if year else [this, this - 1])
                    for row in balances.rows(self.store, user, each)
                ]
            else:
                listing = LISTINGS[stream]
                conditions = ((listing.filters["year"][1], year),) if year else ()
                parents: list[int | None] = [parent]
                if listing.parent[0] and parent is None:
                    parents = [*self.parents(stream)]
                fragments = []
                for each in parents:
                    ids = self.ids(listing, each, conditions)
                    fragments += self.store.fragments(listing.table, ids)
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
            return [user for user in ids if is_manager(self.store, user)]
        return list(ids)

    def counts(self) -> dict[str, int]:
        """Count the rows of each stream, but of reports, which depend on dates."""
        with self.lock:
            counts = {"company": 1}
            for name, listing in LISTINGS.items():
                counts[name] = self.store.one(
                    f"SELECT count(*) FROM {listing.stored_in} t WHERE {listing.where}"
                )
            return counts

    def company_row(self) -> bytes:
        """Return what `/company` answers, as JSON."""
        left_out = LIVE_COMPANY if self.fields.documented_only else {}
        row = {name: value for name, value in self.company.items() if name not in left_out}
        return self.fields.complete("company", [orjson.dumps(row)])[0]

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
            return changes.make(self.editor, Random(f"change/{seed}"), count, sorted(kinds))
