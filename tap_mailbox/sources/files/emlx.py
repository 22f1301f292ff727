"""A message of Apple Mail (.emlx): a line with a byte count, the message, and a property list about it."""

from __future__ import annotations

import plistlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.parsers.expat import ExpatError

from tap_mailbox.sources.files.layout import Misfit

_COUNT = re.compile(rb"[ \t]*(\d{1,12})[ \t]*\r?\n")
# Apple never documented the bits; these are the ones on which every reader of the format agrees.
_FLAGS = {0: "\\Seen", 1: "\\Deleted", 2: "\\Answered", 4: "\\Flagged", 6: "\\Draft", 8: "$Forwarded"}


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """The message in an .emlx file, and what Apple Mail noted about it."""

    octets: bytes
    flags: tuple[str, ...] | None
    received: datetime | None
    missing: int
    """Octets that the byte count promises and the file does not have."""


def unwrap(wrapped: bytes) -> Unwrapped:
    """Return the message of an .emlx file.

    Raises:
        Misfit: The file does not begin with a byte count.
    """
    match = _COUNT.match(wrapped)
    if match is None:
        raise Misfit("is no .emlx file: it does not begin with a line that holds a byte count")
    begin, end = match.end(), match.end() + int(match[1])
    notes = _notes(wrapped[end:])
    flags, received = notes.get("flags"), notes.get("date-received")
    return Unwrapped(
        octets=wrapped[begin:end],
        flags=_flags(flags) if isinstance(flags, int) else None,
        received=_moment(received) if isinstance(received, (int, float)) else None,
        missing=max(0, end - len(wrapped)),
    )


def _notes(plist: bytes) -> dict[str, Any]:
    """Return the property list, empty if it cannot be read: the message matters, the notes do not."""
    try:
        notes = plistlib.loads(plist.strip(), fmt=plistlib.FMT_XML)
    except (
        ExpatError,
        plistlib.InvalidFileException,
        ValueError,
        OverflowError,
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
    ):
        return {}  # plistlib promises no error of its own for XML that is not a property list
    return notes if isinstance(notes, dict) else {}


def _flags(bits: int) -> tuple[str, ...]:
    return tuple(sorted(flag for bit, flag in _FLAGS.items() if bits >> bit & 1))


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC) if seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None
