"""What a server's refusal means: response codes and broken lines, translated into our errors.

Codes: RFC 5530; THROTTLED is Google's and Microsoft's. The server's own words stay out of errors and logs:
they quote subjects, addresses, the command that failed, even a line of a message when lengths are wrong. Only
at the sign-in are they worth showing, with whatever may identify somebody taken out.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, ProtocolError

from tap_mailbox.errors import AccountError, PoliteStop, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRANSIENT = frozenset({"UNAVAILABLE", "INUSE", "LIMIT"})
"""Codes after which a new connection may help."""
POLITE = frozenset({"OVERQUOTA", "THROTTLED"})
"""Codes after which the account rests until the next run."""
_REASONS = frozenset(
    {
        "ALERT",
        "AUTHENTICATIONFAILED",
        "AUTHORIZATIONFAILED",
        "CANNOT",
        "CLIENTBUG",
        "CONTACTADMIN",
        "CORRUPTION",
    }
    | {"EXPIRED", "EXPUNGEISSUED", "NONEXISTENT", "NOPERM", "PRIVACYREQUIRED", "SERVERBUG", "WEBALERT"}
)
_CODE = re.compile(r"\[(" + "|".join(sorted(TRANSIENT | POLITE | _REASONS)) + r")\b", re.IGNORECASE)
_IDENTIFYING = re.compile(r"\S+@\S+|\"[^\"]*\"|'[^']*'|<[^>]*>")
_MAX_WORDS = 200
_MAX_HEARD = 1000
_PIECE = 6
"""So many letters of a secret are a piece of it, and no coincidence."""
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
"""What OpenSSL, by version, makes of a greeting in clear."""
_NOT_CONNECTED = "authenticated but not connected"


class Refused(AccountError):
    """The server answered NO or BAD to one command; the connection is still good."""


class NotConnected(Unavailable):
    """Exchange let us in to no mailbox: at first a matter of the credential, later a failure of its own."""


def code_of(error: BaseException) -> str:
    """Return the response code of an answer in upper case, one of those we know; else an empty text."""
    text = str(error)
    # imaplib quotes what it could not read, which may be a line of somebody's mail.
    found = None if "unexpected response" in text else _CODE.search(text)
    if found:
        return found.group(1).upper()
    # Exchange throttles with BAD and a sentence.
    return "THROTTLED" if "throttl" in text.lower() and not isinstance(error, ProtocolError) else ""


def words_of(error: BaseException, hide: Sequence[str]) -> str:
    """Return what the server said on one line, short, without quotations, addresses and *hide*."""
    text = without(str(error)[:_MAX_HEARD], hide)
    text = text.removeprefix("b'").removeprefix('b"').rstrip("'\"")
    return _IDENTIFYING.sub("***", text)[:_MAX_WORDS]


def without(text: str, hide: Sequence[str]) -> str:
    """Return *text* on one line, without *hide* and every word that has a piece of it.

    A server may say a secret in its own way: cut, quoted, escaped, in capitals.
    """
    pieces: set[str] = set()
    for each in sorted(filter(None, hide), key=len, reverse=True):
        text = text.replace(each, "***")
        for form in (each, repr(each.encode(errors="replace"))[2:-1]):
            pieces.update(_capitals(form[at : at + _PIECE]) for at in range(len(form) - _PIECE + 1))
    shown = _capitals(text)
    starts = [at for at in range(len(shown)) if shown[at : at + _PIECE] in pieces]
    told = {at + more for at in starts for more in range(_PIECE)}
    words = re.finditer(r"\S+", text)
    return " ".join("***" if told.intersection(range(*word.span())) else word[0] for word in words)


def _capitals(text: str) -> str:
    """Return *text* in capitals, letter by letter: ß stays one."""
    return "".join(each.upper()[0] for each in text)


@contextmanager
def translated(doing: str, *, hide: Sequence[str] | None = None) -> Iterator[None]:
    """Raise our errors for whatever IMAP, TLS or the socket throws while *doing* something.

    Args:
        doing: What the error begins with.
        hide: Secrets that the server's words must not repeat; None leaves its words out.

    Raises:
        Refused: NO or BAD without a code that says more.
        NotConnected: Exchange's answer to every command of somebody it let in without a mailbox.
        PoliteStop: [OVERQUOTA], [THROTTLED].
        Unavailable: the connection is broken, silent or out of step; or a transient code.
        AccountError: the server's certificate is not trusted.
    """
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise AccountError(
            f"{doing}: the server's certificate is not trusted ({error.verify_message}); name its authority "
            "in ca_file if the server is right"
        ) from None
    except (IMAPClientError, imaplib.IMAP4.error, ProtocolError) as error:
        raise _meaning(doing, error, hide) from None
    except TimeoutError:
        raise Unavailable(f"{doing}: no answer in time") from None
    except ssl.SSLError as error:
        hint = "; the server speaks no TLS there: check port and tls" if error.reason in _NO_TLS else ""
        raise Unavailable(f"{doing}: {error.strerror or type(error).__name__}{hint}") from None
    except OSError as error:
        raise Unavailable(f"{doing}: {error.strerror or type(error).__name__}") from None
    except (ArithmeticError, AttributeError, EOFError, LookupError, TypeError, ValueError) as error:
        # imaplib and imapclient raise these on answers that no grammar allows; the stream is out of step.
        raise Unavailable(f"{doing}: the server's answer makes no sense ({type(error).__name__})") from None


def _meaning(doing: str, error: Exception, hide: Sequence[str] | None) -> AccountError:
    code = code_of(error)
    said = f"[{code}]" if code else "no reason code"
    if hide is not None:
        said = words_of(error, hide)
    if _NOT_CONNECTED in str(error).lower():
        return NotConnected(
            f"{doing}: the server let us in, but to no mailbox ({_NOT_CONNECTED}); check user and password, "
            "and whether IMAP is switched on for the mailbox"
        )
    if code in POLITE:
        return PoliteStop(f"{doing}: the server asks us to stop ({said})")
    # imapclient reports a connection that closed during the sign-in as a refused sign-in.
    breaks = (IMAPClientAbortError, imaplib.IMAP4.abort, ProtocolError)
    if isinstance(error, breaks) or isinstance(error.__context__, imaplib.IMAP4.abort):
        return Unavailable(f"{doing}: the connection broke ({said})")
    if code in TRANSIENT:
        return Unavailable(f"{doing}: not now ({said})")
    return Refused(f"{doing}: refused ({said})")
