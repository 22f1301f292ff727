"""From a greeted connection to a signed-in one: LOGIN, SASL PLAIN, XOAUTH2, OAUTHBEARER, and what follows."""

from __future__ import annotations

import base64
import json
import re
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

from tap_mailbox.errors import CredentialError, Unavailable
from tap_mailbox.sources.imap.replies import NotConnected, Refused, translated, without

if TYPE_CHECKING:
    from imapclient import IMAPClient

    from tap_mailbox.auth import PasswordCredential
    from tap_mailbox.config import ImapServer

# Once: each look-up parses the package's metadata, a seventh of what a quiet account costs.
_ID = {"name": "tap-mailbox", "version": version("tap-mailbox")}
_STATUS = re.compile(r"[A-Za-z0-9_. -]{1,40}")
_SCOPE = re.compile(r"[A-Za-z0-9_.:/ -]{1,200}")


class TokenRefused(CredentialError):
    """The server does not take an access token; a new one may do."""


def with_password(client: IMAPClient, credential: PasswordCredential, label: str) -> None:
    """Sign in with a password, by LOGIN where it can carry it, else by SASL PLAIN in UTF-8 (RFC 4616).

    Raises:
        CredentialError: the server refuses it, or has no way to be told.
        Unavailable: the connection broke.
    """
    capabilities = _capabilities(client, label)
    # RFC 3501, section 6.2.3: LOGIN takes ASCII, and a server with LOGINDISABLED must not be sent one.
    plain_ascii = (credential.username + credential.password).isascii()
    username = credential.username
    if b"LOGINDISABLED" not in capabilities and plain_ascii:
        sign_in = client.login
        # imaplib quotes the password but not the user name, which may hold a space.
        username = '"' + username.replace("\\", "\\\\").replace('"', '\\"') + '"'
    elif b"AUTH=PLAIN" in capabilities:
        sign_in = client.plain_login
    else:
        reason = "forbids LOGIN" if plain_ascii else "cannot carry a password beyond ASCII"
        raise CredentialError(
            f"{label} {reason} and offers no AUTH=PLAIN; is TLS on (tls: implicit or starttls)?"
        )
    plain = f"\0{credential.username}\0{credential.password}"
    secrets = [credential.password, credential.username, base64.b64encode(plain.encode()).decode()]
    doing = f"signing in at {label}"
    try:
        with translated(doing, hide=secrets):
            sign_in(username, credential.password)
    except Refused as error:
        raise CredentialError(
            f"sign-in refused at {label} ({_reason(error, doing)}). If the account has two-step "
            "verification, create an app password; if the provider wants OAuth, name such a method first"
        ) from None
    _introduce(client)


def with_token(client: IMAPClient, username: str | None, token: str, server: ImapServer, label: str) -> None:
    """Sign in with an access token, by XOAUTH2 where it is offered, else by OAUTHBEARER (RFC 7628).

    Raises:
        TokenRefused: the server refuses it, be it only at the first command.
        CredentialError: there is no user name, or the server has no such mechanism.
        Unavailable: the connection broke.
    """
    if not username:
        raise CredentialError("no user name: set email on the account or username on the method")
    if any(char in username for char in "\1\r\n\0"):
        raise CredentialError("the user name holds a control character, which IMAP cannot carry")
    capabilities = _capabilities(client, label)
    # Google's own form first: Exchange has no other, and Gmail has had it for longer.
    if b"AUTH=XOAUTH2" in capabilities:
        mechanism = "XOAUTH2"
        exchange = _Exchange(f"user={username}\1auth=Bearer {token}\1\1", farewell=b"")
    elif b"AUTH=OAUTHBEARER" in capabilities:
        mechanism = "OAUTHBEARER"
        # RFC 5801, section 4: a comma would end the name.
        identity = username.replace("=", "=3D").replace(",", "=2C")
        message = f"n,a={identity},\1host={server.host}\1port={server.port}\1auth=Bearer {token}\1\1"
        exchange = _Exchange(message, farewell=b"\1")
    else:
        raise CredentialError(
            f"{label} offers neither AUTH=XOAUTH2 nor AUTH=OAUTHBEARER; is it the right server?"
        )
    doing = f"signing in at {label}"
    secrets = [token, username, exchange.encoded]
    try:
        with translated(doing, hide=secrets):
            client.sasl_login(mechanism, exchange)
    except Refused as error:
        reason = ", ".join([_reason(error, doing), *(without(each, secrets) for each in exchange.said)])
        raise TokenRefused(
            f"{mechanism} refused at {label} ({reason}). Is it the right user (email or username), does the "
            "token cover IMAP (scope), and is IMAP switched on for the mailbox?"
        ) from None
    try:
        _introduce(client)
        _probe(client, label)
    except NotConnected:
        raise TokenRefused(
            f"{label} took the token, but connects it to no mailbox (authenticated but not connected): wrong "
            "user (email or username) or scope, IMAP switched off for it, or a passing failure of Exchange"
        ) from None


class _Exchange:
    """The client's side of XOAUTH2 and OAUTHBEARER: one message, and an empty answer to the server's reasons.

    imapclient would send the token again, and drop them.
    """

    def __init__(self, message: str, *, farewell: bytes) -> None:
        self.message = message
        self.encoded = base64.b64encode(message.encode()).decode()
        self.said: list[str] = []
        """What the server's JSON says, as far as it is fit to be shown."""
        self._answers = [message.encode(), farewell]

    def __call__(self, challenge: bytes) -> bytes:
        if len(self._answers) == 1:
            self.said = _shown(challenge)
        if not self._answers:
            raise Unavailable("the server asks on and on during the sign-in")
        return self._answers.pop(0)


def _shown(challenge: bytes) -> list[str]:
    """Return the status and the scope of an error challenge (RFC 7628, section 3.2.2)."""
    try:
        fields = json.loads(challenge)
    except (ValueError, RecursionError):
        return []
    if not isinstance(fields, dict):
        return []
    return [
        f"{key} {value}"
        for key, pattern in (("status", _STATUS), ("scope", _SCOPE))
        if isinstance(value := fields.get(key), str) and pattern.fullmatch(value)
    ]


def _reason(error: Refused, doing: str) -> str:
    return str(error).removeprefix(f"{doing}: refused (").removesuffix(")")


def _capabilities(client: IMAPClient, label: str) -> set[bytes]:
    """Return what the server offers before the sign-in, in upper case, and forget it."""
    with translated(f"reading the capabilities of {label}"):
        capabilities = {each.upper() for each in client.capabilities()}
    # Neither library forgets these at sign-in, and what a server offers then is another list.
    client._cached_capabilities = None  # noqa: SLF001
    client._imap.untagged_responses.pop("CAPABILITY", None)  # noqa: SLF001
    return capabilities


def _introduce(client: IMAPClient) -> None:
    """Say what some servers insist on hearing before EXAMINE; those that object are left in peace."""
    # RFC 6855, section 3: such a server shows its mailboxes to clients that take UTF-8 names only.
    if client.has_capability("UTF8=ONLY"):
        with suppress(Refused), translated("ENABLE"):
            client.enable("UTF8=ACCEPT")
    # RFC 2971; NetEase refuses EXAMINE to clients without a name.
    if client.has_capability("ID"):
        with suppress(Refused), translated("ID"):
            client.id_(_ID)


def _probe(client: IMAPClient, label: str) -> None:
    """Ask for INBOX: Exchange takes tokens it has no mailbox for, and still answers CAPABILITY and ID."""
    with suppress(Refused), translated(f"the first command at {label}"):
        client.list_folders("", "INBOX")
