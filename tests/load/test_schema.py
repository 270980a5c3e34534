"""Does the schema file hold what Harvest documents, and does dlt make tables of it?

The published description of the API is not part of this repository; without it the tests that
compare with it are skipped.
"""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

import dlt
import pytest
import yaml
from dlt.common import logger

from harvest import harvest_source
from harvest.settings import STREAMS
from tests.script import ROOT

OPENAPI = ROOT.parent / "shared" / "harvest-openapi.yaml"
SCHEMA: dict[str, Any] = yaml.safe_load((ROOT / "harvest" / "schema.yaml").read_text())
DLT_TABLES = {"_dlt_version", "_dlt_loads"}
TABLES: dict[str, Any] = {k: v for k, v in SCHEMA["tables"].items() if k not in DLT_TABLES}

documented = pytest.mark.skipif(
    not OPENAPI.exists(), reason=f"{OPENAPI.name} is not beside this repository"
)

TYPES = {
    ("integer", None): "bigint",
    ("number", None): "decimal",
    ("boolean", None): "bool",
    ("string", None): "text",
    ("string", "date"): "date",
    ("string", "date-time"): "timestamp",
}
OTHER_TYPES = {
    # Documented as whole, but the documented examples have 1.0, and distances have fractions.
    ("expenses", "units"): "decimal",
}
DATABASE_TYPES = {
    "duckdb": {
        "bigint": "BIGINT",
        "decimal": "DECIMAL(20,6)",
        "bool": "BOOLEAN",
        "text": "VARCHAR",
        "date": "DATE",
        "timestamp": "TIMESTAMP WITH TIME ZONE",
    },
    "postgres": {
        "bigint": "bigint",
        "decimal": "numeric(20,6)",
        "bool": "boolean",
        "text": "character varying",
        "date": "date",
        "timestamp": "timestamp with time zone",
    },
}
LIVE = {
    "company": "currency:text saml_sign_in_required:bool day_entry_notes_required:bool",
    "contacts": "invoice_recipient_status:text",
    "projects": "currency:text",
    "users": "employee_id:text can_create_projects:bool permissions_profile:text"
    " calendar_integration_enabled:bool calendar_integration_source:text saml_exempt:bool",
    "users__permissions_claims": "value:text",
    "project_assignments": "project__is_billable:bool client__currency:text",
    "time_entries": "user_assignment__use_default_rates:bool client__currency:text"
    " project__code:text is_explicitly_locked:bool approval_status:text",
    "expenses": "user_assignment__use_default_rates:bool reimbursement:text"
    " is_explicitly_locked:bool approval_status:text",
}
"""Fields that live accounts send beyond the OpenAPI description, by table."""
PTO_TYPE = "pto_type__id:bigint pto_type__name:text pto_type__color:text pto_type__icon:text"
ACCRUAL = (
    "accrual_type:text accrual_schedule:text accrual_first_payday:date accrual_leave_hours:decimal"
    " accrual_worked_hours:decimal accrual_max_hours_per_year:decimal"
)
STAMPS = "created_at:timestamp updated_at:timestamp"
PAID_TIME_OFF = {
    "pto_requests": "id:bigint status:text start_date:date end_date:date days:decimal"
    " business_days_at_submission:decimal start_time_minutes:bigint end_time_minutes:bigint"
    f" notes:text review_reason:text reviewed_at:timestamp {STAMPS} user__id:bigint user__name:text"
    f" {PTO_TYPE} reviewer__id:bigint reviewer__name:text deleted_at:timestamp",
    "pto_requests__request_days": "id:bigint date:date hours:decimal day_fraction:decimal"
    f" {STAMPS}",
    "pto_types": f"id:bigint name:text color:text icon:text {ACCRUAL} default_days_per_year:decimal"
    " max_carryover_days:decimal requires_approval:bool visible_to_all:bool is_active:bool"
    f" {STAMPS} deleted_at:timestamp",
    "pto_holiday_calendars": f"id:bigint name:text entries_count:bigint {STAMPS}",
    "pto_holiday_calendars__entries": f"id:bigint name:text date:date {STAMPS}",
    "pto_work_schedules": "id:bigint name:text is_default:bool is_active:bool weekly_hours:decimal"
    " monday_hours:decimal tuesday_hours:decimal wednesday_hours:decimal thursday_hours:decimal"
    f" friday_hours:decimal saturday_hours:decimal sunday_hours:decimal {STAMPS}",
    "pto_assignments": "user__id:bigint user__name:text holiday_calendar__id:bigint"
    " holiday_calendar__name:text work_schedule__id:bigint work_schedule__name:text"
    " effective_work_schedule__name:text effective_work_schedule__weekly_hours:decimal",
    "pto_allocations": f"id:bigint year:bigint user__id:bigint user__name:text {PTO_TYPE} {ACCRUAL}"
    " days_per_year:decimal carryover_days:decimal requires_approval:bool"
    " effective_days_per_year:decimal effective_accrual_type:text effective_accrual_schedule:text"
    f" effective_requires_approval:bool {STAMPS} deleted_at:timestamp",
    "pto_balances": f"user_id:bigint year:bigint {PTO_TYPE} is_requestable:bool as_of:date"
    " is_unlimited:bool requires_approval:bool effective_accrual_type:text accrual_schedule:text"
    " accrued_days:decimal carryover_days:decimal available_days:decimal used_days:decimal"
    " pending_days:decimal remaining_days:decimal used_hours:decimal pending_hours:decimal"
    " used_fraction:decimal pending_fraction:decimal deleted_at:timestamp",
}
"""All columns of the tables of paid time off, of which the OpenAPI description knows nothing."""
PAID_TIME_OFF_KEYS: dict[str, tuple[str, set[str], set[str]]] = {
    "pto_requests": ("merge", {"id"}, set()),
    "pto_types": ("merge", {"id"}, set()),
    "pto_holiday_calendars": ("replace", set(), set()),
    "pto_work_schedules": ("replace", set(), set()),
    "pto_assignments": ("replace", set(), set()),
    "pto_allocations": ("merge", set(), {"year"}),
    "pto_balances": ("merge", set(), {"user_id", "year"}),
}
"""Their write dispositions, keys, and the columns by whose values rows are replaced together."""
DOCUMENTED = [name for name in STREAMS if name not in PAID_TIME_OFF]
NO_TABLE = {"retainer__id", "recurring_invoice_id", "payment_gateway__id"}
"""Ids of things that the API has no list of."""
OWN_TABLES = {"removed_rows"}
"""Tables of the source's own, beside those of the streams."""
SECOND_REFERENCE = {("teammates", "id"), ("pto_requests", "reviewer__id")}
"""Further columns that lead to the same table: dlt keeps one reference to a table."""


