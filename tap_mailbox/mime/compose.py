"""JSON fields → a message (RFC 5322, in UTF-8 by RFC 6532), so that one parser reads all."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_mailbox.message import Content, JsonMessage

_FIELDS = {
    "message_id": "Message-ID",
    "date": "Date",
    "from": "From",
    "sender": "Sender",
    "to": "To",
    "cc": "Cc",
    "bcc": "Bcc",
    "reply_to": "Reply-To",
    "subject": "Subject",
}


def compose(message: JsonMessage) -> bytes:
    """Return a message that says what *message* says; never raises."""
    fields = message.fields
    lines = [f"{name}: {_one_line(value)}" for name, value in message.headers if not _is_structure(name)]
    lines += _header_lines(message)
    text, html = _text(fields.get("body_text")), _text(fields.get("body_html"))
    bodies = [(kind, body) for kind, body in (("plain", text), ("html", html)) if body]
    boundary = hashlib.sha256(
        repr((bodies, [hashlib.sha256(each.octets).digest() for each in message.attachments])).encode(
            "utf-8", "replace"
        )
    ).hexdigest()
    parts = [
        f"Content-Type: text/{kind}; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{body}".encode(
            "utf-8", "replace"
        )
        for kind, body in bodies
    ]
    lines.append("MIME-Version: 1.0")
    if not message.attachments:
        return _multipart(lines, "alternative", boundary, parts)
    inner = _multipart([], "alternative", f"{boundary}-bodies", parts)
    return _multipart(lines, "mixed", boundary, [inner, *map(_attachment, message.attachments)])


def _multipart(lines: list[str], kind: str, boundary: str, parts: list[bytes]) -> bytes:
    header = "\n".join([*lines, f'Content-Type: multipart/{kind}; boundary="{boundary}"', "", ""])
    delimiter = f"--{boundary}".encode()
    body = b"".join(delimiter + b"\n" + part + b"\n" for part in parts)
    return header.encode("utf-8", "replace") + body + delimiter + b"--\n"


def _header_lines(message: JsonMessage) -> Iterator[str]:
    """Yield the fields that the header, so far as it is known, has not."""
    there = {name.lower() for name, _ in message.headers}
    for key, name in _FIELDS.items():
        if name.lower() not in there and (text := _one_line(_text(message.fields.get(key)))):
            # Many archivers keep the id without its brackets.
            yield f"{name}: <{text}>" if key == "message_id" and "<" not in text else f"{name}: {text}"


def _attachment(content: Content) -> bytes:
    kind = content.content_type if _is_media_type(content.content_type) else "application/octet-stream"
    lines = [f"Content-Type: {kind}"]
    disposition = "inline" if content.inline else "attachment"
    if content.filename:
        # RFC 2231, section 4: any character, and nothing that could end the parameter.
        disposition += f"; filename*=utf-8''{quote(content.filename.encode('utf-8', 'replace'), safe='')}"
    lines.append(f"Content-Disposition: {disposition}")
    if content.content_id:
        lines.append(f"Content-ID: <{_one_line(content.content_id).strip('<>')}>")
    if kind == "message/rfc822":
        # RFC 2046, section 5.2.1: no encoding but identity.
        return "\n".join([*lines, "", ""]).encode() + content.octets
    lines += ["Content-Transfer-Encoding: base64", "", ""]
    return "\n".join(lines).encode() + base64.encodebytes(content.octets)


def _is_structure(name: str) -> bool:
    """Whether a field speaks of octets that are gone, or could not stand in a header at all."""
    lower = name.lower()
    return (
        lower.startswith("content-")
        or lower == "mime-version"
        or not (name.isascii() and name.isprintable())
        or not name
        or ":" in name
        or " " in name
    )


def _is_media_type(text: str) -> bool:
    main, slash, sub = text.partition("/")
    return bool(slash and _is_token(main) and _is_token(sub)) and main.lower() != "multipart"


def _is_token(text: str) -> bool:
    return text.isascii() and all(char.isalnum() or char in "!#$&-^_.+" for char in text) and bool(text)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return value if isinstance(value, str) else ""
