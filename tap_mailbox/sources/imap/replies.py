"""What a server's refusal means: response codes and broken lines, translated into our errors.

Codes: RFC 5530 (UNAVAILABLE, AUTHENTICATIONFAILED, INUSE, LIMIT, OVERQUOTA …); THROTTLED is Google's and
Microsoft's. The server's words go into the error with every address taken out.
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
    from collections.abc import Iterator

TRANSIENT = frozenset({"UNAVAILABLE", "INUSE", "LIMIT"})
"""Codes after which a new connection may help."""
POLITE = frozenset({"OVERQUOTA", "THROTTLED"})
"""Codes after which the account rests until the next run."""
_CODE = re.compile(r"\[([A-Z][A-Z-]*)[^\]]*\]", re.IGNORECASE)
_ADDRESS = re.compile(r"\S+@\S+")
_MAX_WORDS = 200


class Refused(AccountError):
    """The server answered NO or BAD to one command; the connection is still good."""


def code_of(text: str) -> str:
    """Return the response code in a server's answer, in upper case; empty when there is none."""
    found = _CODE.search(text)
    return found.group(1).upper() if found else ""


def words_of(error: BaseException) -> str:
    """Return what the server said, on one line, short, and without any address."""
    text = str(error)
    if len(text) > 3 and text[:2] in {"b'", 'b"'}:
        text = text[2:-1]
    return _ADDRESS.sub("<address>", " ".join(text.split()))[:_MAX_WORDS]


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise our errors for whatever IMAP, TLS or the socket throws while *doing* something.

    Raises:
        Refused: NO or BAD without a code that says more.
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
    except (IMAPClientAbortError, imaplib.IMAP4.abort, ProtocolError) as error:
        # A BYE often says why (RFC 3501, section 7.1.5).
        if code_of(str(error)) in POLITE:
            raise PoliteStop(f"{doing}: the server asks us to stop ({words_of(error)})") from None
        raise Unavailable(f"{doing}: the connection broke ({words_of(error)})") from None
    except (IMAPClientError, imaplib.IMAP4.error) as error:
        code = code_of(str(error))
        if isinstance(error.__context__, imaplib.IMAP4.abort) and code not in POLITE:
            # imapclient reports a connection that closed during the sign-in as a refused sign-in.
            raise Unavailable(f"{doing}: the connection broke ({words_of(error)})") from None
        if code in POLITE:
            raise PoliteStop(f"{doing}: the server asks us to stop ({words_of(error)})") from None
        if code in TRANSIENT:
            raise Unavailable(f"{doing}: {words_of(error)}") from None
        raise Refused(f"{doing}: {words_of(error)}") from None
    except TimeoutError:
        raise Unavailable(f"{doing}: no answer in time") from None
    except (OSError, EOFError) as error:
        raise Unavailable(
            f"{doing}: {error.strerror or error}" if isinstance(error, OSError) else doing
        ) from None
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        # imaplib and imapclient raise these on answers that no grammar allows; the stream is out of step.
        raise Unavailable(f"{doing}: the server's answer makes no sense ({type(error).__name__})") from None
