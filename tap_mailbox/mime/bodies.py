"""Which parts are the message's text and HTML, and which are attachments."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_mailbox.mime.charset_names import codec_of
from tap_mailbox.mime.charsets import decode, decode_undeclared
from tap_mailbox.mime.defects import Defect, Defects
from tap_mailbox.mime.html_text import text_of_html
from tap_mailbox.mime.message import Attachment, Limits
from tap_mailbox.mime.parameters import Parameters, parse_parameters
from tap_mailbox.mime.transfer import BASE64, content_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_mailbox.mime.parts import Part

_BODY_TYPES = frozenset({"text/plain", "text/html"})
_ENRICHED_TYPES = frozenset({"text/enriched", "text/richtext"})
_TEXT_TYPES = _BODY_TYPES | _ENRICHED_TYPES
# Header lines and messages by definition (RFC 2046, section 5.2; RFC 3462, section 4): no file has these
# line ends, the transport has, CRLF over IMAP and LF in a Maildir. They are digested with LF, so that a
# bounce or a forwarded message is the same attachment wherever it was read.
_LINES_OF_TEXT = ("message/", "text/rfc822-headers")
_CMS_TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
# id-envelopedData (RFC 5652, section 6.1) and id-ct-authEnvelopedData (RFC 5083, section 2.1) in DER:
# `smime-type` is often missing, and signed-data has the same media type.
_ENVELOPED = (
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03",
    b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17",
)

_META_CHARSET = re.compile(rb"<meta\b[^>]*+", re.IGNORECASE)
_CHARSET = re.compile(rb"charset\s*+=\s*+[\"']?+([A-Za-z0-9_:.-]++)", re.IGNORECASE)
META_SEARCHED_BYTES = 4_096  # browsers look at the first 1,024; newsletters put comments before it

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")

OUTSIDE_TEXT_BYTES = 200  # more than `This is a multi-part message in MIME format.` and its translations

_ENRICHED_PARAM = re.compile(r"<param>[^<]*+</param>", re.IGNORECASE)
_ENRICHED_TAG = re.compile(r"<(<)|</?[A-Za-z0-9-]{1,60}+>")


@dataclass(slots=True)
class Content:
    """What the parts of a message hold."""

    text: str | None = None
    text_source: str | None = None
    html: str | None = None
    attachments: list[Attachment] = field(default_factory=list)


@dataclass(slots=True)
class _Leaf:
    """A part without parts inside, and what its Content-Disposition says."""

    part: Part
    disposition: str | None
    filename: str | None


def leaves_of(root: Part) -> Iterator[Part]:
    """Yield the parts that have no parts inside, in document order."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.children:
            waiting.extend(reversed(part.children))
        else:
            yield part


