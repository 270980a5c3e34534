"""Which fields an account sends: the documented ones, what live accounts add, and more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import orjson

_CHANNELS = ("web", "import", "mobile", "calendar")


def _unforeseen(number: int) -> bytes:
    members = {
        "is_starred": number % 3 == 0,
        "source_label": f"{_CHANNELS[number % 4]} {number}",
        "effort_score": round(0.05 + number * 1.37, 2),
        "archive_reason": None,
        "provenance": {"channel": _CHANNELS[number % 4], "revision": number + 1},
    }
    return orjson.dumps(members)[1:-1]


_VARIANTS = [_unforeseen(number) for number in range(16)]


def _variant(row: bytes) -> bytes:
    # By the first field, which is the id, so that a row always has the same.
    return _VARIANTS[crc32(row[: row.find(b",")]) % len(_VARIANTS)]


UNFORESEEN = ("is_starred", "source_label", "effort_score", "archive_reason", "provenance")
"""The fields that nobody has declared: a boolean, a text, a number with a fraction, one that is
null in every row, and an object of two fields."""


@dataclass(frozen=True)
class Fields:
    """Which fields the rows have.

    Attributes:
        documented_only: leave out what live accounts send beyond the documentation.
        unforeseen: add the fields of `UNFORESEEN` to every row of every stream.
        on_request: the names of fields that are sent only where they are asked for.
        more: fields to add to every row of a stream, by its name.

    Example:
        >>> account.fields = Fields(more={"clients": {"labels": ["a", "b"]}})
    """

    documented_only: bool = False
    unforeseen: bool = False
    on_request: frozenset[str] = frozenset()
    more: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, documented_only: bool, unforeseen: bool, saml_exempt: bool) -> Fields:
        """Return the fields by the switches that an account is made with."""
        on_request = frozenset({"saml_exempt"} if saml_exempt else ())
        return cls(documented_only, unforeseen, on_request)

    def complete(self, stream: str, rows: list[bytes]) -> list[bytes]:
        """Return rows, each as JSON, with the fields that are added to them."""
        if self.unforeseen:
            rows = [b"%b,%b}" % (row[:-1], _variant(row)) for row in rows]
        if more := self.more.get(stream):
            members = orjson.dumps(dict(more))[1:-1]
            rows = [b"%b,%b}" % (row[:-1], members) for row in rows]
        return rows


LIVE = Fields()
"""What live accounts send."""
