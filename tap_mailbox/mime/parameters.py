"""Parameters of Content-Type and Content-Disposition, RFC 2231 continuations and charsets among them.

Read with one pass and no look-back: unclosed comments and quotes, missing or 20,000 semicolons,
unquoted blanks in file names and absurd continuation numbers are all seen in mail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from tap_mailbox.mime.charsets import decode, decode_undeclared
from tap_mailbox.mime.defects import Defect, Defects
from tap_mailbox.mime.encoded_words import decode_words

if TYPE_CHECKING:
    from tap_mailbox.mime.message import Limits

Parameters = Mapping[str, str]

_MAIN = re.compile(rb"[\s;\"']*+([^\s;,()\"']*+)")
_NAME = re.compile(rb"[;\s]*+([^=;\s(\"]*+)[ \t]*+(=?+)[ \t]*+")
_QUOTED = re.compile(rb'"((?:[^"\\]++|\\.)*+)(?:"|\\?+\Z)', re.DOTALL)
_TOKEN = re.compile(rb"[^;\s(\"]*+")
_TO_SEMICOLON = re.compile(rb"[^;]*+")
_ESCAPED = re.compile(rb'\\([\\"])')
_COMMENT_EDGE = re.compile(rb"[()]|\\.", re.DOTALL)
_CONTINUED = re.compile(r"([^*]+)\*(?:([0-9]{1,4})(\*)?)?\Z")

# Written without quotes and with blanks all the same: `filename=my file.txt`.
_WITH_BLANKS = frozenset({"filename", "name"})


CACHED_OCTETS = 64  # `text/plain; charset="utf-8"` and its like are in every message


def parse_parameters(value: bytes, limits: Limits, defects: Defects) -> tuple[str, Parameters]:
    """Return the value before the first semicolon in lower case, and the parameters after it.

    >>> parse_parameters(b"Text/Plain; charset=utf-8; name*=utf-8''%C3%A4.txt", Limits(), set())
    ('text/plain', {'charset': 'utf-8', 'name': 'ä.txt'})
    """
    if len(value) > CACHED_OCTETS:
        return _parsed(value, limits.parameters, defects)
    main, parameters, found = _parsed_short(value, limits.parameters)
    defects |= found
    return main, parameters


@lru_cache(maxsize=256)
def _parsed_short(value: bytes, most: int) -> tuple[str, Parameters, frozenset[Defect]]:
    defects: Defects = set()
    main, parameters = _parsed(value, most, defects)
    return main, parameters, frozenset(defects)


def _parsed(value: bytes, most: int, defects: Defects) -> tuple[str, Parameters]:
    match = _MAIN.match(value)
    main, position = (match[1], match.end()) if match else (b"", 0)
    if b"=" in main:
        main, position = b"", 0  # `Content-Disposition: filename=a.txt`
    pairs = _pairs(value, position, most, defects)
    text = main.decode("ascii", "replace").lower() if main.isascii() else decode_undeclared(main).lower()
    return text.replace("\0", "\ufffd"), _joined(pairs, defects) if pairs else {}


def _pairs(value: bytes, position: int, most: int, defects: Defects) -> list[tuple[str, bytes]]:
    pairs: list[tuple[str, bytes]] = []
    end = len(value)
    while position < end:
        start = position
        match = _NAME.match(value, position)
        if match is None:
            break
        position = match.end()
        if match[2] and match[1]:
            name = match[1].decode("latin-1").lower()
            text, position = _value_at(value, position, with_blanks=name in _WITH_BLANKS)
            if len(pairs) >= most:
                defects.add(Defect.TOO_MANY_PARAMETERS)
                break
            pairs.append((name, text))
        elif value.startswith(b"(", position):
            position = _after_comment(value, position)
        elif position == start or value.startswith(b'"', position):
            position += 1
    return pairs


def _value_at(value: bytes, position: int, *, with_blanks: bool) -> tuple[bytes, int]:
    if value.startswith(b'"', position):
        quoted = _QUOTED.match(value, position)
        if quoted:
            # A lone backslash stays: Windows programs write `filename="C:\temp\a.txt"`.
            return _ESCAPED.sub(rb"\1", quoted[1]) if b"\\" in quoted[1] else quoted[1], quoted.end()
    match = (_TO_SEMICOLON if with_blanks else _TOKEN).match(value, position)
    if match is None:  # both patterns match the empty string
        return b"", position
    return match[0].strip(), match.end()


def _after_comment(value: bytes, position: int) -> int:
    """The position after the comment that begins here (RFC 5322, section 3.2.2); unclosed, it takes all."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(value, position):
        if edge[0] == b"(":
            depth += 1
        elif edge[0] == b")":
            depth -= 1
            if depth == 0:
                return edge.end()
    return len(value)


def _joined(pairs: list[tuple[str, bytes]], defects: Defects) -> Parameters:
    """One value for each name: of doubles the first; a form with `*` goes before a plain one (RFC 6266)."""
    plain: dict[str, bytes] = {}
    sections: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for name, value in pairs:
        if "*" not in name:
            plain.setdefault(name, value)
            continue
        match = _CONTINUED.match(name)
        if match:
            extended = match[2] is None or bool(match[3])
            sections.setdefault(match[1], {}).setdefault(int(match[2] or 0), (value, extended))
    joined: dict[str, str] = {name: _plain_text(value) for name, value in plain.items()}
    for name, by_number in sections.items():
        text = _extended_text([by_number[number] for number in sorted(by_number)], defects)
        if text:
            joined[name] = text
    return joined


def _plain_text(value: bytes) -> str:
    if b"=?" in value:
        return decode_words(value, set())  # RFC 2047, section 5, forbids it there; Outlook does it
    return decode_undeclared(value)


def _extended_text(pieces: list[tuple[bytes, bool]], defects: Defects) -> str:
    """RFC 2231, sections 3 and 4: the first piece names the charset, the later ones go on in it."""
    charset = ""
    octets = []
    for index, (value, extended) in enumerate(pieces):
        content = value
        if extended and index == 0 and value.count(b"'") >= 2:
            name, _, content = value.split(b"'", 2)
            charset = name.decode("latin-1")
        octets.append(unquote_to_bytes(content) if extended else content)
    whole = b"".join(octets)
    if not charset and b"=?" in whole:
        return decode_words(whole, set())
    return decode(whole, charset or None, defects)
