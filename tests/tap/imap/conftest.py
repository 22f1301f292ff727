"""Short waits, someone's mailbox on a Dovecot, and a Dovecot that signs in by access token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tap_mailbox.sources.imap import session
from tests.servers.token_mail import TokenMail, token_mail
from tests.tap.runs import imap_account, mail


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    """A connection that broke comes back at once."""
    monkeypatch.setattr(session, "FIRST_DELAY_SECONDS", 0.001)


@pytest.fixture
def user(dovecot):
    """Someone with three messages in INBOX and one in Work."""
    someone = dovecot.new_user()
    dovecot.fill(someone, "INBOX", [mail(1), mail(2), mail(3)])
    dovecot.fill(someone, "Work", [mail(4)])
    return someone


@pytest.fixture
def account(dovecot, user):
    """Their account."""
    return imap_account(dovecot, user)


@pytest.fixture(scope="session")
def _world() -> Iterator[TokenMail]:
    with token_mail() as all_of_them:
        yield all_of_them


@pytest.fixture
def world(_world: TokenMail) -> TokenMail:
    """A Dovecot that signs in by access token, and those it believes, without faults left over."""
    for each in (_world.entra, _world.server, _world.introspection):
        each.heal()
        each.requests.clear()
        each.latency = 0.0
    _world.entra.expires_in, _world.server.expires_in = 3600, 3599
    return _world
