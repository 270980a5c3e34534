"""The errors of the source: each message is one sentence for the user."""


class HarvestError(Exception):
    """An error that the user can act upon: the message says what, and the way out."""


class AccessRefused(HarvestError):
    """The token's owner may not read this, or the account does not have it.

    Attributes:
        status (int): The HTTP status, 403 or 404.
    """

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


class RecordDeleted(HarvestError):
    """Harvest no longer has the record that was asked for.

    Attributes:
        status (int): The HTTP status: 404, or 422 where the record has lost a role.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnsteadyList(HarvestError):
    """A list changed each time that it was read."""
