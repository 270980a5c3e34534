"""Credentials as people paste them: with quotes, a scheme and white space around."""

import re

from ..exceptions import HarvestError

QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "‘": "’", "«": "»"}  # noqa: RUF001
"""The marks of a quotation, opening and closing, as shells and word processors have."""


def clean(value: str, name: str = "access_token") -> str:
    """Return a credential without white space, quotes and `Bearer` around it.

    Args:
        value (str): The credential as it was set.
        name (str): Name of the setting, for the error.

    Returns:
        str: The credential, which is empty if nothing else was there.

    Raises:
        HarvestError: A character inside cannot be in a header. The sentence does not
            quote the value.

    Example:
        >>> clean(' "Bearer 1234.pt.abc" ')
        '1234.pt.abc'
    """
    before = None
    while value != before:
        before = value
        value = _unquoted(re.sub(r"^bearer(\s+|$)", "", value.strip(), flags=re.I))
    if wrong := re.search(r"[^\x21-\x7e]", value):
        raise HarvestError(
            f"{name} has a character in it that no credential has"
            f" ({_described(wrong.group())} at place {wrong.start() + 1}):"
            " copy it from Harvest once more, in one piece."
        )
    return value


def _unquoted(value: str) -> str:
    closing = QUOTES.get(value[:1])
    quoted = len(value) > 1 and value[-1] == closing
    return value[1:-1] if quoted else value


def _described(character: str) -> str:
    names = {"\n": "a line break", "\r": "a line break", " ": "a space", "\t": "a tab"}
    return names.get(character, f"U+{ord(character):04X}")
