"""Decides what a batch does to the tree: what is new and where, what is known, what stands in the way.

Nothing is written here; the tree is asked through one function.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum, auto
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from target_hashfs.address import quarantined, split, stems
from target_hashfs.canonical import content_hash, scrub
from target_hashfs.errors import RecordError, StorageError
from target_hashfs.store import Found, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from target_hashfs.canonical import Message


class Verdict(Enum):
    """What a place in the tree means for a message."""

    FREE = auto()
    SAME = auto()
    LEGACY = auto()
    """The same message, written by the system before this one."""
    OTHER = auto()
    IN_THE_WAY = auto()
    """Nothing that may stay under the name of a message."""


@dataclass(frozen=True, slots=True)
class New:
    """A message to be written."""

    message: Message
    path: str
    """Of the .json."""
    event: str
    writes_eml: bool
    """False when there is none, or when it lies there already."""

    @property
    def eml_path(self) -> str:
        """Where the .eml goes."""
        return self.path.removesuffix(".json") + ".eml"

    def entry(self) -> dict[str, Any]:
        """Return the journal line."""
        message = self.message
        return {
            "event": self.event,
            "account": message.account,
            "path": self.path,
            "file_sha256": sha256(message.document).hexdigest(),
            "size": len(message.document),
            "eml_sha256": message.eml_sha256,
            "message_hash": message.message_hash,
            "content_hash": message.content_hash,
            "source": message.source,
        }


@dataclass(slots=True)
class Plan:
    """What a commit does."""

    new: list[New] = field(default_factory=list)
    moves: list[dict[str, Any]] = field(default_factory=list)
    """The journal lines of what is quarantined."""
    duplicates: int = 0
    foreign: set[str] = field(default_factory=set)
    """Files that stay and whose writer may not have synced them."""
    directories: set[str] = field(default_factory=set)
    """Every directory that holds a message of the batch, new or known."""

    @property
    def variants(self) -> int:
        """How many of the new messages lie beside other content."""
        return sum(new.event == "variant" for new in self.new)

    @property
    def size(self) -> int:
        """Bytes to be written."""
        return sum(new.message.size for new in self.new)


class Planner:
    """Plans one batch; *known* is what was planned and cannot be seen in the tree yet."""

    def __init__(self, look: Callable[[str], Found | None], at: datetime, known: dict[str, str]) -> None:
        self._look = look
        self._at = at
        self._planned = known

    def plan(self, messages: Iterable[Message]) -> Plan:
        """Return what archiving *messages* does to the tree.

        Raises:
            StorageError: a directory has the name of a message.
        """
        plan = Plan()
        for message in messages:
            self._place(message, plan)
        return plan

    def _place(self, message: Message, plan: Plan) -> None:
        places = list(stems(message.account, message.year_month, message.message_hash, message.content_hash))
        plan.directories.add(split(places[0])[0])
        for stem in places:
            path = f"{stem}.json"
            found, verdict = self._compare(path, message)
            match verdict:
                case Verdict.SAME | Verdict.LEGACY:
                    plan.duplicates += 1
                    if verdict is Verdict.LEGACY:
                        plan.foreign.add(path)
                    return
                case Verdict.OTHER if stem is not places[-1]:
                    continue
                case Verdict.OTHER | Verdict.IN_THE_WAY:
                    # A file under the full content hash that says something else is no message either.
                    self._quarantine(path, found, plan)
                case Verdict.FREE:
                    pass
            event = "archived" if stem is places[0] else "variant"
            self._planned[path] = message.content_hash
            plan.new.append(New(message, path, event, self._place_eml(f"{stem}.eml", message, plan)))
            return

    def _compare(self, path: str, message: Message) -> tuple[Found | None, Verdict]:
        planned = self._planned.get(path)
        if planned is not None:
            return None, Verdict.SAME if planned == message.content_hash else Verdict.OTHER
        found = self._look(path)
        if found is None:
            return None, Verdict.FREE
        _refuse_directory(path, found)
        if found.kind is not Kind.FILE:
            return found, Verdict.IN_THE_WAY
        return found, compare(found.content, message)

    def _place_eml(self, path: str, message: Message, plan: Plan) -> bool:
        """Return whether the .eml is to be written; a stray one with the same octets stays."""
        if message.eml is None:
            return False
        found = self._look(path)
        if found is None:
            return True
        _refuse_directory(path, found)
        if found.kind is Kind.FILE and found.content == message.eml:
            plan.foreign.add(path)
            return False
        self._quarantine(path, found, plan)
        return True

    def _quarantine(self, path: str, found: Found | None, plan: Plan) -> None:
        content = found.content if found else b""
        special = found is not None and found.kind is Kind.SPECIAL
        plan.moves.append(
            {
                "event": "quarantined",
                "path": quarantined(path, self._at),
                "was": path,
                "file_sha256": None if special else sha256(content).hexdigest(),
                "size": len(content),
            }
        )


def compare(content: bytes, message: Message) -> Verdict:  # noqa: PLR0911 - a decision each
    """Return what a file with *content* under a name of *message* means."""
    if content == message.document:
        return Verdict.SAME
    try:
        existing = json.loads(content)
    except (ValueError, RecursionError):
        return Verdict.IN_THE_WAY
    if not isinstance(existing, dict):
        return Verdict.IN_THE_WAY
    message_id = existing.get("message_id")
    if not isinstance(message_id, str) or not message_id:
        return Verdict.IN_THE_WAY
    if existing.get("content_hash") is None:
        return Verdict.LEGACY if message_id == message.message_id else Verdict.OTHER
    try:
        return Verdict.SAME if content_hash(scrub(existing)) == message.content_hash else Verdict.OTHER
    except (RecordError, RecursionError):
        return Verdict.OTHER


def _refuse_directory(path: str, found: Found) -> None:
    if found.kind is Kind.DIRECTORY:
        raise StorageError(
            f"{path}: expected a file or nothing, found a directory. Move it out of the archive and run again"
        )
