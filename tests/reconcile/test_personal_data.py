"""What users have the load take out of rows is not brought back by anything that runs later."""

import json
from typing import Any, Callable, Dict, List

import pytest
from dlt.extract.items_transform import ItemTransform

from harvest.history import keep_versions
from harvest.reconcile import reconcile, verify
from sandbox import Account, Server
from tests.copy import Copy, Row
from tests.helpers import agree, sql, streams

SECRET = "secret@person.example"
"""What must not be in any table."""
SOME = ("contacts", "users", "tasks")


@pytest.fixture
def account(generated: Callable[..., Account]) -> Account:
    made = generated(seed=7, time_entries=20, years=0.2)
    for row in made.rows("contacts"):
        made.edit("contacts", row["id"], email=SECRET)
    return made


def blank(row: Row) -> Row:
    return {**row, "email": None}


class Blank(ItemTransform[Any, Dict[str, Any]]):
    """A step of a user's own."""

    def __init__(self) -> None:
        super().__init__(lambda item: item)

    def __call__(self, item: Any, meta: Any = None) -> Any:
        return [blank(row) for row in item] if isinstance(item, list) else blank(item)


def by_map(source: Any) -> None:
    source.contacts.add_map(blank)


def by_map_in_place(source: Any) -> None:
    source.contacts.add_map(lambda row: (row.pop("email") and row) or row)


def by_yield_map(source: Any) -> None:
    source.contacts.add_yield_map(lambda row: iter([blank(row)]))


def by_step(source: Any) -> None:
    source.contacts.add_step(Blank())


def by_filter(source: Any) -> None:
    source.contacts.add_filter(lambda row: row["email"] != SECRET)


def by_contract(source: Any) -> None:
    """Harvest sends it in a field that the schema does not have."""
    source.contacts.add_map(lambda row: {**blank(row), "second_email": row["email"]})
    source.contacts.apply_hints(schema_contract={"columns": "discard_value"})


SHORT = (by_yield_map,)
"""What make test tries; the others take as long each, and are for make test-all."""
WAYS = (by_map, by_map_in_place, by_yield_map, by_step, by_filter, by_contract)


def everything(copy: Copy) -> str:
    """All values of all tables."""
    schema = copy.pipeline.default_schema
    tables = [*schema.data_table_names(seen_data_only=True), "_dlt_pipeline_state"]
    return json.dumps({name: copy.table(name) for name in tables}, default=str)


@pytest.mark.parametrize(
    "hide",
    [way if way in SHORT else pytest.param(way, marks=pytest.mark.long) for way in WAYS],
)
def test_what_was_taken_out_stays_out(server: Server, hide: Callable[[Any], None]) -> None:
    account, copy = server.account, Copy(server)

    def source() -> Any:
        made = copy.source(*SOME)
        hide(made)
        return made

    def look(when: str) -> None:
        assert SECRET not in everything(copy), when

    copy.pipeline.run(source())
    look("after the first load")
    rows = account.rows("contacts")
    account.edit("contacts", rows[0]["id"], title="New")
    copy.pipeline.run(source())
    look("after the second load")
    agree(verify(copy.pipeline, source()))
    # one is lost, one has changed without a trace, and one was deleted
    sql(copy, f"DELETE FROM {{}}contacts WHERE id = {rows[1]['id']}")
    account.edit("contacts", rows[2]["id"], touch=False, title="Silent")
    account.delete("contacts", rows[3]["id"])
    reconcile(copy.pipeline, source(), max_deleted_share=1)
    look("after a comparison")
    account.edit("contacts", rows[4]["id"], touch=False, title="Deep")
    result = reconcile(copy.pipeline, source(), deep=True)
    look("after a deep comparison")
    for _ in range(2):
        keep_versions(copy.pipeline, source(), ["contacts"], result)
        account.edit("contacts", rows[5]["id"], title="Later")
        copy.pipeline.run(source())
    look("in the history")
    agree(verify(copy.pipeline, source(), deep=True))
    # and the rest of the rows is as it should be
    titles = {row["id"]: row["title"] for row in copy.table("contacts")}
    if hide is not by_filter:
        assert titles.keys() == {row["id"] for row in account.rows("contacts")}
        assert [titles[rows[n]["id"]] for n in (0, 2, 4, 5)] == ["New", "Silent", "Deep", "Later"]


def other_keys(row: Row) -> Row:
    return {**row, "id": row["id"] + 1}


def two_of_each(row: Row) -> Any:
    yield row
    yield {**row, "id": row["id"] + 10_000_000_000}


def by_chance(row: Row) -> Row:
    raise LookupError(row["email"])


@pytest.mark.parametrize(
    "add",
    [
        lambda resource: resource.add_map(other_keys),
        lambda resource: resource.add_yield_map(two_of_each),
        lambda resource: resource.add_limit(1),
    ],
)
def test_steps_that_cannot_be_compared(server: Server, add: Callable[[Any], Any]) -> None:
    """They are loaded, and neither called equal nor touched."""
    copy = Copy(server)

    def source() -> Any:
        made = copy.source(*SOME)
        add(made.contacts)
        return made

    copy.pipeline.run(source())
    before = copy.table("contacts")
    for result in (
        verify(copy.pipeline, source()),
        reconcile(copy.pipeline, source(), max_deleted_share=1),
        reconcile(copy.pipeline, source(), deep=True, max_deleted_share=1),
    ):
        assert streams(result, "not compared") == {"contacts"}
        assert streams(result, "equal") == {"users", "tasks"}
        assert not result.equal
    assert copy.table("contacts") == before


def test_a_step_that_fails_says_no_value(server: Server) -> None:
    copy = Copy(server)
    copy.run(*SOME)
    source = copy.source(*SOME)
    source.contacts.add_map(by_chance)
    (found,) = [
        each for each in verify(copy.pipeline, source).comparisons if each.stream == "contacts"
    ]
    assert "LookupError" in found.note
    assert SECRET not in found.note


def test_rows_that_a_filter_leaves_out_now(server: Server) -> None:
    """Someone left, whom the filter does not let in any more: said, and not removed."""
    copy = Copy(server)

    def source() -> Any:
        made = copy.source(*SOME)
        made.users.add_filter(lambda row: row["is_active"])
        return made

    copy.pipeline.run(source())
    active: List[Row] = [row for row in server.account.rows("users") if row["is_active"]]
    server.account.edit("users", active[-1]["id"], is_active=False)
    copy.pipeline.run(source())
    for result in (
        verify(copy.pipeline, source()),
        reconcile(copy.pipeline, source(), max_deleted_share=1),
    ):
        (users,) = [each for each in result.comparisons if each.stream == "users"]
        assert "1 stored row" in users.verdict
        assert not users.deleted
    assert {row["id"] for row in copy.table("users")} == {row["id"] for row in active}
