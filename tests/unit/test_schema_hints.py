"""What tools that read schemas learn from the schema file: cardinality, and personal data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from dlt import Schema

FILE = Path(__file__).parents[2] / "harvest" / "schema.yaml"
SCHEMA: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
TABLES: dict[str, Any] = {
    name: table for name, table in SCHEMA["tables"].items() if not name.startswith("_dlt")
}

FREE_TEXT = {
    *("notes", "subject", "body", "description", "review_reason"),
}
"""Columns that people type whatever they like into, names of people included."""
OF_PEOPLE = {
    *("first_name", "last_name", "title", "email", "telephone", "phone_office", "phone_mobile"),
    *("fax", "address", "employee_id", "avatar_url", "user_name", "user__name", "creator__name"),
    *("reviewer__name", "sent_by", "sent_by_email", "sent_from", "sent_from_email"),
    *("recorded_by", "recorded_by_email", "receipt__url", "receipt__file_name"),
}
"""Columns that name a person, or lead to one."""
OF_A_PERSON_IN_SOME_TABLES = {
    ("invoice_messages__recipients", "name"),
    ("estimate_messages__recipients", "name"),
}
"""Columns that hold the names of things in other tables."""
OF_THINGS = {
    *("accrual_schedule", "accrual_type", "approval_status", "base_uri", "bill_by", "budget_by"),
    *("calendar_integration_source", "client__currency", "client__name", "client_key"),
    *("client_name", "clock", "code", "color", "color_scheme", "currency"),
    *("currency_code_display", "currency_symbol_display", "date_format", "decimal_symbol"),
    *("effective_accrual_schedule", "effective_accrual_type", "effective_work_schedule__name"),
    *("ended_time", "event_type", "expense_category__name", "expense_category__unit_name"),
    *("expense_category__unit_price", "expense_category_name", "external_reference__account_id"),
    *("external_reference__group_id", "external_reference__id", "external_reference__permalink"),
    *("external_reference__service", "external_reference__service_icon_url", "full_domain"),
    *("holiday_calendar__name", "icon", "invoice__number", "invoice_recipient_status", "kind"),
    *("locked_reason", "name", "number", "payment_gateway__name", "payment_term"),
    *("permissions_profile", "plan_type", "project__code", "project__name", "project_name"),
    *("pto_type__color", "pto_type__icon", "pto_type__name", "purchase_order"),
    *("receipt__content_type", "reimbursement", "started_time", "state", "statement_key"),
    *("status", "stream", "task__name", "task_name", "thousands_separator", "time_format"),
    *("timezone", "transaction_id", "unit_name", "value", "week_start_day", "work_schedule__name"),
}
"""All other columns of text: a new one must be put into one of these lists."""


def columns() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (name, column, hints)
        for name, table in TABLES.items()
        for column, hints in table["columns"].items()
        if not column.startswith("_dlt")
    ]


def test_every_column_with_personal_data_is_marked() -> None:
    for table, column, hints in columns():
        personal = column in FREE_TEXT | OF_PEOPLE or (table, column) in OF_A_PERSON_IN_SOME_TABLES
        assert hints.get("x-annotation-pii", False) is personal, f"{table}.{column}"


def test_every_column_of_text_is_known_as_personal_or_not() -> None:
    texts = {column for _, column, hints in columns() if hints["data_type"] == "text"}
    assert texts == FREE_TEXT | OF_PEOPLE | OF_THINGS
    marked = [hints["data_type"] for _, _, hints in columns() if "x-annotation-pii" in hints]
    assert set(marked) == {"text"}


@pytest.mark.parametrize("table", [name for name in TABLES if "references" in TABLES[name]])
def test_many_rows_refer_to_one(table: str) -> None:
    for reference in TABLES[table]["references"]:
        assert reference["cardinality"] == "many_to_one", reference


def test_diagrams_of_dlt_have_many_rows_where_the_reference_starts() -> None:
    picture = Schema.from_dict(SCHEMA).to_mermaid()  # type: ignore[arg-type]
    lines = [line.strip() for line in picture.splitlines()]
    assert "time_entries }|--|| projects" in picture, [x for x in lines if "projects" in x]


def test_dlt_keeps_the_marks() -> None:
    stored = Schema.from_dict(SCHEMA).to_dict()  # type: ignore[arg-type]
    for table, column, hints in columns():
        kept = stored["tables"][table]["columns"][column]
        assert kept.get("x-annotation-pii") == hints.get("x-annotation-pii"), f"{table}.{column}"
