"""Which folders the configuration selects; pure.

Mail gets lost where such decisions are made, so they take values and give values, and need no server.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class Selectable(Protocol):
    """A folder as the selection sees it."""

    @property
    def name(self) -> str:
        """The whole path, as people read it."""

    @property
    def covered(self) -> frozenset[str]:
        r"""Special uses (RFC 6154) of it and of the folders above it, in lower case, such as ``\sent``."""


F = TypeVar("F", bound=Selectable)


def selected(
    folders: Sequence[F], *, include: Sequence[str] | None, exclude: Sequence[str]
) -> tuple[list[F], list[str]]:
    r"""Return the folders to read, in the server's order, and the include patterns that match none.

    *include* None means ``*``, or ``\All`` alone on a server that has such a folder (Gmail): every message
    is in it, and the labels say where else.
    """
    if include is None:
        include = ["\\All"] if any("\\all" in folder.covered for folder in folders) else ["*"]
    chosen = [
        folder
        for folder in folders
        if any(_matches(pattern, folder) for pattern in include)
        and not any(_matches(pattern, folder) for pattern in exclude)
    ]
    idle = [p for p in include if p != "*" and not any(_matches(p, folder) for folder in folders)]
    return chosen, idle


def _matches(pattern: str, folder: Selectable) -> bool:
    if pattern.startswith("\\"):
        return pattern.lower() in folder.covered
    name = folder.name
    # INBOX is the one name without case (RFC 3501, section 5.1).
    if name.upper() == "INBOX" or name[:6].upper() in {"INBOX/", "INBOX."}:
        name, pattern = name[:5].upper() + name[5:], _inbox_upper(pattern)
    # "[Gmail]/*" is meant as it stands; as a glob it would match one letter of "Gmail".
    return pattern == name or fnmatchcase(name, pattern) or fnmatchcase(name, pattern.replace("[", "[[]"))


def _inbox_upper(pattern: str) -> str:
    return "INBOX" + pattern[5:] if pattern[:5].upper() == "INBOX" else pattern
