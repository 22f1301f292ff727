"""What a reader is asked and what it says: jobs and events, values that cross from thread to thread.

FolderOpened → Window* → FolderDone    one folder read; FolderOpened comes again after a reconnection,
                                       with another UIDVALIDITY when the folder starts anew
FolderFailed                           this folder cannot be read, others can
ReaderFailed                           this connection cannot go on
ReaderDone                             always the last word
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import deque

    from tap_mailbox.errors import AccountError
    from tap_mailbox.sources.imap.commands import Envelope
    from tap_mailbox.sources.imap.folders import Folder


@dataclass(slots=True)
class Job:
    """One folder to read, and how far it was read."""

    folder: Folder
    uidvalidity: int | None
    last_uid: int
    pending: list[int]
    retried: set[int] = field(default_factory=set)
    """Pending ones that were dealt with in this run."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message's octets."""

    envelope: Envelope
    octets: bytes


@dataclass(frozen=True, slots=True)
class Vanished:
    """Listed, but gone when it was fetched; mail is deleted while we read, and that is no error."""

    uid: int


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """The server has the message and does not give it."""

    uid: int
    reason: str


@dataclass(frozen=True, slots=True)
class TooOld:
    """Received before `start_date`."""

    uid: int


Outcome = Fetched | Vanished | RefusedMessage | TooOld
"""What became of one UID."""


@dataclass(frozen=True, slots=True)
class FolderOpened:
    """EXAMINE succeeded; the UIDs that follow hold under this UIDVALIDITY."""

    folder: Folder
    uidvalidity: int
    uidnext: int | None


@dataclass(frozen=True, slots=True)
class Window:
    """What became of some UIDs, in the order in which the bookmark may pass them."""

    folder: Folder
    outcomes: deque[Outcome]
    retried: bool
    """These were pending; they do not move `last_uid`."""


@dataclass(frozen=True, slots=True)
class FolderDone:
    """Every message that the server named was accounted for, the last of them *last_uid* (0: none)."""

    folder: Folder
    last_uid: int


@dataclass(frozen=True, slots=True)
class FolderFailed:
    """The folder cannot be opened or searched."""

    folder: Folder
    error: AccountError


@dataclass(frozen=True, slots=True)
class ReaderFailed:
    """The account cannot be read further over this connection; its folder is back among the jobs."""

    error: Exception


@dataclass(frozen=True, slots=True)
class ReaderDone:
    """The thread ends."""


Progress = FolderOpened | Window | FolderDone | FolderFailed
"""What a reader says of a folder."""
Event = Progress | ReaderFailed | ReaderDone
