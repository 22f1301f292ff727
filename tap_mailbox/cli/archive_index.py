"""What an archive of target-hashfs holds of one account, read from its files alone (docs/archive-format.md).

The pipe is the only link between the two plugins, so that this reads the published format: names in the tree,
the journals' message and commit lines (schemas/journal-entry.json), and the last state.

A message has a journal line under the UID where it was first seen, and there alone: a duplicate has none, in
whatever folder. Then its message hash must do or, where a file of that hash was lost, its content hash.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from heapq import merge
from typing import TYPE_CHECKING, Any

from tap_mailbox.bookmarks import check_state, has_folders
from tap_mailbox.cli.documents import read_state
from tap_mailbox.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Set
    from pathlib import Path

_FILE = re.compile(r"[^/]+/[0-9]{4}/[0-9]{2}/([0-9a-f]{16})(?:\.[0-9a-f]{16}|\.[0-9a-f]{64})?\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveIndex:
    """Messages of one account that are on the disk."""

    state: dict[str, Any]
    """The newest durable one with a bookmark of the account; without one, the last."""
    expects_bookmark: bool
    """Whether the account was archived from IMAP, so that some state must have its bookmark."""
    hashes: Set[str]
    """Message hashes that have a file."""
    contents: Set[str]
    """Content hashes whose file is there, by the last journal line for it."""
    doubtful: Set[str]
    """Those of `hashes` that had another file, or other content: what is there may be another message."""
    _held: Mapping[tuple[str, int], Set[int]]

    def holds(self, folder: str, uidvalidity: int, uid: int) -> bool:
        """Whether the message was archived from that place, and the very file is there."""
        return uid in self._held.get((folder, uidvalidity), ())


@dataclass(slots=True)
class _Journals:
    """What the journals say of one account."""

    account: str
    state: dict[str, Any] | None = None
    """Of the newest commit that has a bookmark of the account."""
    from_imap: bool = False
    contents: dict[str, str] = field(default_factory=dict)
    """Content hash by path."""
    rewritten: set[str] = field(default_factory=set)
    """Message hashes of which a file was written again, with other content."""
    seen: dict[tuple[str, int], dict[int, tuple[str, str]]] = field(default_factory=dict)
    """Path and content hash, by UID, by folder and UIDVALIDITY."""

    def note(self, entry: dict[str, Any]) -> None:
        """Take over what a line says, in place of what an earlier one said."""
        match entry:
            case {"event": "commit", "state": dict(state)}:
                if has_folders(state, "imap_messages", self.account):
                    self.state = state
            case {
                "account": self.account,
                "path": str(path),
                "message_hash": str(hash_),
                "content_hash": str(content),
                "source": source,
            }:
                if self.contents.get(path, content) != content:
                    self.rewritten.add(hash_)
                self.contents[path] = content
                match source:
                    case {"folder": str(folder), "uidvalidity": int(validity), "uid": int(uid)}:
                        self.from_imap = True
                        self.seen.setdefault((folder, validity), {})[uid] = path, content
                    case None:
                        # Deselected: it may have been IMAP.
                        self.from_imap = True
                    case _:
                        pass
            case _:
                pass


def read_archive(path: Path, account: str) -> ArchiveIndex:
    """Return what the archive under *path* holds of *account*.

    Raises:
        ConfigError: there is no archive, or it cannot be read.
        StateError: its state is none.
    """
    if not (path / "hashfs.json").is_file():
        raise ConfigError(f"{path} is no archive: expected a file hashfs.json in it; is its disk mounted?")
    try:
        # A target may be at work: what a state covers is in the journals by now, and that is in the tree.
        last = _last_state(path)
        journals = _Journals(account)
        lines = map(_entries, (path / "_journal").glob("*.jsonl"))
        for entry in merge(*lines, key=lambda entry: str(entry.get("at"))):
            journals.note(entry)
        # An account that nothing was archived of yet has no directory.
        files = dict(_files(path, account)) if (path / account).exists() else {}
    except OSError as error:
        raise ConfigError(f"archive {path} cannot be read ({error.strerror})") from None
    state = last if has_folders(last, "imap_messages", account) else journals.state
    contents, hashes = journals.contents, set(files.values())
    lost = {file.rpartition("/")[2][:16] for file in contents.keys() - files.keys()}
    return ArchiveIndex(
        state=state or last or {},
        expects_bookmark=journals.from_imap or (last is None and bool(files)),
        hashes=hashes,
        contents={content for file, content in contents.items() if file in files},
        doubtful=hashes & (journals.rewritten | lost),
        _held={
            place: {
                uid for uid, (file, content) in uids.items() if file in files and contents[file] == content
            }
            for place, uids in journals.seen.items()
        },
    )


def _last_state(path: Path) -> dict[str, Any] | None:
    """Return the state that became durable last, whoever wrote it."""
    try:
        with (path / "_state" / "state.json").open(encoding="utf-8") as stream:
            return check_state(read_state(stream))
    except FileNotFoundError:
        return None


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


def _files(root: Path, folder: str) -> Iterator[tuple[str, str]]:
    """Yield path within *root* and message hash of every file of a message in *folder* or below."""
    with os.scandir(root / folder) as entries:
        for entry in entries:
            path = f"{folder}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _files(root, path)
            elif (found := _FILE.fullmatch(path)) and entry.is_file(follow_symlinks=False):
                yield path, found[1]
