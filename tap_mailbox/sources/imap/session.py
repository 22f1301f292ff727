"""One signed-in IMAP connection: opened, verified, replaced after a break, and always closed with LOGOUT."""

from __future__ import annotations

import functools
import imaplib
import random
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from imapclient import IMAPClient, SocketTimeout

from tap_mailbox.auth import PasswordCredential, credential_for
from tap_mailbox.errors import AccountError, CredentialError, Unavailable
from tap_mailbox.sources.imap.replies import NotConnected, Refused, translated
from tap_mailbox.sources.imap.sign_in import TokenRefused, with_password, with_token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_mailbox.auth import BearerCredential
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
        self._useful = False
        self._refused: dict[AuthMethod, CredentialError] = {}
        self._credentials: dict[AuthMethod, PasswordCredential | BearerCredential] = {}
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
            AccountError: it broke too often in a row, or before it was of any use (CredentialError).
        """
        self.drop()
        if isinstance(error, NotConnected) and not self._useful:
            # Exchange says so of a wrong password as well, which must not be tried again.
            raise CredentialError(str(error)) from None
        self._breaks += 1
        if self._breaks > MAX_RECONNECTS:
            raise AccountError(f"gave up after {MAX_RECONNECTS} reconnections: {error}") from None
        delay = FIRST_DELAY_SECONDS * 2 ** (self._breaks - 1)
        self.wait(delay * random.uniform(0.5, 1))  # noqa: S311  # jitter, not a secret

    def progress(self) -> None:
        """Something arrived: the next break is the first again."""
        self._breaks = 0
        self._useful = True
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
        context = None if server.tls == "none" else _context(server.ca_file)
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
                _begin_tls(client, context, self.label)
        except BaseException:  # whatever ends the attempt, no socket stays open behind it
            _discard(client)
            raise
        return client

    def _sign_in(self) -> IMAPClient:
        methods = [self.credential] if self.credential else list(self.account.auth)
        passed_over: list[str] = []
        passing: _NoToken | None = None
        for method in methods:
            try:
                if method in self._refused:
                    raise self._refused[method]
                client = self._client_by(method)
            except CredentialError as error:
                # Never again with this one: servers lock accounts for trying.
                self._refused[method] = error
                passed_over.append(f"{method.method}: {error}")
            except _NoToken as error:
                passing = passing or error
                passed_over.append(f"{method.method}: {error}")
            else:
                if self.credential is None:
                    self.credential, self.fallbacks = method, passed_over
                return client
        if passing is not None:
            # That method may do the next time; the refused ones are not tried again.
            raise passing
        raise CredentialError("; ".join(passed_over) or "no sign-in method is configured")

    def _client_by(self, method: AuthMethod) -> IMAPClient:
        """Return a client signed in by *method*.

        Raises:
            CredentialError: it is not to be had that way.
            _NoToken: the token endpoint cannot be asked now.
        """
        credential = self._credentials.get(method) or credential_for(self.account, method)
        self._credentials[method] = credential
        if isinstance(credential, PasswordCredential):
            return self._connected(lambda client: with_password(client, credential, self.label))
        token = _token(credential)
        try:
            return self._connected_with(credential, token)
        except TokenRefused:
            # Revoked before its time, or a passing failure of Exchange: once more, with a new one.
            return self._connected_with(credential, _token(credential, rejected=token))

    def _connected_with(self, credential: BearerCredential, token: str) -> IMAPClient:
        return self._connected(
            lambda client: with_token(client, credential.username, token, self.server, self.label)
        )

    def _connected(self, sign_in: Callable[[IMAPClient], None]) -> IMAPClient:
        client = self._connect()
        try:
            sign_in(client)
        except BaseException:  # likewise
            _discard(client)
            raise
        return client


@functools.cache
def _context(ca_file: Path | None) -> ssl.SSLContext:
    """Return what connections are verified with; reading the system's authorities takes 27 ms of CPU."""
    try:
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except OSError as error:
        # A file that is no PEM is an SSLError, which is an OSError.
        reason = error.strerror or "it holds no certificate"
        raise AccountError(f"ca_file {ca_file} cannot be read: {reason}") from None


class _NoToken(Unavailable):
    """The token endpoint cannot be asked now; the mail server has not been."""


def _token(credential: BearerCredential, *, rejected: str | None = None) -> str:
    try:
        return credential.token(rejected=rejected)
    except Unavailable as error:
        raise _NoToken(str(error)) from None


def _begin_tls(client: IMAPClient, context: ssl.SSLContext | None, label: str) -> None:
    """Go on in TLS (RFC 3501, section 6.2.1), or not at all: who strips STARTTLS wants passwords."""
    doing = f"STARTTLS with {label}"
    with translated(doing):
        offered = client.has_capability("STARTTLS")
    if not offered:
        raise AccountError(
            f"{doing}: not offered, so nothing was sent in clear; is it tls: implicit that the server speaks?"
        )
    try:
        with translated(doing):
            client.starttls(context)
    except Refused as error:
        raise AccountError(f"{error}; nothing was sent in clear") from None
    # Said in clear, by whoever stands in between: it would be taken for an answer from inside TLS.
    client._imap.untagged_responses.clear()  # noqa: SLF001


def _discard(client: IMAPClient) -> None:
    with suppress(IMAPClient.Error, OSError, ValueError):
        client.shutdown()
