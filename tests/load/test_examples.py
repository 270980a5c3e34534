"""The documented example responses, served as they stand."""

import re
from typing import Any, Dict

import pytest
import yaml

from harvest.settings import STREAMS
from sandbox import Account, Server
from tests.copy import Copy, _filled, flat, key_of
from tests.script import ROOT

OPENAPI = ROOT.parent / "shared" / "harvest-openapi.yaml"

pytestmark = pytest.mark.skipif(
    not OPENAPI.exists(), reason="the OpenAPI description of Harvest is not beside this clone"
)


@pytest.fixture(scope="module")
def examples() -> Dict[str, Any]:
    """The documented answer of each stream that has one."""
    described = yaml.load(OPENAPI.read_text(), getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    typed = yaml.load(OPENAPI.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    found = {}
    for path, methods in typed["paths"].items():
        form = re.sub(r"\{\w+\}", "{id}", path)
        for stream in STREAMS.values():
            if stream.path == form and "get" in methods:
                answer = methods["get"]["responses"][200]["content"]["application/json"]
                # YAML turns dates into objects, which JSON has as the text that stands there
                plain = described["paths"][path]["get"]["responses"]["200"]["content"]
                if "example" in answer:
                    text = plain["application/json"]["example"]
                    found[stream.name] = _as_json(answer["example"], text)
    return found


def _as_json(value: Any, text: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_json(value[name], text[name]) for name in value}
    if isinstance(value, list):
        return [_as_json(item, word) for item, word in zip(value, text, strict=True)]
    return value if value is None or isinstance(value, (bool, int, float)) else text


def test_every_field_of_every_example_arrives(examples: Dict[str, Any]) -> None:
    # contacts are the one documented list without an example
    documented = {name for name, stream in STREAMS.items() if not stream.section}
    assert documented - set(examples) == {"contacts"}
    with Server(Account.empty(), limits=False) as server:
        copy = Copy(server, start_date="2010-01-01")
        for name, body in examples.items():
            stream = STREAMS[name]
            if isinstance(body.get("links"), dict):
                # the examples' links lead to the real Harvest
                body = {**body, "links": {"first": None, "next": None, "last": None}}
                body |= {"total_pages": 1}
            server.respond(stream.path.format(id=1), body)
        for name, parent in (("invoices", 1), ("estimates", 1), ("users", 1)):
            body = examples[name]
            roles = {"access_roles": ["manager"]} if name == "users" else {}
            only = {**body[name][0], "id": parent, **roles}
            server.respond(f"/{name}", {**body, name: [only], "links": {}, "total_pages": 1})
            examples[name] = {name: [only]}
        copy.run()
        for name, body in examples.items():
            stream = STREAMS[name]
            rows = [body] if name == "company" else body[stream.rows_in]
            extra: Dict[str, Any] = {stream.parent_key: 1} if stream.parent else {}
            if stream.kind == "report":
                # the same answer for each window
                extra = {"period_start": copy.table(name)[0]["period_start"].isoformat()}
            here = copy.rows(name)
            assert rows
            for row in rows:
                expected = _filled(flat({**row, **extra}))
                loaded = here[key_of(name, expected)]
                assert {field: loaded.get(field) for field in expected} == expected, name
