"""Clients with their contacts, tasks, and projects with their teams."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from ..store.columns import Row
from ..store.tables import ROUNDED
from . import story, words
from .filling import Filling, Record, always
from .past import Past
from .people import Person

# How a project is billed and budgeted: what is set, in the order in which projects come.
_T_AND_M = {"bill_by": "Project", "hourly_rate": 11500}
_KINDS: tuple[Row, ...] = (
    _T_AND_M | {"budget_by": "project", "budget": 20000},
    {"bill_by": "People", "budget_by": "project_cost", "cost_budget": 2500000},
    {"bill_by": "Tasks", "budget_by": "task"},
    {"bill_by": "People", "budget_by": "task_fees", "is_fixed_fee": 1, "fee": 2500000},
    _T_AND_M | {"budget_by": "project", "budget": 4000, "budget_is_monthly": 1},
    {"bill_by": "People", "budget_by": "person"},
    _T_AND_M,
    {"bill_by": "People", "budget_by": "project", "is_fixed_fee": 1, "fee": 1800000}
    | {"budget": 20000},
)
_INTERNAL: Row = {"bill_by": "none", "is_billable": 0, "over_budget_notification_percentage": None}


def _clients(fill: Filling, given: Row) -> Row:
    rng = fill.rng
    street = f"{rng.randrange(1, 200)} Example Street"
    return {
        "name": words.new_name(rng, "clients"),
        "is_active": 1,
        "address": rng.choice([f"{street}\r\nSpringfield", f"{street}\n1011 AB Oudeveen", None]),
        "statement_key": f"{rng.getrandbits(128):032x}",
        "currency": rng.choice(["EUR", "USD", "GBP"]),
    }


def _contacts(fill: Filling, given: Row) -> Row:
    rng = fill.rng
    first, last, mail = fill.person()
    return {
        "client_id": fill.some("clients", given, "client_id"),
        "title": rng.choice(words.TITLES),
        "first_name": first,
        "last_name": rng.choice([last, last, None]),
        "email": f"{mail}@example.org",
        "phone_office": rng.choice([f"+1 555 01{rng.randrange(100):02}", "", None]),
        "phone_mobile": rng.choice([f"+1 555 01{rng.randrange(100):02}", "", None]),
        "fax": rng.choice(["", None]),
        "invoice_recipient_status": words.RECIPIENTS[always(mail, 5)],
    }


def _tasks(fill: Filling, given: Row) -> Row:
    _, billable, rate, _, _ = fill.rng.choice(words.TASKS)
    return {
        "name": words.new_name(fill.rng, "tasks"),
        "billable_by_default": billable,
        "default_hourly_rate": rate,
        "is_default": 0,
        "is_active": 1,
    }


def _projects(fill: Filling, given: Row) -> Row:
    rng = fill.rng
    name = given.get("name") or words.new_name(rng, "projects")
    code = rng.choice([f"P{rng.randrange(10, 999)}", name[:2].upper(), "", None])
    row: Row = {
        "client_id": fill.some("clients", given, "client_id"),
        "name": name,
        "code": code if fill.store.project_codes else None,
        "is_active": 1,
        "is_billable": 1,
        "is_fixed_fee": 0,
        "budget_by": "none",
        "budget_is_monthly": 0,
        "notify_when_over_budget": rng.randrange(2),
        "over_budget_notification_percentage": 80.0,
        "show_budget_to_all": rng.randrange(2),
        "cost_budget_include_expenses": 0,
        "notes": rng.choice(["", None, "Kick-off in week 3.\nContact: see card"]),
        "starts_on": (given.get("created_at") or fill.now)[:10],
    }
    # What is given of billing and budgets is not mixed with what is drawn.
    return row | ({} if "bill_by" in given else rng.choice([*_KINDS, _INTERNAL]))


def _user_assignments(fill: Filling, given: Row) -> Row:
    rng = fill.rng
    project = fill.some_row("projects", given, "project_id")
    own_rate = rng.random() < 0.3
    return {
        "project_id": project["id"],
        "user_id": fill.some("users", given, "user_id"),
        "is_active": 1,
        "is_project_manager": int(rng.random() < 0.2),
        "use_default_rates": int(not own_rate),
        "hourly_rate": rng.choice([10500, 11500, 13000]) if own_rate else None,
        "budget": rng.randrange(20, 200) * 100 if project["budget_by"] == "person" else None,
    }


def _task_assignments(fill: Filling, given: Row) -> Row:
    project = fill.some_row("projects", given, "project_id")
    task = fill.some_row("tasks", given, "task_id")
    budget = {"task": fill.rng.randrange(20, 200) * 100, "task_fees": 800000}
    return {
        "project_id": project["id"],
        "task_id": task["id"],
        "is_active": 1,
        "billable": int(project["is_billable"] and task["billable_by_default"]),
        "hourly_rate": task["default_hourly_rate"],
        "budget": budget.get(project["budget_by"]),
    }


RECORDS: dict[str, Record] = {
    "clients": _clients,
    "contacts": _contacts,
    "tasks": _tasks,
    "projects": _projects,
    "user_assignments": _user_assignments,
    "task_assignments": _task_assignments,
}


class Seat(NamedTuple):
    """Somebody's place in a project's team, and from when until when it is theirs."""

    person: Person
    assignment: Row
    since: date
    until: date


@dataclass
class Project:
    """A project of the past.

    Attributes:
        row: its record.
        begin: its first day.
        end: its last day, if it has one.
        losing: whether its fee is far too low.
        tasks: its task assignments.
        team: who works on it.
    """

    row: Row
    begin: date
    end: date | None
    losing: bool = False
    tasks: list[Row] = field(default_factory=list)
    team: list[Seat] = field(default_factory=list)

    @property
    def id(self) -> int:
        """Return the project's id."""
        return int(self.row["id"])


