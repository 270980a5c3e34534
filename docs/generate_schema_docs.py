"""Write schema.md, the page about tables and columns, from the source's schema file.

python docs/generate_schema_docs.py            writes the page
python docs/generate_schema_docs.py --check    exits with 1 when the page is out of date
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Table = dict[str, Any]
Tables = dict[str, Table]

SCHEMA = Path(__file__).parents[1] / "harvest" / "schema.yaml"
PAGE = Path(__file__).parent / "schema.md"

DIAGRAMS = {
    "Hours and expenses": (
        "The records of people's work and spending on projects.",
        "time_entries expenses users tasks projects clients expense_categories",
    ),
    "Who may work on what": (
        "People and tasks are assigned to projects.",
        "project_assignments__task_assignments project_assignments task_assignments"
        " user_assignments users projects tasks",
    ),
    "People": (
        "Roles, rights, rates and teammates of each person.",
        "roles roles__user_ids users__roles users__access_roles users__permissions_claims"
        " billable_rates cost_rates teammates users",
    ),
    "Paid time off": (
        "Requests, allocations and balances of each person. These tables are declared from"
        " Harvest's documentation alone: no live answer has been compared with them yet.",
        "pto_requests pto_requests__request_days pto_allocations pto_balances pto_types"
        " pto_assignments pto_work_schedules pto_holiday_calendars"
        " pto_holiday_calendars__entries users",
    ),
    "Estimates and invoices": (
        "The papers that go to clients, and the hours and expenses that are billed by them.",
        "clients contacts estimates estimates__line_items estimate_messages"
        " estimate_messages__recipients invoices invoices__line_items invoices__payment_options"
        " invoice_messages invoice_messages__recipients invoice_payments time_entries expenses",
    ),
    "Reports": (
        "Sums, most of them for a period.",
        "expenses_clients time_clients expenses_projects time_projects uninvoiced project_budget"
        " expenses_team time_team time_tasks expenses_categories"
        " projects clients users tasks expense_categories",
    ),
}
"""The pictures: title, caption, tables. The arrows come from the schema file."""

ALWAYS = {"project__id", "project_id", "user_assignment__id", "task_assignment__id", "id"}
"""Columns that always lead on: no second line is drawn to a table that they lead to."""

INTRODUCTION = """\
# Tables and columns

<!-- Made by docs/generate_schema_docs.py from harvest/schema.yaml: change that file, run
     `python docs/generate_schema_docs.py`, and commit both. -->

The Harvest source loads {streams} tables, one for each resource, {children} child tables for the
lists inside their rows, and `removed_rows`. They have the columns below on every destination, also
those that hold nothing yet. Fields that Harvest sends beyond these become new columns or tables.

- `client__id` is the field `id` of the object `client` in Harvest's answer.
- `invoices__line_items` has the items of the list `line_items`, one row each. Its `_dlt_parent_id`
  is the `_dlt_id` of the row in `invoices`.
- An arrow (→) leads to the table and column whose value a column holds. Destinations do not enforce
  it: a row can name a record that has been deleted in Harvest.
- Every column can be null but for those of the key. Amounts and rates are also null where the owner
  of the access token may not see them.
