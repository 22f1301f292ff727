"""`Introspection`: says of a token whether it is live and whose it is (RFC 7662), for a mail server to ask.

    with Introspection(entra, google) as introspection, Dovecot(oauth=introspection.url) as dovecot:
        user = dovecot.new_user(name="ann@outlook.example")

Plain HTTP, and it asks no credentials: Dovecot's client then needs no certificate authority and no secret.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from tests.servers.oauth.faults import Refused, Reply
from tests.servers.oauth.service import Service
from tests.servers.oauth.tokens import Grant
from tests.servers.oauth.transport import Incoming

IMAP_SCOPES = frozenset(
    {
        "https://mail.google.com/",
        "https://www.googleapis.com/auth/gmail.imap_admin",
        "https://outlook.office.com/IMAP.AccessAsUser.All",
        "https://outlook.office365.com/.default",
        "https://outlook.office365.com/IMAP.AccessAsUser.All",
        "imap",
    }
)


class Issuer(Protocol):
    """Whoever gives out tokens and knows them again."""

    def check(self, token: str) -> Grant | None:
        """Return what a live access token permits; None for any other."""


class Introspection(Service):
    """A running introspection endpoint over any number of doubles.

    Attributes:
        url: The endpoint.
        app_mailbox: Whose mail a token of an application permission opens: Dovecot asks about a token, not
            about a user, and lets in whom the answer names.
    """

    scheme = "http"

    def __init__(self, *issuers: Issuer, scopes: Collection[str] = IMAP_SCOPES) -> None:
        self.issuers = issuers
        self.scopes = frozenset(scopes)
        self.app_mailbox: str | None = None
        super().__init__()
        self.url = f"{self.url}/introspect"

    def answer(self, incoming: Incoming) -> Reply:
        """Return `active` and, for a live token with a scope for IMAP, its owner."""
        if incoming.method != "POST" or "token" not in incoming.form:
            raise Refused("invalid_request")  # RFC 7662 section 2.1
        for issuer in self.issuers:
            grant = issuer.check(incoming.form["token"])
            if grant and self.scopes & set(grant.scopes):
                mailbox = grant.mailbox or self.app_mailbox
                return Reply.json(
                    {
                        "active": True, "username": mailbox, "email": mailbox,
                        "client_id": grant.app_id, "scope": " ".join(grant.scopes),
                    }
                )  # fmt: skip
        return Reply.json({"active": False})
