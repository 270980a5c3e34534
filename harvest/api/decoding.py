"""Harvest's JSON as exact values, and the page that an answer brings."""

import json
import re
from functools import cache
from typing import Any, Dict, List, NamedTuple, Optional

import msgspec
from dlt.common import Decimal

from ..settings import Stream
from ..typing import Row, Rows

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL, which PostgreSQL cannot store, and halves of characters, which nothing can."""


class Page(NamedTuple):
    """One answer of the API.

    Attributes:
        body (Dict[str, Any]): The JSON object; a bare list stands under `rows`.
        rows (List[Dict[str, Any]]): Its rows, or the object itself if it is a record.
        now (str): Harvest's clock at the answer, as in `2017-06-26T21:01:52Z`.
        first (bool): A reading of the list begins with it.
    """

    body: Row
    rows: Rows
    now: str
    first: bool = False

    @property
    def next_url(self) -> Optional[str]:
        """Return the address of the next page."""
        links = self.body.get("links")
        url = links.get("next") if isinstance(links, dict) else None
        return str(url) if url else None

    @property
    def total_entries(self) -> Optional[int]:
        """Return how many rows the list has on all pages, if the answer says so."""
        return _count(self.body.get("total_entries"))

    @property
    def total_pages(self) -> Optional[int]:
        """Return how many pages the list has, if the answer says so."""
        return _count(self.body.get("total_pages"))


def decode(content: bytes) -> Any:
    """Read JSON with exact decimals.

    U+FFFD replaces the characters that not every database can store.

    Raises:
        ValueError: It is no JSON.
    """
    if b"\\u0000" in content or b"\\ud" in content or b"\\uD" in content:
        return _storable(json.loads(content, parse_float=Decimal))
    try:
        return _decoder().decode(content)
    except msgspec.MsgspecError:
        # what Python's own takes all the same, such as half a character
        return json.loads(content, parse_float=Decimal)


def find_rows(stream: Stream, value: Any, record: bool = False) -> Optional[Rows]:
    """Return the rows of a decoded answer, or None if it has none.

    Of the sections that are hardly documented, a bare list or a list under an unknown
    name will do as well.

    Args:
        stream (Stream): The stream that was asked for.
        value (Any): The decoded answer.
        record (bool): A single record was asked for.
    """
    if not stream.rows_in or record:
        return [value] if isinstance(value, dict) else None
    rows = value.get(stream.rows_in) if isinstance(value, dict) else None
    if rows is None and stream.optional:
        lists = [value] if isinstance(value, list) else _lists_of_rows(value)
        rows = lists[0] if len(lists) == 1 else [value] if not lists else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None
    return rows


def identifies(value: Any) -> bool:
    """Return whether a value is a number of 64 bits, or the text of one."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return bool(re.fullmatch(r"\d{1,18}", str(value)))


@cache
def _decoder() -> Any:
    """Return what reads a page in less than half of the time of Python's own.

    It is made when it is needed, as `dlt init` imports this module without msgspec.
    """
    return msgspec.json.Decoder(float_hook=Decimal)


def _count(value: Any) -> Optional[int]:
    return int(value) if identifies(value) and not isinstance(value, bool) else None


def _lists_of_rows(value: Any) -> List[Rows]:
    """Return the lists of objects, and empty ones, in an answer under whatever name."""
    fields: Dict[str, Any] = value if isinstance(value, dict) else {}
    return [
        each
        for each in fields.values()
        if isinstance(each, list) and all(isinstance(row, dict) for row in each)
    ]


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(item) for name, item in value.items()}
    return value
