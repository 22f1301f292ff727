"""Octets to text: here the charset of a body, a header or a file name is chosen.

The order (the first that fits wins):

1. the declared charset, strictly, through the allow-list of `charset_names.py`
2. ISO-2022-JP or -KR when its escape sequences are there and nothing else was declared
3. UTF-8, strictly
4. the hint: what the HTML's meta element or another part of the message says
5. the declared charset with a few octets replaced, when that leaves the text readable
6. UTF-8 with a few sequences replaced, likewise
7. windows-1252, which always fits

No statistical detector: those are slow, and differ from release to release.
"""

from __future__ import annotations

import codecs
import re

from tap_mailbox.mime.charset_names import ASCII, CP1252, codec_of
from tap_mailbox.mime.defects import Defect, Defects

# WHATWG: the five octets which Microsoft left undefined stand for the C1 controls of the same number.
_CP1252_TABLE = "".join(bytes([octet]).decode("cp1252", "ignore") or chr(octet) for octet in range(256))

_ISO_2022_JP = re.compile(rb"\x1b(?:\$[@B]|\([IJ])")
_ISO_2022_KR = b"\x1b$)C"
_ISO_2022_SEGMENT = re.compile(rb"\x1b(\$[@B]|\([BIJ])")
_HIGH_BIT = bytes(octet | 0x80 for octet in range(256))
_PLAIN_ASCII = re.compile(rb"[\t\n\r -~]++\Z")
_EIGHT_BIT = bytes(range(128, 256))

CHUNK_BYTES = 1 << 20
MOST_REPLACED = 0.05  # more U+FFFD than this share of the text: the declared charset is plainly wrong


def decode_cp1252(octets: bytes) -> str:
    """Return the text, whatever the octets: windows-1252 without holes."""
    return codecs.charmap_decode(octets, "strict", _CP1252_TABLE)[0]


def decode(octets: bytes, declared: str | None, defects: Defects, *, hint: str | None = None) -> str:
    """Return the text that the octets most likely mean; never fails, never holds a NUL.

    Args:
        octets: what transfer decoding gave.
        declared: the charset the message states for exactly these octets.
        defects: takes what was wrong.
        hint: a charset stated elsewhere, for octets that do not fit the declared one.
    """
    codec = codec_of(declared) if declared else None
    if octets.isascii() and codec in {None, ASCII, CP1252, "utf-8"} and b"\x1b" not in octets:
        text = octets.decode("ascii")
    else:
        text = _decode_declared(octets, codec, named=bool(declared), hint=hint, defects=defects)
    text = text.removeprefix("\ufeff")  # a byte order mark is no character of the text (RFC 3629, section 6)
    # Only UTF-7 can write a NUL without a zero octet, and octets are searched ten times as fast as text.
    if (b"\0" in octets or codec == "utf-7" or hint) and "\0" in text:
        defects.add(Defect.NUL_REPLACED)
        text = text.replace("\0", "\ufffd")
    return text


def decode_undeclared(octets: bytes, hint: str | None = None) -> str:
    """Return the text of raw 8-bit octets in a place that has no charset: a header, a file name."""
    if octets.isascii() and b"\x1b" not in octets:
        text = octets.decode("ascii")
    else:
        text = _decode_declared(octets, None, named=False, hint=hint, defects=set())
    return text.replace("\0", "\ufffd") if "\0" in text else text


def _decode_declared(
    octets: bytes, codec: str | None, *, named: bool, hint: str | None, defects: Defects
) -> str:
    if codec and codec != ASCII:
        text = _strict(octets, codec)
        if text is not None:
            return text
    text = _unlabelled(octets, codec, hint)
    if not octets.isascii():
        if codec:
            defects.add(Defect.WRONG_CHARSET)
        else:
            defects.add(Defect.UNKNOWN_CHARSET if named else Defect.MISSING_CHARSET)
    if text is None:
        text = _repaired(octets, codec)
        if "\ufffd" in text:
            defects.add(Defect.REPLACED_CHARACTERS)
    return text


def _unlabelled(octets: bytes, codec: str | None, hint: str | None) -> str | None:
    """Steps 2 to 4: charsets which prove themselves, then the hint."""
    candidates: list[str] = []
    if codec in {None, ASCII} and b"\x1b" in octets:
        if _ISO_2022_JP.search(octets):
            candidates.append("iso2022_jp_2")
        elif _ISO_2022_KR in octets:
            candidates.append("iso2022_kr")
    candidates.append("utf-8")
    hinted = codec_of(hint) if hint else None
    # Mail is made of ASCII first: what is read by a hint is in no charset that gives ASCII another meaning.
    if (
        hinted
        and hinted not in {codec, ASCII, CP1252}
        and not hinted.startswith(("utf-16", "utf-32", "utf-7"))
    ):
        candidates.append(hinted)
    for candidate in candidates:
        text = _strict(octets, candidate)
        if text is not None:
            return text
    return None


