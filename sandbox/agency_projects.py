"""The history of an agency: projects, and who works on them."""

from __future__ import annotations

from datetime import date, timedelta

from . import words
from .agency_people import PeopleHistory
from .columns import Row
from .listings import LISTINGS
from .records import Maker


class ProjectHistory(PeopleHistory):
    """Makes projects with their teams and tasks."""

    def make_projects(self) -> None:
        rng = self.rng
        count = round(34 * self.size**0.45)
        self.tasks = {
            row["name"]: row
            for row in (
                self.account.columns_of("tasks", id) for id in self.account.ids(LISTINGS["tasks"])
            )
        }
        yesterday = self.today - timedelta(days=1)
        internal = self.put_project(self.own, self.first, None, "Internal", 4)
        time_off = self.put_project(self.own, self.first, None, "Time Off", 4)
        plans = []
        for number in range(count - 2):
            client = self.clients[number % len(self.clients)]
            since = max(client["since"], self.first)
            latest = max(since, self.today - timedelta(days=20))
            starts = since if number % 5 == 0 else self.day(since, latest)
            ends: date | None = starts + timedelta(days=rng.randrange(90, 700))
            if ends and ends >= yesterday:
                ends = None
            plans.append((starts, ends, client, number))
        plans.sort(key=lambda plan: (plan[0], plan[3]))
        self.projects = [internal, time_off]
        for starts, ends, client, number in plans:
            name = f"{words.PROJECTS[number % len(words.PROJECTS)]}"
            if number >= len(words.PROJECTS):
                name += f" {number // len(words.PROJECTS) + 1}"
            self.projects.append(self.put_project(client, starts, ends, name, number % 8))
        for project in self.projects:
            everyone = project in (internal, time_off)
            self.make_team(project, self.people if everyone else None)

    def put_project(
        self, client: Row, starts: date, ends: date | None, name: str, kind: int
    ) -> Row:
        created = self.at(starts - timedelta(days=self.rng.randrange(0, 12)))
        archived = ends is not None and self.rng.random() < 0.7
        given = {"client_id": client["id"], "name": name}
        plan = Maker(self.account, self.rng, created).project(given, kind)
        plan |= {
            "is_active": int(not archived),
            "starts_on": self.rng.choice([starts.isoformat(), starts.isoformat(), None]),
            "ends_on": ends.isoformat() if ends and self.rng.random() < 0.8 else None,
        }
        project = self.put("projects", created, **plan)
        return project | {"begin": starts, "end": ends, "client": client, "team": []}

    def make_team(self, project: Row, people: list[Row] | None) -> None:
        rng = self.rng
        last = project["end"] or self.today
        there = [
            user
            for user in self.people
            if user["hired"] <= last and (user["left"] or self.today) >= project["begin"]
        ]
        team = people or rng.sample(there, min(len(there), rng.randrange(3, 7)))
        if project["client"] is self.own:
            names = ["Holiday"] if project["name"] == "Time Off" else ["Meetings", "Research"]
        else:
            names = rng.sample(
                ["Design", "Development", "Research", "Content"], rng.randrange(2, 5)
            )
            names += ["Project Management", "Meetings"][: rng.randrange(1, 3)]
        tasks = [
            self.put(
                "task_assignments",
                project["created_at"],
                project_id=project["id"],
                task_id=self.tasks[name]["id"],
                is_active=int(rng.random() < 0.95),
            )
            for name in names
        ]
        for number, user in enumerate(team):
            joined = max(project["begin"], user["hired"])
            left = user["left"]
            assignment = self.put(
                "user_assignments",
                max(self.at(joined), project["created_at"]),
                project_id=project["id"],
                user_id=user["id"],
                is_project_manager=int(number == 0),
                is_active=int(user["is_active"] and (not project["end"] or rng.random() < 0.8)),
            )
            until = min(last, left or self.today)
            project["team"].append((user, assignment, tasks, joined, until))
