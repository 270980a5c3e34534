"""The page's code about personal data empties every column that is marked, and no other."""

from typing import Any, Dict

import pytest
import yaml

from harvest.reconcile import verify
from sandbox import Server
from tests.copy import Copy
from tests.docs.test_docs import blocks, sections
from tests.script import ROOT

TABLES = yaml.safe_load((ROOT / "harvest" / "schema.yaml").read_text(encoding="utf-8"))["tables"]


@pytest.mark.long
def test_the_code_of_the_page_leaves_out_what_is_marked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = blocks(sections("how-to.md")["Leave out personal data"], "python")
    plain, copy = Copy(server, name="plain"), Copy(server)
    for name, value in copy.settings.items():
        monkeypatch.setenv(f"SOURCES__HARVEST__{name.upper()}", str(value))
    scope: Dict[str, Any] = {}
    exec(code, scope)
    plain.run()
    copy.pipeline.run(scope["source"])
    kept = emptied = 0
    for table, declared in TABLES.items():
        if table.startswith("_dlt") or table not in plain.pipeline.default_schema.tables:
            continue
        if table == "removed_rows":
            continue
        before, after = plain.table(table), copy.table(table)
        for column, hints in declared["columns"].items():
            if column.startswith("_dlt"):
                continue
            was = sorted(str(row[column]) for row in before)
            now = sorted(str(row[column]) for row in after)
            if hints.get("x-annotation-pii"):
                assert set(now) <= {"None"}, f"{table}.{column}"
                emptied += was != now
            else:
                assert was == now, f"{table}.{column}"
                kept += 1
    assert emptied > 40
    assert kept > 400
    assert verify(copy.pipeline, scope["source"]).equal
