"""Make the facts of Harvest's API: `python -m tests.facts.make [FOLDER]`.

FOLDER holds `harvest-openapi.yaml`, a machine-readable description of the documentation, and
`recorded/`, answers of real accounts. Only names, types and nulls are taken, no sentences and no
values. It is not part of the repository; what is made of it is.

A type is `integer`, `number`, `boolean`, `string`, `date`, `date-time`, `email`, `url` or `any`,
with `?` where it may be null; an object is an object of types, and a list a list of one type.
"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, Iterator, Set, Tuple

import yaml

from tests.facts import FILE

SHARED = Path(__file__).resolve().parents[3] / "shared"
"""Where the folder lies beside a clone."""

# Where the description contradicts itself, or says less than its own examples.
BY_EXAMPLE = {"Expense.user_assignment", "TimeEntry.user_assignment", "TimeEntry.task_assignment"}
"""Nested assignments have no schema: the fields are those of the documented example."""
LEFT_OUT = {"ProjectAssignment.task_assignments": {"project"}}
"""Their own schema has a project, which the example of a project assignment leaves out."""
REPORT_ROWS = {"TimeReportsResult", "ExpenseReportsResult"}
"""One schema for several reports: which report returns what is seen in its example."""
FORMATS = {"date", "date-time", "email", "url"}


class Description:
    """The machine-readable description of the documentation."""

    def __init__(self, file: Path) -> None:
        self._document: Dict[str, Any] = yaml.load(file.read_text(), Loader=yaml.CSafeLoader)

    def endpoints(self) -> Iterator[Tuple[str, Dict[str, Any]]]:
        """Yield each path that is read, with its parameters, its default size and its answer."""
        for path, how in sorted(self._document["paths"].items()):
            if "get" not in how:
                continue
            get = how["get"]
            parameters = {
                each["name"]: each["schema"].get("type", "any")
                for each in get.get("parameters", [])
                if each["in"] == "query"
            }
            size = re.search(r"between 1 and 2000. \(Default: (\d+)\)", str(get))
            responses = get["responses"]
            content = (responses.get("200") or responses.get(200))["content"]["application/json"]
            yield (
                path,
                {
                    "parameters": dict(sorted(parameters.items())),
                    "per_page": int(size[1]) if size else None,
                    "answer": self._shape(content["schema"], "", self._example(content)),
                },
            )

    @staticmethod
    def _example(content: Dict[str, Any]) -> Any:
        if "example" in content:
            return content["example"]
        return next((one["value"] for one in content.get("examples", {}).values()), None)

    def _shape(self, schema: Dict[str, Any], where: str, sample: Any) -> Any:
        if "$ref" in schema:
            where = schema["$ref"].rsplit("/", 1)[-1]
            schema = self._document["components"]["schemas"][where]
        if where in BY_EXAMPLE:
            return _example_shape(sample)
        optional = schema.get("nullable") or where.startswith("PaginationLinks.")
        mark = "?" if optional else ""
        if "properties" in schema:
            names = set(schema["properties"])
            if where in REPORT_ROWS:
                names &= set(sample)
            sample = sample if isinstance(sample, dict) else {}
            members = {
                name: self._shape(schema["properties"][name], f"{where}.{name}", sample.get(name))
                for name in sorted(names)
            }
            return {"?": members} if optional else members
        if schema.get("type") == "array":
            first = sample[0] if isinstance(sample, list) and sample else None
            item = self._shape(schema["items"], f"{where}[]", first)
            for absent in LEFT_OUT.get(where, ()):
                del item[absent]
            return [item]
        if schema.get("format") in FORMATS:
            return f"{schema['format']}{mark}"
        kind = schema.get("type", "any")
        return f"{'any object' if kind == 'object' else kind}{mark}"


def _example_shape(example: Any) -> Any:
    """Return the shape of an example, in which everything may be null."""
    if isinstance(example, dict):
        return {"?": {name: _example_shape(value) for name, value in sorted(example.items())}}
    kinds = {bool: "boolean?", int: "number?", float: "number?", str: "string?"}
    return kinds.get(type(example), "any")


def recorded(folder: Path) -> Dict[str, Dict[str, Any]]:
    """Return the types that were seen in each field of each list, by its name."""
    seen: Dict[str, Dict[str, Set[str]]] = defaultdict(lambda: defaultdict(set))
    for file in sorted(folder.glob("*/*.json")):
        body = json.loads(file.read_text())
        if file.stem == "company":
            _note(seen["company"], "", body)
        for name, rows in body.items() if isinstance(body, dict) else ():
            if isinstance(rows, list) and rows and isinstance(rows[0], dict):
                report = re.match(r"reports_(\w+?)(?:_\d{8}|$)", file.stem)
                stream = report[1] if report else name
                for row in rows:
                    _note(seen[stream], "", row)
    return {
        stream: {field: sorted(kinds) for field, kinds in sorted(fields.items())}
        for stream, fields in sorted(seen.items())
    }


def _note(fields: Dict[str, Set[str]], path: str, value: Any) -> None:
    kind = {dict: "object", list: "array", bool: "boolean", type(None): "null"}.get(type(value))
    kind = kind or ("string" if isinstance(value, str) else "number")
    if path:
        fields[path].add(kind)
    if isinstance(value, dict):
        for name, each in value.items():
            _note(fields, f"{path}.{name}" if path else name, each)
    elif isinstance(value, list):
        for each in value:
            _note(fields, f"{path}[]", each)


def sources(readme: Path) -> Dict[str, str]:
    """Return where the facts are from, and of when."""
    rows = re.findall(r"^\| ([\w-]+) \| [^|]*\| (\d[^|]*?) \|", readme.read_text(), re.MULTILINE)
    return {"jolicode/harvest-openapi-generator": "2025-11", **dict(rows)}


def facts(shared: Path) -> Dict[str, Any]:
    """Return all that is known, from the folder that it is made of."""
    return {
        "sources": sources(shared / "recorded" / "README.md"),
        "endpoints": dict(Description(shared / "harvest-openapi.yaml").endpoints()),
        "recorded": recorded(shared / "recorded"),
    }


if __name__ == "__main__":
    made = facts(Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED)
    FILE.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n")
