"""Balances of paid time off, worked out from allocations and requests."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import orjson

from ..store.columns import Row
from ..store.database import Store
from ..store.listings import BALANCES


def _text(value: Decimal) -> str:
    """Return a number as balances write it: a text with at least one decimal."""
    text = format(value.normalize(), "f")
    return text if "." in text else f"{text}.0"


def rows(store: Store, user: int, year: int, as_of: date | None = None) -> list[bytes]:
    """Return what a user has of each kind of paid time off in a year, each as JSON.

    Args:
        store: whose records are counted.
        user: the user's id.
        year: the calendar year.
        as_of: the day that they are of; by default today, or the last day of another year.
    """
    today = store.clock.now().date()
    as_of = as_of or (today if year == today.year else date(year, 12, 31))
    with store.lock:
        found = [orjson.dumps(row) for row in _rows(store, user, year, as_of)]
    return store.fields.complete(BALANCES, found)


def _rows(store: Store, user: int, year: int, as_of: date) -> list[Row]:
    allocations = {
        row["pto_type"]["id"]: row
        for row in store.rows_where("pto_allocations", "user_id = ? AND year = ?", user, year)
    }
    requests = store.rows_where("pto_requests", "user_id = ?", user)
    rows = []
    for type_ in store.rows_where("pto_types", "is_active"):
        allocation = allocations.get(type_["id"])
        taken = {"approved": [Decimal(0), Decimal(0)], "pending": [Decimal(0), Decimal(0)]}
        for request in requests:
            if request["pto_type"]["id"] != type_["id"] or request["status"] not in taken:
                continue
            for day in request["request_days"] or ():
                if day["date"][:4] == str(year):
                    taken[request["status"]][0] += Decimal(str(day["day_fraction"]))
                    taken[request["status"]][1] += Decimal(str(day["hours"]))
        rows.append(_balance(type_, allocation, taken, year, as_of))
    return rows


def _balance(
    type_: Row, allocation: Row | None, taken: dict[str, list[Decimal]], year: int, as_of: date
) -> Row:
    effective = {
        "accrual_type": type_["accrual_type"],
        "accrual_schedule": type_["accrual_schedule"],
        "requires_approval": type_["requires_approval"],
        "days_per_year": type_["default_days_per_year"],
    }
    if allocation:
        effective = {name: allocation[f"effective_{name}"] for name in effective}
    unlimited = effective["accrual_type"] == "unlimited"
    accrued = Decimal(str(effective["days_per_year"] or 0))
    carried = Decimal(str((allocation or {}).get("carryover_days") or 0))
    (used, used_hours), (pending, pending_hours) = taken["approved"], taken["pending"]
    available = accrued + carried
    share = available or Decimal(1)

    def limited(value: Decimal) -> str | None:
        return None if unlimited else _text(value)

    return {
        "pto_type": {name: type_[name] for name in ("id", "name", "color", "icon")},
        "is_requestable": type_["visible_to_all"],
        "year": year,
        "as_of": as_of.isoformat(),
        "is_unlimited": unlimited,
        "requires_approval": effective["requires_approval"],
        "effective_accrual_type": effective["accrual_type"],
        "accrual_schedule": effective["accrual_schedule"],
        "accrued_days": limited(accrued),
        "carryover_days": _text(carried),
        "available_days": limited(available),
        "used_days": _text(used),
        "pending_days": _text(pending),
        "remaining_days": limited(available - used - pending),
        "used_hours": _text(used_hours),
        "pending_hours": _text(pending_hours),
        "used_fraction": limited(round(used / share, 4)),
        "pending_fraction": limited(round(pending / share, 4)),
    }