class ContentReader:
    """Reads bodies and attachments out of the parts of one message."""

    def __init__(self, octets: bytes, limits: Limits, defects: Defects) -> None:
        self._octets = octets
        self._limits = limits
        self._defects = defects

    def read(self, root: Part) -> Content:
        """Return the bodies (joined in document order) and the attachments."""
        leaves = [self._leaf(part) for part in leaves_of(root)]
        bodies = [leaf for leaf in leaves if self._is_body(leaf)]
        if not bodies:
            bodies = self._stand_in(leaves)
        chosen = {id(leaf) for leaf in bodies}
        content = Content(attachments=[self._attachment(leaf) for leaf in leaves if id(leaf) not in chosen])
        texts = [self._text(leaf.part) for leaf in _read_as_text(bodies)]
        pages = [self._text(leaf.part) for leaf in bodies if leaf.part.content_type == "text/html"]
        outside = self._text_outside(root)
        if outside and not bodies and Defect.ENCRYPTED not in self._defects:
            texts.append(outside)
        self._fill(content, texts, pages)
        return content

    def _fill(self, content: Content, texts: list[str], pages: list[str]) -> None:
        text = "\n".join(texts)
        if pages:
            content.html = "\n".join(pages)
        if text and not text.isspace():
            content.text, content.text_source = text, "text"
        elif content.html:
            # An empty text part beside the HTML is no text: some mailers always write one.
            derived = text_of_html(content.html, self._limits.html_bytes, self._defects)
            if derived:
                content.text, content.text_source = derived, "html"

    def _leaf(self, part: Part) -> _Leaf:
        disposition, filename = None, None
        parameters: Parameters = {}
        value = part.header.first("content-disposition")
        if value:
            main, parameters = parse_parameters(value, self._limits, self._defects)
            # RFC 2183, section 2.8: a disposition nobody knows is an attachment.
            disposition = (main if main == "inline" else "attachment") if main else None
        if parameters or part.parameters:
            filename = parameters.get("filename") or parameters.get("name")
            filename = filename or part.parameters.get("name") or part.parameters.get("filename")
        return _Leaf(part, disposition, self._shown(filename) if filename else None)

    def _shown(self, filename: str) -> str | None:
        """A file name as it may be shown: on one line, not endless; a path in it stays as stated."""
        name = _CONTROLS.sub(" ", filename).strip()
        if len(name) > self._limits.filename_chars:
            self._defects.add(Defect.FILENAME_TOO_LONG)
            name = name[: self._limits.filename_chars]
        return name or None

    def _is_body(self, leaf: _Leaf) -> bool:
        part = leaf.part
        if part.content_type not in _TEXT_TYPES or leaf.disposition == "attachment" or leaf.filename:
            return False
        if part.encrypted:
            return False
        if part.end - part.header.body > self._limits.text_bytes:
            self._defects.add(Defect.TEXT_TOO_LARGE)
            return False
        return True

    def _stand_in(self, leaves: list[_Leaf]) -> list[_Leaf]:
        """The one part that is the text of a message without a plain body, so that no text is lost."""
        for leaf in leaves[:1]:
            part = leaf.part
            # Phones name even the text of a message. An unknown type of text counts if it is all there is.
            only = part.parent_type is None and part.content_type != "text/calendar"
            readable = part.content_type in _BODY_TYPES or only
            if (
                readable
                and part.content_type.startswith("text/")
                and leaf.disposition != "attachment"
                and not part.encrypted
                and part.end - part.header.body <= self._limits.text_bytes
            ):
                return [leaf]
        return []

    def _text(self, part: Part) -> str:
        content = content_of(self._octets, part.header.body, part.end, part.encoding, self._defects)
        charset = part.parameters.get("charset")
        codec = codec_of(charset) if charset else None
        wide = codec is not None and codec.startswith(("utf-16", "utf-32"))
        if b"\r" in content and not wide:
            # Before decoding: a text with one emoji takes four bytes a character, and a copy as much again.
            content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        hint = None
        if part.content_type == "text/html" and not content.isascii():
            hint = _meta_charset(content)
        text = decode(content, charset, self._defects, hint=hint)
        if wide and "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return _without_enrichment(text) if part.content_type in _ENRICHED_TYPES else text

    def _attachment(self, leaf: _Leaf) -> Attachment:
        part = leaf.part
        content = content_of(self._octets, part.header.body, part.end, part.encoding, self._defects)
        if part.content_type.startswith(_LINES_OF_TEXT) and part.encoding != BASE64 and b"\0" not in content:
            content = content.replace(b"\r\n", b"\n")
        if part.encrypted or _is_encrypted(part, content):
            self._defects.add(Defect.ENCRYPTED)
        content_id = part.header.first("content-id")
        return Attachment(
            part=part.number,
            filename=leaf.filename,
            content_type=part.content_type,
            disposition=leaf.disposition,
            content_id=decode_undeclared(content_id.strip(b"<> \t")) or None if content_id else None,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )

    def _text_outside(self, root: Part) -> str | None:
        """What stands before the first part, if it is more than the usual notice to old mailers."""
        if not root.children:
            return None
        before = self._octets[root.header.body : root.preamble_end]
        after = self._octets[root.epilogue : root.end] if root.epilogue else b""
        longest = max(len(text.translate(None, b" \t\r\n")) for text in (before, after))
        if longest <= OUTSIDE_TEXT_BYTES:
            return None
        self._defects.add(Defect.TEXT_OUTSIDE_PARTS)
        return decode(before.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), None, set())


def _read_as_text(bodies: list[_Leaf]) -> list[_Leaf]:
    """The text parts; of enriched and plain text that are alternatives, the plain one."""
    plain = {leaf.part.parent_number for leaf in bodies if leaf.part.content_type == "text/plain"}
    return [
        leaf
        for leaf in bodies
        if leaf.part.content_type != "text/html"
        and not (
            leaf.part.content_type in _ENRICHED_TYPES
            and leaf.part.parent_type == "multipart/alternative"
            and leaf.part.parent_number in plain
        )
    ]


def _is_encrypted(part: Part, content: bytes) -> bool:
    # Exchange makes multipart/mixed of multipart/encrypted: the control part (RFC 3156, section 4) stays.
    if part.content_type == "application/pgp-encrypted":
        return True
    return part.content_type in _CMS_TYPES and any(oid in content[:64] for oid in _ENVELOPED)


def _meta_charset(content: bytes) -> str | None:
    for meta in _META_CHARSET.finditer(content, 0, META_SEARCHED_BYTES):
        charset = _CHARSET.search(meta[0])
        if charset:
            return charset[1].decode("ascii")
    return None


def _without_enrichment(text: str) -> str:
    """The words of text/enriched (RFC 1896) and text/richtext (RFC 1341), without their commands."""
    return _ENRICHED_TAG.sub(r"\1", _ENRICHED_PARAM.sub("", text))
