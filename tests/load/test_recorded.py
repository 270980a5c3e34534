"""Answers of real accounts, as others recorded them, arrive with every value."""

import json
import re
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from harvest.settings import STREAMS, Stream
from sandbox import Account, Server
from tests.copy import Copy, _filled, flat, key_of
from tests.script import ROOT

RECORDED = ROOT.parent / "shared" / "recorded"
QUERY = r"(_(page|per_page|to|state)-[^_]+)*(_\d{8}_\d{8})?(_\d{1,2})?"
"""What a file's name has behind the path: parameters, the days of a report, a number."""


def stream_of(file: Path) -> Tuple[str, Any]:
    """The stream of which a file is an answer, and the id of the parent; nothing for others."""
    for name, stream in STREAMS.items():
        path = stream.path.strip("/").replace("/", "_").replace("{id}", r"(?P<id>\d+)")
        if found := re.fullmatch(path + QUERY, file.stem):
            return name, found.groupdict().get("id")
    return "", None


def rows_in(folder: Path) -> Dict[Tuple[str, Any], List[Dict[str, Any]]]:
    """The rows of each stream and parent in a folder, each once, as it was recorded last."""
    found: Dict[Tuple[str, Any], Dict[Any, Dict[str, Any]]] = {}
    for file in sorted(folder.glob("*.json")):
        name, parent = stream_of(file)
        body = json.loads(file.read_text())
        if not name or "_status" in body:
            continue
        stream = STREAMS[name]
        rows = body[stream.rows_in] if stream.rows_in else [body]
        kept = found.setdefault((name, parent), {})
        for row in rows:
            names = [each for each in stream.key if each not in stream.merge_key]
            kept[tuple(flat(row).get(each) for each in names) or 0] = row
    return {which: list(rows.values()) for which, rows in found.items()}


def answer(stream: Stream, rows: List[Dict[str, Any]]) -> Dict[str, Any]:
    if not stream.rows_in:
        return rows[0]
    links = {"first": None, "next": None, "previous": None, "last": None}
    counts = {"total_pages": 1, "total_entries": len(rows), "page": 1, "per_page": 2000}
    return {stream.rows_in: rows, "links": links, **counts}


FOLDERS = [path for path in sorted(RECORDED.glob("*")) if path.is_dir() and rows_in(path)]


@pytest.mark.skipif(
    not FOLDERS, reason="the recorded answers of real accounts are not beside this clone"
)
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_recorded_value_arrives(folder: Path) -> None:
    recorded = rows_in(folder)
    parents: Dict[str, List[Dict[str, Any]]] = {}
    with Server(Account.empty(), limits=False) as server:
        for (name, parent), rows in recorded.items():
            stream = STREAMS[name]
            server.respond(stream.path.replace("{id}", str(parent)), answer(stream, rows))
            if stream.parent:
                known = recorded.get((stream.parent, None), [])
                if not any(str(row["id"]) == parent for row in known):
                    parents.setdefault(stream.parent, []).append({"id": int(parent)})
        for name, rows in parents.items():
            listed = [*recorded.get((name, None), []), *rows]
            server.respond(STREAMS[name].path, answer(STREAMS[name], listed))
        copy = Copy(server)
        copy.run()
        values = 0
        for (name, parent), rows in recorded.items():
            stream, here = STREAMS[name], copy.rows(name)
            shared: Dict[str, Any] = {stream.parent_key: int(parent)} if parent else {}
            for row in rows:
                # a report has the same answer in each window
                windows = {key[-1] for key in here} if stream.report else {None}
                for start in windows:
                    dated = {"period_start": start} if stream.report else {}
                    expected = _filled(flat({**row, **shared, **dated}))
                    loaded = here[key_of(name, expected)]
                    assert {field: loaded.get(field) for field in expected} == expected, name
                values += len(flat(row))
    print(f"{folder.name}: {values:,} values in {len(recorded)} answers")
