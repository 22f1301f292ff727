"""Encoded words in header fields (RFC 2047), as mailers write them rather than as they should.

Words glued to text or to one another, blanks inside, raw 8-bit octets inside, a character split over
two words, unknown charsets: all give text. What cannot be read as a word stays as it is.
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache

from tap_mailbox.mime.charsets import decode, decode_undeclared
from tap_mailbox.mime.defects import Defect, Defects
from tap_mailbox.mime.transfer import lenient_base64

# Possessive, and the text of a word cannot run over the opening of another: a flood of openings, of which
# the last is closed, costs one pass. A question mark inside is none of RFC 2047, but of some mailers.
# A group whose last round may fail half-way is not: Python before 3.11.5 matches that wrongly (gh-106052).
_WORD = re.compile(
    rb"=\?([^?\s\x00-\x1f]*+)\?([bBqQ])\?((?:[^?=]++|\?(?!=)|=(?!\?[^?\s\x00-\x1f]*+\?[bBqQ]\?))*)\?="
)
# Not the strict mode of a2b_base64: what that refuses depends on the Python release.
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?+\Z")
CACHED_OCTETS = 128  # names of people, which come back in message after message
_LINE_BREAKERS = re.compile(r"[\r\n\t\0]+")


def decode_words(value: bytes, defects: Defects, *, hint: str | None = None) -> str:
    """Return the text of an unfolded field value; decoded line ends become blanks, so nothing is injected.

    >>> decode_words(b"=?utf-8?Q?a=C3=B6?= =?utf-8?Q?b?= c", set())
    'aöb c'
    """
    if b"=?" not in value:
        return _raw(value, defects, hint)
    if len(value) <= CACHED_OCTETS and value.isascii():
        text, found = _short_words(value)
        defects |= found
        return text
    return _read_words(value, defects, hint)


@lru_cache(maxsize=4096)
def _short_words(value: bytes) -> tuple[str, frozenset[Defect]]:
    defects: Defects = set()
    text = _read_words(value, defects, None)
    return text, frozenset(defects)


def _read_words(value: bytes, defects: Defects, hint: str | None) -> str:
    # Text before, charset, encoding, encoded text, text before the next one, ... , text at the end.
    pieces = _WORD.split(value)
    if len(pieces) == 1:
        defects.add(Defect.INVALID_ENCODED_WORD)
        return _raw(value, defects, hint)
    texts: list[str] = []
    charset = b""
    run: list[tuple[bytes, bytes]] = []
    for index in range(0, len(pieces) - 1, 4):
        between, name, encoding, encoded = pieces[index : index + 4]
        # Blanks between two words separate nothing (RFC 2047, section 6.2).
        if run and (name.lower() != charset or between.strip()):
            texts.append(_text_of(run, charset, defects, hint))
            run = []
            if between.strip():
                texts.append(_raw(between, defects, hint))
        elif between and not run:
            texts.append(_raw(between, defects, hint))
        charset = name.lower()
        run.append((encoding, encoded))
    texts.append(_text_of(run, charset, defects, hint))
    texts.append(_raw(pieces[-1], defects, hint))
    text = "".join(texts)
    return text if text.isprintable() else _LINE_BREAKERS.sub(" ", text)


def _text_of(run: list[tuple[bytes, bytes]], charset: bytes, defects: Defects, hint: str | None) -> str:
    """The text of words of one charset, joined as octets first: many mailers split inside a character."""
    # RFC 2231, section 5: the charset may carry a language, `utf-8*en`.
    name = charset.partition(b"*")[0].decode("latin-1")
    return decode(_octets_of(run, defects), name or None, defects, hint=hint)


def _octets_of(run: list[tuple[bytes, bytes]], defects: Defects) -> bytes:
    octets = []
    pending = b""
    for index, (encoding, encoded) in enumerate(run):
        if encoding in b"qQ":
            octets.append(binascii.a2b_qp(encoded, header=True))
            continue
        pending += encoded
        goes_on = index + 1 < len(run) and run[index + 1][0] in b"bB"
        if goes_on and len(pending) % 4 and not pending.endswith(b"="):
            continue  # base64 cut in the middle of four: the next word has the rest
        if _BASE64.match(pending):
            octets.append(binascii.a2b_base64(pending))
        else:
            octets.append(lenient_base64(pending, set()))
            defects.add(Defect.INVALID_ENCODED_WORD)
        pending = b""
    return b"".join(octets)


def _raw(value: bytes, defects: Defects, hint: str | None) -> str:
    if not value:
        return ""
    if value.isascii():
        text = value.decode("ascii")
    else:
        text = decode_undeclared(value, hint)
        # RFC 6532 allows raw UTF-8; anything else is a guess.
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            defects.add(Defect.UNDECLARED_8BIT_HEADER)
    # A tab is a fold's, as Exchange writes them: a blank to the reader.
    return text if text.isprintable() else text.replace("\t", " ").replace("\0", "\ufffd")
