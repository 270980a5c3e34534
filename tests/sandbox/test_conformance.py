"""Does the sandbox answer as Harvest's API is described, and as real accounts answered?

What is known of the API is in `tests/facts`, made by a script from its description and from
recorded answers. Where these lie beside the clone, tests compare the facts with them, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from sandbox import LISTINGS, REPORTS, Account, Server
from sandbox.store.listings import PROJECT_LISTINGS
from tests.facts import load, make

FACTS = load()
ENDPOINTS: dict[str, Any] = FACTS["endpoints"]
NOT_SERVED = {
    # The text of a message that could be sent: there is nothing to load in it.
    "/invoices/{invoiceId}/messages/new",
}
OLD = {
    "users": {"is_admin", "is_project_manager", "can_see_rates", "can_create_invoices"},
}
"""Fields that Harvest stopped sending when access roles came."""

# What live accounts send beyond the description, by where in an answer it is.
LIVE: dict[str, dict[str, str]] = {
    "time_entries": {"is_explicitly_locked": "boolean"},
    "time_entries.client": {"currency": "string"},
    "time_entries.project": {"code": "string?"},
    "time_entries.user_assignment": {"use_default_rates": "boolean"},
    "expenses": {"is_explicitly_locked": "boolean", "reimbursement": "any object?"},
    "expenses.user_assignment": {"use_default_rates": "boolean"},
    "contacts": {"invoice_recipient_status": "string"},
    "projects": {"currency": "string"},
    "company": {
        "currency": "string",
        "saml_sign_in_required": "boolean",
        "day_entry_notes_required": "boolean",
    },
    "users": {
        "employee_id": "string?",
        "calendar_integration_enabled": "boolean",
        "calendar_integration_source": "string?",
        "can_create_projects": "boolean",
        "permissions_profile": "string",
        "permissions_claims": "any list",
    },
    "project_assignments.client": {"currency": "string"},
    "project_assignments.project": {"is_billable": "boolean"},
}

PATTERNS = {
    "date": r"^\d{4}-\d\d-\d\d$",
    "date-time": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
    "email": r"^[^@\s]+@example\.(com|org)$",
    "url": r"^https?://",
}


def schema(shape: Any, live: bool, where: str) -> dict[str, Any]:
    """Return a JSON schema in which every field must be there and nothing else may.

    Args:
        shape: as the facts have it.
        live: with the fields that live accounts send.
        where: the stream, and the path of the shape below its rows.
    """
    if isinstance(shape, list):
        return {"type": "array", "items": schema(shape[0], live, where)}
    if isinstance(shape, dict):
        optional = "?" in shape
        members = dict(shape["?"] if optional else shape)
        members |= LIVE.get(where, {}) if live else {}
        properties = {
            name: schema(each, live, f"{where}.{name}".removeprefix(f"{name}."))
            for name, each in members.items()
        }
        return {
            "type": ["object", "null"] if optional else "object",
            "properties": properties,
            "required": sorted(properties),
            "additionalProperties": False,
        }
    kind, optional = shape.rstrip("?"), shape.endswith("?")
    if kind == "any":
        return {}
    kind = {"any object": "object", "any list": "array"}.get(kind, kind)
    pattern = {"pattern": PATTERNS[kind]} if kind in PATTERNS else {}
    kind = "string" if pattern else kind
    return {"type": [kind, "null"] if optional else kind} | pattern


@pytest.fixture(scope="module", params=["live", "documented"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    account = Account.generate(
        seed=5, time_entries=1500, years=2.0, documented_only=request.param == "documented"
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


def stream_of(path: str) -> str:
    """Return the name of what a path gives the records of."""
    plain = re.sub(r"\{\w+\}", "{}", path)
    for name, listing in [*LISTINGS.items(), *PROJECT_LISTINGS.items()]:
        if plain in (base := re.sub(r"\{\w+\}", "{}", listing.path), f"{base}/{{}}"):
            return name
    own = {"/users/me": "users", "/users/me/project_assignments": "project_assignments"}
    return own.get(path, path.strip("/"))


@pytest.mark.parametrize("path", [path for path in ENDPOINTS if path not in NOT_SERVED])
def test_answers_are_as_documented(path: str, server: Server) -> None:
    live = not server.account.fields.documented_only
    stream = stream_of(path)
    shape = dict(ENDPOINTS[path]["answer"])
    listed = [name for name, each in shape.items() if isinstance(each, list) and "page" in shape]
    whole = schema(shape, live, "" if listed else stream)
    for name in listed:
        whole["properties"][name] = schema(shape[name], live, stream)
    validator = Draft202012Validator(whole)
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
    assert rows or not listed, "a list without rows proves nothing"


@pytest.mark.parametrize("path", ENDPOINTS)
def test_documented_parameters_are_understood(path: str) -> None:
    parameters = set(ENDPOINTS[path]["parameters"])
    plain = re.sub(r"\{\w+\}", "{}", path)
    for listing in [*LISTINGS.values(), *PROJECT_LISTINGS.values()]:
        if re.sub(r"\{\w+\}", "{}", listing.path) == plain:
            assert parameters - {"page", "per_page", "cursor"} == set(listing.filters)
            assert ("cursor" in parameters) == (listing.pages == "cursor")
            assert ENDPOINTS[path]["per_page"] == listing.per_page


@pytest.mark.parametrize(
    "stream", sorted(set(FACTS["recorded"]) & {*LISTINGS, *REPORTS, "company"})
)
def test_fields_that_real_accounts_sent_are_sent(stream: str, server: Server) -> None:
    """Each recorded field is there, and what is there has a type that was recorded."""
    if server.account.fields.documented_only:
        pytest.skip("real accounts send more")
    today = server.account.clock.now().date()
    window = {"from_": today.replace(year=today.year - 1), "to": today} if stream in REPORTS else {}
    sent: dict[str, set[str]] = {}
    for row in server.account.rows(stream, **window):
        note(sent, "", row)
    for field, kinds in FACTS["recorded"][stream].items():
        if field in OLD.get(stream, ()):
            continue
        seen = sent.get(field, set()) - {"null"}
        # Of a field that was always null, or never set here, nobody knows the type.
        assert field in sent or inside_nothing(field, sent), field
        recorded = set(kinds) - {"null"}
        assert not seen or not recorded or seen <= recorded, (field, seen, recorded)


def inside_nothing(field: str, sent: dict[str, set[str]]) -> bool:
    """Return whether what the field is in was never anything but null, or an empty list."""
    outer = re.split(r"\.|\[\]", field)[0]
    return outer in sent and sent[outer] <= {"null", "array"} and f"{outer}[]" not in sent


def note(fields: dict[str, set[str]], path: str, value: Any) -> None:
    """Note the types of a value and of all that is in it."""
    kind = {dict: "object", list: "array", bool: "boolean", type(None): "null", str: "string"}
    if path:
        fields.setdefault(path, set()).add(kind.get(type(value), "number"))
    if isinstance(value, dict):
        for name, each in value.items():
            note(fields, f"{path}.{name}" if path else name, each)
    elif isinstance(value, list):
        for each in value:
            note(fields, f"{path}[]", each)


@pytest.mark.skipif(not make.SHARED.exists(), reason="their sources are not beside the clone")
def test_the_facts_are_up_to_date() -> None:
    assert make.facts(make.SHARED) == FACTS, "run: python -m tests.facts.make"
