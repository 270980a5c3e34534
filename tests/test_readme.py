"""What the READMEs say about streams and settings is what the source has."""

import inspect
import re
from pathlib import Path

from harvest import harvest_source
from harvest.settings import STREAMS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()

FRESH = {
    "list": "changes, by `updated_since`",
    "whole": "whole, each run",
    "child": "for new and changed {parent}; for all of them daily",
    "report": "windows of time",
}


def test_the_table_of_streams() -> None:
    rows = re.findall(r"^\| (\w+) \| `(/[^`]*)` \| ([^|]*) \| ([^|]*) \|$", README, re.MULTILINE)
    expected = [
        (
            stream.name,
            stream.path.replace("{id}", f"{{{stream.parent_key}}}"),
            FRESH[stream.kind].format(parent=stream.parent),
            ", ".join(stream.key) or "none",
        )
        for stream in STREAMS.values()
    ]
    assert rows == expected


def test_the_table_of_settings() -> None:
    section = README.split("### Settings")[1].split("\n### ")[0]
    named = {
        name
        for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert named == set(inspect.signature(harvest_source).parameters)
    for name, parameter in inspect.signature(harvest_source).parameters.items():
        if isinstance(parameter.default, (int, float)):
            assert f"{parameter.default:g}" in section, name


def test_the_short_readme_names_every_stream() -> None:
    short = (ROOT / "harvest" / "README.md").read_text()
    named = set(re.findall(r"\w+", short.split("| resources |")[1].split("\n\n")[0]))
    assert named >= set(STREAMS)


def test_the_requirements_are_the_same() -> None:
    # `dlt init` adds the extra of the destination to dlt's line
    assert ROOT.joinpath("harvest", "requirements.txt").read_text().splitlines() == [
        line.replace("[duckdb,bigquery]", "")
        for line in ROOT.joinpath("requirements.txt").read_text().splitlines()
        if line[0] != "#" and "pendulum" not in line
    ]
