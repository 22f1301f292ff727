"""Where a message lies in the archive: names and paths, all relative to the root; pure.

What lies where:

    gmail/2026/06/0123456789abcdef.json                       the message
    gmail/2026/06/0123456789abcdef.eml                        its octets
    gmail/2026/06/0123456789abcdef.fedcba9876543210.json      other content under the same Message-ID
    gmail/2026/06/.0123456789abcdef.json.1a2b3c4d.tmp         a file being written
    _quarantine/gmail/2026/06/0123456789abcdef.json.<UTC>     what stood in the way and was no message
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MARKER = "hashfs.json"
JOURNALS = "_journal"
STATES = "_state"
QUARANTINE = "_quarantine"
LOCKS = "_lock"

STATE_FILE = f"{STATES}/state.json"
STATE_TEMPORARY = f"{STATES}/.state.json.tmp"

YEAR = re.compile(r"[0-9]{4}")
MONTH = re.compile(r"[0-9]{2}")

_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,127}")
_MESSAGE = re.compile(r"([0-9a-f]{16}(?:\.[0-9a-f]{16}|\.[0-9a-f]{64})?)\.(json|eml)")
_QUARANTINED = re.compile(_MESSAGE.pattern + r"\.[0-9]{8}T[0-9]{6}\.[0-9]{6}Z")
_TEMPORARY = re.compile(r"\.[0-9a-f.]{16,81}\.(json|eml)\.[0-9a-f]{8}\.tmp")


def is_account(name: object) -> bool:
    """Whether *name* may become a folder: one plain lower-case name that stays inside the root everywhere.

    No separator, no leading dot or underscore (ours), no dot at the end (Windows drops it).
    """
    return (
        isinstance(name, str)
        and _ACCOUNT.fullmatch(name) is not None
        and not name.endswith(".")
        and name != MARKER
    )


def stems(account: str, year_month: str, message_hash: str, content_hash: str) -> Iterator[str]:
    """Yield the places for a message in the order they are tried, each without `.json` or `.eml`.

    >>> next(stems("gmail", "2026/06", "0123456789abcdef", "f" * 64))
    'gmail/2026/06/0123456789abcdef'
    """
    first = f"{account}/{year_month}/{message_hash}"
    yield first
    yield f"{first}.{content_hash[:16]}"
    yield f"{first}.{content_hash}"


def split(path: str) -> tuple[str, str]:
    """Return directory and name of *path*.

    >>> split("gmail/2026/06/a.json")
    ('gmail/2026/06', 'a.json')
    """
    directory, _, name = path.rpartition("/")
    return directory, name


def is_month(directory: str) -> bool:
    """Whether *directory* is one that messages lie in: `<account>/<YYYY>/<MM>`."""
    account, _, rest = directory.partition("/")
    year, _, month = rest.partition("/")
    return is_account(account) and bool(YEAR.fullmatch(year) and MONTH.fullmatch(month))


def message_file(name: str) -> tuple[str, str] | None:
    """Return stem and suffix of *name*, or None when no message file is called so.

    >>> message_file("0123456789abcdef.eml")
    ('0123456789abcdef', 'eml')
    """
    found = _MESSAGE.fullmatch(name)
    return (found[1], found[2]) if found else None


def temporary(path: str, run: str) -> str:
    """Return the name under which *path* is written by *run*, in the same directory."""
    directory, name = split(path)
    return f"{directory}/.{name}.{run[:8]}.tmp"


def is_temporary(name: str) -> bool:
    """Whether *name* is one that `temporary` makes."""
    return _TEMPORARY.fullmatch(name) is not None


def quarantined(path: str, at: datetime) -> str:
    """Return where a file that stands in the way at *path* is moved."""
    return f"{QUARANTINE}/{path}.{at:%Y%m%dT%H%M%S.%fZ}"


def is_quarantined(name: str) -> bool:
    """Whether *name* is the name of a file that `quarantined` makes."""
    return _QUARANTINED.fullmatch(name) is not None
