"""Where the next reading of a list begins, and which rows of this one are new."""

from types import SimpleNamespace
from typing import Any, Dict, Optional, Sequence

import pytest

from harvest.settings import STREAMS
from harvest.streams.cursor import MOST_DIGESTS, Cursor, NewRows
from harvest.streams.run import Run

NOW = "2026-03-10T12:00:30Z"
CLIENTS = STREAMS["clients"]


def at(second: str) -> str:
    return f"2026-03-10T12:00:{second}Z"


def row(key: int, second: str, **more: Any) -> Dict[str, Any]:
    return {"id": key, "updated_at": at(second), **more}


def run_of(state: Dict[str, Any], began: str = NOW) -> Run:
    """A run that has the state of a list from the last one."""
    return Run(0, began=began, state={"resources": {"clients": state}})


def reading(state: Dict[str, Any], start: Optional[str] = None) -> NewRows:
    return NewRows(run_of(state), CLIENTS, start)


def kept(last_value: Optional[str]) -> Dict[str, Any]:
    """State as dlt keeps that of an incremental."""
    return {"incremental": {"updated_at": {"last_value": last_value}}}


def test_rows_at_the_cursors_second_come_once() -> None:
    state: Dict[str, Any] = {}
    first = reading(state)
    rows = [row(1, "05"), row(2, "10"), row(3, "10")]
    assert first.of(rows) == rows
    first.end()
    assert len(state["boundary"]) == 2
    state.update(kept(at("10")))
    again = reading(state)
    # one of them has changed within that second, one is new, the cursor's rows are known
    changed = [row(3, "10", notes="x"), row(4, "10")]
    assert again.of([row(2, "10"), *changed]) == changed
    again.end()
    assert reading(state).of([row(2, "10"), *changed]) == []


def test_too_many_rows_at_one_second_all_come_again() -> None:
    state: Dict[str, Any] = {}
    many = [row(key, "10") for key in range(MOST_DIGESTS + 1)]
    first = reading(state)
    first.of(many)
    first.end()
    assert state["boundary"] == []
    assert reading(state).of(many) == many


@pytest.mark.parametrize(
    ("values", "began", "expected"),
    [
        ([at("10")], NOW, at("10")),
        ([at("10"), at("05")], NOW, at("10")),
        ([at("10"), at("20")], NOW, at("20")),
        # a row that changed after the run began does not take the cursor along
        ([at("40")], NOW, NOW),
        ([at("40"), at("05")], NOW, NOW),
        # nor does it go back if Harvest's clock was ahead
        ([at("10"), at("40")], NOW, at("40")),
    ],
)
def test_where_the_next_reading_begins(values: Sequence[str], began: str, expected: str) -> None:
    assert cursor_in(run_of({}, began)).latest(values) == expected


def cursor_in(run: Run) -> Cursor:
    return Cursor(SimpleNamespace(run=run), CLIENTS)  # type: ignore[arg-type]


def test_a_clock_that_goes_back_holds_no_row_back() -> None:
    """To dlt, a row before the last place is an old one: all others must come after it."""
    run = run_of(kept(at("40")), began=at("10"))
    NewRows(run, CLIENTS, None)
    cursor = cursor_in(run)
    for second in ("40", "50"):
        assert cursor.latest([at(second)]) == at("40")
        assert cursor.latest([at(second), at("40")]) == at("40")
    assert cursor.latest([at("39")]) == at("39")


@pytest.mark.parametrize(
    ("state", "start", "since"),
    [
        ({}, None, None),
        # the cursor's own second is covered in any case
        ({}, "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z"),
        (kept(at("10")), None, at("09")),
        # of a reading that did not come to its end, nothing counts
        ({**kept(at("10")), "unfinished": at("05")}, None, at("04")),
        ({**kept(at("10")), "unfinished": None}, None, None),
    ],
)
def test_since_when_a_list_is_read(
    state: Dict[str, Any], start: Optional[str], since: Optional[str]
) -> None:
    assert reading(state, start).since == since


def test_a_reading_that_does_not_end_is_undone() -> None:
    state = kept(at("10"))
    cut = reading(state)
    cut.of([row(1, "20")])
    assert state["unfinished"] == at("10")
    whole = reading(state)
    whole.of([row(1, "20")])
    whole.end()
    assert "unfinished" not in state


def test_of_two_readings_in_a_run_no_row_of_the_last_second_is_known() -> None:
    """One of them may have been a moment too early to see all of that second."""
    state: Dict[str, Any] = {}
    run = run_of(state)
    earlier, later = NewRows(run, CLIENTS, None), NewRows(run, CLIENTS, None)
    earlier.of([row(1, "10")])
    later.of([row(1, "10"), row(2, "10")])
    for each in (earlier, later):
        each.end()
    assert reading(state).of([row(1, "10"), row(2, "10")]) == [row(1, "10"), row(2, "10")]
