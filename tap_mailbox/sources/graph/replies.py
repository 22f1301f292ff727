"""What an error of Microsoft Graph means: status and code, never the text, which changes and quotes mail.

Codes stand in `error.code` and again, more exactly, in nested `innerError`s; their case varies between the
documentation and the wire (research of 2026-11, sections 1.3 and 1.7). All are compared in lower case.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tap_mailbox.errors import AccountError

if TYPE_CHECKING:
    from collections.abc import Iterator

GONE_CODES = frozenset({"syncstatenotfound", "syncstateinvalid", "resyncrequired"})
"""The service has forgotten a delta token; only a walk from the start helps."""
QUOTA_CODES = frozenset({"errorquotaexceeded", "quotaexceeded"})
"""A full mailbox, in which delta itself cannot store its state."""
NO_MAILBOX_CODES = frozenset(
    {"mailboxnotenabledforrestapi", "errorinvaliduser", "request_resourcenotfound", "resourcenotfound"}
)
"""There is no such mailbox, or no licence for it, or it is kept elsewhere.

ResourceNotFound is among them and not below: it says that the mailbox "could not be discovered" (docs issue
2914), whatever in it was asked for.
"""
MISSING_CODES = frozenset(
    {
        "erroritemnotfound",
        "itemnotfound",
        "errorinvalidmailboxitemid",
        "errorfoldernotfound",
        "errorsyncfoldernotfound",
    }
)
"""The mailbox is there, and has no such message or folder."""
UNREADABLE_CODES = frozenset(
    {
        "errormimecontentconversionfailed",
        "errorcontentconversionfailed",
        "errorcorruptdata",
        "errorinvalidrecipients",
        "errorcannotopenfileattachment",
        "errormessagesizeexceeded",
    }
)
"""This item cannot be given, today or tomorrow: asking again is of no use, whatever the status."""
_MAX_DEPTH = 8
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,59}")


class Refused(AccountError):
    """Graph answered a request with an error that asking again does not cure."""

    def __init__(self, doing: str, status: int, codes: tuple[str, ...]) -> None:
        self.status, self.said = status, codes
        self.codes = in_lower_case(codes)
        super().__init__(f"{doing}: refused ({status} {codes[0] if codes else 'no error code'})")

    @property
    def gone(self) -> bool:
        """Whether a delta token is no longer known."""
        return self.status == 410 or bool(self.codes & GONE_CODES)

    @property
    def missing(self) -> bool:
        """Whether Graph itself says that the message or folder asked for does not exist (any more).

        Any other 404, such as a gateway's page, is a refusal: believed, it would pass for a deletion.
        """
        return self.status == 404 and bool(self.codes & MISSING_CODES) and not self.no_mailbox

    @property
    def no_mailbox(self) -> bool:
        """Whether the whole mailbox cannot be read through Graph."""
        return self.status == 404 and bool(self.codes & NO_MAILBOX_CODES)

    @property
    def quota(self) -> bool:
        """Whether the mailbox is full."""
        return bool(self.codes & QUOTA_CODES)


class Malformed(AccountError):
    """Graph answered 200 with something that is not what was asked for."""


def codes_of(body: bytes) -> tuple[str, ...]:
    """Return every error code of an answer as written, the outermost first; none when it is not Graph's."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    error = document.get("error") if isinstance(document, dict) else None
    return tuple(_codes(error))


def in_lower_case(codes: tuple[str, ...]) -> frozenset[str]:
    """Return codes as they are compared."""
    return frozenset(code.lower() for code in codes)


def concurrency(body: bytes) -> bool:
    """Whether a 429 speaks of requests at the same time, whose Retry-After is no time limit.

    The one place where the text decides: the code is `ApplicationThrottled` for every limit.
    """
    return b"concurrency" in body.lower()


def _codes(error: object) -> Iterator[str]:
    for _ in range(_MAX_DEPTH):
        if not isinstance(error, dict):
            return
        # A word alone: whatever else stands there would be shown in logs.
        if isinstance(code := error.get("code"), str) and _WORD.fullmatch(code):
            yield code
        error = error.get("innerError") or error.get("innererror")
