"""What the READMEs say about streams and settings is what the source has."""

import inspect
import re
import sys
from pathlib import Path
from typing import Set

import pytest

from harvest import harvest_source
from harvest.settings import ADMINISTRATOR, INVOICES, MANAGER, STREAMS, Stream
from tests.script import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
STREAMS_PAGE = (ROOT / "docs" / "streams.md").read_text()
SETTINGS_PAGE = (ROOT / "docs" / "command-line.md").read_text()

FRESH = {
    "list": "changes, by `updated_since`",
    "whole": "whole, each run",
    "yearly": "this year and the last, each run",
    "child": "for new and changed {parent}; for all of them daily",
    "report": "windows of time",
}

ROLES = {
    ADMINISTRATOR: "Administrator",
    MANAGER: "Manager",
    INVOICES: "Manager with invoices",
}


def path_of(stream: Stream) -> str:
    query = "&".join(f"{name}={value}" for name, value in stream.params.items())
    path = f"{stream.path}?{query}" if query else stream.path
    return path.replace("{id}", f"{{{stream.parent_key}}}")


def test_the_table_of_streams() -> None:
    line = r"^\| (\w+) \| `(/[^`]*)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$"
    rows = re.findall(line, STREAMS_PAGE, re.MULTILINE)
    expected = [
        (
            stream.name,
            path_of(stream),
            FRESH[stream.kind].format(parent=stream.parent),
            ", ".join(stream.key) or "none",
            ROLES[stream.permission],
        )
        for stream in STREAMS.values()
    ]
    assert rows == expected


TOLD = {
    "account_id": "the token's only one",
    "start_date": "everything",
    "include_fixed_fee": "Harvest's",
    "table_format": "the destination's",
    "user_agent": "`dlt-harvest (…)`",
    "base_url": "Harvest's",
    "id_url": "Harvest's",
}
"""Defaults that the page tells in words."""


def told(name: str, default: object) -> str:
    """The default of a setting, as the page tells it."""
    if name in TOLD:
        return TOLD[name]
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, (int, float)):
        return f"{default:g}"
    return f"`{default}`" if default else ""


def test_the_table_of_settings() -> None:
    """Each setting is in it, with its own default."""
    section = SETTINGS_PAGE.split("## Settings")[1]
    found = {}
    for names, default in re.findall(r"^\| (`.*?) \| ?([^|]*?) \|", section, re.MULTILINE):
        settings = re.findall(r"`(\w+)`", names)
        # two that belong together have one default for both in words, else one each
        defaults = default.split(", ") if ", " in default else [default] * len(settings)
        found.update(zip(settings, defaults, strict=True))
    parameters = inspect.signature(harvest_source).parameters
    assert found == {name: told(name, each.default) for name, each in parameters.items()}


def test_the_short_readme_names_every_stream() -> None:
    short = (ROOT / "harvest" / "README.md").read_text()
    named = set(re.findall(r"\w+", short.split("| resources |")[1].split("\n\n")[0]))
    assert named >= set(STREAMS)


def anchors(page: str) -> Set[str]:
    """The anchors of the headings of a page, as GitHub makes them."""
    plain = [re.sub(r"[^\w\- ]", "", head) for head in re.findall(r"^#+ (.*)$", page, re.MULTILINE)]
    return {head.lower().replace(" ", "-") for head in plain}


def test_the_number_of_streams_in_words() -> None:
    for page in (*PAGES, ROOT / "harvest" / "README.md"):
        for number in re.findall(r"\b(\d+) (?:\w+ )?streams\b", page.read_text()):
            # what other tools have is told in the pages about them, and beside ours
            assert int(number) == len(STREAMS) or "migrating" in page.name, page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text()), link


def test_the_requirements_are_the_same() -> None:
    lines = [
        line
        for line in ROOT.joinpath("requirements.txt").read_text().splitlines()
        if line[0] != "#"
    ]
    with ROOT.joinpath("pyproject.toml").open("rb") as file:
        settings = tomllib.load(file)
    project = settings["project"]
    # BigQuery is an extra of the wheel, whose packages DuckDB alone does not need
    assert project["dependencies"] == [line.replace("duckdb,bigquery", "duckdb") for line in lines]
    for name in ("models", "app"):
        assert project["optional-dependencies"][name] == settings["dependency-groups"][name]
    # `dlt init` adds the extra of the destination to dlt's line
    assert ROOT.joinpath("harvest", "requirements.txt").read_text().splitlines() == [
        line.replace("[duckdb,bigquery]", "") for line in lines if "pendulum" not in line
    ]
