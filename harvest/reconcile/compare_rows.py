"""Rows of Harvest and rows of a destination, and how they differ."""

import re
from collections import defaultdict
from datetime import date  # noqa: I251
from functools import cache
from typing import (
    Any,
    Container,
    Dict,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Set,
    Tuple,
)

from ..settings import STREAMS, Stream
from ..streams.tables import Table
from ..streams.values import storable
from ..typing import Key, Row, Rows
from . import sql
from .comparable import as_day, comparable
from .comparison import Comparison
from .job import Job
from .user_steps import UserSteps, keys_of

VARIANT = re.compile("(?<=.)__v_[a-z]+$")
"""The column beside another for values that do not fit it: `hours__v_text`."""
GROWING = frozenset(("hours", "rounded_hours"))
"""Columns that grow all the time while the timer of an entry runs."""

Form = Dict[Any, Any]
"""The values of a row, and of its lists, by table and place in the lists."""


class Stored(NamedTuple):
    """One row of a destination.

    Attributes:
        key (Key): Its key.
        form (Form): Its values, and those of its lists.
        pieces (List[Tuple[str, Row]]): Its row, and the rows of its lists, by table.
    """

    key: Key
    form: Form
    pieces: List[Tuple[str, Row]]

    @property
    def columns(self) -> Row:
        """Return the columns of its own table."""
        return self.pieces[0][1]

    def as_harvest(self) -> Row:
        """Return it as Harvest would have it, with objects and lists in it."""
        rows: Dict[Any, Tuple[str, Row]] = {}
        for table, piece in self.pieces:
            row = nested(piece)
            rows[piece["_dlt_id"]] = table, row
            if "_dlt_parent_id" in piece:
                above, place = rows[piece["_dlt_parent_id"]]
                *objects, name = table[len(above) + len("__") :].split("__")
                for each in objects:
                    place = place.setdefault(each, {})
                place.setdefault(name, []).append(row.get("value", row))
        return rows[self.columns["_dlt_id"]][1]


