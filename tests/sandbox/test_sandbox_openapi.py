"""Does the sandbox answer as the published description of the Harvest API says?

The description is not part of this repository; without it these tests are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest
import requests
import yaml
from jsonschema import Draft202012Validator

from sandbox import Account, Server
from sandbox.store.listings import LISTINGS, PROJECT_LISTINGS
from tests.script import ROOT

OPENAPI = ROOT.parent / "shared" / "harvest-openapi.yaml"

pytestmark = pytest.mark.skipif(
    not OPENAPI.exists(), reason=f"{OPENAPI.name} is not beside this repository"
)

NOT_SERVED = {
    # The text of a message that could be sent: there is nothing to load in it.
    "/invoices/{invoiceId}/messages/new",
}

# Where the description contradicts itself, or says less than its own examples.
EXCEPTIONS = {
    # Nested assignments have no schema: the fields are those of the documented example.
    "by example": {
        "Expense.user_assignment",
        "TimeEntry.user_assignment",
        "TimeEntry.task_assignment",
    },
    # Their own schema has a project, which the example of a project assignment leaves out.
    "left out": {"ProjectAssignment.task_assignments": {"project"}},
    # "Only returned in the ... report": which report returns what is seen in its example.
    "report rows by example": {"TimeReportsResult", "ExpenseReportsResult"},
}

# What live accounts send beyond the description: whose field, and of which type.
LIVE: dict[str, dict[str, str | list[str]]] = {
    "TimeEntry": {"is_explicitly_locked": "boolean"},
    "TimeEntry.client": {"currency": "string"},
    "TimeEntry.project": {"code": ["string", "null"]},
    "TimeEntry.user_assignment": {"use_default_rates": "boolean"},
    "Expense": {"is_explicitly_locked": "boolean", "reimbursement": ["object", "null"]},
    "Expense.user_assignment": {"use_default_rates": "boolean"},
    "Contact": {"invoice_recipient_status": "string"},
    "Project": {"currency": "string"},
    "Company": {
        "currency": "string",
        "saml_sign_in_required": "boolean",
        "day_entry_notes_required": "boolean",
    },
    "User": {
        "employee_id": ["string", "null"],
        "calendar_integration_enabled": "boolean",
        "calendar_integration_source": ["string", "null"],
        "can_create_projects": "boolean",
        "permissions_profile": "string",
        "permissions_claims": "array",
    },
    "ProjectAssignment.client": {"currency": "string"},
    "ProjectAssignment.project": {"is_billable": "boolean"},
}

PATTERNS = {
    "date": r"^\d{4}-\d\d-\d\d$",
    "date-time": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
    "email": r"^[^@\s]+@example\.(com|org)$",
    "url": r"^https?://",
}


@lru_cache
def description() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load(OPENAPI.read_text(), Loader=yaml.CSafeLoader)
    return loaded


def answer_of(path: str) -> dict[str, Any]:
    responses = description()["paths"][path]["get"]["responses"]
    content: dict[str, Any] = (responses.get("200") or responses.get(200))["content"]
    return content["application/json"]


def example_of(path: str) -> Any:
    content = answer_of(path)
    if "example" in content:
        return content["example"]
    return next((one["value"] for one in content.get("examples", {}).values()), None)


def typed(example: Any) -> dict[str, Any]:
    """A schema of the same fields as an example; a null may be anything."""
    if isinstance(example, dict):
        properties = {name: typed(value) for name, value in example.items()}
        return {"type": ["object", "null"], "properties": properties} | closed(properties)
    kinds = {bool: "boolean", int: "number", float: "number", str: "string"}
    return {"type": [kinds[type(example)], "null"]} if type(example) in kinds else {}


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"required": sorted(properties), "additionalProperties": False}


def strict(
    schema: dict[str, Any], live: bool, where: str = "", sample: Any = None
) -> dict[str, Any]:
    """A schema of the description, in which every field must be there and nothing else may.

    With the fields that live accounts send, where `live` says so.
    """
    if "$ref" in schema:
        where = schema["$ref"].rsplit("/", 1)[-1]
        schema = description()["components"]["schemas"][where]
    more = {name: {"type": kind} for name, kind in (LIVE.get(where, {}) if live else {}).items()}
    if where in EXCEPTIONS["by example"]:
        result = typed(sample)
        result["properties"] |= more
        return result | closed(result["properties"])
    kind = schema.get("type", "object" if "properties" in schema else None)
    result: dict[str, Any] = {}
    if kind == "object" and "properties" in schema:
        names = set(schema["properties"])
        if where in EXCEPTIONS["report rows by example"]:
            names &= set(sample)
        for owner, absent in EXCEPTIONS["left out"].items():
            if where == f"{owner}[]":
                names -= absent
        sample = sample if isinstance(sample, dict) else {}
        properties = {
            name: strict(schema["properties"][name], live, f"{where}.{name}", sample.get(name))
            for name in names
        } | more
        result = {"properties": properties} | closed(properties)
    elif kind == "array":
        item = schema["items"]
        first = sample[0] if isinstance(sample, list) and sample else None
        inner = strict(item, live, f"{where}[]", first)
        for owner, absent in EXCEPTIONS["left out"].items():
            if where == owner:
                inner["properties"] = {
                    k: v for k, v in inner["properties"].items() if k not in absent
                }
                inner |= closed(inner["properties"])
        result = {"items": inner}
    elif schema.get("format") in PATTERNS:
        result = {"pattern": PATTERNS[schema["format"]]}
    if kind:
        nullable = schema.get("nullable") or where.startswith("PaginationLinks.")
        result["type"] = [kind, "null"] if nullable else kind
    return result


@pytest.fixture(scope="module", params=["live", "documented"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    account = Account.generate(
        seed=5, time_entries=1500, documented_only=request.param == "documented"
    )
    with Server(account, limits=False) as running:
        yield running


def targets(account: Account, path: str) -> Iterator[str]:
    """Addresses of a documented path with the ids of real records, several for a list."""
    listings = [*LISTINGS.items(), *PROJECT_LISTINGS.items()]
    numbers = re.findall(r"\{\w+\}", path)
    if not numbers:
        yield path
        return
    plain = re.sub(r"\{\w+\}", "{}", path)
    for name, listing in listings:
        of = re.sub(r"\{\w+\}", "{}", listing.path)
        if plain == of:
            parents = account.ids(LISTINGS[listing.parent[1]])
            if name == "teammates":
                parents = account.parents(name)  # type: ignore[assignment]
            for parent in parents[:40]:
                yield plain.format(parent)
        elif plain == f"{of}/{{}}" and listing.parent[0]:
            for row in account.ids(LISTINGS[listing.parent[1]])[:5]:
                for id in account.ids(listing, row)[:3]:
                    yield plain.format(row, id)
        elif plain == f"{of}/{{}}":
            for id in account.ids(listing)[:20]:
                yield plain.format(id)


def documented() -> list[str]:
    if not OPENAPI.exists():
        return []
    return sorted(path for path, how in description()["paths"].items() if "get" in how)


@pytest.mark.parametrize("path", documented())
def test_answers_are_as_documented(path: str, server: Server) -> None:
    if path in NOT_SERVED:
        pytest.skip("not served")
    live = not server.account.fields.documented_only
    schema = strict(answer_of(path)["schema"], live, "", example_of(path))
    validator = Draft202012Validator(schema)
    query = {}
    if path.startswith("/reports/") and path != "/reports/project_budget":
        today = server.account.clock.now().date()
        query = {"from": today.replace(year=today.year - 1, day=1), "to": today.replace(day=1)}
    rows = asked = 0
    for target in targets(server.account, path):
        response = requests.get(
            server.base_url + target, params=query, headers=server.headers(), timeout=10
        )
        assert response.status_code == 200, (target, response.text)
        body = response.json()
        problems = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]
        assert not problems, (target, problems[:5])
        rows += sum(len(value) for value in body.values() if isinstance(value, list))
        asked += 1
    assert asked
    assert rows or "links" not in schema["properties"], "a list without rows proves nothing"


@pytest.mark.parametrize("path", documented())
def test_documented_parameters_are_understood(path: str) -> None:
    parameters = {
        parameter["name"]
        for parameter in description()["paths"][path]["get"].get("parameters", [])
        if parameter["in"] == "query"
    }
    plain = re.sub(r"\{\w+\}", "{}", path)
    for listing in [*LISTINGS.values(), *PROJECT_LISTINGS.values()]:
        if re.sub(r"\{\w+\}", "{}", listing.path) == plain:
            assert parameters - {"page", "per_page", "cursor"} == set(listing.filters)
            assert ("cursor" in parameters) == (listing.pages == "cursor")
            text = str(description()["paths"][path]["get"])
            default = re.search(r"between 1 and 2000. \(Default: (\d+)\)", text)
            assert default
            assert int(default[1]) == listing.per_page
