"""Where the next reading of a list begins, and which rows of this one are new."""

from typing import Any, Dict, Optional

import pytest

from harvest.streams.cursor import MOST_DIGESTS, Cursor

NOW = "2026-03-10T12:00:30Z"


def row(key: int, at: str, **more: Any) -> Dict[str, Any]:
    return {"id": key, "updated_at": f"2026-03-10T12:00:{at}Z", **more}


def place(state: Dict[str, Any]) -> Optional[str]:
    """Where the next reading begins."""
    found: Optional[str] = state["incremental"]["updated_at"]["last_value"]
    return found


def test_rows_at_the_cursors_second_come_once() -> None:
    state: Dict[str, Any] = {}
    first = Cursor(state, None)
    rows = [row(1, "05"), row(2, "10"), row(3, "10")]
    assert first.new(rows, NOW) == rows
    first.note()
    assert len(state["boundary"]) == 2
    again = Cursor(state, None)
    # one of them has changed within that second, one is new, the cursor's rows are known
    changed = [row(3, "10", notes="x"), row(4, "10")]
    assert again.new([row(2, "10"), *changed], NOW) == changed
    again.note()
    assert Cursor(state, None).new([row(2, "10"), *changed], NOW) == []


def test_too_many_rows_at_one_second_all_come_again() -> None:
    state: Dict[str, Any] = {}
    many = [row(key, "10") for key in range(MOST_DIGESTS + 1)]
    first = Cursor(state, None)
    first.new(many, NOW)
    first.note()
    assert state["boundary"] == []
    assert Cursor(state, None).new(many, NOW) == many


@pytest.mark.parametrize(
    ("before", "at", "now", "expected"),
    [
        (None, "10", NOW, "2026-03-10T12:00:10Z"),
        ("2026-03-10T12:00:05Z", "10", NOW, "2026-03-10T12:00:10Z"),
        ("2026-03-10T12:00:20Z", "10", NOW, "2026-03-10T12:00:20Z"),
        # a row that changed after Harvest was asked does not take the cursor along
        (None, "40", NOW, NOW),
    ],
)
def test_where_the_next_reading_begins(
    before: Optional[str], at: str, now: str, expected: str
) -> None:
    kept = {"incremental": {"updated_at": {"last_value": before}}}
    state: Dict[str, Any] = kept if before else {}
    cursor = Cursor(state, None)
    cursor.new([row(1, at)], now)
    assert place(state) == before
    cursor.note()
    assert place(state) == expected


def test_the_first_reading_begins_at_the_start() -> None:
    state: Dict[str, Any] = {}
    assert Cursor(state, "2026-01-01T00:00:00Z").since == "2026-01-01T00:00:00Z"
    assert place(state) == "2026-01-01T00:00:00Z"
    # the next one covers the cursor's own second in any case
    assert Cursor(state, None).since == "2025-12-31T23:59:59Z"


@pytest.mark.parametrize("earlier_notes_first", [True, False])
def test_of_two_readings_in_a_run_the_earlier_counts(earlier_notes_first: bool) -> None:
    """A pipe of the source and its table are read side by side: neither may lose a row."""
    state: Dict[str, Any] = {}
    earlier, later = Cursor(state, None), Cursor(state, None)
    earlier.new([row(1, "10")], NOW)
    later.new([row(1, "10"), row(2, "20")], NOW)
    for each in (earlier, later) if earlier_notes_first else (later, earlier):
        each.note()
    assert place(state) == "2026-03-10T12:00:10Z"
    assert Cursor(state, None).new([row(1, "10"), row(2, "20")], NOW) == [row(2, "20")]


@pytest.mark.parametrize("earlier_notes_first", [True, False])
def test_of_one_second_only_what_both_have_seen_is_known(earlier_notes_first: bool) -> None:
    state: Dict[str, Any] = {}
    earlier, later = Cursor(state, None), Cursor(state, None)
    earlier.new([row(1, "10")], NOW)
    later.new([row(1, "10"), row(2, "10")], NOW)
    for each in (earlier, later) if earlier_notes_first else (later, earlier):
        each.note()
    assert Cursor(state, None).new([row(1, "10"), row(2, "10")], NOW) == [row(2, "10")]
