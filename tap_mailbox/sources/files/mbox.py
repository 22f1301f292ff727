"""An mbox file, message by message: mboxrd rules, streamed, in linear time.

- A message begins with a `From ` line that bears a date (`is_separator`), at the start of the file or
  after a blank line. That blank line belongs to the separator, the one at the end of the file too.
- `>From ` quoting is undone by taking one `>` away (mboxrd). An mboxo file has `>From ` only where `From `
  stood, or where the author himself wrote `>From `: that cannot be told apart in it.
- `Content-Length` (mboxcl, mboxcl2) is not trusted: any program that edits a message leaves it wrong, and a
  wrong one swallows the messages after it.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from tap_mailbox.sources.files.layout import Misfit, without_bom
from tap_mailbox.sources.files.separator import is_bare_separator, is_separator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_QUOTED = re.compile(rb">+From ")
_BLANK = (b"\n", b"\r\n")
_TELLING = b"F>\n\r"
_NEWLINE = ord("\n")
_PIECE_BYTES = 256 * 1024  # A line may be as long as the file; it is read in pieces.
_CHECK_LINES = 10_000


@dataclass(frozen=True, slots=True)
class Piece:
    """One message of an mbox."""

    from_line: bytes
    octets: bytes
    """The message without its `From ` line, quoting undone."""


def split(stream: BinaryIO, *, check: Callable[[], None]) -> Iterator[Piece]:
    """Yield the messages of an mbox in order; at no time is more than one of them in memory.

    Args:
        stream: Buffered, since it is read by lines.
        check: Called now and then, also within a long message.

    Raises:
        Misfit: The first line that is not blank is no separator.
    """
    readline = stream.readline
    from_line, ahead = _first_separator(stream)
    body = io.BytesIO()
    blank = b""
    line_begins = True
    count = 0
    while line := ahead or readline(_PIECE_BYTES):
        ahead = b""
        count += 1
        if count % _CHECK_LINES == 0:
            check()
        if line_begins and line[0] in _TELLING:  # One test spares most lines all others.
            if line in _BLANK:
                body.write(blank)
                blank = line  # Held back: it is the separator's if one follows.
                continue
            if blank and line.startswith(b"From "):
                ahead = _line_after(line, stream)
                if is_separator(line, ahead):
                    yield Piece(from_line, body.getvalue())
                    from_line, body, blank = line, io.BytesIO(), b""
                    continue
            if _QUOTED.match(line):
                line = line[1:]
        if blank:
            body.write(blank)
            blank = b""
        body.write(line)
        line_begins = line[-1] == _NEWLINE
    yield Piece(from_line, body.getvalue())


def _first_separator(stream: BinaryIO) -> tuple[bytes, bytes]:
    """Return the first `From ` line, and the line after it if that had to be seen."""
    line = without_bom(stream.readline(_PIECE_BYTES))
    while line in _BLANK:
        line = stream.readline(_PIECE_BYTES)
    ahead = _line_after(line, stream)
    if not is_separator(line, ahead):
        raise Misfit("is no mbox: it does not begin with a From_ line")
    return line, ahead


def _line_after(line: bytes, stream: BinaryIO) -> bytes:
    """Return the next line if only that can tell whether this one is a separator."""
    return stream.readline(_PIECE_BYTES) if is_bare_separator(line) else b""
