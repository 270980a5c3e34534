"""Harvest's JSON as exact values, and the page that an answer brings."""

import json
import re
from functools import cache, cached_property
from typing import Any, Dict, List, Optional
from urllib.parse import parse_qs, urljoin, urlsplit

import msgspec
from dlt.common import Decimal

from ..settings import Stream
from ..typing import Row, Rows

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL, which PostgreSQL cannot store, and halves of characters, which nothing can."""

OWN_COLUMNS = frozenset({"deleted_at", "valid_from", "seen_at"})
"""Columns that any table of the source may have, whatever Harvest sends."""


class Page:
    """One answer of the API, decoded when its turn comes: as it came it is smaller.

    Args:
        stream (Stream): What was asked for.
        content (bytes): The answer.
        url (str): The address that it came from.
        now (str): Harvest's clock at the answer, as in `2017-06-26T21:01:52Z`.
        record (bool): A single record was asked for.

    Attributes:
        first (bool): A reading of the list begins with it.

    Raises:
        ValueError: The answer is no JSON.
        LookupError: It has no rows.
    """

    def __init__(
        self,
        stream: Stream,
        content: bytes,
        url: str = "",
        now: str = "",
        record: bool = False,
    ) -> None:
        if not has_rows(stream, content, record):
            raise LookupError(f"the answer has no {stream.rows_in or 'object'}")
        self.now = now
        self.first = False
        self._stream = stream
        self._content = content
        self._url = url
        self._record = record

    @cached_property
    def body(self) -> Row:
        """Return the JSON object; a bare list stands under `rows`."""
        value, self._content = decode(self._content), b""
        return value if isinstance(value, dict) else {"rows": value}

    @cached_property
    def rows(self) -> Rows:
        """Return the rows, or the object itself if it is a record."""
        return set_apart(find_rows(self._stream, self.body, self._record) or [])

    @property
    def next_url(self) -> Optional[str]:
        """Return the address of the next page."""
        return self._link("next")

    @property
    def last_url(self) -> Optional[str]:
        """Return the address of the last page."""
        return self._link("last")

    @property
    def total_entries(self) -> Optional[int]:
        """Return how many rows the list has on all pages, if the answer says so."""
        return _count(self.body.get("total_entries"))

    @property
    def total_pages(self) -> Optional[int]:
        """Return how many pages the list has, if the answer says so."""
        return _count(self.body.get("total_pages"))

    @property
    def is_numbered(self) -> bool:
        """Return whether further pages can be asked for by number, and are counted.

        >>> Page(STREAMS["roles"], b'{"roles": [], "total_pages": 3}').is_numbered
        False
        """
        if not self.total_pages or self.total_entries is None:
            return False
        if not self.next_url:
            return self.total_pages > 1
        query = parse_qs(urlsplit(self.next_url).query)
        return query.get("page") == ["2"] and "cursor" not in query

    def _link(self, name: str) -> Optional[str]:
        links = self.body.get("links")
        url = links.get(name) if isinstance(links, dict) else None
        return urljoin(self._url, str(url)) if url else None


def decode(content: bytes) -> Any:
    """Read JSON with exact decimals.

    U+FFFD replaces the characters that not every database can store.

    Raises:
        ValueError: It is no JSON.
    """
    # `_dlt_id` and its like are dlt's own, in lists as well
    if any(each in content for each in (b"\\u0000", b"\\ud", b"\\uD", b'"_dlt')):
        return _storable(json.loads(content, parse_float=Decimal))
    try:
        return _decoder().decode(content)
    except msgspec.MsgspecError:
        # what Python's own takes all the same, such as half a character
        return json.loads(content, parse_float=Decimal)


def has_rows(stream: Stream, content: bytes, record: bool = False) -> bool:
    """Return whether an answer is whole and has rows, without making values of it.

    Args:
        stream (Stream): The stream that was asked for.
        content (bytes): The answer.
        record (bool): A single record was asked for.

    Raises:
        ValueError: It is no JSON.
    """
    try:
        content.decode()
        fields = _decoder(Dict[str, msgspec.Raw]).decode(content)
        if record or not stream.rows_in:
            return True
        rows = _decoder(List[msgspec.Raw]).decode(fields[stream.rows_in])
        return all(bytes(row).startswith(b"{") for row in rows)
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
        # what is unusual is looked at as a whole
        return find_rows(stream, decode(content), record) is not None


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
    if rows is None and stream.section:
        lists = [value] if isinstance(value, list) else _lists_of_rows(value)
        rows = lists[0] if len(lists) == 1 else [value] if not lists else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None
    return rows


def set_apart(rows: Rows) -> Rows:
    """Return rows whose fields do not have the names of columns of the source's own.

    A `deleted_at` of Harvest's would delete the row here.

    >>> set_apart([{"id": 1, "deleted_at": "2026-03-10"}])
    [{'id': 1, 'harvest_deleted_at': '2026-03-10'}]
    """
    return [
        {f"harvest_{n}" if n in OWN_COLUMNS else n: v for n, v in row.items()}
        if not OWN_COLUMNS.isdisjoint(row)
        else row
        for row in rows
    ]


def is_int64(value: Any) -> bool:
    """Return whether a value is a number of 64 bits, or the text of one."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return bool(re.fullmatch(r"\d{1,18}", str(value)))


@cache
def _decoder(kind: Any = Any) -> Any:
    """Return what reads a page in less than half of the time of Python's own.

    It is made when it is needed, as `dlt init` imports this module without msgspec.
    """
    return msgspec.json.Decoder(kind, float_hook=Decimal)


def _count(value: Any) -> Optional[int]:
    return int(value) if is_int64(value) and not isinstance(value, bool) else None


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
        return {_name(name): _storable(item) for name, item in value.items()}
    return value


def _name(name: str) -> str:
    name = UNSTORABLE.sub("\ufffd", name)
    return f"harvest{name}" if name.startswith("_dlt") else name
