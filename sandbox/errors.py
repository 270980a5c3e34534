"""Refusals of the API."""

from __future__ import annotations


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
        body = {"error": error, "error_description": message} if error else {"message": message}
        self.body = ({} if error else {"code": status}) | body


def not_found() -> Refusal:
    """Return the refusal of a path or a record that does not exist."""
    refusal = Refusal(404, "Not Found")
    refusal.body = {"status": 404, "error": "Not Found"}
    return refusal
