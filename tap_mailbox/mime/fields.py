"""Header fields: where each begins and ends in the octets, and its value unfolded (RFC 5322, section 2.2).

```
message ─ leading junk ─ field ─ field ─ junk line ─ field ─ blank line ─ body
          (BOM, From_,           (skipped: a field follows)
           blank lines)
```

A field's name is anything without blanks, controls and a colon; a line of two dashes is never a field,
for it may be the delimiter of a multipart around this header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from tap_mailbox.mime.charsets import decode_undeclared
from tap_mailbox.mime.defects import Defect, Defects

if TYPE_CHECKING:
    from tap_mailbox.mime.message import Limits

# Continuation lines begin with a blank, and a line of blanks only is one as well: Exchange and old
# sendmail write them, and what follows is header, not body.
_FIELD = re.compile(rb"(?!--)([^\x00-\x20:\x7f]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)")
_UNFOLDED_FIELD = re.compile(rb"^(?!--)([^\x00-\x20:\x7f]++)[ \t]*+:[ \t]*+([^\n]*+)\n", re.MULTILINE)
_LINE = re.compile(rb"[^\n]*+(?:\n[ \t][^\n]*+)*+(?:\n|\Z)")
_BLANK_LINES = re.compile(rb"(?:[ \t]*+\r?+\n)+")
_ENVELOPE = re.compile(rb">?From (?!\s*:)[^\n]*+\n")
_FOLD = re.compile(rb"\n(?=[ \t])")
_HEADER_END = re.compile(rb"\n\r?\n")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


CACHED_NAME_OCTETS = 64
# A longer header is read field by field.
HEADER_BYTES = 16_384
PART_HEADER_BYTES = 1_024


@dataclass(slots=True)
class Header:
    """The fields of the message or of one part, in order, and the octets they stand in."""

    start: int
    body: int
    """Where the body begins: after the blank line."""

    fields: list[tuple[str, bytes]] = field(default_factory=list)
    """Name as written, unfolded value."""

    named: dict[str, list[bytes]] = field(default_factory=dict)
    """The same values under their name in lower case."""

    def all(self, name: str) -> list[bytes]:
        """Return the values of every field of that name."""
        return self.named.get(name, [])

    def first(self, name: str) -> bytes | None:
        """Return the value of the first field of that name."""
        values = self.named.get(name)
        return values[0] if values else None


def read_header(octets: bytes, start: int, limits: Limits, defects: Defects, *, part: bool = False) -> Header:
    """Return the header that begins at `start`; a part's header may be missing altogether.

    Args:
        octets: the whole message.
        start: where the header begins.
        limits: how many fields are read, and how long.
        defects: takes what was wrong.
        part: the header is that of a body part, where nothing stands before the first field.
    """
    position = start if part else _after_leading_junk(octets, start, defects)
    header = Header(start, start)
    end = len(octets)
    block, position = _well_formed(octets, position, PART_HEADER_BYTES if part else HEADER_BYTES)
    _add(header, block[: limits.fields], limits, defects)
    while position < end and len(header.fields) < limits.fields:
        match = _FIELD.match(octets, position)
        if match:
            value = match[2].replace(b"\r\n", b"\n").rstrip(b"\r\n")
            _add(header, [(match[1], _unfolded(value).lstrip(b" \t"))], limits, defects)
            position = match.end()
            continue
        resumed = _after_junk_line(octets, position, defects, first=part and not header.fields)
        if resumed is None:
            break
        position = resumed
    if len(header.fields) >= limits.fields:
        defects.add(Defect.TOO_MANY_FIELDS)
        blank = _HEADER_END.search(octets, position - 1)
        header.body = blank.end() if blank else end
    else:
        header.body = _body_start(octets, position, defects)
    return header


def _well_formed(octets: bytes, position: int, longest: int) -> tuple[list[tuple[bytes, bytes]], int]:
    """All fields of the header, as name and value on one line, and where it ends; none if anything is odd.

    Nearly every header is well-formed, and one pass over all its lines is three times as fast as one field
    after the other.
    """
    # The window is small: many parts without a blank line would search the same octets again and again.
    blank = _HEADER_END.search(octets, position, position + longest)
    if not blank:
        return [], position
    lines = octets[position : blank.start() + 1]
    unfolded = _unfolded(lines.replace(b"\r\n", b"\n") if b"\r" in lines else lines)
    found = _UNFOLDED_FIELD.findall(unfolded)
    if len(found) != unfolded.count(b"\n"):
        return [], position
    return found, position + len(lines)


def _unfolded(lines: bytes) -> bytes:
    r"""The lines with their continuations on them (RFC 5322, section 2.2.3).

    A bare CR becomes a blank: taken for a line end, `Subject: a\rBcc: evil@example.org` would make a field.
    """
    if b"\r" in lines:
        lines = lines.replace(b"\r", b" ")
    return _FOLD.sub(b"", lines)


def _add(header: Header, block: list[tuple[bytes, bytes]], limits: Limits, defects: Defects) -> None:
    fields, named = header.fields, header.named
    longest = limits.field_bytes
    for octet_name, padded in block:
        name, lower = _short_name(octet_name) if len(octet_name) <= CACHED_NAME_OCTETS else _name(octet_name)
        value = padded.rstrip()
        if len(value) > longest:
            defects.add(Defect.FIELD_TOO_LONG)
            value = value[:longest]
        fields.append((name, value))
        values = named.get(lower)
        if values is None:
            named[lower] = [value]
        else:
            values.append(value)


def _name(octets: bytes) -> tuple[str, str]:
    name = octets.decode("ascii") if octets.isascii() else decode_undeclared(octets)
    return name, name.lower()


_short_name = lru_cache(maxsize=1024)(_name)  # the same names in every message


def _body_start(octets: bytes, position: int, defects: Defects) -> int:
    if octets.startswith(b"\n", position):
        return position + 1
    if octets.startswith(b"\r\n", position):
        return position + 2
    if position < len(octets) and not octets.startswith(b"--", position):
        defects.add(Defect.NO_HEADER_END)
    return position


def _after_leading_junk(octets: bytes, start: int, defects: Defects) -> int:
    """The first field's position: after a byte order mark, an mbox From_ line, blank lines."""
    position = start + 3 if octets.startswith(_BYTE_ORDER_MARK, start) else start
    while match := _BLANK_LINES.match(octets, position) or _ENVELOPE.match(octets, position):
        position = match.end()
    if position > start:
        if not _FIELD.match(octets, position):
            return start  # no header at all: these lines are the body's
        defects.add(Defect.LEADING_JUNK)
    return position


def _after_junk_line(octets: bytes, position: int, defects: Defects, *, first: bool) -> int | None:
    """The position after a line that is no field (and its folds), if a field follows; None: the header ends.

    Args:
        octets: the whole message.
        position: where the line begins.
        defects: takes what was wrong.
        first: no field came before it, in a part: it is text without a header then.
    """
    if first or octets.startswith((b"\n", b"\r\n", b"--"), position):
        return None
    line = _LINE.match(octets, position)
    if line is None or not _FIELD.match(octets, line.end()):
        return None
    defects.add(Defect.JUNK_IN_HEADER)
    return line.end()
