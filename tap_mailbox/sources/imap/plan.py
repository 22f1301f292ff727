"""What to read: which folders the configuration selects and which messages travel together; pure.

Mail gets lost where such decisions are made, so they take values and give values, and need no server.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_mailbox.sources.imap.commands import Envelope, Folder

WINDOW_MESSAGES = 50
WINDOW_OCTETS = 8 * 1024 * 1024
"""What one FETCH may bring; batches of 50 to 100 are as fast as larger ones (research of 2026-11)."""


def selected(
    folders: Sequence[Folder], *, include: Sequence[str] | None, exclude: Sequence[str]
) -> tuple[list[Folder], list[str]]:
    r"""Return the folders to read, in the server's order, and the include patterns that match none.

    *include* None means ``*``, or ``\All`` alone on a server that has such a folder (Gmail): every message
    is in it, and the labels say where else.
    """
    specials = _specials(folders)
    if include is None:
        include = ["\\All"] if any("\\all" in folder.special for folder in folders) else ["*"]
    chosen = [
        folder
        for folder in folders
        if any(_matches(pattern, folder.name, specials[folder.name]) for pattern in include)
        and not any(_matches(pattern, folder.name, specials[folder.name]) for pattern in exclude)
    ]
    idle = [
        p for p in include if p != "*" and not any(_matches(p, f.name, specials[f.name]) for f in folders)
    ]
    return chosen, idle


def windows(envelopes: Sequence[Envelope], *, messages: int = WINDOW_MESSAGES) -> Iterator[list[Envelope]]:
    """Yield runs of at most *messages* messages and `WINDOW_OCTETS`; a larger message travels alone."""
    window: list[Envelope] = []
    octets = 0
    for envelope in envelopes:
        if window and (len(window) >= messages or octets + envelope.size > WINDOW_OCTETS):
            yield window
            window, octets = [], 0
        window.append(envelope)
        octets += envelope.size
    if window:
        yield window


def _specials(folders: Sequence[Folder]) -> dict[str, frozenset[str]]:
    """Return, by folder name, the special uses that cover it: its own and those of the folders above it."""
    special = [(folder, folder.special | _inbox(folder)) for folder in folders]
    special = [(folder, uses) for folder, uses in special if uses]
    return {
        folder.name: frozenset().union(*(uses for above, uses in special if _covers(above, folder)))
        for folder in folders
    }


def _inbox(folder: Folder) -> frozenset[str]:
    return frozenset({"\\inbox"} if folder.name.upper() == "INBOX" else ())


def _covers(above: Folder, folder: Folder) -> bool:
    return above.name == folder.name or (
        above.separator is not None and folder.name.startswith(above.name + above.separator)
    )


def _matches(pattern: str, name: str, specials: frozenset[str]) -> bool:
    if pattern.startswith("\\"):
        return pattern.lower() in specials
    # INBOX is the one name without case (RFC 3501, section 5.1).
    if name.upper() == "INBOX" or name[:6].upper() in {"INBOX/", "INBOX."}:
        name, pattern = name[:5].upper() + name[5:], _inbox_upper(pattern)
    # "[Gmail]/*" is meant as it stands; as a glob it would match one letter of "Gmail".
    return pattern == name or fnmatchcase(name, pattern) or fnmatchcase(name, pattern.replace("[", "[[]"))


def _inbox_upper(pattern: str) -> str:
    return "INBOX" + pattern[5:] if pattern[:5].upper() == "INBOX" else pattern
