"""Content-Transfer-Encoding: from the octets of a part to its content (RFC 2045, section 6)."""

from __future__ import annotations

import binascii
import re

import pybase64

from tap_mailbox.mime.defects import Defect, Defects

IDENTITY = "identity"
BINARY = "binary"
BASE64 = "base64"
QUOTED_PRINTABLE = "quoted-printable"
UUENCODE = "uuencode"

# Compared as letters and digits only: `"8-bit" (comment)`, `quoted/printable` and `base64;` all occur.
_ENCODINGS = {
    b"": IDENTITY,
    b"7bit": IDENTITY,
    b"8bit": IDENTITY,
    b"7bits": IDENTITY,
    b"8bits": IDENTITY,
    b"none": IDENTITY,
    b"plain": IDENTITY,
    b"text": IDENTITY,
    b"usascii": IDENTITY,
    b"utf8": IDENTITY,
    b"binary": BINARY,
    b"base64": BASE64,
    b"b64": BASE64,
    b"b": BASE64,
    b"quoted-printable": QUOTED_PRINTABLE,
    b"quotedprintable": QUOTED_PRINTABLE,
    b"qp": QUOTED_PRINTABLE,
    b"q": QUOTED_PRINTABLE,
    b"uuencode": UUENCODE,
    b"xuuencode": UUENCODE,
    b"uue": UUENCODE,
    b"xuue": UUENCODE,
}

_NAME = re.compile(rb"[\s\"']*+([^\s;,(]*+)")
_PUNCTUATION = re.compile(rb"[^a-z0-9]+")
_SOFT_BREAK_WITH_BLANKS = re.compile(rb"=[ \t]++(?=\r?\n|\Z)")
_SOFT_BREAK_BY_CR = re.compile(rb"=\r(?!\n)")

TAIL_BYTES = 200  # where the end of base64 is looked at more closely; a padded last line is much shorter
_BASE64_LINES = re.compile(rb"[A-Za-z0-9+/ \t\r\n]*+\Z")
_PADDED_TAIL = re.compile(rb"[A-Za-z0-9+/ \t\r\n]*+={0,2}[ \t\r\n]*+\Z")
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_FOREIGN = bytes(set(range(256)) - set(_ALPHABET))
_IMPURE_LINE = re.compile(rb"^[A-Za-z0-9+/=]*+[^A-Za-z0-9+/=\r\n][^\n]*+", re.MULTILINE)
_FULL_LINE = re.compile(rb"^[A-Za-z0-9+/=]{60,}+\r?$", re.MULTILINE)
_PADDING = re.compile(rb"=+")


def encoding_of(value: bytes, defects: Defects) -> str:
    """Return the encoding which a Content-Transfer-Encoding field names; an unknown one is none."""
    encoding = _ENCODINGS.get(value)
    if encoding is None:
        match = _NAME.match(value)
        encoding = _ENCODINGS.get(_PUNCTUATION.sub(b"", match[1].lower()) if match else b"")
    if encoding is None:
        defects.add(Defect.UNKNOWN_TRANSFER_ENCODING)
        return IDENTITY
    return encoding


def content_of(octets: bytes, start: int, end: int, encoding: str, defects: Defects) -> bytes:
    """Return the content of `octets[start:end]` after transfer decoding, to the octet.

    Line ends stay as they are: the digest of an attachment is that of the octets which lie in the message.
    """
    if encoding == BASE64:
        return _base64(octets, start, end, defects)
    content = octets[start:end]
    if encoding == QUOTED_PRINTABLE:
        return _quoted_printable(content)
    if encoding == UUENCODE:
        return _uuencode(content, defects)
    return content


def _base64(octets: bytes, start: int, end: int, defects: Defects) -> bytes:
    padding = octets.find(b"=", start, end)
    tail = max(start, end - TAIL_BYTES)
    clean = None
    if padding < 0:
        clean = _BASE64_LINES.match(octets, tail, end)
    elif padding >= tail:
        clean = _PADDED_TAIL.match(octets, tail, end)
    if clean:
        try:
            return pybase64.b64decode(memoryview(octets)[start:end])
        except binascii.Error:
            pass  # cut short: the last group of four is incomplete
    return lenient_base64(octets[start:end], defects)


def lenient_base64(encoded: bytes, defects: Defects) -> bytes:
    """Return what can be decoded: several padded runs are joined, an incomplete last group is completed.

    Lines of text below the base64 are left out: mailing lists append their footer, and broken delimiters
    end up there. Foreign octets in between are skipped (RFC 2045, section 6.8).
    """
    defects.add(Defect.INVALID_BASE64)
    decoded = []
    for run in _PADDING.split(encoded[: _end_of_base64(encoded)].translate(None, _FOREIGN)):
        # One sextet alone holds no octet.
        whole = run[:-1] if len(run) % 4 == 1 else run
        decoded.append(pybase64.b64decode(whole + b"=" * (-len(whole) % 4)))
    return b"".join(decoded)


def _end_of_base64(encoded: bytes) -> int:
    """Where the first line of text begins that has no full line of base64 below it."""
    end = 0
    for line in _FULL_LINE.finditer(encoded):
        end = line.end()
    for line in _IMPURE_LINE.finditer(encoded, end):
        text = line[0].strip()
        foreign = len(text.translate(None, _ALPHABET))
        if foreign * 4 > len(text) or b" " in text or b"--" in text:
            return line.start()
    return len(encoded)


def _quoted_printable(content: bytes) -> bytes:
    content = _SOFT_BREAK_WITH_BLANKS.sub(b"=", content)
    if b"\r" in content:
        content = _SOFT_BREAK_BY_CR.sub(b"=\n", content)  # a2b_qp would drop all up to the next LF
    return binascii.a2b_qp(content)


def _uuencode(content: bytes, defects: Defects) -> bytes:
    decoded = []
    begun = False
    for line in content.splitlines():
        if not begun:
            begun = line.startswith(b"begin ")
            continue
        if line.rstrip() in {b"end", b"`"}:
            break
        try:
            decoded.append(binascii.a2b_uu(line))
        except binascii.Error:
            defects.add(Defect.INVALID_UUENCODE)
            # Some encoders pad a line beyond its stated length: read only what the length octet says.
            length = (((line[0] - 32) & 63) * 4 + 5) // 3 if line else 0
            try:
                decoded.append(binascii.a2b_uu(line[:length]))
            except binascii.Error:
                continue
    if not begun:
        defects.add(Defect.INVALID_UUENCODE)
        return content
    return b"".join(decoded)
