"""Filling in what records of any kind need, believably."""

from __future__ import annotations

from .maker_bills import BillMaker
from .maker_places import PlaceMaker
from .maker_time_off import TimeOffMaker
from .maker_tracked import TrackedMaker


class Maker(PlaceMaker, BillMaker, TrackedMaker, TimeOffMaker):
    """Completes records of all kinds. Each table has a method of its name."""
