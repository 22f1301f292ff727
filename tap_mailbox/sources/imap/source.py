"""An IMAP account: its folders, from where their bookmarks stand, message by message.

    LIST, STATUS → what is new → readers fetch ahead → outcomes, one by one → bookmark after each

The bookmark of a folder moves only when the generator is resumed, that is after the message was handed over.
"""

from __future__ import annotations

import logging
import queue
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tap_mailbox.bookmarks import FolderBookmark
from tap_mailbox.errors import Unavailable
from tap_mailbox.message import Checkpoint, RawMessage, Seen
from tap_mailbox.sources.base import Report, Source
from tap_mailbox.sources.imap import folders as listing
from tap_mailbox.sources.imap.events import (
    Fetched,
    FolderDone,
    FolderFailed,
    FolderOpened,
    Job,
    RefusedMessage,
    TooOld,
    Vanished,
    Window,
)
from tap_mailbox.sources.imap.readers import Readers
from tap_mailbox.sources.imap.replies import Refused
from tap_mailbox.sources.imap.session import Session
from tap_mailbox.sources.selection import selected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_mailbox.config import Account
    from tap_mailbox.sources.imap.commands import Envelope
    from tap_mailbox.sources.imap.folders import Folder
    from tap_mailbox.stop import Stop

logger = logging.getLogger(__name__)


