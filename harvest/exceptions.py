"""The errors of the source: each message is one sentence for the user."""


class HarvestError(Exception):
    """An error that the user can act upon: the message says what, and the way out."""


class AccessRefused(HarvestError):
    """The token's owner may not read this, or the account does not have it.

    Attributes:
        status (int): The HTTP status, 403 or 404.
        said (str): What Harvest says about it, as a part of a sentence, or nothing.
    """

    def __init__(self, message: str, status: int = 403, said: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.said = said


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
