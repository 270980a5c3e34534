"""Fields that nobody foresaw and values that fit no column: nothing stops, nothing is lost."""

from decimal import Decimal
from typing import Any, Callable, Dict, List, Tuple

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from harvest.settings import STREAMS
from sandbox import Account, Server
from tests.copy import Copy, Row, flat, key_of, plain

UNICODE = "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x110000)]))
"""Every character there is, but for NUL."""
TEXTS = [
    UNICODE,
    "long " * 1_000_000,
    "quotes ' \" ` '' \\' $$ E'\\n' ; DROP TABLE clients; --",
    "lines\nof\r\ntext\rand\ttabs\u2028\u2029",
    "\\ \\\\ \\n \\u0000 \\x00 %s {0} {table} :id ?",
    "\ufeff\u202eright to left\u202c \u0301 e\u0301 👩🏽‍💻 \U0010ffff",
    " spaces around ",
    "",
    "NULL",
    "\\N",
]


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    """Enough of each kind of row, and not more."""
    return generated(seed=7, time_entries=120, years=0.8)


def serve(server: Server, stream: str, change: Callable[[List[Row]], Any]) -> None:
    """Has the rows of a list served as changed."""

    def mutate(body: Dict[str, Any]) -> None:
        change(body if isinstance(body, list) else body[STREAMS[stream].rows_in])

    server.faults.add(STREAMS[stream].path.format(id=r"\d+"), "mutate", times=None, change=mutate)


def ids(account: Account, stream: str) -> List[Tuple[int]]:
    return [(row["id"],) for row in account.rows(stream)]


# ---------------------------------------------------------------- fields that are new


def test_new_fields_arrive(server: Server, destination: str) -> None:
    streams = ("clients", "time_entries", "invoice_payments", "time_clients", "company")
    new = {
        "mood": "fine",
        "rank": 7,
        "ratio": 0.125,
        "is_new": True,
        "region": {"id": 1, "code": {"iso": "NL"}},
        "tags": ["a", "b"],
        "phones": [{"id": 1, "number": "x"}, {"id": 2, "number": None}],
    }
    copy = Copy(server, destination)
    copy.run(*streams, substream_refresh_hours=0)
    for stream in streams:
        if stream == "company":
            server.respond("/company", {**server.account.company, **new})
        else:
            serve(server, stream, lambda rows: [row.update(new) for row in rows])
    # some rows have been read before, some have not
    server.account.change(seed=1, count=30, kinds={"add", "edit"})
    copy.run(*streams, substream_refresh_hours=0)
    for stream in streams:
        found = [row for row in copy.rows(stream).values() if "mood" in row]
        assert found, stream
        for row in found:
            assert (row["mood"], row["rank"], row["is_new"]) == ("fine", 7, True)
            assert row["ratio"] == Decimal("0.125")
            assert (row["region__id"], row["region__code__iso"]) == (1, "NL")
            assert row["tags"] == ["a", "b"]
            assert row["phones"] == [{"id": 1, "number": "x"}, {"id": 2}]
    copy.pipeline.drop()


# ---------------------------------------------------------------- values of another type

