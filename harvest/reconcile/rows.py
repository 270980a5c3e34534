"""Rows of Harvest and rows of a destination in the form that both have in common."""

import re
from collections import Counter, defaultdict
from typing import (
    Any,
    Dict,
    Hashable,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from ..api.decoding import identifies
from ..settings import Stream
from ..streams.values import storable, value_at
from ..typing import Key, Row
from .destination import StoredTables
from .sql import is_one_of
from .values import comparable

VARIANT = re.compile(r"(.+)__v_[a-z]+")
"""The column beside another for values that do not fit it: `hours__v_text`."""
GROWING = frozenset(("hours", "hours_without_timer", "rounded_hours"))
"""What grows all the time while the timer of an entry runs."""

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


class RowForms:
    """Brings the rows of one stream into the form that can be compared.

    Args:
        stored (StoredTables): The destination.
        stream (Stream): The stream.
        names (bool): Compare names of other records, too. Harvest does not say when
            they change, and their ids are the truth.
    """

    def __init__(
        self, stored: StoredTables, stream: Stream, names: bool = False
    ) -> None:
        self._stored = stored
        self._stream = stream
        self._names = names
        self._columns: Dict[str, Dict[str, Tuple[str, Optional[str]]]] = defaultdict(
            dict
        )

    def of_harvest(self, row: Row) -> Form:
        """Return the form of a row of Harvest, laid out in tables as in a load."""
        schema = self._stored.schema
        fitted = next(iter(storable(schema, self._stream, [row])), row)
        pieces = schema.normalize_data_item(fitted, "", self._stream.name)
        return self._form((table, dict(each)) for (table, *_), each in pieces)

    def of_keys(self, keys: Iterable[Key]) -> List[Stored]:
        """Return the stored rows with these keys."""
        wanted = set(keys)
        if not wanted:
            return []
        found = self.of_rows(is_one_of(self._stream.key, wanted))
        return [each for each in found if each.key in wanted]

    def of_rows(self, condition: str = "") -> List[Stored]:
        """Return the stored rows that meet a condition on the table `t`."""
        name = self._stream.name
        rows = self._stored.rows(name, condition)
        below: Dict[Any, List[Tuple[str, Row]]] = defaultdict(list)
        roots: Dict[Any, Any] = {}
        for table, item in self._stored.rows_below(name, condition) if rows else ():
            above = item["_dlt_parent_id"]
            root = roots[item["_dlt_id"]] = roots.get(above, above)
            below[root].append((table, item))
        found = []
        for row in rows:
            key = tuple(row.get(column) for column in self._stream.key)
            pieces = [(name, row), *below[row["_dlt_id"]]]
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
        columns = self._columns[table]
        found = {}
        for name, value in row.items():
            if value is None:
                continue
            if name not in columns:
                columns[name] = self._column(table, name)
            column, data_type = columns[name]
            if column:
                found[column] = comparable(value, data_type)
        if row.get("is_running"):
            for name in GROWING & found.keys():
                del found[name]
        return found

    def _column(self, table: str, name: str) -> Tuple[str, Optional[str]]:
        """Return the column that a value belongs to, empty if it is not compared."""
        declared = self._stored.columns(table)
        variant = VARIANT.fullmatch(name)
        column = variant[1] if variant else name
        is_name = "__" in column and not column.endswith("__id")
        if name[:4] == "_dlt" or name == "deleted_at" or (is_name and not self._names):
            return "", None
        schema = self._stored.schema
        if name not in declared and column not in declared:
            # a contract may have the load leave out what is new
            contract = schema.resolve_contract_settings_for_table(self._stream.name)
            if contract["columns"] != "evolve":
                return "", None
        return column, schema.tables.get(table, {}).get("columns", {}).get(
            column, {}
        ).get("data_type")


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


def key_of(stream: Stream, row: Row) -> Optional[Key]:
    """Return the key of a row of Harvest; None if it has none, and is not stored.

    >>> key_of(STREAMS["clients"], {"id": "7"})
    (7,)
    """
    values = [value_at(row, name) for name in stream.key]
    if not all(identifies(value) for value in values):
        return None
    return tuple(int(value) for value in values)


def by_key(stream: Stream, rows: Sequence[Row]) -> Dict[Key, Row]:
    """Return rows of Harvest by their keys."""
    keyed = ((key_of(stream, row), row) for row in rows)
    return {key: row for key, row in keyed if key is not None}


def same(ours: Iterable[Form], theirs: Iterable[Form]) -> bool:
    """Return whether two sets of rows are equal, in whatever order."""
    return Counter(map(hashable, ours)) == Counter(map(hashable, theirs))


def hashable(form: Form) -> Hashable:
    """Return a form as something that can be counted."""
    return tuple(
        (place, tuple(tuple(sorted(values.items())) for values in form[place]))
        for place in sorted(form)
    )
