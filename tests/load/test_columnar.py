"""Pages as Arrow tables and pages as rows lead to the same tables, whatever Harvest sends."""

import copy
import json
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from dlt.destinations import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import Account, Server
from sandbox.server import RequestRecord
from tests.copy import Copy

Row = Dict[str, Any]
Change = Callable[[List[Row]], Any]

FLAT = (
    *("clients", "contacts", "projects", "tasks", "task_assignments", "user_assignments"),
    *("expense_categories", "invoice_item_categories", "estimate_item_categories"),
)
"""Lists whose rows have no lists in them, beside time entries and expenses."""
PER_PAGE = 20
"""Rows of a page here, so that a few hundred make many pages."""


class Plain(duckdb):  # type: ignore[misc]
    """DuckDB without the format that Arrow tables travel in, so that all pages stay rows."""

    def _raw_capabilities(self) -> Any:
        capabilities = super()._raw_capabilities()
        capabilities.supported_loader_file_formats = ["insert_values"]
        return capabilities


@pytest.fixture(scope="module")
def agency() -> Account:
    return Account.generate(seed=11, time_entries=130, years=0.5)


@pytest.fixture
def served(agency: Account) -> Iterator[Server]:
    with Server(agency, limits=False, page_size=PER_PAGE) as server:
        yield server


