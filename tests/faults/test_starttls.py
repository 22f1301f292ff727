"""STARTTLS: nothing said before TLS counts inside it, and without TLS no password is sent (RFC 9051, 6.2.1).

The pair reads through an attacker in the middle, who sees and writes plain text and cannot break TLS.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.matrix import Case
from tests.faults.sources import Source, undisturbed
from tests.faults.warm import Warm
from tests.servers.dovecot import Dovecot, User
from tests.servers.imap_script import ImapScript
from tests.servers.relay import Relay
from tests.tap.runs import imap_account, mail

FORGED = b"Message-ID: <forged@example.org>\r\n\r\nforged"
INJECTIONS = {
    "capabilities": b"* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN\r\n",
    "a farewell": b"* BYE go elsewhere\r\n",
    "a referral": b"* BYE [REFERRAL imap://elsewhere.example.org/] go\r\n",
    "an answer to the next command": b"{next} OK [CAPABILITY IMAP4rev1] done\r\n",
    "mail": b'* LIST () "/" INBOX\r\n* 1 FETCH (UID 1 BODY[] {%d}\r\n%b)\r\n' % (len(FORGED), FORGED),
    "half a line": b"* OK [ALERT] ",
}


@pytest.fixture(scope="module")
def user(dovecot: Dovecot) -> User:
    """Someone with mail."""
    someone = dovecot.new_user("fake-secret-of-tls")
    dovecot.fill(someone, "INBOX", [mail(number) for number in range(10)])
    return someone


@pytest.fixture(scope="module")
def mailbox(dovecot: Dovecot, user: User, warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Source:
    """What becomes of it undisturbed."""
    return undisturbed(tmp_path_factory.mktemp("mailbox"), warm, [secured(dovecot, dovecot, user)])


def secured(server: Any, dovecot: Dovecot, user: User) -> dict[str, Any]:
    """Return an account that insists on STARTTLS."""
    return imap_account(server, user, tls="starttls", ca_file=str(dovecot.ca_file), read_timeout=2)


@pytest.mark.parametrize("injection", INJECTIONS)
def test_plain_text_behind_the_answer(
    memory: Path, warm: Warm, dovecot: Dovecot, user: User, mailbox: Source, injection: str
) -> None:
    """Sent in the packet of the server's OK, it is never taken for an answer from inside TLS."""
    injected: list[bytes] = []

    def inject(data: bytes) -> list[bytes]:
        command = relay.said.rstrip(b"\r\n").rpartition(b"\r\n")[2]
        if not injected and command.endswith(b"STARTTLS") and b" OK" in data:
            tag = command.split(b" ")[0]
            following = tag[:4] + str(int(tag[4:]) + 1).encode()
            injected.append(INJECTIONS[injection].replace(b"{next}", following))
            return [data + injected[0]]
        return [data]

    with Relay(dovecot.port, inject) as relay:
        case = Case(memory, warm, [secured(relay, dovecot, user)], mailbox.promised)
        ran = case.run()
        assert injected, ran
        assert ran.tap in {0, 3}, ran
        assert b"LOGIN" not in relay.said
        assert b"AUTHENTICATE" not in relay.said
        assert "elsewhere" not in ran.tap_log
        case.after_fault(ran)
        relay.pieces = lambda data: [data]
        case.restart(mailbox.expected)


@pytest.mark.parametrize(
    "injection",
    [
        b'* LIST (\\All) "/" Other\r\n',
        b'* LIST () "/" Ghost\r\n',
        b"* CAPABILITY IMAP4rev1\r\n",
        b"* SEARCH 99\r\n",
    ],
)
def test_plain_text_before_the_answer(
    memory: Path, warm: Warm, dovecot: Dovecot, user: User, mailbox: Source, injection: bytes
) -> None:
    """Sent before the server's OK, it is forgotten when TLS begins: all is read as if it had not been said."""

    def inject(data: bytes) -> list[bytes]:
        return [injection + data if b" OK Begin TLS" in data else data]

    with Relay(dovecot.port, inject) as relay:
        case = Case(memory, warm, [secured(relay, dovecot, user)], mailbox.promised)
        case.restart(mailbox.expected)


PROMISES = ["LOGINDISABLED", "LOGINDISABLED AUTH=XOAUTH2"]


@pytest.mark.parametrize("promise", PROMISES)
def test_capabilities_in_the_clear(
    memory: Path, warm: Warm, dovecot: Dovecot, user: User, mailbox: Source, promise: str
) -> None:
    """What was announced before TLS is forgotten: the server is taken at the word it gives inside (RFC 9051, 6.2.1)."""
    lie = f"CAPABILITY IMAP4rev1 STARTTLS {promise}".encode()
    told: list[bytes] = []

    def announce(data: bytes) -> list[bytes]:
        changed = re.sub(rb"(?:(?<=\* OK \[)|(?<=\* ))CAPABILITY [^]\r]*", lie, data)
        if changed != data:
            told.append(changed)
        return [changed]

    with Relay(dovecot.port, announce) as relay:
        case = Case(memory, warm, [secured(relay, dovecot, user)], mailbox.promised)
        case.restart(mailbox.expected)
    assert told


def stripped(data: bytes) -> list[bytes]:
    """Take STARTTLS out of what the server offers; the length stays."""
    return [data.replace(b"STARTTLS", b"X-NO-TLS")]


def refused(data: bytes) -> list[bytes]:
    """Turn the server's readiness for TLS into a refusal."""
    return [data.replace(b" OK Begin TLS", b" NO Begin TLS")]


def preauthenticated(data: bytes) -> list[bytes]:
    """Greet as if the client were signed in, where STARTTLS is not allowed any more."""
    return [data.replace(b"* OK [", b"* PREAUTH [", 1)]


@pytest.mark.parametrize("attack", [stripped, refused, preauthenticated], ids=lambda each: each.__name__)
def test_downgrade(
    memory: Path,
    warm: Warm,
    dovecot: Dovecot,
    user: User,
    mailbox: Source,
    attack: Callable[[bytes], list[bytes]],
) -> None:
    """The account fails at once, before a user name or a password is sent; nothing is read, nothing promised."""
    with Relay(dovecot.port, attack) as relay:
        case = Case(memory, warm, [secured(relay, dovecot, user)], mailbox.promised)
        ran = case.run()
        assert (3, 0) == (ran.tap, ran.target), ran
        assert 1 == relay.connections
        for secret in (user.password, user.name, "LOGIN", "AUTHENTICATE"):
            assert secret.encode() not in relay.said
        assert user.password not in ran.tap_log
        case.after_fault(ran)
        relay.pieces = lambda data: [data]
        case.restart(mailbox.expected)


@pytest.mark.parametrize("capability", ["IMAP4rev1 LOGINDISABLED", "IMAP4rev1 LOGINDISABLED AUTH=LOGIN"])
def test_login_forbidden(
    memory: Path, warm: Warm, make_imap_script: Callable[..., ImapScript], capability: str
) -> None:
    """A server that forbids LOGIN and has no mechanism of ours is not told the password some other way."""
    server = make_imap_script(capability=capability)
    case = Case(memory, warm, [imap_account(server)])
    ran = case.run()
    assert (3, 0) == (ran.tap, ran.target), ran
    assert 0 == server.count("LOGIN|AUTHENTICATE")