- `timestamp` is a moment in UTC, `decimal(20, 6)` an exact number with six decimals.
- `personal` marks what names a person, leads to one, or is text that people type in freely. The
  schema has it as `x-annotation-pii`. [How to leave it out](how-to.md#leave-out-personal-data).
- Every table has a few more columns, made by dlt: `_dlt_id`, a new key each time a row is written;
  `_dlt_load_id`, the load that wrote the row (`load_id` of the table `_dlt_loads`); and in child
  tables instead `_dlt_parent_id`, `_dlt_list_idx` (place in the list, from 0) and, where rows are
  merged, `_dlt_root_id`.
"""


SPACING = '%%{init: {"flowchart": {"nodeSpacing": 55, "rankSpacing": 90}}}%%'
"""Keeps the labels of neighbouring arrows apart."""

LEGEND = """\
Arrows go from a column to the table whose `id` it holds (from `_dlt_parent_id`: whose `_dlt_id`).
Child tables have round corners. An arrow is left out where others lead to the same table: an entry
has a `client__id` of its own too."""


def main() -> int:
    """Write the page, or tell whether it is current.

    Returns:
        int: Exit code.
    """
    parser = argparse.ArgumentParser(description="Writes docs/schema.md from the schema file.")
    parser.add_argument("--check", action="store_true", help="only tell whether it is current")
    page = render(load_tables())
    if not parser.parse_args().check:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        print(f"{PAGE} is out of date: run python {Path(__file__).name}", file=sys.stderr)
        return 1
    return 0


def load_tables(path: Path = SCHEMA) -> Tables:
    """Read the tables of Harvest, without dlt's own, in the file's order.

    Args:
        path (Path): The schema file.

    Returns:
        Tables: Tables by name.
    """
    tables: Tables = yaml.safe_load(path.read_text(encoding="utf-8"))["tables"]
    return {name: table for name, table in tables.items() if not name.startswith("_dlt")}


def render(tables: Tables) -> str:
    """Return the page.

    Args:
        tables (Tables): Tables by name.

    Returns:
        str: The page, as Markdown.
    """
    children = sum("parent" in table for table in tables.values())
    lines = [INTRODUCTION.format(streams=len(tables) - children - 1, children=children)]
    lines += ["## How they hang together", "", LEGEND, ""]
    for title, (text, names) in DIAGRAMS.items():
        lines += [f"### {title}", "", text, "", *diagram(tables, names.split()), ""]
    lines += ["## All tables", "", "| table | content |", "|---|---|"]
    lines += [f"| {link(name)} | {cell(table)} |" for name, table in tables.items()]
    for name, table in tables.items():
        lines += ["", *section(tables, name, table)]
    return "\n".join(lines) + "\n"


def diagram(tables: Tables, names: list[str]) -> list[str]:
    """Draw tables and the references between them.

    Args:
        tables (Tables): Tables by name.
        names (list[str]): Those to draw.

    Returns:
        list[str]: A fenced Mermaid block.
    """
    lines = ["```mermaid", SPACING, "flowchart LR"]
    lines += [
        f"    {name}" + (f'(["{name}"])' if "parent" in tables[name] else "") for name in names
    ]
    for name in names:
        for label, target in edges(tables[name]):
            if target in names and not implied(tables, names, name, target):
                lines.append(f"    {name} -->|{label}| {target}")
    return [*lines, "```"]


def implied(tables: Tables, names: list[str], name: str, target: str) -> bool:
    """Tell whether the way to a table leads over another one that is drawn."""
    return any(
        label in (*ALWAYS, "_dlt_parent_id")
        and between in names
        and between != target
        and (
            target in (end for _, end in edges(tables[between]))
            or implied(tables, names, between, target)
        )
        for label, between in edges(tables[name])
    )


def edges(table: Table) -> Iterator[tuple[str, str]]:
    """Yield each reference of a table: its column, and the other table."""
    if "parent" in table:
        yield "_dlt_parent_id", table["parent"]
    for reference in table.get("references", []):
        yield reference["columns"][0], reference["referenced_table"]


def section(tables: Tables, name: str, table: Table) -> list[str]:
    """Describe one table.

    Args:
        tables (Tables): Tables by name.
        name (str): Name of the table.
        table (Table): The table.

    Returns:
        list[str]: Lines of Markdown.
    """
    columns: dict[str, Table] = table["columns"]
    targets = {
        reference["columns"][0]: f"{link(reference['referenced_table'])}"
        f".{reference['referenced_columns'][0]}"
        for reference in table.get("references", [])
    }
    lines = [f"## {name}", "", table["description"], "", handling(tables, name), ""]
    lines += ["| column | type | description |", "|---|---|---|"]
    for column, hints in columns.items():
        if not column.startswith("_dlt"):
            arrow = f" → {targets[column]}" if column in targets else ""
            kind = type_of(hints) + (", personal" if "x-annotation-pii" in hints else "")
            lines.append(f"| `{column}` | {kind} | {cell(hints)}{arrow} |")
    return lines


def handling(tables: Tables, name: str) -> str:
    """Say in a line how the rows of a table are told apart, kept and continued elsewhere."""
    table = tables[name]
    if "parent" in table:
        return f"Child table of {link(table['parent'])}; its rows go with the row they belong to."
    keys = [column for column, hints in table["columns"].items() if hints.get("primary_key")]
    sets = [column for column, hints in table["columns"].items() if hints.get("merge_key")]
    told = [f"Key: {both(keys)}."] if keys else ["No key."]
    if table["write_disposition"] == "replace":
        told.append("Replaced as a whole by each load.")
    elif sets:
        told.append(f"Replaced set by set: all rows of the same {both(sets)} at once.")
    else:
        told.append("Merged: a row that changed in Harvest takes the place of the old one.")
    lists = [link(child) for child, other in tables.items() if other.get("parent") == name]
    if lists:
        told.append(f"Lists: {', '.join(lists)}.")
    return " ".join(told)


def type_of(hints: Table) -> str:
    """Write a column's type, such as `decimal(20, 6)`."""
    if "precision" in hints:
        return f"{hints['data_type']}({hints['precision']}, {hints['scale']})"
    return str(hints["data_type"])


def both(columns: list[str]) -> str:
    """Join names of columns with commas and "and"."""
    *most, last = [f"`{column}`" for column in columns]
    return f"{', '.join(most)} and {last}" if most else last


def link(table: str) -> str:
    """Link to the section of a table."""
    return f"[{table}](#{table})"


def cell(described: Table) -> str:
    """Make a description fit into a cell of a Markdown table."""
    return str(described["description"]).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
