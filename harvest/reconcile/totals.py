"""The totals of a window of a report, and what the stored entries say that they are.

Nothing here asks Harvest or a destination, and no total proves anything: where two
differ, Harvest is asked for the window.
"""

import hashlib
from collections import defaultdict
from datetime import date, datetime  # noqa: I251
from functools import partial
from typing import (
    Any,
    Dict,
    Iterable,
    Iterator,
    Mapping,
    NamedTuple,
    Optional,
    Set,
    Tuple,
)

from dlt.common import Decimal

from ..settings import Report
from ..typing import Row, Rows, Window
from .comparable import as_day, as_decimal

CENT = Decimal("0.01")
"""Harvest rounds sums of money: less than this between two is no difference."""
OF_USERS = ("is_contractor", "weekly_capacity", "avatar_url")
"""Columns that reports repeat of people, besides their names."""

Totals = Dict[Tuple[Any, str], Decimal]
"""Sums by the subject of a report and its column."""


class Group(NamedTuple):
    """The time entries or expenses of one window with the same subjects.

    Attributes:
        source (str): Their stream.
        window (Optional[Window]): The window; None if their day is in none.
        subjects (Dict[str, Any]): Ids of what reports group by: `project`, `user` ...
        rows (int): How many there are.
        running (bool): A timer runs, so that hours grow all the time.
        newest (Optional[datetime]): When one of them was changed last.
        amount (Decimal): The sum of the stream's `amount`: hours or costs.
        billable (Decimal): The same, of the billable ones.
        money (Decimal): The same in money.
        open_amount (Decimal): The sum of those that are billable and on no invoice.
        open_money (Decimal): The same in money.
    """

    source: str
    window: Optional[Window]
    subjects: Dict[str, Any]
    rows: int
    running: bool
    newest: Optional[datetime]
    amount: Decimal
    billable: Decimal
    money: Decimal
    open_amount: Decimal
    open_money: Decimal


class Facts(NamedTuple):
    """The records, besides entries, that a report depends on.

    Attributes:
        records (Mapping[str, Mapping[Any, Row]]): The stored records that reports
            repeat, by `project`, `client` and the like, and by id; none of those that
            are not compared.
        invoiced (Optional[Mapping[Any, Decimal]]): What was ever invoiced of each
            project, drafts included; None if that is not known.
        fixed_fees (Optional[bool]): The setting `include_fixed_fee`.
        sources (Set[str]): Which of time entries and expenses are known.
    """

    records: Mapping[str, Mapping[Any, Row]]
    invoiced: Optional[Mapping[Any, Decimal]]
    fixed_fees: Optional[bool]
    sources: Set[str]

    @property
    def projects(self) -> Mapping[Any, Row]:
        """Return the stored projects by id."""
        return self.records.get("project", {})

    def is_fixed(self, project: Any) -> bool:
        """Return whether a project has a fixed fee."""
        return bool(self.projects.get(project, {}).get("is_fixed_fee"))


class Expected(NamedTuple):
    """The totals that the stored entries lead to; 0 where there are none.

    Attributes:
        totals (Totals): The totals.
        unknown (Set[Tuple[Any, str]]): Those that only Harvest knows.
        columns (Tuple[str, ...]): The columns that are known.
    """

    totals: Totals
    unknown: Set[Tuple[Any, str]]
    columns: Tuple[str, ...]


def expected_totals(report: Report, groups: Iterable[Group], facts: Facts) -> Expected:
    """Return what a window of a report on time or expenses must hold.

    Args:
        report (Report): What the report sums up.
        groups (Iterable[Group]): The groups in the window.
        facts (Facts): What else it depends on.
    """
    found: Totals = defaultdict(Decimal)
    unknown: Set[Tuple[Any, str]] = set()
    columns: Tuple[str, ...] = (report.total, "billable_amount")
    of_time = report.made_of[0] == "time_entries"
    for group in groups:
        subject = group.subjects.get(subject_of(report))
        found[subject, report.total] += group.amount
        if not of_time:
            found[subject, "billable_amount"] += group.billable
            continue
        found[subject, "billable_hours"] += group.billable
        if not facts.is_fixed(group.subjects.get("project")):
            found[subject, "billable_amount"] += group.money
        elif facts.fixed_fees:
            unknown.add((subject, "billable_amount"))
    if of_time:
        # without projects, nobody knows which have a fixed fee
        money = columns[1:] if facts.projects else ()
        columns = (report.total, "billable_hours", *money)
    return Expected(found, unknown, columns)