CHANGED: List[Tuple[str, str, Any, str, Any]] = [
    # stream, field, value, column that holds it, as what
    ("clients", "name", 5, "name", "5"),
    ("clients", "name", {"first": "x"}, "name", '{"first": "x"}'),
    ("tasks", "name", ["x", "y"], "name", '["x", "y"]'),
    ("clients", "is_active", "maybe", "is_active__v_text", "maybe"),
    ("clients", "is_active", 1, "is_active", True),
    ("clients", "created_at", "yesterday", "created_at__v_text", "yesterday"),
    ("clients", "updated_at", "yesterday", "updated_at__v_text", "yesterday"),
    ("projects", "client", "x", "client", "x"),
    ("contacts", "client", [1], "client", [1]),
    ("users", "weekly_capacity", "many", "weekly_capacity__v_text", "many"),
    ("users", "weekly_capacity", "126000", "weekly_capacity", 126000),
    ("users", "weekly_capacity", 1.5, "weekly_capacity__v_decimal", Decimal("1.5")),
    ("users", "weekly_capacity", 2**63 - 1, "weekly_capacity", 2**63 - 1),
    ("users", "weekly_capacity", 2**63, "weekly_capacity__v_text", str(2**63)),
    ("users", "weekly_capacity", -(2**63), "weekly_capacity", -(2**63)),
    ("users", "roles", "x", "roles", "x"),
    ("users", "access_roles", {"a": 1}, "access_roles__a", 1),
    ("time_entries", "spent_date", "soon", "spent_date__v_text", "soon"),
    ("time_entries", "spent_date", "2024-02-31", "spent_date__v_text", "2024-02-31"),
    ("time_entries", "spent_date", "0000-00-00", "spent_date__v_text", "0000-00-00"),
    ("time_entries", "hours", "two", "hours__v_text", "two"),
    ("time_entries", "hours", "2.11", "hours", Decimal("2.11")),
    ("time_entries", "hours", 7.123456, "hours", Decimal("7.123456")),
    ("time_entries", "hours", 0.1 + 0.2, "hours", Decimal("0.3")),
    ("time_entries", "hours", 7.1234567, "hours__v_text", "7.1234567"),
    ("time_entries", "hours", 99999999999999.5, "hours", Decimal("99999999999999.5")),
    ("time_entries", "hours", 1e14, "hours__v_text", "100000000000000.0"),
    ("time_entries", "hours", 10**15, "hours__v_text", str(10**15)),
    ("time_entries", "hours", 1e300, "hours__v_text", "1E+300"),
    ("time_entries", "invoice", "x", "invoice", "x"),
    ("time_entries", "notes", True, "notes", "true"),
    ("time_entries", "notes", 0.575, "notes", "0.575"),
    ("time_entries", "is_locked", "maybe", "is_locked__v_text", "maybe"),
    ("expenses", "client", [], "client__id", None),
    ("expenses", "total_cost", 2**64 - 1, "total_cost__v_text", str(2**64 - 1)),
    ("invoices", "amount", "much", "amount__v_text", "much"),
    ("invoices", "issue_date", "soon", "issue_date__v_text", "soon"),
    ("invoice_payments", "amount", 1.23456789, "amount__v_text", "1.23456789"),
    ("time_clients", "total_hours", "much", "total_hours__v_text", "much"),
]
ITEM = {"quantity": 1.23456789, "unit_price": "much", "project": "x", "id": "abc"}


def test_values_of_another_type_arrive(server: Server, destination: str) -> None:
    account = server.account
    cases: Dict[str, List[Tuple[str, Any, str, Any]]] = {}
    for stream, *case in CHANGED:
        cases.setdefault(stream, []).append(tuple(case))
    for stream, changes in cases.items():

        def change(rows: List[Row], changes: Any = changes) -> None:
            for row, (field, value, *_) in zip(rows, changes, strict=False):
                row[field] = value

        serve(server, stream, change)

    def item(rows: List[Row]) -> None:
        rows[-1]["line_items"] = [ITEM]

    serve(server, "invoices", item)
    copy = Copy(server, destination)
    copy.run()
    assert copy.skipped() == {}
    for stream, changes in cases.items():
        if STREAMS[stream].kind in ("child", "report"):
            field, value, column, expected = changes[0]
            found = [row.get(column) for row in copy.rows(stream).values()]
            assert expected in found, (stream, field, value)
            continue
        loaded = copy.rows(stream)
        table = {row["id"]: row for row in copy.table(stream)}
        assert [*sorted(loaded)] == [*sorted(ids(account, stream))], stream
        for row, (field, value, column, expected) in zip(
            account.rows(stream), changes, strict=False
        ):
            here = table[row["id"]]
            if isinstance(expected, list):
                here = loaded[(row["id"],)]
            assert plain(here[column]) == plain(expected), (stream, field, value)
            assert column == field or here.get(field) is None, (stream, field, value)
    invoice = copy.rows("invoices")[(account.rows("invoices")[-1]["id"],)]
    assert invoice["line_items"] == [
        {
            "quantity__v_text": "1.23456789",
            "unit_price__v_text": "much",
            "project": "x",
            "id__v_text": "abc",
        }
    ]
    # put right in Harvest, everything is right here
    server.faults.clear()
    for stream in cases:
        if STREAMS[stream].kind == "list":
            for row in account.rows(stream):
                account.edit(stream, row["id"])
    copy.run(substream_refresh_hours=0)
    # in these two a text has become a list, whose table stays and hides it from `rows`
    copy.check(*(STREAMS.keys() - {"tasks", "contacts"}), names=False)
    assert all(row["name"] for row in copy.table("tasks"))
    assert all(row["client__id"] for row in copy.table("contacts"))
    copy.pipeline.drop()