class ImapSource(Source):
    """The messages of one IMAP account. See `Source`."""

    def __init__(
        self, account: Account, *, bookmark: dict[str, Any], start_date: datetime | None, stop: Stop
    ) -> None:
        self.report = Report()
        self._account, self._start_date, self._stop = account, start_date, stop
        self._bookmark = bookmark
        if not isinstance(bookmark.get("folders"), dict):
            bookmark["folders"] = {}
        self._bookmarks: dict[str, Any] = bookmark["folders"]

    def messages(self) -> Iterator[RawMessage | Checkpoint]:
        """Yield the messages the bookmark does not cover yet. See `Source.messages`."""
        session = Session(self._account, wait=self._stop.wait)
        try:
            jobs = self._interruptibly(session, self._jobs)
            self._note_credential(session)
            if jobs:
                yield from self._read(session, jobs)
        finally:
            session.close()
        self._bookmark["last_poll"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _interruptibly(self, session: Session, work: Callable[[Session], list[Job]]) -> list[Job]:
        """Do *work* in a thread, so that a signal need not wait for a name server or a silent one.

        Raises:
            Stopped: a signal arrived; the thread is left to end with the process.
        """
        done: queue.SimpleQueue[list[Job] | BaseException] = queue.SimpleQueue()

        def run() -> None:
            try:
                done.put(work(session))
            except BaseException as error:  # noqa: BLE001  # it is raised again where somebody waits for it
                done.put(error)

        threading.Thread(target=run, name=f"imap-{self._account.name}", daemon=True).start()
        while True:
            try:
                outcome = done.get(timeout=0.1)
            except queue.Empty:
                if self._stop.requested:
                    session.abort()
                    self._stop.check()
                continue
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

    def _jobs(self, session: Session) -> list[Job]:
        """Return the folders with something new, over as many connections as it takes to ask."""
        while True:
            try:
                return self._ask(session)
            except Unavailable as error:
                logger.warning("account %s: %s", self._account.name, error)
                session.broke(error)

    def _ask(self, session: Session) -> list[Job]:
        client = session.client()
        folders = listing.list_folders(client)
        if not folders:
            # INBOX always exists (RFC 3501, section 5.1).
            raise Unavailable("LIST names no folder at all")
        chosen, idle = selected(folders, include=self._account.include, exclude=self._account.exclude)
        self.report.folders = 0
        names = {folder.name for folder in folders}
        jobs = []
        for folder in chosen:
            self._stop.check()
            uidvalidity, uidnext = folder.uidvalidity, folder.uidnext
            if uidnext is None and folder.name in self._bookmarks:
                try:
                    uidvalidity, uidnext = listing.status(client, folder)
                except Refused as error:
                    logger.info("account %s: %s; asking with EXAMINE", self._account.name, error)
                session.progress()
            if not self._unchanged(folder, uidvalidity, uidnext):
                bookmark = FolderBookmark(self._bookmarks, folder.name)
                jobs.append(Job(folder, bookmark.uidvalidity, bookmark.last_uid, bookmark.pending))
        if not chosen:
            self._warn("folders.include and folders.exclude select no folder; nothing is read")
        for pattern in idle:
            self._warn(f"folders.include {pattern!r} matches no folder")
        for name in self._bookmarks.keys() - names:
            self._warn(f"folder {name!r} is gone from the server; its bookmark is kept")
        return jobs

    def _unchanged(self, folder: Folder, uidvalidity: int | None, uidnext: int | None) -> bool:
        """Whether STATUS shows that nothing can be new; such a folder is not even opened."""
        bookmark = FolderBookmark(self._bookmarks, folder.name)
        if uidvalidity is None or uidnext is None or bookmark.pending:
            return False
        if bookmark.uidvalidity not in (None, uidvalidity) or uidnext > bookmark.last_uid + 1:
            return False
        # A legacy bookmark learns here under which UIDVALIDITY it holds.
        bookmark.begin(uidvalidity)
        self._check_reach(folder, uidnext)
        self.report.folders += 1
        return True

    def _read(self, session: Session, jobs: list[Job]) -> Iterator[RawMessage | Checkpoint]:
        connections = min(session.server.connections, len(jobs))
        more = [Session(self._account, wait=self._stop.wait) for _ in range(connections - 1)]
        for other in more:
            other.credential = session.credential
        readers = Readers([session, *more], jobs, start_date=self._start_date)
        try:
            for event in readers.events(self._stop.check):
                match event:
                    case FolderOpened(folder, uidvalidity, uidnext):
                        self._open(folder, uidvalidity, uidnext)
                    case Window():
                        yield from self._outcomes(event)
                    case FolderDone(folder, last_uid):
                        FolderBookmark(self._bookmarks, folder.name).pass_uid(last_uid)
                        self.report.folders += 1
                        yield Checkpoint(folder.name)
                    case FolderFailed(folder, error):
                        self._fail(f"folder {folder.name!r}: {error}")
            for lost in readers.lost:
                self._warn(f"one of {connections} connections was lost, the others did its work: {lost}")
        finally:
            readers.close()

    def _open(self, folder: Folder, uidvalidity: int, uidnext: int | None) -> None:
        bookmark = FolderBookmark(self._bookmarks, folder.name)
        if bookmark.uidvalidity not in (None, uidvalidity):
            self._warn(
                f"folder {folder.name!r}: UIDVALIDITY changed from {bookmark.uidvalidity} to {uidvalidity}; "
                "it is read again from the start, the archive knows what it has"
            )
        bookmark.begin(uidvalidity)
        self._check_reach(folder, uidnext)

    def _check_reach(self, folder: Folder, uidnext: int | None) -> None:
        """Fail a folder whose bookmark no message can reach: what is below it would be missed in silence."""
        last_uid = FolderBookmark(self._bookmarks, folder.name).last_uid
        if uidnext is not None and uidnext <= last_uid:
            self._fail(
                f"folder {folder.name!r}: the bookmark is at UID {last_uid}, beyond the server's next "
                f"({uidnext}); mail below it is not read. Lower last_uid, or delete the folder's entry"
            )

    def _outcomes(self, window: Window) -> Iterator[RawMessage]:
        """Yield the messages of a window; pass each UID in the bookmark once it is dealt with."""
        folder = window.folder
        bookmark = FolderBookmark(self._bookmarks, folder.name)
        while window.outcomes:
            # Taken out one by one, so that the octets are free as soon as the record is out.
            outcome = window.outcomes.popleft()
            match outcome:
                case Fetched(envelope, octets):
                    uid = envelope.uid
                    self.report.messages += 1
                    self.report.octets += len(octets)
                    yield RawMessage(octets, self._seen(folder, bookmark.uidvalidity, envelope))
                    bookmark.resolve(uid)
                case Vanished(uid):
                    self.report.vanished += 1
                    if window.retried:
                        logger.info("account %s: pending UID %d is no more", self._account.name, uid)
                    bookmark.resolve(uid)
                case RefusedMessage(uid, reason):
                    bookmark.refuse(uid)
                    self._fail(f"folder {folder.name!r}: UID {uid} is pending, it was refused ({reason})")
                case TooOld(uid):
                    if window.retried:
                        logger.info(
                            "account %s: pending UID %d is before start_date", self._account.name, uid
                        )
                    bookmark.resolve(uid)
            if not window.retried:
                bookmark.pass_uid(uid)

    def _seen(self, folder: Folder, uidvalidity: int | None, envelope: Envelope) -> Seen:
        return Seen(
            protocol="imap",
            folder=folder.name,
            uid=envelope.uid,
            uidvalidity=uidvalidity,
            flags=envelope.flags,
            labels=envelope.labels,
            internal_date=envelope.internal_date,
            gmail_msgid=envelope.gmail_msgid,
            gmail_thrid=envelope.gmail_thrid,
        )

    def _note_credential(self, session: Session) -> None:
        if session.credential is not None:
            self.report.credential = session.credential.method
        for reason in session.fallbacks:
            self._warn(f"sign-in method fell back: {reason}")

    def _warn(self, text: str) -> None:
        logger.warning("account %s: %s", self._account.name, text)
        self.report.warnings.append(text)

    def _fail(self, text: str) -> None:
        logger.error("account %s: %s", self._account.name, text)
        self.report.failures.append(text)
