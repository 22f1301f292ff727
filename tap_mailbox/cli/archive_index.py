"""What an archive of target-hashfs holds of one account, read from its files alone (docs/archive-format.md).

The pipe is the only link between the two plugins, so that this reads the published format: names in the tree,
and the journal's message lines (schemas/journal-entry.json).
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = re.compile(r"([0-9a-f]{16})(?:\.[0-9a-f]{16})?\.json")
_MONTH = re.compile(r"\d{4}/\d{2}")


@dataclass(slots=True)
class ArchiveIndex:
    """Messages of one account that are on the disk."""

    hashes: set[str] = field(default_factory=set)
    """Message hashes that have a file."""
    seen: dict[tuple[str, int], dict[int, str]] = field(default_factory=dict)
    """By folder and UIDVALIDITY: UIDs that the journal names, with their message hash."""

    def holds(self, folder: str, uidvalidity: int, uid: int) -> bool:
        """Whether the message was archived from that place, and its file is there."""
        return self.seen.get((folder, uidvalidity), {}).get(uid) in self.hashes


def read_archive(path: Path, account: str) -> ArchiveIndex:
    """Return what the archive under *path* holds of *account*.

    Raises:
        ConfigError: there is no archive, or it cannot be read.
    """
    if not (path / "hashfs.json").is_file():
        raise ConfigError(f"{path} is no archive: expected a file hashfs.json in it; is its disk mounted?")
    index = ArchiveIndex()
    try:
        for directory, _, names in os.walk(path / account, onerror=_unread):
            if _MONTH.fullmatch(os.path.relpath(directory, path / account)):
                index.hashes.update(found[1] for name in names if (found := _NAME.fullmatch(name)))
        for journal in sorted((path / "_journal").glob("*.jsonl")):
            for entry in _entries(journal):
                _note(index, entry, account)
    except OSError as error:
        raise ConfigError(f"archive {path} cannot be read ({error.strerror})") from None
    return index


def _unread(error: OSError) -> None:
    # An account that nothing was archived of yet has no directory.
    if not isinstance(error, FileNotFoundError):
        raise error


def _entries(journal: Path) -> Iterator[dict[str, Any]]:
    with journal.open("rb") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                # A torn last line is what a crash leaves; `hashfs verify` says more.
                continue
            if isinstance(entry, dict):
                yield entry


def _note(index: ArchiveIndex, entry: dict[str, Any], account: str) -> None:
    match entry:
        case {
            "account": name,
            "message_hash": str(hash_),
            "source": {"folder": str(folder), "uidvalidity": int(validity), "uid": int(uid)},
        } if name == account:
            index.seen.setdefault((folder, validity), {})[uid] = hash_
