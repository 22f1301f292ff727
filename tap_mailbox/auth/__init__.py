"""Who we are: turns a configured sign-in method into a credential; never opens a mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_mailbox.auth.password import PasswordCredential, password_credential
from tap_mailbox.errors import CredentialError

if TYPE_CHECKING:
    from tap_mailbox.config import Account, AuthMethod

__all__ = ["PasswordCredential", "credential_for"]


def credential_for(account: Account, method: AuthMethod) -> PasswordCredential:
    """Return the credential that *method* describes.

    Raises:
        CredentialError: it is missing, unreadable, or of a kind this version does not speak.
    """
    match method.method:
        case "password":
            return password_credential(method, email=account.email)
        case other:
            raise CredentialError(
                f"sign-in method {other} is not available in this version; add a method: password "
                "(with an app password where the provider asks for one)"
            )
