"""Write staging/_harvest__sources.yml, dbt's description of the tables, from the schema file.

python models/generate_sources.py            writes the file
python models/generate_sources.py --check    exits with 1 when the file is out of date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

SCHEMA = Path(__file__).parents[1] / "harvest" / "schema.yaml"
FILE = Path(__file__).parent / "staging" / "_harvest__sources.yml"

HEAD = """\
# Made by models/generate_sources.py from harvest/schema.yaml: change that file, run
# `python models/generate_sources.py`, and commit both.
"""


def main() -> int:
    """Write the file, or tell whether it is current.

    Returns:
        int: Exit code.
    """
    parser = argparse.ArgumentParser(description="Writes dbt's sources from the schema file.")
    parser.add_argument("--check", action="store_true", help="only tell whether it is current")
    text = render(yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))
    if not parser.parse_args().check:
        FILE.write_text(text, encoding="utf-8")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != text:
        print(f"{FILE} is out of date: run python {Path(__file__).name}", file=sys.stderr)
        return 1
    return 0


def render(schema: dict[str, Any]) -> str:
    """Return the text of the file.

    Args:
        schema (dict[str, Any]): The schema file.

    Returns:
        str: YAML.
    """
    source = {
        "name": "harvest",
        "description": schema["description"],
        "schema": "{{ var('harvest_schema', 'harvest_data') }}",
        "database": "{{ var('harvest_database', none) or target.database }}",
        "tables": [
            table(name, declared)
            for name, declared in schema["tables"].items()
            if not name.startswith("_dlt")
        ],
    }
    written = {"version": 2, "sources": [source]}
    return HEAD + yaml.safe_dump(written, sort_keys=False, allow_unicode=True, width=100)


def table(name: str, declared: dict[str, Any]) -> dict[str, Any]:
    """Describe a table, with the columns that dlt adds to a child table.

    Args:
        name (str): Name of the table.
        declared (dict[str, Any]): The table of the schema file.

    Returns:
        dict[str, Any]: An entry of `tables`.
    """
    targets = {
        each["columns"][0]: (each["referenced_table"], each["referenced_columns"][0])
        for each in declared.get("references", [])
    }
    columns = dict(declared["columns"])
    if "parent" in declared:
        columns["_dlt_id"] = {"data_type": "text", "description": "Key of the row, made by dlt."}
        columns["_dlt_parent_id"] = {
            "data_type": "text",
            "nullable": False,
            "description": f"_dlt_id of the row in {declared['parent']}.",
        }
        targets["_dlt_parent_id"] = (declared["parent"], "_dlt_id")
    keys = [column for column, hints in columns.items() if hints.get("primary_key")]
    described = [
        column_entry(column, hints, keys == [column], targets.get(column))
        for column, hints in columns.items()
    ]
    return {"name": name, "description": declared["description"], "columns": described}


def column_entry(
    name: str, hints: dict[str, Any], is_key: bool, target: tuple[str, str] | None
) -> dict[str, Any]:
    """Describe a column and how it is tested.

    Args:
        name (str): Name of the column.
        hints (dict[str, Any]): The column of the schema file.
        is_key (bool): Whether the column alone tells the rows apart.
        target (tuple[str, str] | None): Table and column that its values are found in.

    Returns:
        dict[str, Any]: An entry of `columns`.
    """
    kind = hints["data_type"]
    if "scale" in hints:
        kind = f"{kind}({hints['precision']}, {hints['scale']})"
    entry = {"name": name, "description": hints["description"], "data_type": kind}
    if "x-annotation-pii" in hints:
        entry["config"] = {"meta": {"contains_pii": True}}
    tests: list[Any] = []
    if is_key or hints.get("unique"):
        tests.append("harvest_unique")
    if hints.get("nullable") is False:
        tests.append("harvest_not_null")
    if target:
        # a row can name a record that has been deleted in Harvest
        leads = {"to": f"source('harvest', '{target[0]}')", "field": target[1]}
        tests.append(
            {"harvest_relationships": {"arguments": leads, "config": {"severity": "warn"}}}
        )
    if tests:
        entry["data_tests"] = tests
    return entry


if __name__ == "__main__":
    sys.exit(main())
