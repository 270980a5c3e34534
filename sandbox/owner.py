"""The owner of the tokens, and what that person may see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from . import visibility
from .account import Account
from .reports import REPORTS
from .sign_in import SignIn
from .store import Conditions

ROLES = ("administrator", "manager", "member")


class Owner(SignIn):
    """Whose tokens they are.

    Args:
        account: whose users own the tokens.
        tokens: personal access tokens that are valid; one is made up by default.

    Attributes:
        owner: the id of the user whom the tokens belong to; None for the first administrator.
            What that user's access roles let through is what lists hold.
    """

    def __init__(self, account: Account, tokens: Iterable[str] | None = None) -> None:
        super().__init__(account, tokens)
        self.owner: int | None = None

    def owned_by(self, role: str) -> int:
        """Give the tokens to the first active user of a role, and return the user's id.

        Args:
            role: administrator, manager or member.

        Raises:
            ValueError: there is no such role, or nobody who has it.
        """
        if role not in ROLES:
            raise ValueError(f"There is no role {role!r}; there are {', '.join(ROLES)}.")
        for user in self.account.rows_where("users", "is_active"):
            if user["access_roles"][:1] == [role]:
                self.owner = int(user["id"])
                return self.owner
        raise ValueError(
            f"The account has no {role}; add one: account.add('users', access_roles=[{role!r}])"
        )

    def current_user(self) -> int | None:
        """Return the id of the user whom the tokens belong to."""
        if self.owner is None or not self.account.exists("users", self.owner):
            self.owner = self.account.current_user()
        return self.owner

    def who(self) -> dict[str, Any]:
        """Return what `/accounts` says of the owner of the token."""
        user = self.account.get("users", self.current_user() or 0) or {}
        return {name: user.get(name) for name in ("id", "first_name", "last_name", "email")}

    def seen(self, stream: str) -> str | None:
        """Return the SQL condition on the rows that the owner sees, or None for none at all."""
        if stream in ("", "company"):
            return visibility.ALL
        owner = self.current_user()
        if owner is None:
            return visibility.ALL
        held = orjson.loads(self.account.columns_of("users", owner)["access_roles"] or "[]")
        role = next((role for role in ROLES if role in held), "member")
        return visibility.condition(role, owner, "reports" if stream in REPORTS else stream)

    def conditions_on(self, stream: str) -> Conditions:
        """Return the condition on the rows that the owner of the token sees."""
        seen = self.seen(stream) or visibility.ALL
        return () if seen == visibility.ALL else ((seen, None),)

    def is_seen(self, table: str, id: int) -> bool:
        """Return whether there is a record that the owner of the token sees."""
        return self.account.exists(table, id, self.seen(table) or "0")
