"""The way to a server before any sign-in, step by step: name, line, TLS."""

from __future__ import annotations

import imaplib
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies

if TYPE_CHECKING:
    from pathlib import Path

    from tap_mailbox.config import Account


class Unreachable(Exception):
    """A step on the way failed; the text says what happened and what to do.

    Args:
        step: `dns`, `connection` or `tls`.
        text: For people.
    """

    def __init__(self, step: str, text: str) -> None:
        super().__init__(text)
        self.step = step


@dataclass(frozen=True, slots=True)
class Server:
    """Where an account lives, as far as the way to it goes."""

    host: str
    port: int
    tls: str
    """implicit, starttls or none."""
    ca_file: Path | None
    system_authorities: bool
    """Whether the system's authorities are trusted beside those of *ca_file*."""
    timeout: float
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A verified TLS connection; there is no other."""

    version: str
    days_left: int
    """Until the server's certificate expires."""


def server_of(account: Account) -> Server | None:
    """Return the server of an account; None for files, and for Graph behind a proxy of the environment."""
    if account.imap is not None:
        imap = account.imap
        return Server(
            imap.host, imap.port, imap.tls, imap.ca_file, imap.ca_file is None, imap.connect_timeout
        )
    if account.graph is None or get_environ_proxies(account.graph.url):
        return None
    url = urlsplit(account.graph.url)
    tls = "implicit" if url.scheme == "https" else "none"
    port = url.port or (443 if url.scheme == "https" else 80)
    return Server(
        url.hostname or "",
        port,
        tls,
        account.graph.ca_file,
        system_authorities=True,
        timeout=account.graph.connect_timeout,
    )


def addresses(server: Server) -> list[str]:
    """Return the server's addresses.

    Raises:
        Unreachable: nobody knows its name.
    """
    try:
        found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(
            "dns",
            f"{server.host} has no address ({getattr(error, 'strerror', None) or 'not a host name'}); is "
            "`host` spelt correctly, and does this machine have a name server?",
        ) from None
    return sorted({str(each[4][0]) for each in found})


def tls(server: Server) -> Tls | None:
    """Return what TLS the server speaks, its certificate verified; None where it is configured off.

    Raises:
        Unreachable: nobody listens, or TLS fails.
    """
    where = f"{server.host}:{server.port}"
    try:
        line = socket.create_connection((server.host, server.port), timeout=server.timeout)
    except OSError as error:
        raise Unreachable(
            "connection",
            f"{where} cannot be reached ({_reason(error)}); is `port` right, is the server up, does a "
            "firewall stand between?",
        ) from None
    with line:
        if server.tls == "none":
            return None
        try:
            if server.tls == "starttls":
                return _starttls(server)
            with _context(server).wrap_socket(line, server_hostname=server.host) as secured:
                return _described(secured)
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(
                "tls",
                f"the certificate of {where} is not trusted ({error.verify_message}); name its authority in "
                "`ca_file` if the server is right",
            ) from None
        except (OSError, imaplib.IMAP4.error, ValueError) as error:
            other = "starttls" if server.tls == "implicit" else "implicit"
            raise Unreachable(
                "tls", f"TLS with {where} fails ({_reason(error)}); is it `tls: {other}` with another port?"
            ) from None


def _starttls(server: Server) -> Tls:
    with imaplib.IMAP4(server.host, server.port, timeout=server.timeout) as client:
        client.starttls(_context(server))
        secured: Any = client.sock
        return _described(secured)


def _context(server: Server) -> ssl.SSLContext:
    cafile = str(server.ca_file) if server.ca_file else None
    try:
        context = ssl.create_default_context(cafile=None if server.system_authorities else cafile)
        if cafile and server.system_authorities:
            context.load_verify_locations(cafile=cafile)
    except OSError as error:
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise Unreachable("tls", f"ca_file {server.ca_file} cannot be read: {reason}") from None
    return context


def _described(secured: ssl.SSLSocket) -> Tls:
    certificate = secured.getpeercert() or {}
    expires = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return Tls(secured.version() or "", int(expires - time.time()) // 86_400)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, imaplib.IMAP4.error):
        return "it offers no STARTTLS, or is no IMAP server"
    # A server's own words stay out: what imaplib could not read is quoted in its errors.
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