def test_a_fraction_among_whole_numbers_arrives(server: Server) -> None:
    """By itself, since anything else that is odd would take the page off the quicker way."""
    serve(server, "time_entries", lambda rows: rows[0]["user"].update(id=1.5))
    copy = Copy(server)
    copy.run("time_entries")
    entry = copy.rows("time_entries")[ids(server.account, "time_entries")[0]]
    assert entry["user__id__v_decimal"] == Decimal("1.5")
    assert "user__id" not in entry


# ---------------------------------------------------------------- nothing, and text


@pytest.mark.long
def test_nulls_arrive(server: Server, destination: str, said: pytest.LogCaptureFixture) -> None:
    """A null in every field but the key; an object or list that is null."""
    streams = [name for name in STREAMS if name != "company"]
    for stream in streams:

        def change(rows: List[Row], stream: str = stream) -> None:
            for row in rows[:1]:
                keys = {each.split("__")[0] for each in STREAMS[stream].key}
                row.update(dict.fromkeys(row.keys() - keys))
            for row in rows[1:2]:
                for name, value in row.items():
                    if isinstance(value, list):
                        row[name] = [
                            dict.fromkeys(item) if isinstance(item, dict) else item
                            for item in value
                        ]
                    elif isinstance(value, dict):
                        key = {"id"} if f"{name}__id" in STREAMS[stream].key else set()
                        row[name] |= dict.fromkeys(value.keys() - key)

        serve(server, stream, change)
    server.respond("/company", dict.fromkeys(server.account.company))
    copy = Copy(server, destination)
    copy.run()
    assert [
        {k: v for k, v in row.items() if k[:4] != "_dlt" and v is not None}
        for row in copy.table("company")
    ] == [{}]
    for stream in streams:
        if STREAMS[stream].kind in ("list", "whole"):
            rows = server.account.rows(stream)
            key = key_of(stream, flat(rows[0]))
            loaded = copy.rows(stream)
            assert len(loaded) == len(rows), stream
            named = {each.split("__")[0] for each in STREAMS[stream].key}
            assert {name.split("__")[0] for name in loaded[key]} == named
        else:
            declared = STREAMS[stream]
            keys = {*declared.key, "year", "period_start", "period_end", declared.parent_key}
            first = {name.split("__")[0] for name in keys}
            found = copy.rows(stream).values()
            assert any({name.split("__")[0] for name in row} <= first for row in found), stream
    # no null has made a column of its own, and dlt has none that it knows no type of
    assert "did not receive any data" not in said.text
    declared = copy.source().schema.tables
    for name, table in copy.pipeline.default_schema.tables.items():
        if name[:4] != "_dlt":
            assert table["columns"].keys() == declared[name]["columns"].keys(), name
    copy.pipeline.drop()


