"""`ServiceAccounts`: Google's accounts for programs, which act for the people of a domain (JWT bearer, RFC 7523)."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass

from tests.servers.oauth.assertions import Unverified, claims_of, private_pem, rsa_key, verify
from tests.servers.oauth.faults import Refused
from tests.servers.oauth.tokens import Grant

GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token"
"""The audience that Google's library signs for, even when it was told another address."""


@dataclass(frozen=True)
class ServiceAccount:
    """A service account with domain-wide delegation."""

    email: str
    subjects: frozenset[str]
    """For whom it may act."""
    scopes: frozenset[str]
    """What an administrator allowed it."""

    @property
    def private_key(self) -> str:
        """The key as PEM, as the key file has it."""
        return private_pem(rsa_key(self.email))


class ServiceAccounts:
    """Every service account by its address."""

    def __init__(self) -> None:
        self._accounts: dict[str, ServiceAccount] = {}

    def new(self, subjects: Collection[str], scopes: Collection[str]) -> ServiceAccount:
        """Register a service account that may act for the subjects."""
        email = f"archive-{secrets.token_hex(4)}@fake-project.iam.example.org"
        account = ServiceAccount(email, frozenset(subjects), frozenset(scopes))
        self._accounts[email] = account
        return account

    def redeem(self, assertion: str, token_url: str) -> Grant:
        """Return what the assertion asks for.

        Raises:
            Refused: `invalid_grant`: not signed by a known account, expired, for another audience;
                `unauthorized_client`: not for this person or these scopes.
        """
        try:
            account = self._accounts[str(claims_of(assertion).get("iss"))]
            key = rsa_key(account.email).public_key()
            claims = verify(assertion, key, audience={GOOGLE_TOKEN_URL, token_url})
        except KeyError:
            raise Refused("invalid_grant", "Invalid grant: account not found") from None
        except Unverified as problem:
            raise Refused("invalid_grant", f"Invalid JWT: {problem}") from None
        subject, scopes = claims.get("sub", account.email), tuple(str(claims.get("scope", "")).split())
        if not scopes:
            raise Refused("invalid_scope", "Empty or missing scope not allowed.")
        if subject not in account.subjects | {account.email} or not account.scopes.issuperset(scopes):
            raise Refused("unauthorized_client", "Not authorized for this user or scope.", status=401)
        return Grant(subject, account.email, scopes)
