"""Ids: Message-ID, In-Reply-To, References, and the id of a message that has none."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from tap_mailbox.mime.charsets import decode_undeclared
from tap_mailbox.mime.defects import Defect, Defects

if TYPE_CHECKING:
    from tap_mailbox.mime.fields import Header
    from tap_mailbox.mime.message import Limits

_SYNTHETIC_ID_FIELDS = (b"date", b"from", b"to", b"cc", b"subject")
_RAW_FIELD = re.compile(
    rb"^(date|from|to|cc|subject)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.IGNORECASE | re.MULTILINE
)
_ANGLE = re.compile(rb"<([^<>]*+)>")


def message_id(header: Header, octets: bytes, defects: Defects) -> str:
    """Return the Message-ID with its angle brackets, case kept; a synthetic one when there is none."""
    values = header.all("message-id")
    if len(values) > 1:
        defects.add(Defect.DUPLICATE_MESSAGE_ID)
    found = first_id(values[0], defects) if values else None
    if found is None:
        defects.add(Defect.MISSING_MESSAGE_ID)
        return synthetic_id(header, octets)
    return found


def first_id(value: bytes, defects: Defects) -> str | None:
    """Return the first id of an unfolded value, with angle brackets; None when it has none.

    Exchange folds long ids, so blanks inside are none of the id (RFC 5322, section 4.5.4, allows them).
    """
    match = _ANGLE.search(value)
    content = b"".join((match[1] if match else value.replace(b"<", b"").replace(b">", b"")).split())
    if not content:
        return None
    if not match:
        defects.add(Defect.INVALID_MESSAGE_ID)
    return f"<{decode_undeclared(content)}>"


def all_ids(value: bytes, limits: Limits, defects: Defects) -> tuple[str, ...]:
    """Return every id of a References value, with angle brackets, in order."""
    found = [
        "<" + decode_undeclared(b"".join(match[1].split())) + ">"
        for match in _limited(value, limits, defects)
    ]
    return tuple(identifier for identifier in found if identifier != "<>")


def _limited(value: bytes, limits: Limits, defects: Defects) -> list[re.Match[bytes]]:
    matches: list[re.Match[bytes]] = []
    for match in _ANGLE.finditer(value):
        if len(matches) >= limits.references:
            defects.add(Defect.TOO_MANY_REFERENCES)
            break
        matches.append(match)
    return matches


def synthetic_id(header: Header, octets: bytes) -> str:
    """Return `<H@missing.invalid>`: the same for two copies of a message, whatever way they came.

    H is the first half of SHA-256 over the raw values of Date, From, To, Cc and Subject, each followed
    by a newline, then the body with CRLF turned into LF. A raw value is what stands after the colon and
    its blanks, encoded words and folds as they are, without CR and without the line end; an absent field
    is empty, and of several of one name the first counts. Received and its like are left out.
    """
    digest = hashlib.sha256()
    raws: dict[bytes, bytes] = {}
    for field in _RAW_FIELD.finditer(octets, header.start, header.body):
        raws.setdefault(field[1].lower(), field[2].replace(b"\r", b""))
    for name in _SYNTHETIC_ID_FIELDS:
        digest.update(raws.get(name, b"").lstrip(b" \t\n").rstrip(b"\n") + b"\n")
    digest.update(octets[header.body :].replace(b"\r\n", b"\n"))
    return f"<{digest.hexdigest()[:32]}@missing.invalid>"
