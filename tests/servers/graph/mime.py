"""What Graph's JSON says of a message, read from its MIME with the standard library.

Deliberately not the product's own reader: a double that shares code with what it tests agrees with its faults.
"""

from __future__ import annotations

import datetime as dt
import email
import html
import re
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

Address = tuple[str, str]
"""A display name and an address."""


@dataclass(frozen=True)
class Part:
    """A part that is no body."""

    name: str
    content_type: str
    raw: bytes
    content_id: str | None
    inline: bool
    is_message: bool


@dataclass(frozen=True)
class Content:
    """What a message says."""

    headers: tuple[tuple[str, str], ...]
    subject: str
    addresses: dict[str, tuple[Address, ...]]
    """By header in lower case: `from`, `sender`, `to`, `cc`, `bcc`, `reply-to`."""
    message_id: str | None
    sent: dt.datetime | None
    text: str | None
    html: str | None
    parts: tuple[Part, ...]

    def body(self, *, as_text: bool, unsafe: bool) -> tuple[str, str]:
        """Return the content type and the body; HTML is the form Graph gives unless asked [DOC message]."""
        if as_text:
            return "text", self.text if self.text is not None else _stripped(self.html or "")
        if self.html is None:
            lines = html.escape(self.text or "").replace("\r\n", "\n").replace("\n", "<br>\n")
            return "html", f'<html><body><div class="PlainText">{lines}</div></body></html>'
        return "html", self.html if unsafe else _sanitised(self.html)


def parse(raw: bytes) -> Content:
    """Return what *raw* says; what cannot be read is left out."""
    mail = email.message_from_bytes(raw)
    bodies: dict[str, str] = {}
    parts: list[Part] = []
    _walk(mail, bodies, parts)
    names = ("from", "sender", "to", "cc", "bcc", "reply-to")
    return Content(
        headers=tuple((name, _decoded(value)) for name, value in mail.items()),
        subject=_decoded(mail.get("Subject", "")),
        addresses={name: _addresses(mail, name) for name in names},
        message_id=str(mail["Message-ID"]).strip() if "Message-ID" in mail else None,
        sent=_date(mail),
        text=bodies.get("text/plain"),
        html=bodies.get("text/html"),
        parts=tuple(parts),
    )


def _walk(part: Message, bodies: dict[str, str], parts: list[Part]) -> None:
    kind = part.get_content_type()
    if kind.startswith("multipart/") and part.is_multipart():
        for each in part.get_payload():
            _walk(each, bodies, parts)  # type: ignore[arg-type]
    elif kind in {"text/plain", "text/html"} and kind not in bodies and not _is_attached(part):
        charset = part.get_content_charset("utf-8")
        octets = part.get_payload(decode=True)
        try:
            bodies[kind] = octets.decode(charset, "replace")  # type: ignore[union-attr]
        except LookupError:
            bodies[kind] = octets.decode("latin-1")  # type: ignore[union-attr]
    else:
        parts.append(_part(part, kind))


def _part(part: Message, kind: str) -> Part:
    enclosed = kind == "message/rfc822" and part.is_multipart()
    raw = part.get_payload(0).as_bytes() if enclosed else part.get_payload(decode=True)  # type: ignore[union-attr]
    content_id = part.get("Content-ID")
    return Part(
        name=_decoded(part.get_filename() or "attachment"),
        content_type=kind,
        raw=raw or b"",  # type: ignore[arg-type]
        content_id=str(content_id).strip().strip("<>") if content_id else None,
        inline=str(part.get("Content-Disposition", "")).lower().startswith("inline"),
        is_message=enclosed,
    )


def _is_attached(part: Message) -> bool:
    disposition = str(part.get("Content-Disposition", "")).lower()
    return disposition.startswith("attachment") or part.get_filename() is not None


def _decoded(value: object) -> str:
    try:
        return str(make_header(decode_header(str(value))))
    except (ValueError, LookupError):
        return str(value)


def _addresses(mail: Message, name: str) -> tuple[Address, ...]:
    found = getaddresses([str(value) for value in mail.get_all(name, [])])
    return tuple((_decoded(display), address) for display, address in found if address)


def _date(mail: Message) -> dt.datetime | None:
    try:
        when = parsedate_to_datetime(str(mail["Date"]))
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=dt.UTC)


def _sanitised(text: str) -> str:
    """Return HTML without active content [DOC message: `outlook.allow-unsafe-html` gives it whole]."""
    return re.sub(r"(?is)<(script|style)\b.*?</\1\s*>", "", text)


def _stripped(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", _sanitised(text))).strip()
