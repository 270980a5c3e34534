"""Whether a window of a report is still true, told from what it is made of.

A report sums up time entries and expenses, and nothing says when an old one changes. So
a digest is taken of all that a window is made of: when that changes, the window is read
again. Nothing here asks Harvest or a destination.
"""

import hashlib
from collections import defaultdict
from datetime import date, datetime  # noqa: I251
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Set

from dlt.common import Decimal

from ..settings import Report
from ..typing import Rows, Window
from .comparable import as_day, as_decimal


class Group(NamedTuple):
    """The time entries or expenses of one month with the same project and subject.

    Attributes:
        source (str): Their stream.
        month (date): The first day of the month.
        project (Any): Id of the project.
        subject (Any): Id of what the report groups by.
        amount (Decimal): The sum of the stream's `amount`.
        running (bool): A timer runs, so that hours grow all the time.
        newest (Optional[datetime]): When one of them was changed last.
        figures (str): Other sums that the report depends on.
    """

    source: str
    month: date
    project: Any
    subject: Any
    amount: Decimal
    running: bool
    newest: Optional[datetime]
    figures: str


class WindowPrint(NamedTuple):
    """What was seen of one window of a report.

    Attributes:
        digest (str): Hash of what it is made of, and of its rows.
        agrees (bool): Its sums are those of the entries.
        newest (Optional[datetime]): The last change to what it is made of.
    """

    digest: str
    agrees: bool
    newest: Optional[datetime]


def print_of(
    report: Report,
    rows: Rows,
    groups: Iterable[Group],
    described: Mapping[Any, Rows],
    invoiced: Mapping[Any, Decimal],
) -> WindowPrint:
    """Return the print of one window.

    Args:
        report (Report): What the report sums up.
        rows (List[Dict[str, Any]]): Its stored rows in the window.
        groups (Iterable[Group]): The groups in the window.
        described (Mapping): The records that a group belongs to, by its project and
            subject: what reports repeat of them, and their `updated_at`.
        invoiced (Mapping): The sum of the invoices of each project.
    """
    parts = sorted(str(sorted(row.items(), key=str)) for row in rows)
    stamps: List[Optional[datetime]] = []
    for group in groups:
        records = described.get((group.project, group.subject), [])
        stamps += [group.newest, *(each.get("updated_at") for each in records)]
        repeated = [{**each, "updated_at": None} for each in records]
        parts.append(f"{group._replace(newest=None)} {repeated}")
        if any(each.get("is_fixed_fee") for each in records):
            # what was invoiced leaves less of a fixed fee
            parts.append(f"invoiced {invoiced.get(group.project)}")
    return WindowPrint(
        hashlib.sha256("\n".join(parts).encode()).hexdigest(),
        agrees(report, rows, groups),
        max(filter(None, stamps), default=None),
    )


def agrees(report: Report, rows: Rows, groups: Iterable[Group]) -> bool:
    """Return whether the sums of a report are those of the entries, to the last digit.

    Where a timer runs, they cannot be compared.

    Args:
        report (Report): What the report sums up.
        rows (List[Dict[str, Any]]): Its rows.
        groups (Iterable[Group]): The groups in its window.
    """
    left: Dict[Any, Decimal] = defaultdict(Decimal)
    running: Set[Any] = set()
    for row in rows:
        left[row[report.key]] += as_decimal(row[report.total])
    reported = set(left)
    for group in groups:
        if group.source == report.made_of[0]:
            left[group.subject] -= group.amount
            if group.running:
                running.add(group.subject)
    # a report that leaves some projects out says nothing of them
    keys = reported if report.billable_only else left.keys()
    return not any(left[key] for key in keys - running)


def within(groups: Iterable[Group], window: Window) -> List[Group]:
    """Return the groups whose month lies in a window."""
    return [group for group in groups if window[0] <= group.month <= window[1]]


def by_window(rows: Rows) -> Dict[Window, Rows]:
    """Return stored rows of a report by their window, without what dlt added."""
    found: Dict[Any, Rows] = defaultdict(list)
    for row in rows:
        window = {name: as_day(row[name]) for name in ("period_start", "period_end")}
        own = {name: value for name, value in row.items() if name[:4] != "_dlt"}
        found[tuple(window.values())].append({**own, **window})
    return found


def name_of(window: Window) -> str:
    """Return the name of a window in the state.

    >>> name_of((date(2024, 1, 1), date(2024, 12, 31)))
    '2024-01-01/2024-12-31'
    """
    return f"{window[0]}/{window[1]}"


Prints = Dict[Window, WindowPrint]
"""What was seen of the windows of a report."""
