"""Resources that run without their source, feed transformers, or have other tables."""

from typing import Any, Dict, Iterator, List

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from tests.copy import Copy
from tests.helpers import sentence


def columns(copy: Copy, table: str) -> Dict[str, Any]:
    """The types of a table's columns in the database."""
    with copy.pipeline.sql_client() as client:
        found = client.execute_sql(
            "SELECT column_name, data_type FROM information_schema.columns"
            f" WHERE table_schema = '{copy.pipeline.dataset_name}' AND table_name = '{table}'"
        )
        return dict(found or [])


def test_resources_without_their_source_have_their_types(copy: Copy) -> None:
    source = copy.source()
    copy.pipeline.run([source.clients, source.time_entries, source.users])
    types = columns(copy, "time_entries")
    assert types["spent_date"] == "DATE"
    assert types["hours"].startswith("DECIMAL")
    assert "approval_status" in types
    copy.check("clients", "time_entries", "users")
    copy.run("clients", "time_entries", "users")
    copy.check("clients", "time_entries", "users")


def test_a_column_of_another_type_is_named(copy: Copy) -> None:
    """It was loaded by another tool, or by an older version: no row would fit into it."""

    @dlt.resource(name="expenses")
    def by_hand() -> Iterator[Any]:
        yield {"id": 1, "spent_date": "soon"}

    copy.pipeline.run(by_hand())
    with pytest.raises(PipelineStepFailed) as raised:
        copy.run("clients", "expenses")
    said = sentence(raised.value)
    assert all(each in said for each in ("expenses.spent_date", "text", "drop_resources"))
    copy.pipeline.run(copy.source("clients", "expenses"), refresh="drop_resources")
    copy.check("clients", "expenses")


@pytest.mark.parametrize(
    "stream",
    [
        *("clients", "users", "cost_rates", "time_clients"),
        pytest.param("invoices", marks=pytest.mark.long),
    ],
)
def test_a_transformer_on_a_stream_alone(copy: Copy, stream: str) -> None:
    kinds: List[bool] = []

    @dlt.transformer(name="seen")
    def seen(rows: Any) -> Iterator[Any]:
        kinds.append(isinstance(rows, list))
        yield [{"key": str(row)} for row in rows]

    copy.pipeline.run(getattr(copy.source(), stream) | seen)
    loaded = len(copy.table("seen"))
    assert loaded > 0
    assert all(kinds)
    # the transformer has got its rows, the table of the stream has not
    copy.run(stream)
    copy.check(stream)
    if stream in ("clients", "users", "invoices"):
        copy.pipeline.run(getattr(copy.source(), stream) | seen)
        assert len(copy.table("seen")) == loaded


@pytest.mark.parametrize("stream", ["users", "contacts"])
def test_a_transformer_beside_the_tables(copy: Copy, stream: str) -> None:
    """Copies of a resource share no reading: each gets all rows, also of the newest second."""
    kinds: List[bool] = []

    @dlt.transformer(name="seen")
    def seen(rows: Any) -> Iterator[Any]:
        kinds.append(isinstance(rows, list))
        yield [{"id": row["id"]} for row in rows]

    source = copy.source(stream, "tasks")
    copy.pipeline.run([copy.source().with_resources("company"), getattr(source, stream) | seen])
    other = copy.source()
    other.resources["seen"] = getattr(other, stream) | seen
    copy.pipeline.run(other.with_resources(stream, "tasks", "seen"))
    copy.check(stream, "tasks")
    assert {row["id"] for row in copy.table("seen")} == {
        row["id"] for row in copy.server.account.rows(stream)
    }
    assert all(kinds)


@pytest.mark.parametrize(
    "stream", ["time_entries", "invoices", pytest.param("users", marks=pytest.mark.long)]
)
def test_a_table_of_another_name(copy: Copy, stream: str) -> None:
    def source() -> Any:
        found = copy.source()
        found.resources[stream].apply_hints(table_name=f"harvest_{stream}")
        return found.with_resources(stream, "clients")

    copy.pipeline.run(source())
    tables = copy.pipeline.default_schema.data_table_names(seen_data_only=True)
    assert f"harvest_{stream}" in tables
    assert stream not in tables
    copy.check("clients")
    types = columns(copy, f"harvest_{stream}")
    account = copy.server.account
    assert len(copy.table(f"harvest_{stream}")) == len(account.rows(stream))
    assert types["updated_at"] == "TIMESTAMP WITH TIME ZONE"
    assert stream != "invoices" or types["issue_date"] == "DATE"
    if stream == "invoices":
        assert "harvest_invoices__line_items" in tables
        lines = sum(len(row["line_items"]) for row in account.rows(stream))
        assert len(copy.table("harvest_invoices__line_items")) == lines
    # nothing is new in the next run; the table of the stream's own name begins anew
    copy.pipeline.run(source())
    assert len(copy.table(f"harvest_{stream}")) == len(account.rows(stream))
    copy.run(stream)
    copy.check(stream)


def test_a_table_name_that_is_a_function_is_refused(copy: Copy) -> None:
    source = copy.source("time_entries", "clients")
    source.time_entries.apply_hints(table_name=lambda row: f"entries_of_{row['client']['id']}")
    with pytest.raises(PipelineStepFailed) as raised:
        copy.pipeline.run(source)
    assert "time_entries" in sentence(raised.value)
