"""Refusals of the API."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A request that is answered with an error.

    Args:
        status: the HTTP status.
        message: what is wrong.
        error: the error's code where the API gives one, as sign-in does.
    """

    def __init__(self, status: int, message: str, error: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"message": message}
        if error:
            self.body = {"error": error, "error_description": message}


def not_found() -> Refusal:
    """Return the refusal of a path or a record that does not exist."""
    refusal = Refusal(404, "Not Found")
    refusal.body = {"status": 404, "error": "Not Found"}
    return refusal