class StreamRows:
    """The rows of one stream in Harvest and here, in forms that can be compared.

    Args:
        job (Job): What the comparisons of all streams share.
        found (Comparison): Takes what is found.
    """

    def __init__(self, job: Job, found: Comparison) -> None:
        self._job = job
        self._found = found
        self._stream = STREAMS[found.stream]
        self._table = found.table
        self._to = Table(found.table, {}, takes_arrow=False)
        self._stored = job.stored
        self._account = job.account
        schema = job.stored.schema
        contract = schema.resolve_contract_settings_for_table(found.table)
        self._evolves = contract["columns"] == "evolve"
        self._resource_of_user = job.source.resources[found.stream]
        self._steps = UserSteps(self._resource_of_user, self._stream)

    def shared(self, key: Key) -> Row:
        """Return what the rows of a set have in common, by column."""
        return dict(zip(self._stream.merge_key, key, strict=True))

    def as_loaded(self, rows: Rows) -> Rows:
        """Return rows with what users have the load leave out or change."""
        return self._steps.apply(rows)

    def compare_rows(self, rows: Rows, ours: List[Stored]) -> Set[Key]:
        """Note which rows are missing or differ.

        Args:
            rows (List[Dict[str, Any]]): Rows of Harvest, as the load has them.
            ours (List[Stored]): The stored rows that they are compared with.

        Returns:
            Set[Key]: The keys that only the destination has.
        """
        stream, found = self._stream, self._found
        if stream.key and not stream.primary_key:
            return self._compare_without_keys(rows, ours)
        here: Dict[Key, List[Stored]] = defaultdict(list)
        for each in ours:
            here[each.key].append(each)
        for key, row in by_key(stream, rows).items():
            found.running |= bool(row.get("is_running"))
            stored = here.pop(key, [])
            if len(stored) > 1:
                found.twice.add(key)
            if not stored:
                found.missing[key] = row
            elif len(stored) > 1 or self._form_of(row) != stored[0].form:
                found.different[key] = row
            else:
                continue
            found.days |= self._days_of([row, *(each.columns for each in stored)])
        return set(here)

    def _compare_without_keys(self, rows: Rows, ours: List[Stored]) -> Set[Key]:
        """Note which rows are missing, where nothing sure tells one from another."""
        here: Dict[Any, List[Stored]] = defaultdict(list)
        for each in ours:
            here[hashable(each.form)].append(each)
        missing = self._found.missing
        for row in rows:
            if same := here[hashable(self._form_of(row))]:
                same.pop()
            else:
                missing[len(missing),] = row
        return {each.key for stored in here.values() for each in stored}

    def _days_of(self, rows: Iterable[Row]) -> Set[date]:
        """Return the days of rows, if they have one."""
        days = (as_day(row.get(self._stream.dated)) for row in rows)
        return {day for day in days if day}

    # -------------------------------------------------------------- forms

    def _form_of(self, row: Row) -> Form:
        """Return the form of a row of Harvest, laid out in tables as in a load."""
        schema = self._stored.schema
        fitted = next(iter(storable(schema, self._stream, [row], self._to)), row)
        pieces = schema.normalize_data_item(fitted, "", self._table)
        return self._form((table, dict(each)) for (table, *_), each in pieces)

    def stored_by_key(self, keys: Iterable[Key]) -> List[Stored]:
        """Return the stored rows with these keys."""
        wanted = set(keys)
        # where no key is sure, rows need not have it in full
        sure = self._stream.primary_key
        conditions = sql.is_one_of(sure, wanted) if sure else [None][: len(wanted)]
        found = (
            each for condition in conditions for each in self.stored_where(condition)
        )
        return [each for each in found if each.key in wanted]

    def stored_where(self, condition: Optional[sql.Condition] = None) -> List[Stored]:
        """Return the stored rows that meet a condition on the table `t`."""
        rows = self._stored.rows(self._table, condition)
        below: Dict[Any, List[Tuple[str, Row]]] = defaultdict(list)
        roots: Dict[Any, Any] = {}
        for table, item in (
            self._stored.rows_below(self._table, condition) if rows else ()
        ):
            above = item["_dlt_parent_id"]
            root = roots[item["_dlt_id"]] = roots.get(above, above)
            below[root].append((table, item))
        found = []
        for row in rows:
            key = tuple(row.get(column) for column in self._stream.key)
            pieces = [(self._table, row), *below[row["_dlt_id"]]]
            found.append(Stored(key, self._form(pieces), pieces))
        return found

    def _form(self, pieces: Iterable[Tuple[str, Row]]) -> Form:
        form: Form = {}
        places: Dict[Any, Tuple[int, ...]] = {}
        for table, row in pieces:
            parent = row.get("_dlt_parent_id")
            place = (*places.get(parent, ()), row["_dlt_list_idx"]) if parent else ()
            places[row["_dlt_id"]] = place
            form.setdefault((table, place), []).append(self._values(table, row))
        return form

    def _values(self, table: str, row: Row) -> Row:
        columns = self._stored.schema.tables.get(table, {}).get("columns", {})
        found = {}
        for name, value in row.items():
            column = column_of(name)
            if value is not None and self._is_compared(column, columns):
                data_type = columns.get(column, {}).get("data_type")
                found[column] = comparable(value, data_type)
        if row.get("is_running"):
            for name in GROWING & found.keys():
                del found[name]
        return found

    def _is_compared(self, column: str, columns: Container[str]) -> bool:
        # Harvest does not say when another record's name changes: its id is the truth
        is_name = "__" in column and not column.endswith("__id")
        if not column or column == "deleted_at" or (is_name and not self._job.deep):
            return False
        # a contract may have the load leave out what is new
        return column in columns or self._evolves


@cache
def column_of(name: str) -> str:
    """Return the column that a value belongs to; nothing for what dlt added.

    >>> column_of("hours__v_text"), column_of("_dlt_id")
    ('hours', '')
    """
    return "" if name[:4] == "_dlt" else VARIANT.sub("", name)


def nested(row: Row) -> Row:
    """Return a row of a table with `client__id` as `id` of `client`.

    What dlt added is left out, and so is null where an object or a value beside its
    column stands.

    >>> nested({"hours": None, "hours__v_text": "two", "_dlt_id": "x"})
    {'hours': {'v_text': 'two'}}
    """
    found: Row = {}
    for name, value in sorted(row.items(), key=lambda item: item[1] is None):
        *parents, last = name.split("__") if name[:4] != "_dlt" else ["_dlt"]
        place: Any = found
        for parent in parents:
            place = place.setdefault(parent, {}) if isinstance(place, dict) else None
        if isinstance(place, dict) and last != "_dlt":
            place.setdefault(last, value)
    return found


def by_key(stream: Stream, rows: Rows) -> Dict[Key, Row]:
    """Return rows of Harvest by their keys, without those that have none."""
    return {key: row for row in rows for key in keys_of(stream, [row])}


def hashable(form: Form) -> Any:
    """Return a form as something that can be counted."""
    return tuple(
        (place, tuple(tuple(sorted(values.items())) for values in form[place]))
        for place in sorted(form)
    )