def win(past: Past) -> list[Row]:
    """Make tasks, and clients with their contacts; the agency itself is the first client."""
    rng = past.rng
    names = ("name", "billable_by_default", "default_hourly_rate", "is_default", "is_active")
    for values in words.TASKS:
        past.put("tasks", past.at(past.opening), **dict(zip(names, values, strict=True)))
    opening = past.first - timedelta(days=35)
    own = past.put("clients", past.at(opening), name="Studio Tamarisk (internal)", currency="EUR")
    clients = [own | {"since": opening}]
    for number in range(round(story.CLIENTS * past.size**0.5)):
        since = past.day(past.first - timedelta(days=30), past.first)
        if number > story.CLIENTS // 2:
            since = past.day(past.first, past.today - timedelta(days=60))
        given: Row = {"is_active": int(number % 9 != 8)}
        if number < len(words.CLIENTS):
            given["name"], given["currency"] = words.CLIENTS[number]
        client = past.put("clients", past.at(since), **given)
        clients.append(client | {"since": since})
        for _ in range(rng.randrange(0, 4)):
            past.put("contacts", past.at(past.day(since, past.yesterday)), client_id=client["id"])
    return clients


def plan(past: Past, clients: list[Row], people: list[Person]) -> list[Project]:
    """Make the projects with their teams and tasks; the internal one comes first."""
    rng = past.rng
    tasks = {row["name"]: row for row in past.rows("tasks")}
    own, clients = clients[0], clients[1:]
    projects = [_begin(past, own, past.first, None, _INTERNAL | {"name": "Internal"})]
    span = (past.today - past.first).days
    # An agency that writes down little has fewer projects to write it on.
    written = past.entries / past.years / story.ENTRIES_A_YEAR
    concurrent = story.CONCURRENT_PROJECTS * past.size**0.6 * min(1.0, max(0.5, written))
    count = max(16, round(concurrent * (span + 110) / 220))
    plans: list[tuple[date, date | None, int]] = []
    for number in range(count):
        # Under way at the start is as much as later, so some began long before.
        day = past.first + timedelta(days=round((number / count) * (span + 90)) - 110)
        starts = max(past.first, min(day, past.today - timedelta(days=25)))
        ends: date | None = day + timedelta(days=rng.randrange(140, 300))
        if number % 8 == 4 or (ends and ends >= past.yesterday):
            ends = None
        plans.append((starts, max(ends, starts + timedelta(days=40)) if ends else None, number))
    for starts, ends, number in plans:
        there = [client for client in clients if client["since"] <= starts] or clients[:1]
        currency = story.CURRENCIES[number % len(story.CURRENCIES)]
        some = [client for client in there if client["currency"] == currency] or there
        client = some[number * 7 % len(some)]
        name = words.PROJECTS[number % len(words.PROJECTS)]
        if number >= len(words.PROJECTS):
            name = words.new_name(rng, "projects")
        fixed = past.today if ends and ends >= past.yesterday else ends
        given = _KINDS[number % 8] | {"name": name}
        project = _begin(past, client, starts, fixed, given)
        project.losing = number == 3
        projects.append(project)
    for number, project in enumerate(projects):
        _staff(past, project, people, tasks, internal=number == 0)
    return projects


