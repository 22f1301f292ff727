"""Who we are: turns a configured sign-in method into a credential; never opens a mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_mailbox.auth.bearer import BearerCredential
from tap_mailbox.auth.password import PasswordCredential, password_credential
from tap_mailbox.auth.seal import SealBroken, keys
from tap_mailbox.auth.token_file import TokenFile
from tap_mailbox.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_mailbox.config import Account, AuthMethod

__all__ = ["BearerCredential", "PasswordCredential", "check_keys", "credential_for"]


def credential_for(account: Account, method: AuthMethod) -> PasswordCredential | BearerCredential:
    """Return the credential that *method* describes; nobody is asked yet but a `password_command`.

    Raises:
        CredentialError: it is missing, unreadable or incomplete.
    """
    match method.method:
        case "password":
            return password_credential(method, email=account.email)
        case "msal":
            from tap_mailbox.auth.microsoft import MicrosoftCredential  # noqa: PLC0415

            return MicrosoftCredential(account, method)
        case _:
            return _xoauth2(account, method)


def _xoauth2(account: Account, method: AuthMethod) -> BearerCredential:
    from tap_mailbox.auth import generic, google  # noqa: PLC0415

    if method.client_file is not None:
        return google.GoogleCredential(account, method, method.client_file)
    if method.service_account_file is not None:
        return google.ServiceAccountCredential(account, method, method.service_account_file)
    # The configuration has checked that these two are there.
    return generic.GenericCredential(
        account, method, client_id=method.client_id or "", token_url=method.token_url or ""
    )


def check_keys(accounts: Iterable[Account]) -> None:
    """Make sure that the token files of *accounts* can be opened, before anything is read.

    Raises:
        ConfigError: TAP_MAILBOX_KEY is malformed, or a token file is encrypted with a key it does not hold.
    """
    try:
        keys()
        for account in accounts:
            for method in account.auth:
                if method.token_file is not None:
                    TokenFile(method.token_file).check_seal()
    except SealBroken as error:
        raise ConfigError(str(error)) from None
