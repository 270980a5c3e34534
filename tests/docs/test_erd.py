"""The picture of the tables is current, and has each reference the right way round."""

import importlib.util
import re
from copy import deepcopy
from types import ModuleType

import pytest
import yaml

from tests.script import ROOT


def script(path: str) -> ModuleType:
    """A script of this repository, as a module."""
    spec = importlib.util.spec_from_file_location("script", ROOT / path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCHEMA = yaml.safe_load((ROOT / "harvest" / "schema.yaml").read_text(encoding="utf-8"))


def test_the_picture_is_current() -> None:
    erd = script("docs/generate_erd.py")
    assert erd.PICTURE.read_text(encoding="utf-8") == erd.render(SCHEMA["tables"])


def test_each_line_leads_from_many_rows_to_one() -> None:
    erd = script("docs/generate_erd.py")
    drawn = " ".join(erd.COLUMNS).split()
    titles = re.findall("<title>(.+?)</title>", erd.render(SCHEMA["tables"]))
    assert len(titles) > 25
    assert "time_entries.project__id leads to projects: many to one" in titles
    for name in drawn:
        for reference in SCHEMA["tables"][name].get("references", []):
            if reference["referenced_table"] in drawn:
                column, target = reference["columns"][0], reference["referenced_table"]
                assert f"{name}.{column} leads to {target}: many to one" in titles


def test_a_cardinality_that_it_cannot_draw_is_refused() -> None:
    erd = script("docs/generate_erd.py")
    tables = deepcopy(SCHEMA["tables"])
    tables["contacts"]["references"][0]["cardinality"] = "one_to_many"
    with pytest.raises(KeyError, match="one_to_many"):
        erd.render(tables)


def test_the_sources_of_the_models_are_current() -> None:
    sources = script("models/generate_sources.py")
    assert sources.FILE.read_text(encoding="utf-8") == sources.render(SCHEMA)
