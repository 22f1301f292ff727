"""One folder at work: entries become fetches, fetches become messages, each leaves its mark in the bookmark.

What is common to a round of delta (`rounds.py`) and a listing (`reconcile.py`). Everything here runs in the
main thread; only the requests do not.
"""

from __future__ import annotations

import abc
import logging
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import AccountError
from tap_mailbox.sources.graph.bookmark import FolderBookmark
from tap_mailbox.sources.graph.messages import Absent, Elsewhere, Got, Withheld, fetch
from tap_mailbox.sources.graph.moments import moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from tap_mailbox.message import JsonMessage, RawMessage
    from tap_mailbox.sources.base import Report
    from tap_mailbox.sources.graph.client import GraphClient
    from tap_mailbox.sources.graph.folders import Folder
    from tap_mailbox.sources.graph.listing import Listing
    from tap_mailbox.sources.graph.messages import Outcome, Wanted
    from tap_mailbox.sources.graph.workers import Workers

logger = logging.getLogger(__name__)

LOOK_AHEAD = 6
"""Messages asked for or waiting to be handed over: the four in flight, and two so that no thread idles."""
MAX_REFUSED_IN_A_ROW = 10
"""Beyond that it is not the messages that are broken."""


@dataclass(slots=True)
class Mailbox:
    """What the folders of one mailbox share."""

    account: str
    client: GraphClient
    workers: Workers
    wanted: Wanted
    bookmarks: dict[str, Any]
    floor: datetime | None
    """The account's own `last_received`: from when a folder without an entry is read."""
    report: Report
    handed: set[str] = field(default_factory=set)
    """Ids of the messages handed over in this run; one that moves meanwhile shows up twice."""
    refused_in_a_row: int = 0

    def warn(self, text: str) -> None:
        """Tell what a person should know."""
        logger.warning("account %s: %s", self.account, text)
        self.report.warnings.append(text)

    def fail(self, text: str) -> None:
        """Tell what could not be read."""
        logger.error("account %s: %s", self.account, text)
        self.report.failures.append(text)


@dataclass(slots=True)
class Batch:
    """Entries that came together; the place after them may be remembered when all are dealt with."""

    left: int = 0
    settle: bool = False
    """Whether these were pending: then what can be had of them will do."""
    floor: datetime | None = None
    listing: Listing | None = None
    """Where messages count that need no second look: they were handed over, or nobody wants them.

    Not what is pending, which `pending` speaks for, and not what was said to be gone: should that have been
    untrue, the next comparison sees a message that was not counted, and reads its month again.
    """


class FolderWork(abc.ABC):
    """The work on one folder: `start`, then `feed` and results in turn until `finished`."""

    def __init__(self, mailbox: Mailbox, folder: Folder) -> None:
        self.mailbox, self.folder = mailbox, folder
        self.bookmark = FolderBookmark(mailbox.bookmarks, folder.id)
        self.finished = False
        self.failed = False
        """Whether it ended without having seen all."""
        self.newest: datetime | None = None
        self._queue: deque[tuple[Mapping[str, Any], Batch]] = deque()
        self._fetching = 0

    @abc.abstractmethod
    def start(self) -> None:
        """Ask the first question."""

    @abc.abstractmethod
    def drained(self) -> None:
        """Take note that every entry so far is dealt with: go on, or end."""

    def feed(self) -> None:
        """Ask for as many messages as may be under way."""
        mailbox = self.mailbox
        while self._queue and mailbox.workers.outstanding < LOOK_AHEAD:
            entry, batch = self._queue.popleft()
            self._fetching += 1
            mailbox.workers.submit(
                partial(
                    fetch,
                    mailbox.client,
                    entry,
                    self.folder,
                    mailbox.wanted,
                    floor=batch.floor,
                    settle=batch.settle,
                ),
                partial(self._dealt_with, batch, entry),
            )
        if not self._queue and not self._fetching and not self.finished:
            self.drained()

    def retry_pending(self) -> None:
        """Put the messages that were refused before at the head of the queue."""
        batch = Batch(settle=True)
        for identity in self.bookmark.pending:
            self.want({"id": identity}, batch)

    def want(self, entry: Mapping[str, Any], batch: Batch) -> None:
        """Queue an entry for fetching."""
        batch.left += 1
        self._queue.append((entry, batch))

    def fail(self, reason: str) -> None:
        """End the folder here; its bookmark stays."""
        self.mailbox.fail(self.about(reason))
        self._queue.clear()
        self.finished = self.failed = True

    def about(self, text: str) -> str:
        """Return *text* with the folder's name before it, once."""
        label = f"folder {self.folder.name!r}: "
        return label + text.removeprefix(label)

    def vanish(self) -> None:
        """End the folder because it is no more, which is no failure."""
        logger.info("account %s: folder %r vanished", self.mailbox.account, self.folder.name)
        self._queue.clear()
        self.finished = self.failed = True

    def _dealt_with(
        self, batch: Batch, entry: Mapping[str, Any], result: Outcome | BaseException
    ) -> Iterator[RawMessage | JsonMessage]:
        self._fetching -= 1
        if isinstance(result, BaseException):
            raise result
        mailbox = self.mailbox
        match result:
            case Got(identity, message, received, draft):
                mailbox.refused_in_a_row = 0
                # A draft changes under its id; everything else is the same message in another folder.
                if draft or identity not in mailbox.handed:
                    yield self._counted(message)
                    mailbox.handed.add(identity)
                if received is not None:
                    self.newest = max(self.newest or received, received)
                self.bookmark.resolve(identity)
                self._list(batch, entry, received)
            case Absent(identity, announced):
                mailbox.report.vanished += not announced
                if batch.settle:
                    logger.info("account %s: a pending message is no more", mailbox.account)
                self.bookmark.resolve(identity)
            case Elsewhere(identity, received):
                self.bookmark.resolve(identity)
                self._list(batch, entry, received)
            case Withheld(identity, reason):
                self.bookmark.refuse(identity)
                mailbox.fail(self.about(f"a message is pending ({reason})"))
                self._brake(reason)
        batch.left -= 1

    def _list(self, batch: Batch, entry: Mapping[str, Any], received: datetime | None) -> None:
        """Count a message in as the entry dates it, unless the entry says that the folder lost it."""
        if batch.listing is not None and "@removed" not in entry:
            batch.listing.add(entry["id"], moment(entry.get("receivedDateTime")) or received)

    def _counted(self, message: RawMessage | JsonMessage) -> RawMessage | JsonMessage:
        self.mailbox.report.messages += 1
        self.mailbox.report.octets += len(getattr(message, "octets", b""))
        return message

    def _brake(self, reason: str) -> None:
        self.mailbox.refused_in_a_row += 1
        if self.mailbox.refused_in_a_row >= MAX_REFUSED_IN_A_ROW:
            raise AccountError(
                f"{MAX_REFUSED_IN_A_ROW} messages in a row were refused, the last one: {reason}; "
                "is the permission Mail.Read there (Mail.ReadBasic is not enough)?"
            )
