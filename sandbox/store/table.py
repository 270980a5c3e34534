"""Tables, and the JSON that the API makes of their rows.

Everything lives in an in-memory SQLite database. A row is turned into JSON by SQLite itself,
with an expression compiled from the table's fields, so that the server, the Python API and the
tests all see the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .fields import LIVE, Fields

# How a column is kept, by the kind that a field declares. Money and hours are hundredths.
SQL_TYPES = {
    "int": "INTEGER",
    "text": "TEXT",
    "bool": "INTEGER",
    "money": "INTEGER",
    "number": "REAL",
    "date": "TEXT",
    "time": "TEXT",
    "json": "TEXT",
}


def to_json(kind: str, column: str) -> str:
    """Return the SQL expression that writes a column of that kind as JSON."""
    if kind == "text":
        return f"json_quote({column})"
    if kind in ("date", "time"):
        return f"""ifnull('"'||{column}||'"','null')"""
    if kind == "bool":
        return f"CASE {column} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END"
    if kind == "money":
        return f"ifnull({column}/100.0,'null')"
    return f"ifnull({column},'null')"


def json_object(members: Mapping[str, str]) -> str:
    """Return the SQL expression that writes an object; printf copies once, || each time."""
    template = ",".join(f'"{name}":%s' for name in members)
    return f"printf('{{{template}}}',{','.join(members.values())})"


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for pair in text.split():
        name, _, kind = pair.partition(":")
        yield name, kind


@dataclass(frozen=True)
class Table:
    """One table and the rows that the API makes of it.

    Attributes:
        fields: `name:kind` pairs in the order in which they are served. A kind that starts with
            `@` is a nested object, `@table.brief`, kept as the column `name_id`; it ends with `?`
            where the row outlives what it points to, else the row is deleted with it. A second
            brief, `@table.brief/other`, is how live accounts send it. A name that ends with `!`
            is a field that live accounts send and the documentation has not; one that ends
            with `~` is sent only where it is asked for.
        hidden: `name:kind` columns that are kept but not served.
        computed: fields that no column holds, as SQL expressions that give JSON.
        joins: nested objects that are reached another way than by `name_id`.
        briefs: how rows of this table look inside others: brief name -> (field, SQL or "").
        indexes: columns to index, besides the order of the lists.
        first_id: ids are given out from here.
        kept_in: the table whose rows these are, when it is another one.
    """

    fields: str
    hidden: str = ""
    computed: Mapping[str, str] = field(default_factory=dict)
    joins: Mapping[str, str] = field(default_factory=dict)
    briefs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    indexes: tuple[str, ...] = ()
    first_id: int = 1
    kept_in: str = ""

    def served(self, fields: Fields = LIVE) -> dict[str, str]:
        """Return every field that is served, with its kind."""
        served = {}
        for name, kind in _pairs(self.fields):
            plain = name.rstrip("!~")
            if name.endswith("!") and fields.documented_only:
                continue
            if name.endswith("~") and plain not in fields.on_request:
                continue
            brief, slash, other = kind.rstrip("?").partition("/")
            if slash and not fields.documented_only:
                brief = brief.partition(".")[0] + "." + other
            served[plain] = brief
        return served

    def columns(self) -> Mapping[str, str]:
        """Return every column that is kept, with its kind."""
        return self._columns

    @cached_property
    def _columns(self) -> Mapping[str, str]:
        kept: dict[str, str] = {}
        for name, kind in _pairs(self.fields + " " + self.hidden):
            name = name.rstrip("!~")
            if kind.startswith("@"):
                if name not in self.joins:
                    kept[f"{name}_id"] = kind
            elif kind != "=":
                kept[name] = kind
        return kept

    def create(self, name: str) -> str:
        """Return the statement that creates the table."""
        lines = []
        for column, kind in self.columns().items():
            if kind.startswith("@"):
                target, _, brief = kind[1:].partition(".")
                action = "SET NULL" if brief.endswith("?") else "CASCADE"
                lines.append(f"{column} INTEGER REFERENCES {target}(id) ON DELETE {action}")
            else:
                key = " PRIMARY KEY" if column == "id" else ""
                lines.append(f"{column} {SQL_TYPES[kind]}{key}")
        for brief, members in self.briefs.items():
            # Stored when the row is written: nesting it then costs one look-up by id.
            expression = json_object(dict(self._member(member) for member in members))
            lines.append(f"{brief} TEXT GENERATED ALWAYS AS ({expression}) STORED")
        return f"CREATE TABLE {name} ({', '.join(lines)})"

    def _member(self, member: str) -> tuple[str, str]:
        name, _, sql = member.partition("=")
        return name, f"json_quote({sql})" if sql else to_json(self.columns()[name], name)

    def select(self, fields: Fields = LIVE) -> tuple[str, str]:
        """Return the expression that writes a row `t` as JSON, and the joins that it needs."""
        members, joins = {}, []
        for member, kind in self.served(fields).items():
            if kind.startswith("@"):
                target, _, brief = kind[1:].partition(".")
                on = self.joins.get(member, f"{member}.id = t.{member}_id")
                joins.append(f"LEFT JOIN {target} {member} ON {on}")
                members[member] = f"ifnull({member}.{brief},'null')"
            elif kind == "=":
                members[member] = self.computed[member]
            else:
                members[member] = to_json(kind, f"t.{member}")
        # What is reached through another join comes after it.
        joins.sort(key=lambda join: ".id = t." not in join)
        return json_object(members), " ".join(joins)
