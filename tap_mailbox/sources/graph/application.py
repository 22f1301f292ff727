"""What the mailboxes of one application share in a run: how fast it may ask, and its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_mailbox.auth import credential_for
from tap_mailbox.auth.bearer import BearerCredential
from tap_mailbox.errors import CredentialError
from tap_mailbox.sources.graph.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_mailbox.config import Account, AuthMethod


class Application:
    """One application of the sign-in service."""

    def __init__(self, check: Callable[[], None]) -> None:
        self.pace = Pace(check)
        self._credentials: dict[AuthMethod, BearerCredential] = {}

    def credential(self, account: Account, method: AuthMethod) -> BearerCredential:
        """Return the credential of *method*, the same for every mailbox.

        Raises:
            CredentialError: it is missing or broken, or gives no tokens.
        """
        found = self._credentials.get(method)
        if found is None:
            made = credential_for(account, method)
            if not isinstance(made, BearerCredential):
                raise CredentialError("Graph takes tokens alone; name a method: msal")
            found = self._credentials[method] = made
        return found
