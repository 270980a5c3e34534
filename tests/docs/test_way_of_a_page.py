"""CONTRIBUTING.md tells the way of a page: it passes these functions, in this order."""

import re
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any, List, Tuple

from tests.copy import Copy
from tests.script import ROOT

HARVEST = ROOT / "harvest"
FUNCTION = re.compile(r"(\w+)\(\)")


def described() -> List[Tuple[str, List[str]]]:
    """The files of the way, and the functions that are named of each."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    block = text.split("## The way of a page")[1].split("```")[1]
    found = []
    for line in block.strip().splitlines():
        file, what = line.split(maxsplit=1)
        found.append((file.removeprefix("harvest/"), FUNCTION.findall(what)))
    return found


def test_the_way_of_a_page(copy: Copy) -> None:
    called: List[Tuple[str, str]] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(str(HARVEST)):
            place = (Path(path).relative_to(HARVEST).as_posix(), frame.f_code.co_name)
            called.append(place)

    # that of the event loop and those of the requests are made later
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        copy.run("clients")
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    way = described()
    assert len({file for file, _ in way}) <= 12
    calls = iter(called)
    for file, functions in way:
        for name in functions:
            # the requests for the owner of the token pass some of them as well
            assert (file, name) in calls, f"{name}() of {file} was not called in its turn"
