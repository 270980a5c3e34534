"""What the API answers over an account, apart from how it is served."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ..account import Account
from ..store.database import Conditions
from ..store.editor import is_manager
from ..store.listings import BALANCES, LISTINGS, PAGES, PROJECT_LISTINGS, TIME_OFF, Listing
from . import balances, reports
from .errors import Refusal, not_found
from .listed import ListRows, ReportRows
from .pages import Page, Rows
from .parameters import MAX_PER_PAGE, page_size, parse, positive
from .permissions import ALL, Permissions
from .reports import REPORTS

JSON = "application/json; charset=utf-8"
LONGEST_REPORT = 365
CALENDARS = "pto_holiday_calendars"
TIME_OFF_ANSWERS = ("on", "403", "404", "empty")
"""What an account answers about paid time off: what it has, or as one that has not got it."""

FEATURES = {
    **{name: listing.feature for name, listing in LISTINGS.items()},
    **{name: "expense_feature" for name in REPORTS if name.startswith("expenses_")},
}
"""The setting of the company that a stream needs, or nothing."""

Handler = Callable[[Request], Response | Awaitable[Response]]


class Api:
    """The answers of the API.

    Args:
        account: what they are about.
        permissions: what the owner of the token may see.
        pages: how lists page that do not page as usual: stream -> one of `listings.PAGES`.
        paid_time_off: what is answered about it: `on`, `403`, `404` or `empty`.
        page_size: how many rows a page has, whatever is asked; None for what is asked.

    Attributes:
        account: as above.
        pages: as above; change it at will, or with `page_by`.
        paid_time_off: as above; change it at will.
        page_size: as above; change it at will.
        assignments_key: the key above the rows of `/pto/assignments`; empty for a bare list.
        embedded_holidays: how many holidays each calendar of `/pto/holiday_calendars` has in it at
            most; None for all.
    """

    def __init__(
        self,
        account: Account,
        permissions: Permissions,
        pages: Mapping[str, str] | None = None,
        paid_time_off: str = "on",
        page_size: int | None = None,
    ) -> None:
        self.account = account
        self._store = account.store
        self._permissions = permissions
        self.pages: dict[str, str] = {}
        for stream, style in (pages or {}).items():
            self.page_by(style, stream)
        if paid_time_off not in TIME_OFF_ANSWERS:
            raise ValueError(f"paid_time_off is one of {', '.join(TIME_OFF_ANSWERS)}.")
        self.paid_time_off = paid_time_off
        self.page_size = page_size
        self.assignments_key = ""
        self.embedded_holidays: int | None = None

    def page_by(self, style: str, *streams: str) -> None:
        """Change how lists page.

        Args:
            style: one of `listings.PAGES`.
            *streams: which lists, reports included; all of them where none is named.

        Raises:
            ValueError: there is no such style or list.
        """
        known = [*LISTINGS, *REPORTS]
        if style not in PAGES:
            raise ValueError(f"There is no way {style!r} to page; there are {', '.join(PAGES)}.")
        if wrong := [stream for stream in streams if stream not in known]:
            raise ValueError(f"There is no list {wrong[0]!r}; there are {', '.join(known)}.")
        self.pages |= dict.fromkeys(streams or known, style)

    def handlers(self) -> Iterator[tuple[str, Handler, str]]:
        """Yield the paths below /v2, what answers each, and its stream."""
        yield "/company", self._company, "company"
        yield "/users/me", self._me, ""
        mine = replace(LISTINGS["project_assignments"], pages="page")
        yield "/users/me/project_assignments", self._lister(mine, me=True), "project_assignments"
        yield "/pto/balances", self._balances, BALANCES
        yield f"{LISTINGS[CALENDARS].path}/{{id}}/entries", self._holidays, CALENDARS
        for stream, path in REPORTS.items():
            yield path, self._reporter(stream), stream
        for name, listing in [*LISTINGS.items(), *PROJECT_LISTINGS.items()]:
            yield listing.path, self._lister(listing), name
            if listing.single:
                yield listing.path + "/{id}", self._getter(listing), name

    def permit(self, stream: str) -> None:
        """Check that the owner of the token may read a stream at all.

        Raises:
            Refusal: it is forbidden, missing, or part of what the account has not got.
        """
        if stream in self._permissions.missing:
            raise not_found()
        if stream in TIME_OFF and self.paid_time_off == "404":
            raise not_found()
        off = stream in TIME_OFF and self.paid_time_off == "403"
        if stream in self._permissions.forbidden or off or self._permissions.seen(stream) is None:
            raise Refusal(403, "Not authorized!")
        feature = FEATURES.get(stream)
        if feature and not self.account.company.get(feature):
            raise Refusal(403, f"The account has the {feature.split('_')[0]} module switched off.")

    # ---------------------------------------------------------------- records

    def _company(self, request: Request) -> Response:
        return Response(self.account.company_row(), media_type=JSON)

    def _me(self, request: Request) -> Response:
        return self._one("users", self._permissions.current_user())

    def _one(self, table: str, id: int | None) -> Response:
        found = self._store.fragments(table, [id]) if id else []
        if not found:
            raise not_found()
        return Response(found[0], media_type=JSON)

    def _getter(self, listing: Listing) -> Handler:
        def getter(request: Request) -> Response:
            id = _number(request.path_params["id"])
            parent = request.path_params.get("parent")
            if parent is not None:
                column, table = listing.parent
                belongs = self._store.columns_of(listing.table, id).get(column) == parent
                if not belongs or not self._permissions.is_seen(table, parent):
                    raise not_found()
            if not self._permissions.is_seen(listing.table, id):
                raise not_found()
            return self._one(listing.table, id)

        return getter

    def _balances(self, request: Request) -> Response:
        query = request.query_params
        now = self.account.clock.now()
        user = parse(
            "user_id", "int", query.get("user_id", str(self._permissions.current_user() or 0))
        )
        year = positive("year", query.get("year", str(now.year)))
        if not 1000 <= year <= 9999:
            raise Refusal(422, "year must have four digits.")
        if not self._permissions.is_seen("users", _number(user)):
            raise not_found()
        last = now.date() if year == now.year else date(year, 12, 31)
        as_of = date.fromisoformat(parse("as_of", "date", query.get("as_of", str(last))))
        rows = balances.rows(self._store, user, year, as_of) if self.paid_time_off == "on" else []
        person = self._store.columns_of("users", user)
        about = {
            "user": {"id": user, "name": f"{person['first_name']} {person['last_name']}"},
            "year": year,
            "as_of": as_of.isoformat(),
        }
        body = b'%b,"balances":[%b]}' % (orjson.dumps(about)[:-1], b",".join(rows))
        return Response(body, media_type=JSON)

    def _holidays(self, request: Request) -> Response:
        calendar = self._store.get(CALENDARS, _number(request.path_params["id"]))
        if calendar is None:
            raise not_found()
        rows = ReportRows([orjson.dumps(entry) for entry in calendar["entries"]])
        return self._page(request, rows, "entries", "page", MAX_PER_PAGE)

    # ---------------------------------------------------------------- lists

    def _lister(self, listing: Listing, me: bool = False) -> Handler:
        def lister(request: Request) -> Response:
            conditions = self._filtered(request, listing)
            parent = request.path_params.get("parent")
            if me:
                parent = self._permissions.current_user() or 0
            if parent is not None:
                parent = _number(parent)
                if not self._permissions.is_seen(listing.parent[1], parent):
                    raise not_found()
                if listing.table == "teammates" and not is_manager(self._store, parent):
                    raise Refusal(422, "Only a manager has teammates assigned.")
            # Ids and rows must be of one moment, whatever other threads do to the account.
            with self._store.lock:
                rows: Rows = ListRows(self._store, listing, parent, conditions)
                if listing.table == CALENDARS and self.embedded_holidays is not None:
                    rows = ReportRows(self._shortened(rows, self.embedded_holidays))
                return self._page(request, rows, listing.table, listing.pages, listing.per_page)

        return lister

    def _filtered(self, request: Request, listing: Listing) -> Conditions:
        query = dict(request.query_params)
        if "year" in listing.filters:
            query.setdefault("year", str(self.account.clock.now().year))
        values = {
            name: parse(name, kind, query[name])
            for name, (kind, _) in listing.filters.items()
            if name in query
        }
        if values.get("from", "") > values.get("to", "~"):
            raise Refusal(422, "from is later than to.")
        conditions = tuple((listing.filters[name][1], values[name]) for name in values)
        if listing.table in TIME_OFF and self.paid_time_off == "empty":
            conditions += (("0", None),)
        return conditions + self._permissions.conditions_on(listing.table)

    @staticmethod
    def _shortened(rows: Rows, holidays: int) -> list[bytes]:
        """Return calendars with their first holidays only, each as JSON."""
        calendars = [orjson.loads(row) for row in rows.between(0, len(rows))]
        return [orjson.dumps(row | {"entries": row["entries"][:holidays]}) for row in calendars]

    def _page(
        self, request: Request, rows: Rows, stream: str, style: str, default: int
    ) -> Response:
        query = dict(request.query_params)
        per_page = page_size(query.get("per_page"), default)
        positive("page", query.get("page", "1"))
        page = Page(
            rows,
            self.pages.get(stream, style),
            address(request),
            query,
            self.page_size or per_page,
            getattr(request.state, "repeat", False),
        )
        key = "results" if stream in REPORTS else stream
        if stream == "pto_assignments":
            key = self.assignments_key
            if self.pages.get(stream, style) != "whole":
                key = key or stream
        return Response(page.body(key), media_type=JSON)

    def _reporter(self, stream: str) -> Handler:
        def reporter(request: Request) -> Response:
            query = request.query_params
            first = last = ""
            flags: dict[str, bool | None] = {}
            for name in ("include_fixed_fee", "is_active"):
                flags[name] = parse(name, "bool", query[name]) if name in query else None
            if stream != "project_budget":
                first, last = _period(query)
            rows = reports.rows(
                self._store,
                stream,
                first,
                last,
                flags["include_fixed_fee"],
                flags["is_active"],
                self._permissions.seen(stream) or ALL,
            )
            return self._page(request, ReportRows(rows), stream, "page", MAX_PER_PAGE)

        return reporter


def _period(query: Mapping[str, str]) -> tuple[str, str]:
    """Return the first and the last day of a report."""
    for name in ("from", "to"):
        if name not in query:
            raise Refusal(422, f"{name} is required.")
    first, last = (parse(name, "date", query[name]) for name in ("from", "to"))
    if first > last:
        raise Refusal(422, "from is later than to.")
    if (date.fromisoformat(last) - date.fromisoformat(first)).days > LONGEST_REPORT:
        raise Refusal(422, f"from and to are more than {LONGEST_REPORT} days apart.")
    return first, last


def address(request: Request, query: str = "") -> str:
    """Return where the request went, by the name that the client knows this server by."""
    url = f"http://{request.headers['host']}{request.url.path}"
    return f"{url}?{query}" if query else url


def numbered(path: str) -> str:
    """Return a path as routes have it: its ids are numbers, and all else is an unknown path."""
    return re.sub(r"\{(\w+)\}", r"{\1:int}", path)


def _number(value: int) -> int:
    # SQLite's integers end here; no record has a higher id.
    return min(value, 2**63 - 1)