def _begin(past: Past, client: Row, starts: date, ends: date | None, given: Row) -> Project:
    rng = past.rng
    archived = ends is not None and (past.today - ends).days > 45 and rng.random() < 0.85
    fixed = bool(given.get("is_fixed_fee"))
    last = ends
    if fixed and ends is None:
        last = past.today + timedelta(days=rng.randrange(20, 120))
    if "hourly_rate" in given:
        given = given | {"hourly_rate": rng.randrange(*story.RATES) * 100}
    row = past.put(
        "projects",
        past.at(starts - timedelta(days=rng.randrange(0, 12))),
        client_id=client["id"],
        is_active=int(not archived),
        starts_on=starts.isoformat() if fixed or rng.random() < 0.7 else None,
        ends_on=last.isoformat() if last and (fixed or rng.random() < 0.8) else None,
        **given,
    )
    return Project(row, starts, ends)


def _staff(
    past: Past, project: Project, people: list[Person], tasks: dict[str, Row], internal: bool
) -> None:
    rng = past.rng
    last = project.end or past.today
    there = [
        person
        for person in people
        if person.hired <= last and (person.left or past.today) >= project.begin
    ]
    team = people if internal else rng.sample(there, min(len(there), rng.randrange(3, 6)))
    names = ["Meetings", "Business Development", "Training"]
    if not internal:
        names = rng.sample(["Design", "Development", "Research", "Content"], rng.randrange(2, 5))
        names += ["Project Management", "Meetings"][: rng.randrange(1, 3)]
    for name in names:
        given = {"project_id": project.id, "task_id": tasks[name]["id"]}
        active = int(rng.random() < 0.95)
        made = past.put("task_assignments", project.row["created_at"], is_active=active, **given)
        project.tasks.append(made)
    for number, person in enumerate(team):
        joined = max(project.begin, person.hired)
        assignment = past.put(
            "user_assignments",
            max(past.at(joined), project.row["created_at"]),
            project_id=project.id,
            user_id=person.id,
            is_project_manager=int(number == 0),
            is_active=int(person.active and (not project.end or rng.random() < 0.8)),
        )
        until = min(last, person.left or past.today)
        project.team.append(Seat(person, assignment, joined, until))


# What a project has used of its budget, as Harvest counts it: hundredths of hours and of money.
_USED = f"""SELECT ifnull(sum({ROUNDED}), 0),
    ifnull(sum(billable * {ROUNDED} * ifnull(billable_rate, 0)) / 100, 0)
    FROM time_entries t WHERE project_id = ?"""


def price(past: Past, projects: list[Project]) -> None:
    """Give the projects the budgets and fees that suit the work that was done on them."""
    budgeted = 0
    for project in projects[1:]:
        hours, amount = past.store.query(_USED, project.id)[0]
        if not hours:
            continue
        # The fee, and what is left of the budget, are for the days to come as well.
        done = 1.0
        if project.end is None and project.row["ends_on"]:
            whole = (date.fromisoformat(project.row["ends_on"]) - project.begin).days + 1
            done = min(1.0, (past.today - project.begin).days / whole)
        if project.row["is_fixed_fee"]:
            share = story.LOSING_FEE_SHARE if project.losing else past.rng.uniform(*story.FEE_SHARE)
            _set(past, project, fee=_whole(amount * share / done))
        if project.row["budget_by"] == "none":
            continue
        if project.row["budget_is_monthly"]:
            months = max(1.0, (past.today - project.begin).days / 30.4)
            _set(past, project, budget=_whole(hours / months / 0.85))
            continue
        budgeted += 1
        used = past.rng.uniform(*story.BUDGET_USED) * done
        if budgeted % 7 == 2:
            used = past.rng.uniform(*story.BUDGET_OVERRUN)
        _budget(past, project, hours / used, amount / used)


def _whole(hundredths: float) -> int:
    """Return an amount in whole units, as people agree on."""
    return max(1, round(hundredths / 100)) * 100


def _set(past: Past, project: Project, **columns: int) -> None:
    past.store.update("projects", columns, "id = ?", project.id)
    project.row |= columns


def _budget(past: Past, project: Project, hours: float, amount: float) -> None:
    """Set the budget of a project where its kind has it: on itself, its tasks or its people."""
    by = project.row["budget_by"]
    whole = _whole(amount if by in ("project_cost", "task_fees") else hours)
    if by == "project":
        _set(past, project, budget=whole)
    elif by == "project_cost":
        _set(past, project, cost_budget=whole)
    else:
        table = "user_assignments" if by == "person" else "task_assignments"
        parts = past.store.query(f"SELECT id FROM {table} WHERE project_id = ?", project.id)
        for number, (id,) in enumerate(parts):
            share = whole // len(parts) + (number < whole % len(parts))
            past.store.update(table, {"budget": share}, "id = ?", id)