def test_any_text_arrives(server: Server, destination: str) -> None:
    account = server.account
    fields = {"clients": "name", "time_entries": "notes", "invoices": "subject", "roles": "name"}
    texts = {stream: TEXTS for stream in fields}
    for stream, field in fields.items():
        texts[stream] = TEXTS[-len(account.rows(stream)) :] if stream == "roles" else TEXTS

        def change(rows: List[Row], field: str = field, stream: str = stream) -> None:
            for row, text in zip(rows, texts[stream], strict=False):
                row[field] = text

        serve(server, stream, change)
    serve(server, "users", lambda rows: rows[0].update(roles=TEXTS[2:]))
    copy = Copy(server, destination)
    copy.run(*fields, "users")
    for stream, field in fields.items():
        loaded = copy.rows(stream)
        for row, text in zip(account.rows(stream), texts[stream], strict=False):
            assert loaded[(row["id"],)].get(field) == text, (stream, text[:50])
    assert copy.rows("users")[ids(account, "users")[0]]["roles"] == TEXTS[2:]
    copy.pipeline.drop()


def test_characters_that_cannot_be_stored(server: Server, destination: str) -> None:
    """NUL and halves of characters, as JSON can write them, become U+FFFD on all destinations."""
    body = (
        rb'{"clients": [{"id": 1, "name": "a\u0000b\uD83D\ude00\ud83dc", "x\u0000y": "z",'
        rb' "tags": ["\u0000"]}, {"id": 2, "name": "\\u0000"}], "total_pages": 1, "links": {}}'
    )
    server.faults.add("/clients", "status", code=200, body=body)
    copy = Copy(server, destination)
    copy.run("clients")
    loaded = copy.rows("clients")
    assert loaded[(1,)]["name"] == "a\ufffdb😀\ufffdc"
    assert loaded[(1,)]["tags"] == ["\ufffd"]
    assert "z" in loaded[(1,)].values()
    assert loaded[(2,)]["name"] == "\\u0000"
    copy.pipeline.drop()


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("stream", ["clients", "time_entries", "invoice_payments", "roles"])
def test_a_row_without_a_proper_key_is_left_out(
    server: Server, stream: str, said: pytest.LogCaptureFixture
) -> None:
    odd = ["abc", None, 2**64 - 1, 1.5, "99999999999999999999"]
    good = ids(server.account, stream)

    def change(rows: List[Row]) -> None:
        rows[:] = [{**row, "id": value} for row in rows[:1] for value in odd] + rows

    serve(server, stream, change)
    copy = Copy(server)
    copy.run(stream)
    assert sorted(copy.rows(stream)) == sorted(good)
    sentences = {record.getMessage().split(" is left out")[0] for record in said.records}
    for value in ("'abc'", "None", str(2**64 - 1), "Decimal('1.5')", "'99999999999999999999'"):
        assert f"{stream}: the row with id {value}" in sentences


# ---------------------------------------------------------------- a schema that is frozen


@pytest.mark.parametrize(
    "stream", [pytest.param("clients", marks=pytest.mark.long), "time_entries"]
)
@pytest.mark.long
def test_a_frozen_schema_refuses_what_is_new(server: Server, stream: str) -> None:
    copy = Copy(server)

    def run(contract: Any) -> None:
        source = copy.source(stream)
        source.schema_contract = contract
        copy.pipeline.run(source)

    # from the first run on, since the schema comes with the source
    run("freeze")
    copy.check(stream)
    row = server.account.rows(stream)[0]
    for field, value, said in (
        ("mood", "fine", f"Can't add table column `mood` to table `{stream}`"),
        ("tags", ["a"], f"Can't add table `{stream}__tags`"),
        ("created_at", "soon", "Can't add variant column `created_at__v_text`"),
    ):
        serve(server, stream, lambda rows, field=field, value=value: rows[0].update({field: value}))
        server.account.edit(stream, row["id"])
        before = copy.rows(stream)
        with pytest.raises(PipelineStepFailed) as caught:
            run("freeze")
        assert said in str(caught.value)
        assert copy.rows(stream) == before
        copy.pipeline.abort_packages()
        # or the value alone is left out
        run("discard_value")
        assert field == "created_at" or field not in copy.rows(stream)[(row["id"],)]
        server.faults.clear()
    run("freeze")
    copy.check(stream)