class Ways:
    """The same account loaded twice: as it is, and with all pages as rows.

    Attributes:
        columnar (int): Rows that the first load passed on as Arrow tables.
        declined (int): Those that it did not.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._count = 0
        self.columnar = self.declined = 0

    def _load(self, streams: Dict[str, Dict[int, Change]], destination: Any) -> Any:
        self._count += 1
        self._server.faults.clear()
        for stream, changes in streams.items():
            for page, change in changes.items():
                self._server.faults.add(
                    f"/{stream}",
                    "mutate",
                    times=None,
                    when=partial(_is_page, page),
                    change=partial(_applied, stream, change),
                )
        loaded = Copy(self._server, destination, name=f"way_{self._count}")
        loaded.run(*streams)
        self.columnar, self.declined = rows_by_way(loaded, *streams)
        return {name: each for stream in streams for name, each in tables(loaded, stream).items()}

    def check(self, stream: str, changes: Dict[int, Change]) -> None:
        """Loads a stream of which some pages are changed on their way, once by each way."""
        self.check_all({stream: changes})

    def check_all(self, streams: Dict[str, Dict[int, Change]]) -> None:
        plain = self._load(streams, Plain())
        assert self.columnar == 0
        fast = self._load(streams, "duckdb")
        assert fast.keys() == plain.keys()
        for table in plain:
            assert fast[table][0] == plain[table][0], f"columns of {table}"
            for here, there in zip(fast[table][1], plain[table][1], strict=True):
                assert here == there, table


def rows_by_way(loaded: Copy, *streams: str) -> Tuple[int, int]:
    """Rows that the last run passed on as Arrow tables, and as they were."""
    columnar = declined = 0
    for steps in loaded.pipeline.last_trace.last_extract_info.metrics.values():
        for file, written in steps[0]["job_metrics"].items():
            if file.partition(".")[0] in streams:
                if file.endswith(".parquet"):
                    columnar += written.items_count
                else:
                    declined += written.items_count
    return columnar, declined


def _is_page(page: int, record: RequestRecord) -> bool:
    return int(record.query.get("page", 1)) == page


def _applied(stream: str, change: Change, body: Row) -> None:
    change(body[stream])


def tables(loaded: Copy, stream: str) -> Dict[str, Tuple[Dict[str, str], List[Any]]]:
    """All tables of a stream: type of each column, and the rows in order."""
    found = {}
    ids = {row["_dlt_id"]: row["id"] for row in loaded.table(stream)}
    for name in loaded.pipeline.default_schema.data_table_names():
        if name != stream and not name.startswith(f"{stream}__"):
            continue
        table = loaded.pipeline.dataset()[name].arrow()
        types = {field.name: str(field.type) for field in table.schema}
        rows = []
        for row in table.to_pylist():
            # rows of lists hang on ids that dlt draws anew in each run
            owner = [ids.get(row.pop(key, None)) for key in ("_dlt_parent_id", "_dlt_root_id")]
            drawn = [row.pop(key) for key in ("_dlt_id", "_dlt_load_id") if key in row]
            assert all(drawn)
            rows.append((owner, sorted(row.items())))
        found[name] = (types, sorted(rows, key=repr))
    return found


@pytest.fixture
def ways(served: Server) -> Ways:
    return Ways(served)


def each(**fields: Any) -> Change:
    """Sets fields of every row of a page."""
    return lambda rows: [row.update(copy.deepcopy(fields)) for row in rows]


def one(**fields: Any) -> Change:
    """Sets fields of one row of a page."""
    return lambda rows: rows[3].update(copy.deepcopy(fields))


def without(*names: str) -> Change:
    return lambda rows: [row.pop(name, None) for row in rows for name in names]


def nested(field: str, **fields: Any) -> Change:
    """Sets fields of an object in every row of a page."""
    return lambda rows: [row[field].update(copy.deepcopy(fields)) for row in rows]


def reordered(rows: List[Row]) -> None:
    """The fields of every second row in another order."""
    for row in rows[::2]:
        turned = dict(reversed(row.items()))
        row.clear()
        row.update(turned)


ODD = one(hours=1.123456789)

DECLINED: Dict[str, Change] = {
    "an unknown list": each(labels=["a", "b"]),
    "an unknown list of objects": one(labels=[{"name": "a"}, {"name": "b", "id": 7}]),
    "a name that reads like a column": each(client__id=5),
    "text in place of a number": each(hours="a while"),
    "text in place of a flag": one(billable="perhaps"),
    "text in place of an object": one(client="Acme"),
    "a list in place of an object": one(client=[{"id": 1}]),
    "a number in place of a date": one(spent_date=20240131),
    "no date": one(spent_date="soon"),
    "no time": one(updated_at="2024-13-31T00:00:00Z"),
    "a time without its zone": each(created_at="2024-01-31T10:00:00"),
    "more decimals than fit": one(hours=1.123456789),
    "more digits than fit": one(hours=123456789012345678.5),
    "a fraction of an id": one(client={"id": 1.5, "name": "Half"}),
    "a longer id": one(client={"id": 2**63, "name": "Long"}),
    "an unknown field of many digits": one(third=0.123456789),
    "no id": one(id=None),
}
"""Pages that stay rows."""

TURNED: Dict[str, Change] = {
    "as it is": lambda rows: None,
    "other order": reordered,
    "no object": one(client=None, project=None),
    "no object on a whole page": each(client=None),
    "an empty object": one(client={}),
    "a field missing": without("notes", "billable_rate"),
    "an object missing": without("client", "external_reference"),
    "a field of an object missing": lambda rows: rows[3]["client"].pop("name"),
    "all null": each(notes=None, hours=None, cost_rate=None),
    "whole hours": each(hours=3),
    "hours whole and not": lambda rows: [row.update(hours=n / 2) for n, row in enumerate(rows)],
    "most decimals": each(hours=0.000001, billable_rate=12345678.123456),
    "below zero": each(hours=-0.25),
    "a time with an offset": each(created_at="2024-01-31T10:00:00+02:00"),
    "an unknown field": each(weather="sunny"),
    "an unknown number": one(wind=12.5),
    "an unknown object": each(mood={"name": "good", "level": 3}),
    "an unknown list, empty": each(labels=[]),
    "an unknown field of an object": nested("client", town="Berlin"),
    "an object in an object": nested("client", owner={"id": 7}),
    "an unknown truth value": each(windy=True),
    "an unknown whole number": each(gusts=3),
    "an unknown time": each(seen_at="2024-01-31T10:00:00Z"),
    "an unknown field, null": each(nothing=None),
    "an unknown object, null": each(nobody=None),
    "a number in place of text": one(notes=12),
    "a flag in place of text": one(notes=True),
    "an object in place of text": one(notes={"text": "long"}),
    "a list in place of text": one(notes=["long"]),
    "odd text": each(notes="\u0000 \U0001f600 ' \" \\ \n \t , NULL"),
}
"""Pages that become Arrow tables."""


@pytest.mark.parametrize(
    "third", [0, *(pytest.param(each, marks=pytest.mark.long) for each in (1, 2))]
)
def test_pages_that_stay_rows(third: int) -> None:
    """Every other page is odd, each in another way, beginning with the first."""
    changes = [*DECLINED.values()][third::3]
    account = Account.generate(seed=11, time_entries=2 * PER_PAGE * len(changes), years=0.5)
    with Server(account, limits=False, page_size=PER_PAGE) as server:
        ways = Ways(server)
        ways.check("time_entries", {2 * n + 1: change for n, change in enumerate(changes)})
    # a row without an id is left out
    odd = PER_PAGE * len(changes) - (DECLINED["no id"] in changes)
    assert (ways.columnar, ways.declined) == (PER_PAGE * len(changes), odd)


def test_pages_that_become_tables() -> None:
    account = Account.generate(seed=11, time_entries=PER_PAGE * len(TURNED), years=0.5)
    with Server(account, limits=False, page_size=PER_PAGE) as server:
        ways = Ways(server)
        ways.check("time_entries", dict(enumerate(TURNED.values(), 1)))
    assert (ways.columnar, ways.declined) == (PER_PAGE * len(TURNED), 0)


def test_all_at_once(ways: Ways) -> None:
    """What one page adds to the schema is known to the next ones."""
    pages = dict(enumerate((each(a=1), each(a="x"), each(b={"c": 1}), each(b=2), each(d=[1])), 1))
    ways.check("time_entries", pages)


def test_a_column_of_odd_values_slows_nothing_down(served: Server) -> None:
    """Once there is hours__v_text beside hours, other pages are Arrow tables as before."""
    served.faults.add("/time_entries", "mutate", change=partial(_applied, "time_entries", ODD))
    loaded = Copy(served)
    loaded.run("time_entries")
    for row in served.account.rows("time_entries"):
        served.account.edit("time_entries", row["id"], notes="edited")
    loaded.run("time_entries")
    assert "hours__v_text" in loaded.pipeline.default_schema.get_table_columns("time_entries")
    assert rows_by_way(loaded, "time_entries") == (130, 0)
    loaded.check("time_entries", names=False)


@pytest.mark.long
def test_expenses_too(ways: Ways) -> None:
    ways.check("expenses", {1: each(receipt={"url": "x", "pages": 3}, weather="sunny")})
    assert ways.declined == 0


@pytest.mark.parametrize("change", [{1: each(weather="sunny")}, {}])
@pytest.mark.long
def test_other_lists_too(ways: Ways, served: Server, change: Dict[int, Change]) -> None:
    """With a new field, and as they are."""
    ways.check_all({stream: change for stream in FLAT})
    rows = sum(len(served.account.rows(stream)) for stream in FLAT)
    assert (ways.columnar, ways.declined) == (rows, 0)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.decimals(-(10**16), 10**16, places=8).map(float),
    st.floats(-1e3, 1e3, allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.dates().map(str),
    st.sampled_from(["1", "1.5", "true", "2024-02-30", "2024-01-31T10:00:00Z", "10:30am"]),
    st.lists(st.integers(0, 9), max_size=2),
    st.dictionaries(st.sampled_from(["id", "name", "code", "x"]), st.integers(0, 9), max_size=2),
)
FIELDS = (
    *("notes", "hours", "billable", "spent_date", "created_at", "is_locked", "client", "project"),
    *("external_reference", "billable_rate", "started_time", "surprise"),
)
CHANGES = st.lists(
    st.tuples(st.integers(1, 7), st.integers(0, 9), st.sampled_from(FIELDS), VALUES),
    min_size=1,
    max_size=6,
)


@pytest.mark.long
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn=CHANGES)
def test_any_values(ways: Ways, drawn: List[Tuple[int, int, str, Any]]) -> None:
    def change(page: int) -> Change:
        mine = [(row, name, value) for at, row, name, value in drawn if at == page]
        return lambda rows: [
            rows[row].update({name: json.loads(json.dumps(value))}) for row, name, value in mine
        ]

    ways.check("time_entries", {page: change(page) for page, *_ in drawn})
