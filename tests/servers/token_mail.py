"""`TokenMail`: a Dovecot that signs in by access token, and the two doubles that give out tokens for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.servers.dovecot import Dovecot
from tests.servers.oauth import Entra, Introspection, OAuthServer


@dataclass
class TokenMail:
    """A mail server, and those it believes."""

    entra: Entra
    server: OAuthServer
    introspection: Introspection
    dovecot: Dovecot


@contextlib.contextmanager
def token_mail() -> Iterator[TokenMail]:
    """Run all of them."""
    with (
        Entra() as entra,
        OAuthServer() as server,
        Introspection(entra, server) as introspection,
        Dovecot(oauth=introspection.url) as dovecot,
    ):
        yield TokenMail(entra, server, introspection, dovecot)
