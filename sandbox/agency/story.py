"""The story that the figures of an agency tell, written down once.

The history is made to fit these ranges, and a test holds them.
"""

from __future__ import annotations

PEOPLE = 12
"""How many people a small agency has, those who have left included."""
CLIENTS = 25
CONCURRENT_PROJECTS = 8
"""How many client projects are under way at a time."""
ENTRIES_A_YEAR = 3200
"""How many time entries those people write in a year."""

CURRENCIES = ("EUR", "EUR", "USD", "EUR", "GBP")
"""The currencies of projects, in the order in which these begin: at any time, most of the work is
in the agency's own."""
EUROS = {"EUR": 1.0, "USD": 0.92, "GBP": 1.17}
"""What one unit of a client's currency is worth in the agency's."""

# What is drawn for each of them.
RATES = (105, 145)
"""Billable rates, an hour."""
COSTS = (48, 66)
"""Cost rates, an hour."""
BILLABLE_TIME = 0.81
"""The share of hours that go to clients' projects."""
FEE_SHARE = (0.9, 1.0)
"""A fixed fee as a share of its hours at standard rates."""
LOSING_FEE_SHARE = 0.35
"""The same of the one project that loses money."""
BUDGET_USED = (0.6, 0.97)
"""The share of its budget that a project has used when it ends."""
BUDGET_OVERRUN = (1.05, 1.28)
"""The same of a project that runs over."""
DAYS_TO_PAYMENT = (20, 45)
DAYS_TO_LATE_PAYMENT = (60, 100)

# What the figures of the whole agency come to: lowest and highest.
RANGES: dict[str, tuple[float, float]] = {
    "people": (11, 14),
    "people who left": (1, 4),
    "contractors": (1, 4),
    "part-time people": (1, 6),
    "teams": (3, 3),
    "clients": (25, 27),
    "currencies": (3, 3),
    "utilization": (0.65, 0.9),
    "billable share of hours": (0.6, 0.85),
    "margin": (0.25, 0.45),
    "realization": (0.85, 1.0),
    "losing projects": (1, 1),
    "median days to payment": (20, 45),
    "share of invoices paid late": (0.03, 0.3),
    "clients that do not pay": (1, 1),
    "uninvoiced share of the last 45 days": (0.8, 1.0),
    "share of budgets overrun": (0.03, 0.35),
    "highest overrun": (1.0, 1.32),
}
"""The ranges that an agency of two years and 6,000 time entries keeps, whatever its seed."""
