"""Filling in what a record needs, believably, whether it is of the past or made now."""

from __future__ import annotations

from random import Random

from ..store.columns import Row
from ..store.database import Store
from ..store.tables import TABLES
from . import money, people, projects, time_off, tracked
from .filling import Filling, Record

RECORDS: dict[str, Record] = {
    **people.RECORDS,
    **projects.RECORDS,
    **tracked.RECORDS,
    **money.RECORDS,
    **time_off.RECORDS,
}
"""What completes a row of each table."""


def complete(store: Store, rng: Random, now: str, table: str, given: Row) -> Row:
    """Return a whole row of a table, from what is given of it.

    Args:
        store: where related records are found, and made when there are none.
        rng: what chance is drawn from.
        now: the time of creation.
        table: the table.
        given: column values.
    """
    return Filling(store, rng, now, RECORDS).row(table, given)


assert set(RECORDS) == {name for name, table in TABLES.items() if not table.kept_in}