@lru_cache
def description() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(OPENAPI.read_text(), Loader=yaml.CSafeLoader)
    return loaded


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    return description()["components"]["schemas"][name] if name else schema


def answer(stream: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Schema and documented example of a row of a stream."""
    path = re.sub(r"\{\w+\}", "{}", STREAMS[stream].path)
    paths = description()["paths"].items()
    operation = next(how["get"] for at, how in paths if re.sub(r"\{\w+\}", "{}", at) == path)
    responses = operation["responses"]
    content = (responses.get("200") or responses[200])["content"]["application/json"]
    schema = resolved(content["schema"])
    examples = [one["value"] for one in content.get("examples", {}).values()]
    example: dict[str, Any] = content.get("example") or next(iter(examples), {})
    if stream == "company":
        return schema, example
    rows = example.get(STREAMS[stream].rows_in) or [{}]
    merged = {name: value for row in rows for name, value in row.items() if value is not None}
    return resolved(schema["properties"][STREAMS[stream].rows_in]["items"]), {**rows[0], **merged}


def fields(
    table: str, schema: dict[str, Any], example: Any, prefix: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Yields table, column and type of each field, those of objects and list items included."""
    for name, field in schema["properties"].items():
        field = resolved(field)
        sample = example.get(name) if isinstance(example, dict) else None
        column = f"{prefix}{name}"
        if field.get("type") == "array":
            items = resolved(field["items"])
            child = f"{table}__{column}"
            if "properties" in items:
                yield from fields(child, items, sample[0] if sample else {})
            else:
                yield child, "value", TYPES[items["type"], None]
        elif "properties" in field:
            yield from fields(table, field, sample, f"{column}__")
        elif "type" in field and field["type"] != "object":
            form = field.get("format")
            form = form if form in ("date", "date-time") else None
            documented_type = TYPES[field["type"], form]
            yield table, column, OTHER_TYPES.get((table, column), documented_type)
        else:
            # assignments in entries and expenses: no schema, so the example says what is in them
            assert sample, f"neither schema nor example: {table}.{column}"
            yield from fields(table, {"properties": by_example(sample)}, {}, f"{column}__")


def by_example(sample: dict[str, Any]) -> dict[str, Any]:
    """A schema of the same fields as an example; nulls are amounts, as elsewhere in assignments."""
    made: dict[str, Any] = {}
    for name, value in sample.items():
        if isinstance(value, bool):
            made[name] = {"type": "boolean"}
        elif isinstance(value, int) and name == "id":
            made[name] = {"type": "integer"}
        elif isinstance(value, str):
            made[name] = {"type": "string", "format": "date-time"}
        else:
            made[name] = {"type": "number"}
    return made


def documented_fields(stream: str) -> dict[tuple[str, str], str]:
    schema, example = answer(stream)
    found = {(table, column): kind for table, column, kind in fields(stream, schema, example)}
    if STREAMS[stream].kind == "report":
        # "Only returned in the ... report": which report returns what is seen in its example
        found = {place: kind for place, kind in found.items() if place[1] in example}
    return found


def own_columns(stream: str) -> set[str]:
    """The columns that the source adds to those that Harvest sends."""
    kind = STREAMS[stream].kind
    if kind == "report":
        return {"period_start", "period_end", "deleted_at"}
    if kind == "child":
        return {STREAMS[stream].parent_key, "deleted_at"}
    return {"deleted_at"} if kind == "list" else set()


@documented
@pytest.mark.parametrize("stream", DOCUMENTED)
def test_every_documented_field_is_a_described_column_of_its_type(stream: str) -> None:
    expected = documented_fields(stream)
    assert expected
    for (table, column), kind in expected.items():
        assert column in TABLES[table]["columns"], f"{table}.{column} is documented"
        hints = TABLES[table]["columns"][column]
        assert hints["data_type"] == kind, f"{table}.{column}"
        assert hints["description"], f"{table}.{column}"


def typed(text: str) -> dict[str, str]:
    """Types by column, of a text such as `id:bigint name:text`."""
    return dict(field.split(":") for field in text.split())


@pytest.mark.parametrize("table", {**LIVE, **PAID_TIME_OFF})
def test_every_live_field_is_a_column_of_its_type(table: str) -> None:
    there = {name: hints["data_type"] for name, hints in TABLES[table]["columns"].items()}
    expected = typed({**LIVE, **PAID_TIME_OFF}[table])
    assert there.items() >= expected.items()
    if table in PAID_TIME_OFF:
        assert {name for name in there if not name.startswith("_dlt")} == expected.keys()


@documented
@pytest.mark.parametrize("stream", DOCUMENTED)
def test_no_column_is_made_up(stream: str) -> None:
    expected = documented_fields(stream).keys()
    for table, hints in TABLES.items():
        if stream in (table, hints.get("parent")):
            own = own_columns(stream) if table == stream else set()
            there = {name for name in hints["columns"] if not name.startswith("_dlt")}
            live = typed(LIVE.get(table, "")).keys()
            assert there == {column for at, column in expected if at == table} | own | live


@documented
def test_descriptions_are_in_our_own_words() -> None:
    texts = re.findall(r"description: (?:'|\")?(.+)", OPENAPI.read_text())
    theirs = {words(part) for text in texts for part in text.split(".")}
    ours = {
        (table, column, words(part))
        for table, hints in TABLES.items()
        for column, described in [("", hints), *hints["columns"].items()]
        for part in described["description"].split(".")
    }
    assert len(theirs) > 200
    copied = [one for one in ours if len(one[2].split()) > 4 and one[2] in theirs]
    assert not copied


def words(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def test_a_table_for_each_stream_and_a_parent_for_each_other_table() -> None:
    for name, table in TABLES.items():
        streams = {*STREAMS, *PAID_TIME_OFF_KEYS}
        assert ("parent" in table) == (name not in {*streams, *OWN_TABLES}), name
        if "parent" in table:
            assert table["parent"] in streams
            # dlt refuses the next load of a child table that names a resource
            assert "resource" not in table
        else:
            assert table["resource"] == name
    assert TABLES.keys() >= STREAMS.keys()


def test_no_two_tables_share_a_column() -> None:
    # a plain alias of YAML would be one object, and a hint set for one table would be set for all
    columns = [hints for table in SCHEMA["tables"].values() for hints in table["columns"].values()]
    assert len({id(hints) for hints in columns}) == len(columns)


def test_the_columns_of_dlt_are_the_same_in_all_tables() -> None:
    written: dict[str, list[Any]] = {}
    for table in TABLES.values():
        for name, hints in table["columns"].items():
            if name.startswith("_dlt"):
                written.setdefault(name, []).append(hints)
    assert len(written) == 5
    for name, every in written.items():
        assert all(hints == every[0] for hints in every), name


def test_currencies_are_said_where_money_stands() -> None:
    for table, column in (
        ("users", "cost_rate"),
        ("cost_rates", "amount"),
        ("time_entries", "cost_rate"),
    ):
        assert "company.currency" in TABLES[table]["columns"][column]["description"]
    for table in ("time_clients", "time_projects", "time_tasks", "time_team"):
        text = TABLES[table]["columns"]["billable_amount"]["description"]
        assert "unless include_fixed_fee is true" in text
    text = TABLES["uninvoiced"]["columns"]["uninvoiced_amount"]["description"]
    assert "unless include_fixed_fee is true" in text
    for table in ("time_entries", "expenses"):
        assert "approval_status" in TABLES[table]["columns"]["is_closed"]["description"]


def test_descriptions_name_no_option_of_the_command_line() -> None:
    # a copy of the source alone has no command line
    assert not re.search(r"--\w", str(SCHEMA))


@pytest.mark.parametrize("table", SCHEMA["tables"])
def test_everything_is_described_and_typed(table: str) -> None:
    assert SCHEMA["tables"][table]["description"].strip()
    for column, hints in SCHEMA["tables"][table]["columns"].items():
        assert hints["description"].strip(), column
        # BigQuery takes no more
        assert len(hints["description"]) <= 1024, column
        assert hints["data_type"] in {*TYPES.values()}, column
        precise = (hints.get("precision"), hints.get("scale"))
        assert hints["data_type"] != "decimal" or precise == (20, 6), column


@pytest.mark.parametrize("stream", STREAMS)
def test_keys_are_those_of_the_resource(stream: str) -> None:
    declared = STREAMS[stream]
    table = TABLES[stream]
    keys = {name for name, hints in table["columns"].items() if hints.get("primary_key")}
    sets = {name for name, hints in table["columns"].items() if hints.get("merge_key")}
    kind: str = declared.kind
    windowed = kind == "report"
    by_set = windowed or kind in ("child", "yearly")
    # rows of a report can have no currency, and a key cannot be null
    assert keys == set(declared.primary_key)
    expected = {"period_start", "period_end"} if windowed else set()
    if kind == "child":
        expected.add(declared.parent_key)
    if kind == "yearly" or "year" in declared.key:
        expected.add("year")
    assert sets == expected
    assert table["write_disposition"] == ("replace" if kind == "whole" else "merge")
    for name, hints in table["columns"].items():
        required = name in keys | sets or name.startswith("_dlt")
        assert hints.get("nullable", True) is not required, name
    deleted = [name for name, hints in table["columns"].items() if hints.get("hard_delete")]
    assert deleted == (["deleted_at"] if by_set else [])
    newest = [name for name, hints in table["columns"].items() if hints.get("dedup_sort")]
    # rows of a list come once; of others with the same key, the newest counts
    once = table.get("x-stage-data-deduplicated", False)
    assert once is (kind == "list")
    changing = "updated_at" in table["columns"] and by_set and keys
    assert newest == (["updated_at"] if changing else [])


@pytest.mark.parametrize("table", PAID_TIME_OFF_KEYS)
def test_keys_of_paid_time_off(table: str) -> None:
    disposition, keys, sets = PAID_TIME_OFF_KEYS[table]
    assert TABLES[table]["write_disposition"] == disposition
    columns = TABLES[table]["columns"]
    assert {name for name, hints in columns.items() if hints.get("primary_key")} == keys
    assert {name for name, hints in columns.items() if hints.get("merge_key")} == sets
    required = {name for name, hints in columns.items() if hints.get("nullable") is False}
    assert {name for name in required if not name.startswith("_dlt")} == keys | sets


def test_references_lead_to_columns_of_the_same_type() -> None:
    for name, table in TABLES.items():
        targets = [reference["referenced_table"] for reference in table.get("references", [])]
        # dlt warns of further references to the same table, and forgets all but one
        assert len(targets) == len(set(targets)), name
        for reference in table.get("references", []):
            (column,), (other,) = reference["columns"], reference["referenced_columns"]
            target = TABLES[reference["referenced_table"]]["columns"][other]
            assert table["columns"][column]["data_type"] == target["data_type"]
            assert other in STREAMS[reference["referenced_table"]].key


def test_every_id_of_another_record_has_a_reference() -> None:
    for name, table in TABLES.items():
        referring = {reference["columns"][0] for reference in table.get("references", [])}
        ids = {
            column
            for column, hints in table["columns"].items()
            if re.search(r"_id$", column) and hints["data_type"] == "bigint"
        }
        # the number of an assignment or a user, where it is the key as well
        own = {column for column in referring if column in ("id", "value")}
        second = {column for at, column in SECOND_REFERENCE if at == name} - {"id"}
        assert ids - NO_TABLE - second == referring - own, name
    for table_name, column in SECOND_REFERENCE:
        assert column in TABLES[table_name]["columns"]


def test_the_source_declares_what_the_file_has() -> None:
    source = harvest_source(access_token="token", account_id="1")
    stored: dict[str, Any] = source.schema.to_dict()["tables"]
    for name, table in SCHEMA["tables"].items():
        if name.startswith("_dlt"):
            # dlt makes these itself: the file describes them for docs/schema.md
            continue
        for column, hints in table["columns"].items():
            assert stored[name]["columns"][column].items() >= hints.items(), f"{name}.{column}"
        for hint in table.keys() - {"columns"}:
            assert stored[name][hint] == table[hint], f"{name}: {hint}"


def test_databases_get_every_column_without_a_warning(destination: str) -> None:
    warnings = Warnings(logging.WARNING)
    schema = harvest_source(access_token="token", account_id="1").schema

    @dlt.source(schema=schema)
    def empty() -> Iterator[Any]:
        for name, table in TABLES.items():
            if "resource" in table:
                rows = [dlt.mark.materialize_table_schema()]
                yield dlt.resource(rows, name=name, write_disposition=table["write_disposition"])

    pipeline = dlt.pipeline("schema", destination=destination, dataset_name="schema_test")
    assert logger.LOGGER
    logger.LOGGER.addHandler(warnings)
    try:
        pipeline.run(empty())
        with pipeline.destination_client() as client:
            every = client.schema.data_table_names()
            client.update_stored_schema(only_tables=every, force=True)
    finally:
        logger.LOGGER.removeHandler(warnings)
    assert warnings.texts == []

    there = {(table, column): kind for table, column, kind in columns(pipeline, "schema_test")}
    for name, table in TABLES.items():
        for column, hints in table["columns"].items():
            kind = DATABASE_TYPES[destination][hints["data_type"]]
            assert there.pop((name, column)) == kind, f"{name}.{column}"
    assert not [place for place in there if place[0] in TABLES]


def test_no_value_of_a_reimbursement_is_lost(destination: str) -> None:
    values = [None, True, Decimal("12.5"), 7, "paid", {"id": 3, "status": "paid"}]
    schema = harvest_source(access_token="token", account_id="1").schema

    @dlt.source(schema=schema)
    def reimbursed() -> Any:
        rows = [{"id": id_, "reimbursement": value} for id_, value in enumerate(values)]
        return dlt.resource(rows, name="expenses", write_disposition="merge")

    pipeline = dlt.pipeline("reimbursed", destination=destination, dataset_name="expenses_test")
    pipeline.run(reimbursed())
    with pipeline.sql_client() as client:
        found = client.execute_sql(
            "SELECT reimbursement, reimbursement__id, reimbursement__status"
            " FROM expenses ORDER BY id"
        )
    nothing = (None, None)
    texts = [None, "True", "12.5", "7", "paid"]
    assert found == [*((text, *nothing) for text in texts), (None, 3, "paid")]


def columns(pipeline: dlt.Pipeline, dataset: str) -> list[tuple[str, str, str]]:
    with pipeline.sql_client() as client:
        rows = client.execute_sql(
            "SELECT table_name, column_name, data_type, numeric_precision, numeric_scale"
            f" FROM information_schema.columns WHERE table_schema = '{dataset}'"
        )
    return [
        (table, column, f"{kind}({precision},{scale})" if kind == "numeric" else kind)
        for table, column, kind, precision, scale in rows or []
    ]


class Warnings(logging.Handler):
    """Collects what dlt warns of."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def test_the_page_is_current() -> None:
    command = [sys.executable, str(ROOT / "docs" / "generate_schema_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_page_has_every_column_and_draws_every_table() -> None:
    page = (ROOT / "docs" / "schema.md").read_text()
    pictures = " ".join(re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL))
    not_drawn = {"company", "invoice_item_categories", "estimate_item_categories", *OWN_TABLES}
    assert TABLES.keys() - set(re.findall(r"\w+", pictures)) == not_drawn
    for name, table in TABLES.items():
        section = re.search(rf"^## {name}$(.*?)(^## |\Z)", page, re.DOTALL | re.MULTILINE)
        assert section, name
        listed = re.findall(r"^\| `(\w+)`", section[1], re.MULTILINE)
        assert listed == [column for column in table["columns"] if not column.startswith("_dlt")]
