"""Write erd.svg, a picture of the main tables and their references, from the schema file.

python docs/generate_erd.py            writes the picture
python docs/generate_erd.py --check    exits with 1 when the picture is out of date
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

SCHEMA = Path(__file__).parents[1] / "harvest" / "schema.yaml"
PICTURE = Path(__file__).parent / "erd.svg"

COLUMNS = (
    "contacts estimate_messages estimates estimates__line_items invoice_messages"
    " invoices__line_items invoice_payments",
    "clients invoices expense_categories roles__user_ids",
    "expenses projects time_entries",
    "tasks task_assignments user_assignments project_assignments users",
    "cost_rates billable_rates teammates pto_requests pto_assignments pto_allocations",
)
"""The tables of the picture, from left to right and from top to bottom."""

WIDTH, LINE, GAP, BETWEEN = 200, 18, 26, 110
ENDS = {
    # crow's foot at the start of a reference, one bar at the record that it leads to
    "many_to_one": ("M 0 -6 L 12 0 L 0 6 M 12 0 L 0 0", "M 8 -6 L 8 6"),
}
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2937 }
  .name { font-weight: 600; fill: #ffffff }
  .line, .end { fill: none; stroke: #6b7280; stroke-width: 1.2 }
"""

Tables = dict[str, dict[str, Any]]


def main() -> int:
    """Write the picture, or tell whether it is current.

    Returns:
        int: Exit code.
    """
    parser = argparse.ArgumentParser(description="Writes docs/erd.svg from the schema file.")
    parser.add_argument("--check", action="store_true", help="only tell whether it is current")
    picture = render(yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["tables"])
    if not parser.parse_args().check:
        PICTURE.write_text(picture, encoding="utf-8")
    elif not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != picture:
        print(f"{PICTURE} is out of date: run python {Path(__file__).name}", file=sys.stderr)
        return 1
    return 0


def render(tables: Tables) -> str:
    """Draw the tables, and a line for each reference between them.

    Args:
        tables (Tables): Tables by name.

    Returns:
        str: The picture, as SVG.
    """
    drawn = {name: place for name, place in places(tables)}
    width = len(COLUMNS) * (WIDTH + BETWEEN) + BETWEEN // 2
    height = max(y + LINE * (len(rows) + 1) for _, y, rows in drawn.values()) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' role="img" aria-label="The main tables and their references">',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for name in drawn:
        for column, target, cardinality in references(tables[name]):
            if target in drawn:
                parts.append(line(drawn, (name, column), target, cardinality))
    for name, (x, y, rows) in drawn.items():
        parts.append(box(name, x, y, rows))
    return "\n".join([*parts, "</svg>"]) + "\n"


def places(tables: Tables) -> Iterator[tuple[str, tuple[int, int, list[str]]]]:
    """Yield each table of the picture with its place and the columns that it shows."""
    chosen = " ".join(COLUMNS).split()
    for number, names in enumerate(COLUMNS):
        y = GAP
        for name in names.split():
            shown = ["id"] if "id" in tables[name]["columns"] else []
            shown += [
                column
                for column, target, _ in references(tables[name])
                if target in chosen and column not in shown
            ]
            yield name, (BETWEEN // 2 + number * (WIDTH + BETWEEN), y, shown)
            y += LINE * (len(shown) + 1) + GAP


def references(table: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the references of a table: column, other table, cardinality."""
    if "parent" in table:
        yield "_dlt_parent_id", table["parent"], "many_to_one"
    for reference in table.get("references", []):
        yield reference["columns"][0], reference["referenced_table"], reference["cardinality"]


def line(drawn: dict[str, Any], start: tuple[str, str], target: str, cardinality: str) -> str:
    """Draw a reference from a column to the head of the table that it leads to."""
    (x, y, rows), (other_x, other_y, _) = drawn[start[0]], drawn[target]
    y += LINE * (rows.index(start[1]) + 1) + LINE // 2
    other_y += LINE // 2
    leaves, enters = (1, -1) if other_x > x else (-1, 1) if other_x < x else (1, 1)
    x += WIDTH if leaves > 0 else 0
    other_x += WIDTH if enters > 0 else 0
    bend = BETWEEN * (0.7 if leaves != enters else 0.45)
    many, one = ENDS[cardinality]
    title = f"{start[0]}.{start[1]} leads to {target}: {cardinality.replace('_', ' ')}"
    return (
        f'<g class="end"><title>{title}</title><path d="M {x} {y} C {x + leaves * bend:g} {y},'
        f' {other_x + enters * bend:g} {other_y}, {other_x} {other_y}"/>'
        f'<path d="{many}" transform="translate({x} {y}) scale({leaves} 1)"/>'
        f'<path d="{one}" transform="translate({other_x} {other_y}) scale({enters} 1)"/></g>'
    )


def box(name: str, x: int, y: int, rows: list[str]) -> str:
    """Draw a table with its key and the columns that lead elsewhere."""
    height = LINE * (len(rows) + 1)
    place = f'x="{x}" y="{y}" width="{WIDTH}"'
    lines = [
        f'<rect {place} height="{height}" fill="#f9fafb" stroke="#9ca3af"/>',
        f'<rect {place} height="{LINE}" fill="#2f5f8f"/>',
        f'<text class="name" x="{x + 8}" y="{y + 13}">{name}</text>',
    ]
    for number, column in enumerate(rows, start=1):
        lines.append(f'<text x="{x + 8}" y="{y + LINE * number + 13}">{column}</text>')
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
