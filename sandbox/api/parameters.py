"""Query parameters: what they may be, and what they mean."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import Any

import orjson

from .errors import Refusal

MAX_PER_PAGE = 2000


def positive(name: str, value: str) -> int:
    """Return a whole number from 1 up.

    Raises:
        Refusal: it is none.
    """
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
        raise Refusal(422, f"{name} must be a whole number from 1 up.")
    return int(value)


def page_size(value: str | None, default: int) -> int:
    """Return how many rows a page has.

    Raises:
        Refusal: it is no number, or too high.
    """
    size = default if value is None else positive("per_page", value)
    if size > MAX_PER_PAGE:
        raise Refusal(422, f"per_page must be between 1 and {MAX_PER_PAGE}.")
    return size


def parse(name: str, kind: str, text: str) -> Any:
    """Return a query parameter as the database compares it.

    Args:
        name: of the parameter.
        kind: int, ints, bool, date, time, text, or the values that there are, separated by `|`.
        text: its value.

    Raises:
        Refusal: it is not of that kind.
    """
    try:
        value = _parsed(kind, text)
    except (ValueError, OverflowError):
        value = None
    if value is None:
        raise Refusal(422, f"{name} has a value that it cannot have: {text!r}.")
    return value


def _parsed(kind: str, text: str) -> Any:
    if kind == "text":
        return text
    if kind == "int":
        return int(text) if re.fullmatch(r"\d{1,18}", text) else None
    if kind == "ints":
        numbers = [int(each) for each in text.split(",")]
        return orjson.dumps(numbers).decode()
    if kind == "bool":
        return {"true": 1, "false": 0}.get(text)
    if kind == "date":
        return _day(text)
    if kind == "time":
        return _moment(text)
    return text if text in kind.split("|") else None


def _day(text: str) -> str | None:
    if not re.fullmatch(r"\d{8}|\d{4}-\d\d-\d\d", text):
        return None
    digits = text.replace("-", "")
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).isoformat()


def _moment(text: str) -> str:
    moment = datetime.fromisoformat(re.sub(r"[Zz]$", "+00:00", text))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    # Records carry whole seconds: a fraction excludes the second that it is in.
    moment += timedelta(seconds=1 if moment.microsecond else 0)
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
