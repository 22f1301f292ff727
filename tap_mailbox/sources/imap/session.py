"""One signed-in IMAP connection: opened, verified, replaced after a break, and always closed with LOGOUT."""

from __future__ import annotations

import base64
import imaplib
import random
import socket
import ssl
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

from imapclient import IMAPClient, SocketTimeout

from tap_mailbox.auth import credential_for
from tap_mailbox.errors import AccountError, CredentialError, Unavailable
from tap_mailbox.sources.imap.replies import Refused, translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_mailbox.auth import PasswordCredential
    from tap_mailbox.config import Account, AuthMethod, ImapServer

MAX_RECONNECTS = 5
"""In a row without a message between them; then the account is partial."""
FIRST_DELAY_SECONDS = 0.5
LOGOUT_TIMEOUT_SECONDS = 2.0
"""A server that does not answer LOGOUT must not keep the run."""
# One SEARCH answer for a million messages is a line of eight megabytes; imaplib's limit of one megabyte
# would end the account there. Memory for it is asked for only as it arrives.
imaplib._MAXLINE = 64 * 1024 * 1024  # type: ignore[attr-defined]  # noqa: SLF001


class Session:
    """A connection that can be asked for again after it broke.

    ``client()`` connects and signs in when needed; ``broke(error)`` closes, waits with exponential back-off
    and jitter, and gives up after `MAX_RECONNECTS` in a row; ``progress()`` starts that count anew. `reached`
    tells whether the server let us in meanwhile: then it is not the server that is down.
    """

    def __init__(self, account: Account, *, wait: Callable[[float], None]) -> None:
        if account.imap is None:
            raise AccountError("no IMAP server is configured")
        self.account = account
        self.server: ImapServer = account.imap
        self.label = f"{self.server.host}:{self.server.port}"
        self.credential: AuthMethod | None = None
        """The method that worked; later connections use it alone."""
        self.fallbacks: list[str] = []
        """Why earlier methods did not do."""
        self.wait = wait
        """Waits some seconds; raises when the run is to end."""
        self._client: IMAPClient | None = None
        self._breaks = 0
        self._refused: set[AuthMethod] = set()
        self.reached = False

    def client(self) -> IMAPClient:
        """Return a signed-in client, connecting first if there is none.

        Raises:
            Unavailable: the server cannot be reached; ask `broke` what to do.
            CredentialError: no method of sign-in works; never retried, servers lock accounts for that.
        """
        if self._client is None:
            try:
                self._client = self._sign_in()
                self.reached = True
            except Refused as error:
                # Before the sign-in a NO or BYE speaks of the server (too many connections), not of us.
                raise Unavailable(str(error)) from None
        return self._client

    def broke(self, error: Unavailable) -> None:
        """Close the broken connection and wait before the next one.

        Raises:
            AccountError: it broke too often in a row.
        """
        self.drop()
        self._breaks += 1
        if self._breaks > MAX_RECONNECTS:
            raise AccountError(f"gave up after {MAX_RECONNECTS} reconnections: {error}") from None
        delay = FIRST_DELAY_SECONDS * 2 ** (self._breaks - 1)
        self.wait(delay * random.uniform(0.5, 1))  # noqa: S311  # jitter, not a secret

    def progress(self) -> None:
        """Something arrived: the next break is the first again."""
        self._breaks = 0
        self.reached = False

    def drop(self) -> None:
        """Close the connection without a word; it is broken or in the middle of an answer."""
        client, self._client = self._client, None
        if client is not None:
            _discard(client)

    def abort(self) -> None:
        """Break the connection from another thread, so that whoever waits for an answer gets an error."""
        client = self._client
        if client is not None:
            with suppress(OSError, AttributeError):
                client.socket().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Leave with LOGOUT (RFC 3501, section 6.1.3)."""
        client, self._client = self._client, None
        if client is None:
            return
        # What happens to a farewell is of no interest: everything that was read is handed over.
        with suppress(IMAPClient.Error, OSError, ValueError):
            client.socket().settimeout(LOGOUT_TIMEOUT_SECONDS)
            client.logout()
            return
        _discard(client)

    def _connect(self) -> IMAPClient:
        server = self.server
        try:
            context = ssl.create_default_context(cafile=str(server.ca_file) if server.ca_file else None)
        except OSError as error:
            # A file that is no PEM is an SSLError, which is an OSError.
            reason = error.strerror or "it holds no certificate"
            raise AccountError(f"ca_file {server.ca_file} cannot be read: {reason}") from None
        with translated(f"connecting to {self.label}"):
            client = IMAPClient(
                server.host,
                server.port,
                ssl=server.tls == "implicit",
                ssl_context=context if server.tls == "implicit" else None,
                timeout=SocketTimeout(connect=server.connect_timeout, read=server.read_timeout),
            )
        # imapclient sets 5, and imaplib then formats every answer twice for a log nobody reads: 1.38 s
        # of CPU instead of 0.34 for 4,000 messages (research of 2026-11).
        client._imap.debug = 0  # noqa: SLF001
        client.folder_encode = False
        client.normalise_times = False
        try:
            if server.tls == "starttls":
                with translated(f"STARTTLS with {self.label}"):
                    client.starttls(context)
        except BaseException:  # whatever ends the attempt, no socket stays open behind it
            _discard(client)
            raise
        return client

    def _sign_in(self) -> IMAPClient:
        methods = [self.credential] if self.credential else list(self.account.auth)
        for method in methods:
            if method in self._refused:
                continue
            try:
                credential = credential_for(self.account, method)
            except CredentialError as error:
                self._fell_back(method, error)
                continue
            client = self._connect()
            try:
                _authenticate(client, credential, self.label)
                _introduce(client)
            except CredentialError as error:
                _discard(client)
                self._fell_back(method, error)
            except BaseException:  # likewise
                _discard(client)
                raise
            else:
                self.credential = method
                return client
        raise CredentialError("; ".join(self.fallbacks) or "no sign-in method is configured")

    def _fell_back(self, method: AuthMethod, error: CredentialError) -> None:
        # Never again with this one: servers lock accounts for trying.
        self._refused.add(method)
        self.fallbacks.append(f"{method.method}: {error}")


def _authenticate(client: IMAPClient, credential: PasswordCredential, label: str) -> None:
    """Sign in with a password, by LOGIN where it can carry it, else by SASL PLAIN in UTF-8 (RFC 4616)."""
    with translated(f"reading the capabilities of {label}"):
        capabilities = {each.upper() for each in client.capabilities()}
    # Neither library forgets these at sign-in, and what a server offers then is another list.
    client._cached_capabilities = None  # noqa: SLF001
    client._imap.untagged_responses.pop("CAPABILITY", None)  # noqa: SLF001
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
    doing = f"signing in at {label}"
    try:
        with translated(doing, hide=_secrets(credential)):
            sign_in(username, credential.password)
    except Refused as error:
        reason = str(error).removeprefix(f"{doing}: refused (").removesuffix(")")
        raise CredentialError(
            f"sign-in refused at {label} ({reason}). If the account has two-step verification, create an app "
            "password; if the provider wants OAuth, name such a method first"
        ) from None


def _secrets(credential: PasswordCredential) -> list[str]:
    """Return what a server may quote of a sign-in."""
    plain = f"\0{credential.username}\0{credential.password}"
    return [credential.password, credential.username, base64.b64encode(plain.encode()).decode()]


def _introduce(client: IMAPClient) -> None:
    """Say what some servers insist on hearing before EXAMINE; those that object are left in peace."""
    # RFC 6855, section 3: such a server shows its mailboxes to clients that take UTF-8 names only.
    if client.has_capability("UTF8=ONLY"):
        with suppress(Refused), translated("ENABLE"):
            client.enable("UTF8=ACCEPT")
    # RFC 2971; NetEase refuses EXAMINE to clients without a name.
    if client.has_capability("ID"):
        with suppress(Refused), translated("ID"):
            client.id_({"name": "tap-mailbox", "version": version("tap-mailbox")})


def _discard(client: IMAPClient) -> None:
    with suppress(IMAPClient.Error, OSError, ValueError):
        client.shutdown()
