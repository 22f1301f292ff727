"""From the journal to what a delta round tells: pure, and the home of the quirks of its content (D3 to D5, D8)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.servers.graph.entities import Entry, Folder, FolderEntry, Kind, Message
from tests.servers.graph.quirks import Quirks

GONE = frozenset({Kind.REMOVE, Kind.MOVE_OUT})
NEW = frozenset({Kind.CREATE, Kind.MOVE_IN})
PARTIAL = ("isRead", "parentFolderId")
"""What a change of the read state shows, whatever `$select` asks for (D5) [ISSUE docs#7776]."""


@dataclass(frozen=True)
class Change:
    """An item of a round: a message as it stood in the folder, or that it left."""

    message: Message
    id: str
    """The mutable id that it had in this folder; a move since then has made it invalid [ISSUE corso#2861]."""
    removed: bool = False
    created: bool = False
    partial: bool = False

    def id_as(self, *, immutable: bool) -> str:
        """Return the id in the form that was asked for."""
        return self.message.immutable_id if immutable else self.id


@dataclass(frozen=True)
class FolderChange:
    """An item of a round of folders."""

    folder: Folder
    removed: bool


def changes(
    journal: Iterable[Entry], *, after: int, until: int, immutable: bool, quirks: Quirks, seed: str
) -> list[Change]:
    """Return what happened in a folder with `after < seq <= until`, each message once, in a shuffled order.

    With `after=0` it is the folder's content. An immutable id joins what a message did into one change (D4);
    a mutable one is new with every move, so a message that went and came back is a removal and an arrival.
    """
    stays: dict[str, list[Entry]] = {}
    for entry in journal:
        if after < entry.seq <= until:
            key = entry.message.immutable_id if immutable else entry.id
            stays.setdefault(key, []).append(entry)
    picked = random.Random(seed)
    found = []
    for entries in stays.values():
        change = _joined(entries, quirks, picked, first=after == 0)
        if change is not None:
            found.append(change)
    picked.shuffle(found)
    if quirks.duplicates:
        for each in found[::3]:
            found.insert(picked.randint(found.index(each) + 1, len(found)), each)
    return found


def folder_changes(journal: Iterable[FolderEntry], *, after: int, until: int) -> list[FolderChange]:
    """Return what happened to folders, each once; `mailFolders/delta` tells of nothing else [ISSUE docs#6576]."""
    last: dict[Folder, FolderEntry] = {
        entry.folder: entry
        for entry in journal
        if after < entry.seq <= until and entry.folder.parent is not None
    }
    return [
        FolderChange(folder, entry.removed) for folder, entry in last.items() if after or not entry.removed
    ]


def visible_until(journal: Sequence[Entry], *, rounds: int, lag: int) -> int:
    """Return the newest seq that shows, at least 1: *lag* further rounds must have begun on the folder (D8)."""
    shown = [entry.seq for entry in journal if entry.round + lag < rounds]
    return max(shown, default=1)


def _joined(entries: list[Entry], quirks: Quirks, picked: random.Random, *, first: bool) -> Change | None:
    """Return what a round says of one message, if anything."""
    if quirks.lost_move_in and not first:
        entries = [entry for entry in entries if entry.kind is not Kind.MOVE_IN]
        if not entries:
            return None
    last = entries[-1]
    # Never so with mutable ids: none is given twice.
    came_back = any(entry.kind is Kind.MOVE_OUT for entry in entries[:-1])
    removed = last.kind in GONE or (quirks.boomerang and came_back and not first)
    if removed and first and not quirks.removed_in_first_round:
        return None
    only_read = not first and not removed and all(entry.read_only for entry in entries)
    return Change(
        last.message,
        last.id,
        removed=removed,
        created=not removed and entries[0].kind in NEW,
        partial=only_read and picked.random() < quirks.partial_updates,
    )
