"""An open mailbox: the first sign-in method that works, shown by a first request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from tap_mailbox.errors import AccountError, CredentialError, Unavailable
from tap_mailbox.sources.graph.client import GraphClient
from tap_mailbox.sources.graph.folders import special_folder
from tap_mailbox.sources.graph.replies import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_mailbox.auth.bearer import BearerCredential
    from tap_mailbox.config import Account, AuthMethod
    from tap_mailbox.sources.graph.application import Application
    from tap_mailbox.sources.graph.pace import Pace


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A client whose token was accepted."""

    client: GraphClient
    method: AuthMethod
    credential: BearerCredential
    fallbacks: list[str]
    """Why earlier methods did not do."""


def sign_in(account: Account, application: Application, *, wait: Callable[[float], None]) -> SignedIn:
    """Return the account's open mailbox.

    Raises:
        CredentialError: no method works.
        Refused: the mailbox cannot be read through Graph; says which and why.
        Unavailable, PoliteStop: the service or the sign-in service does not answer.
    """
    fallbacks: list[str] = []
    for method in account.auth:
        last = method is account.auth[-1]
        try:
            credential = application.credential(account, method)
            client = open_client(account, credential, application.pace, wait=wait)
            try:
                special_folder(client, "inbox")
            except BaseException:  # whatever ends the attempt, no connection stays open behind it
                client.close()
                raise
        except Unavailable as error:
            # At the last method it is the service that is down, which passes.
            if last:
                raise
            fallbacks.append(f"{method.method}: {error}")
        except CredentialError as error:
            fallbacks.append(f"{method.method}: {error}")
        except Refused as error:
            # A 403 without Graph's error document is some gateway's, and says nothing of the mailbox.
            if error.no_mailbox or (error.status == 403 and error.codes):
                raise MailboxRefused(account.name, error) from None
            raise
        else:
            return SignedIn(client, method, credential, fallbacks)
    raise CredentialError("; ".join(fallbacks))


class MailboxRefused(Refused):
    """The mailbox as a whole cannot be read."""

    def __init__(self, account: str, error: Refused) -> None:
        super().__init__(f"mailbox of {account}", error.status, error.said)
        reason = (
            "it has no licence, lies on another server, or there is none of that address"
            if error.no_mailbox
            else "the application may not read it; a policy that was changed may take two hours"
        )
        self.args = (f"{self}; {reason}",)


def open_client(
    account: Account, credential: BearerCredential, pace: Pace, *, wait: Callable[[float], None]
) -> GraphClient:
    """Return a client for the account's mailbox; nothing is asked yet."""
    if account.graph is None:
        raise AccountError("no Graph server is configured")
    address = account.graph.mailbox or (None if credential.delegated else account.email)
    mailbox = "/me" if address is None else f"/users/{quote(address, safe='@')}"
    return GraphClient(account.graph, credential, pace, mailbox=mailbox, wait=wait)
