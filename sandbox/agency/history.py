"""The history of a whole agency."""

from __future__ import annotations

from datetime import date

from ..store.editor import Editor
from . import money, people, projects, time_off, tracked
from .past import Past
from .records import RECORDS


def make(editor: Editor, seed: int, entries: int, years: float | None, today: date) -> None:
    """Make everything that an agency has done, up to the midnight (UTC) before `today`.

    Args:
        editor: of the account to fill; it must be empty.
        seed: what chance is drawn from.
        entries: how many time entries.
        years: how far back, or None for what suits the number of entries.
        today: the day on which the account is looked at.
    """
    past = Past(editor.store, seed, entries, years, today, RECORDS)
    staff = people.hire(past)
    money.categorize(past)
    clients = projects.win(past)
    time_off.allow(past, staff)
    work = projects.plan(past, clients, staff)
    tracked.record(past, staff, work)
    tracked.spend(past, work)
    editor.store.finish()
    projects.price(past, work)
    estimates = money.estimate(past, clients, staff)
    money.invoice(past, editor.bill, work, estimates, staff)