def _strict(octets: bytes, codec: str) -> str | None:
    """The text if the octets are of that charset without exception, else None."""
    if codec == CP1252:
        return decode_cp1252(octets)
    if codec.startswith("utf-16"):
        return _utf_16(octets, codec)
    if codec == "utf-7":
        return _utf_7(octets)
    try:
        return octets.decode(codec) if len(octets) <= CHUNK_BYTES else _in_chunks(octets, codec)
    except UnicodeError:
        return _iso_2022_jp(octets) if codec == "iso2022_jp_2" else None


def _in_chunks(octets: bytes, codec: str) -> str:
    """The same as `octets.decode(codec)`, which would need four times the memory for a moment."""
    decoder = codecs.getincrementaldecoder(codec)()
    pieces = []
    for start in range(0, len(octets), CHUNK_BYTES):
        end = start + CHUNK_BYTES
        pieces.append(decoder.decode(octets[start:end], end >= len(octets)))
    return "".join(pieces)


def _utf_16(octets: bytes, codec: str) -> str | None:
    if octets and _PLAIN_ASCII.match(octets):
        return octets.decode("ascii")  # plain text labelled utf-16: Chinese garbage if believed
    if octets[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        codec = "utf-16-le" if octets[0] == 0xFF else "utf-16-be"
    elif codec == "utf-16":
        # RFC 2781, section 4.3, says big-endian; Windows programs write little-endian. Blanks and
        # Latin letters have their zero octet on one side only.
        codec = "utf-16-le" if octets[1::2].count(0) > octets[::2].count(0) else "utf-16-be"
    try:
        return octets[: len(octets) & ~1].decode(codec)
    except UnicodeError:
        return None


def _utf_7(octets: bytes) -> str | None:
    try:
        # Python's UTF-7 reader lets lone surrogates through.
        return octets.decode("utf-7").encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeError:
        return None


def _iso_2022_jp(octets: bytes) -> str | None:
    """ISO-2022-JP with the characters of Windows (circled digits, rare names), which RFC 1468 lacks.

    Phones and Outlook write them; MailCore's `5231-emoji.eml` has one of row 89 in it.
    """
    pieces = _ISO_2022_SEGMENT.split(octets)
    texts = []
    try:
        for shift, piece in zip(["(B", *(mark.decode() for mark in pieces[1::2])], pieces[::2], strict=True):
            if shift in {"$B", "$@"}:
                texts.append(_shift_jis(piece).decode("cp932"))
            elif shift == "(I":
                texts.append(piece.translate(_HIGH_BIT).decode("cp932"))
            else:
                texts.append(piece.decode("ascii"))
    except UnicodeError:
        return None
    return "".join(texts)


def _shift_jis(rows_and_cells: bytes) -> bytes:
    """The same characters in Shift_JIS: two rows of 94 cells share one lead octet."""
    if len(rows_and_cells) % 2:
        raise UnicodeError
    octets = bytearray(len(rows_and_cells))
    for index in range(0, len(octets), 2):
        row, cell = rows_and_cells[index] - 0x21, rows_and_cells[index + 1] - 0x21
        if not (0 <= row < 94 and 0 <= cell < 94):
            raise UnicodeError
        lead, second = divmod(row, 2)
        cell += 94 * second
        octets[index] = lead + (0x81 if lead < 31 else 0xC1)
        octets[index + 1] = cell + (0x40 if cell < 63 else 0x41)
    return bytes(octets)


def _repaired(octets: bytes, codec: str | None) -> str:
    """Steps 5 to 7: text with a few octets replaced if that is readable, else windows-1252."""
    if codec and codec not in {ASCII, CP1252, "utf-8"}:
        text = octets.decode(codec, "replace").encode("utf-8", "replace").decode("utf-8")
        if text.count("\ufffd") <= MOST_REPLACED * len(text):
            return text
    text = octets.decode("utf-8", "replace")
    # Damaged UTF-8 has more whole sequences than broken ones; windows-1252 has hardly a whole one.
    broken = text.count("\ufffd")
    whole = len(text) - broken - len(octets.translate(None, _EIGHT_BIT))
    return text if broken <= whole else decode_cp1252(octets)
