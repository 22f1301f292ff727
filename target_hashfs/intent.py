"""`_journal/<journal>.intent`: what a commit is about to do, written before it does it.

It names every temporary and final file and holds the journal lines, so that the next start can finish or undo
a commit that died half-way without walking the tree. It exists only inside the archive's lock: whoever holds
the lock and finds one knows that its writer is dead. Two lines: the intent, and the SHA-256 of the first.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from target_hashfs import sync
from target_hashfs.address import JOURNALS, temporary
from target_hashfs.encoding import compact_any
from target_hashfs.journal import Position
from target_hashfs.store import read_all, write_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_hashfs.plan import New, Plan
    from target_hashfs.store import Store

SUFFIX = ".intent"


@dataclass(frozen=True, slots=True)
class Writing:
    """One message on its way into the tree."""

    entry: dict[str, Any]
    """Its journal line."""
    json_temporary: str
    eml_temporary: str | None
    """None when no .eml is written."""

    @classmethod
    def of(cls, new: New, run: str) -> Writing:
        """Return how *run* writes *new*."""
        return cls(
            new.entry(),
            temporary(new.path, run),
            temporary(new.eml_path, run) if new.writes_eml else None,
        )

    @property
    def path(self) -> str:
        """Where the .json goes."""
        path: str = self.entry["path"]
        return path

    @property
    def eml_path(self) -> str:
        """Where the .eml goes."""
        return self.path.removesuffix(".json") + ".eml"

    def as_dict(self) -> dict[str, Any]:
        """Return the arguments that make it again."""
        return {
            "entry": self.entry,
            "json_temporary": self.json_temporary,
            "eml_temporary": self.eml_temporary,
        }

    @property
    def temporaries(self) -> list[str]:
        """The names it is written under first."""
        return [name for name in (self.eml_temporary, self.json_temporary) if name is not None]


@dataclass(frozen=True, slots=True)
class Intent:
    """A commit under way."""

    position: Position
    """The end of the journal before it."""
    writings: Sequence[Writing]
    moves: Sequence[dict[str, Any]]
    """Journal lines of what is quarantined."""

    @classmethod
    def of(cls, plan: Plan, position: Position, run: str) -> Intent:
        """Return how *run* carries out *plan*."""
        return cls(position, [Writing.of(new, run) for new in plan.new], plan.moves)

    @classmethod
    def parse(cls, content: bytes) -> Intent | None:
        """Return the intent that the *content* of its file says, None when it says nothing.

        Raises:
            Torn: there was one, but nobody can say what.
        """
        if not content:
            return None
        line, _, digest = content.rstrip(b"\n").partition(b"\n")
        if sha256(line).hexdigest().encode() != digest:
            raise Torn
        try:
            found = json.loads(line)
            return cls(
                Position(**found["position"]),
                [Writing(**writing) for writing in found["writings"]],
                found["moves"],
            )
        except (ValueError, TypeError, LookupError):
            raise Torn from None  # another version's, or none at all

    def lines(self) -> list[dict[str, Any]]:
        """Return the journal lines of everything it does."""
        return [*self.moves, *(writing.entry for writing in self.writings)]


class Torn(Exception):
    """An intent was not written to its end: nothing was done yet, or a power cut mixed old and new.

    Not an error: a walk of the tree answers it.
    """


class IntentFile:
    """The place of the intent for one journal."""

    def __init__(self, store: Store, journal: str) -> None:
        self._store = store
        self.path = f"{JOURNALS}/{journal}{SUFFIX}"

    def write(self, intent: Intent) -> None:
        """Record *intent*, durably."""
        # Not asdict(): it copies every value, deeply.
        content = {
            "position": intent.position.as_dict(),
            "writings": [writing.as_dict() for writing in intent.writings],
            "moves": intent.moves,
        }
        line = compact_any(content)
        descriptor, created = self._store.open_file(self.path)
        try:
            os.ftruncate(descriptor, 0)
            write_all(descriptor, line + b"\n" + sha256(line).hexdigest().encode() + b"\n")
            sync.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        if created:
            self._store.fsync_directories({JOURNALS})

    def read(self) -> Intent | None:
        """Return the intent of a commit that died, or None. See `Intent.parse`."""
        descriptor, _ = self._store.open_file(self.path)
        try:
            content = read_all(descriptor)
        finally:
            os.close(descriptor)
        return Intent.parse(content)

    def clear(self) -> None:
        """Say that the commit is complete. Not synced: to find it again does no harm."""
        descriptor, _ = self._store.open_file(self.path)
        try:
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Remove the file; only while holding the lock and after `clear`."""
        self._store.remove(self.path)
