"""Which rows were met, and whether a reading of a list can have missed one."""

import json
from typing import Any, Dict, List, Tuple

import pytest

from harvest.api.completeness import CompletenessCheck
from harvest.api.decoding import Page
from harvest.api.ids import Ids, first_met
from harvest.settings import STREAMS

BEGAN = "2026-03-10T12:00:00Z"
BEFORE = "2026-03-09T12:00:00Z"
AFTER = "2026-03-10T12:00:01Z"
ENTRIES = STREAMS["time_entries"]
NEXT = "https://api.harvestapp.com/v2/time_entries?page=2&per_page=2000"


def page(about: Dict[str, Any], rows: List[Dict[str, Any]]) -> Page:
    return Page(ENTRIES, json.dumps({**about, "time_entries": rows}).encode(), now=BEGAN)


@pytest.mark.parametrize(
    ("link", "about", "expected"),
    [
        (NEXT, {"total_pages": 3, "total_entries": 5}, True),
        (NEXT, {"total_pages": "3", "total_entries": "5"}, True),
        (NEXT, {"total_pages": 3}, False),
        (NEXT, {"total_entries": 5}, False),
        (NEXT, {"total_pages": None, "total_entries": None}, False),
        (None, {"total_pages": 1, "total_entries": 5}, False),
        # without a link, the counts say that there is more
        (None, {"total_pages": 3, "total_entries": 5}, True),
        (None, {"total_pages": 3}, False),
        (NEXT + "&cursor=abc", {"total_pages": 3, "total_entries": 5}, False),
        ("https://x/v2/clients?cursor=abc", {"total_pages": 3, "total_entries": 5}, False),
        ("https://x/v2/clients?page=7", {"total_pages": 9, "total_entries": 5}, False),
    ],
)
def test_is_numbered(link: Any, about: Dict[str, Any], expected: bool) -> None:
    assert page({"links": {"next": link}, **about}, []).is_numbered is expected


@pytest.mark.parametrize("links", [None, [], "x", {}, {"next": None}, {"next": ""}])
def test_a_page_without_a_next_one(links: Any) -> None:
    assert page({"links": links}, []).next_url is None
    assert page({}, []).next_url is None


def reading(
    pages: List[List[Tuple[int, str]]],
    totals: List[int],
    first: bool = True,
    stamp: str = "created_at",
    known: Ids | None = None,
) -> CompletenessCheck:
    """One reading of pages of ids, each with the second since which it is in the list."""
    check = CompletenessCheck("time_entries", stamp, first_reading=first)
    yielded = Ids() if known is None else known
    for number, (rows, total) in enumerate(zip(pages, totals, strict=True), 1):
        links = {"next": NEXT} if number == 1 else {}
        body = {"links": links, "total_pages": len(pages), "total_entries": total}
        found = [{"id": key, stamp or "created_at": since} for key, since in rows]
        check.count(page(body, found), first_met(found, yielded))
    return check


OLD = [(number, BEFORE) for number in range(10)]


@pytest.mark.parametrize(
    ("pages", "totals", "complete"),
    [
        ([OLD[:5], OLD[5:]], [10, 10], True),
        # one row was added before the others: it comes along, and one is met twice
        ([OLD[:5], [*OLD[4:9]], OLD[9:]], [10, 11, 11], True),
        # a row of the first page was deleted: one slipped through
        ([OLD[:5], OLD[6:]], [10, 9], False),
        # one was deleted and one added, so that the count stands still
        ([OLD[:5], [*OLD[6:], (99, AFTER)]], [10, 10], False),
        # in the first reading, what came in the second in which it began is taken for new
        ([OLD[:5], [*OLD[5:9], (99, BEGAN)]], [10, 10], False),
    ],
)
def test_completeness(pages: Any, totals: List[int], complete: bool) -> None:
    assert reading(pages, totals).complete is complete


def test_a_later_reading_takes_rows_of_its_first_second_for_old() -> None:
    pages = [OLD[:5], [*OLD[5:9], (99, BEGAN)]]
    assert reading(pages, [10, 10], first=False).complete


@pytest.mark.parametrize(
    ("pages", "totals", "complete"),
    [
        ([OLD[:5], OLD[5:]], [10, 10], True),
        ([OLD[:5], OLD[5:]], [10, 11], False),
        ([OLD[:5], OLD[6:]], [10, 10], False),
    ],
)
def test_completeness_without_a_stamp(pages: Any, totals: List[int], complete: bool) -> None:
    assert reading(pages, totals, stamp="").complete is complete


@pytest.mark.parametrize(
    ("again", "totals", "settles"),
    [
        # the count is wrong for good
        ([OLD[:5], OLD[5:9]], [10, 10], True),
        # the row is there after all
        ([OLD[:5], OLD[5:]], [10, 10], False),
        # the count moved meanwhile
        ([OLD[:5], OLD[5:9]], [10, 9], False),
        ([OLD[:5], OLD[5:9]], [11, 11], False),
    ],
)
def test_a_count_that_is_wrong_settles(again: Any, totals: List[int], settles: bool) -> None:
    known = Ids()
    before = reading([OLD[:5], OLD[5:9]], [10, 10], known=known)
    assert not before.complete
    assert reading(again, totals, first=False, known=known).settles(before) is settles


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ([[3, 1, 2], [2, 4]], [[3, 1, 2], [4]]),
        ([[10, 1], [5, 6], [5, 1, 7]], [[10, 1], [5, 6], [7]]),
        ([["a", 1], ["a", "b", 1]], [["a", 1], ["b"]]),
        ([[-(2**63), 2**63 - 1], [-(2**63), 0]], [[-(2**63), 2**63 - 1], [0]]),
        ([[], [1], []], [[], [1], []]),
    ],
)
def test_ids(pages: List[List[Any]], expected: List[List[Any]]) -> None:
    ids = Ids()
    assert [ids.add(page) for page in pages] == [set(each) for each in expected]


def test_rows_without_ids_are_told_by_their_content() -> None:
    met = Ids()
    assert first_met([{"x": 1}, {"x": 1}, {"id": "7"}, {"id": 7, "x": 2}], met) == [
        {"x": 1},
        {"id": 7, "x": 2},
    ]
    assert first_met([{"x": 1}, {"x": 2}, {"id": 7}], met) == [{"x": 2}]