def expected_uninvoiced(
    window: Window, groups: Iterable[Group], facts: Facts
) -> Expected:
    """Return what a window of the uninvoiced report must hold.

    What is left of a fixed fee is the same in each window that ends after the project
    has begun: the fee less all line items that were ever invoiced.

    Args:
        window (Window): The window.
        groups (Iterable[Group]): The groups in it.
        facts (Facts): What else it depends on.
    """
    found: Totals = defaultdict(Decimal)
    unknown: Set[Tuple[Any, str]] = set()
    columns: Dict[str, Tuple[str, ...]] = {
        "time_entries": ("total_hours", "uninvoiced_hours"),
        "expenses": ("uninvoiced_expenses",),
    }
    for group in groups:
        project = group.subjects.get("project")
        if group.source == "time_entries":
            found[project, "total_hours"] += group.amount
        found[project, columns[group.source][-1]] += group.open_amount
        if not facts.is_fixed(project):
            found[project, "uninvoiced_amount"] += group.open_money
    for key, project in facts.projects.items():
        if facts.is_fixed(key):
            place = (key, "uninvoiced_amount")
            if facts.invoiced is None or facts.fixed_fees is False:
                unknown.add(place)
                continue
            # where no day is given, nobody knows whether Harvest takes another one
            start = as_day(project.get("starts_on") or project.get("created_at"))
            if window[1] >= (start or date.min):
                fee = as_decimal(project.get("fee"))
                found[place] = fee - facts.invoiced.get(key, Decimal(0))
            elif not project.get("starts_on"):
                unknown.add(place)
    known = [column for each in sorted(facts.sources) for column in columns[each]]
    if facts.projects and facts.sources == columns.keys():
        known.append("uninvoiced_amount")
    return Expected(found, unknown, tuple(known))


def differences(report: Report, rows: Rows, expected: Expected, facts: Facts) -> Totals:
    """Return by how much the totals of a window's rows are more than is expected.

    Where a row is not expected, or names a record otherwise than its own table, that
    is 1.

    Args:
        report (Report): What the report sums up.
        rows (List[Dict[str, Any]]): Its rows.
        expected (Expected): What the stored entries say.
        facts (Facts): What else it depends on.
    """
    found: Totals = defaultdict(Decimal)
    listed = {row[report.key] for row in rows}
    for row in rows:
        for column in expected.columns:
            found[row[report.key], column] += as_decimal(row.get(column))
        for column in _named_otherwise(row, facts):
            found[row[report.key], column] = Decimal(1)
    for (subject, column), value in expected.totals.items():
        # a report that leaves some projects out says nothing of them
        known = column in expected.columns
        if known and (subject in listed or not report.billable_only):
            found[subject, column] -= value
    if report.billable_only and facts.projects:
        for subject in listed ^ {*filter(partial(_is_listed, facts), facts.projects)}:
            found[subject, "project"] = Decimal(1)
    return {
        key: value
        for key, value in found.items()
        if key not in expected.unknown and abs(value) > _slack(key[1])
    }


def currencies(
    report: Report, rows: Rows, groups: Iterable[Group], facts: Facts
) -> Totals:
    """Return the subjects that have rows in other currencies than their clients."""
    clients, subject = facts.records.get("client", {}), subject_of(report)
    here = {(row[report.key], row.get("currency")) for row in rows}
    expected = {
        (group.subjects.get(subject), client.get("currency"))
        for group in groups
        if (client := clients.get(group.subjects.get("client")))
    }
    if report.billable_only or not clients:
        # each of its rows names its client
        return {}
    return {(key, "currency"): Decimal(1) for key, _ in expected ^ here}


def _named_otherwise(row: Row, facts: Facts) -> Iterator[str]:
    """Yield the columns of a report's row that are not as in the record's own table."""
    for kind, records in facts.records.items():
        record = records.get(row.get(f"{kind}_id"))
        if not record:
            continue
        names = [record.get(name) for name in ("name", "first_name", "last_name")]
        said = str(row.get(f"{kind}_name"))
        # of a project, some reports have the code in front
        if f"{kind}_name" in row and not all(name in said for name in names if name):
            yield f"{kind}_name"
        if kind == "user":
            yield from (n for n in OF_USERS if n in row and row[n] != record.get(n))
        if kind == "client" and row.get("currency") != record.get("currency"):
            yield "currency"


def _is_listed(facts: Facts, project: Any) -> bool:
    about = facts.projects[project]
    return bool(about.get("is_active") and about.get("is_billable"))


def _slack(column: str) -> Decimal:
    # sums of costs, and of hours, have no more digits than what they are made of
    return CENT if column in ("billable_amount", "uninvoiced_amount") else Decimal(0)


def subject_of(report: Report) -> str:
    """Return what a report groups by, such as `client`."""
    return report.key.removesuffix("_id")


def digest_of(totals: Totals) -> str:
    """Return a few letters that tell these totals from others; none if there are none.

    >>> digest_of({}), len(digest_of({(7, "total_hours"): Decimal("0.01")}))
    ('', 16)
    """
    if not totals:
        return ""
    said = sorted(
        f"{key} {column} {value:f}" for (key, column), value in totals.items()
    )
    return hashlib.blake2b("\n".join(said).encode(), digest_size=8).hexdigest()


def in_words(totals: Iterable[Totals]) -> str:
    """Return the size of differences by column; nothing if no figure differs.

    >>> in_words([{(7, "total_hours"): Decimal("0.003")}])
    'total_hours by 0.003'
    """
    sums: Dict[str, Decimal] = defaultdict(Decimal)
    for each in totals:
        for (_, column), value in each.items():
            if column.endswith(("hours", "amount", "expenses")):
                sums[column] += abs(value)
    said = (f"{column} by {value.normalize():f}" for column, value in sums.items())
    return ", ".join(sorted(said))
