"""Making up a whole agency with its history."""

from __future__ import annotations

from random import Random

from .agency_time_off import TimeOffHistory


class Agency(TimeOffHistory):
    """The history of a whole agency, up to the midnight (UTC) before `today`."""

    def build(self) -> None:
        """Make everything, in the order in which it would have come about."""
        self.make_people()
        self.make_places()
        self.make_projects()
        self.make_entries()
        self.make_expenses()
        self.account.finish()
        self.make_estimates()
        self.make_invoices()
        # Draws of its own, so that everything else is as it was without it.
        self.rng = Random(f"{self.rng.random()}/time off")
        self.make_time_off()
