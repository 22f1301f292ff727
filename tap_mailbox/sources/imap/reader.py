"""A thread that reads folders ahead over one connection and says, in order, what became of every UID.

While the main thread parses one window, the next is fetched. The queue holds one window a connection, so
memory is bounded whatever the folder's size. The thread decides nothing about bookmarks.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_mailbox.errors import PoliteStop, Unavailable
from tap_mailbox.sources.imap import commands
from tap_mailbox.sources.imap.events import (
    Fetched,
    FolderDone,
    FolderFailed,
    FolderOpened,
    Job,
    ReaderDone,
    ReaderFailed,
    RefusedMessage,
    TooOld,
    Vanished,
    Window,
)
from tap_mailbox.sources.imap.plan import WINDOW_MESSAGES, windows
from tap_mailbox.sources.imap.replies import Refused, code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from tap_mailbox.sources.imap.commands import Envelope
    from tap_mailbox.sources.imap.events import Event, Outcome, Progress
    from tap_mailbox.sources.imap.session import Session

ENVELOPES_AT_ONCE = 500
"""UIDs in one FETCH of sizes and flags; keeps the command line under the 8,192 octets that servers take."""
DROPS_BEFORE_REFUSED = 2
"""So often may the connection break on one message that travels alone before that message is to blame."""
JOIN_SECONDS = 1.0
"""For a thread to leave by itself; with the socket closed after it, well within the grace of a signal."""


class _Closing(Exception):  # not an error: the main thread does not listen any more
    """The main thread has gone; nobody listens."""


@dataclass
class FolderReader:
    """Reads the folders in *jobs* over *session* and puts events into *events*."""

    session: Session
    jobs: queue.SimpleQueue[Job]
    events: queue.Queue[Event]
    start_date: datetime | None
    _closing: threading.Event = field(default_factory=threading.Event)
    _drops: Counter[int] = field(default_factory=Counter)
    _window_messages: int = WINDOW_MESSAGES

    def __post_init__(self) -> None:
        self.session.wait = self._wait
        self.thread = threading.Thread(
            target=self._run, name=f"imap-{self.session.account.name}", daemon=True
        )

    def close(self) -> None:
        """Ask the thread to end at the next opportunity."""
        self._closing.set()

    def _wait(self, seconds: float) -> None:
        """Wait between reconnections; ends at once when nobody listens any more."""
        if self._closing.wait(seconds):
            raise _Closing

    def _run(self) -> None:
        job: Job | None = None
        try:
            while not self._closing.is_set():
                try:
                    job = self.jobs.get_nowait()
                except queue.Empty:
                    break
                self._read(job)
        except _Closing:
            pass
        except Exception as error:  # noqa: BLE001  # a defect of ours ends this account, not the run in silence
            if job is not None:
                # Another connection may do what this one could not (a limit of connections, say).
                self.jobs.put(job)
            self._put_last(ReaderFailed(error))
        finally:
            self.session.close()
            self._put_last(ReaderDone())

    def _put(self, event: Event) -> None:
        while not self._closing.is_set():
            try:
                self.events.put(event, timeout=0.2)
            except queue.Full:
                continue
            return
        raise _Closing

    def _put_last(self, event: Event) -> None:
        try:
            self._put(event)
        except _Closing:
            return

    def _read(self, job: Job) -> None:
        """Read one folder to its end, over as many connections as that takes."""
        self._drops.clear()
        while True:
            try:
                self._read_once(job)
            except Unavailable as error:
                # The window that broke is asked for again in parts: a line that dies after some megabytes
                # would otherwise never get through it.
                self._window_messages = max(1, self._window_messages // 4)
                self.session.broke(error)
            except Refused as error:
                self._put(FolderFailed(job.folder, error))
                return
            else:
                return

    def _read_once(self, job: Job) -> None:
        client = self.session.client()
        examined = commands.examine(client, job.folder)
        if job.uidvalidity not in (None, examined.uidvalidity):
            job.last_uid, job.pending = 0, []
        job.uidvalidity = examined.uidvalidity
        self._put(FolderOpened(job.folder, examined.uidvalidity))
        self._retry_pending(job)
        uids = commands.search(client, first_uid=job.last_uid + 1, since=self.start_date)
        for start in range(0, len(uids), ENVELOPES_AT_ONCE):
            self._read_run(job, uids[start : start + ENVELOPES_AT_ONCE])
        self._put(FolderDone(job.folder, examined.uidnext))

    def _retry_pending(self, job: Job) -> None:
        for uid in list(job.pending):
            outcomes = self._outcomes([uid])
            self._put(Window(job.folder, deque(outcomes), retried=True))
            job.pending.remove(uid)

    def _read_run(self, job: Job, uids: Sequence[int]) -> None:
        """Read some hundred messages, window by window, each window put as soon as it is here."""
        envelopes = commands.fetch_envelopes(self.session.client(), uids)
        known = [envelopes.get(uid) or _unknown(uid) for uid in uids]
        while known:
            window = next(windows(known, messages=self._window_messages))
            outcomes = self._window(window)
            self._put(Window(job.folder, deque(outcomes), retried=False))
            job.last_uid = window[-1].uid
            known = known[len(window) :]
            self._window_messages = min(WINDOW_MESSAGES, self._window_messages * 2)
            self.session.progress()

    def _outcomes(self, uids: Sequence[int]) -> list[Outcome]:
        envelopes = commands.fetch_envelopes(self.session.client(), uids)
        return self._window([envelopes.get(uid) or _unknown(uid) for uid in uids])

    def _window(self, window: Sequence[Envelope]) -> list[Outcome]:
        """Return what became of each message of a window, in its order."""
        old = {each.uid for each in window if self._too_old(each)}
        found: dict[int, Outcome] = {uid: TooOld(uid) for uid in old}
        known = {each.uid: each for each in window}
        groups = [[uid for uid in known if uid not in old]]
        while groups:
            group = groups.pop()
            if not group:
                continue
            try:
                bodies = self._bodies(group)
            except Refused as error:
                if len(group) > 1:
                    # One message spoils the answer for all; halving finds it in a few steps.
                    groups += [group[len(group) // 2 :], group[: len(group) // 2]]
                    continue
                bodies, reason = {}, str(error)
            else:
                reason = "the server gives no octets for it"
            found.update((uid, Fetched(known[uid], octets)) for uid, octets in bodies.items() if uid in known)
            if missing := [uid for uid in group if uid not in bodies]:
                if len(group) > 1:
                    groups += [[uid] for uid in reversed(missing)]
                else:
                    found[missing[0]] = self._gone_or_refused(missing[0], reason)
        return [found[uid] for uid in known]

    def _bodies(self, uids: list[int]) -> dict[int, bytes]:
        if len(uids) == 1 and self._drops[uids[0]] >= DROPS_BEFORE_REFUSED:
            raise Refused("the connection breaks whenever it is fetched")
        try:
            return commands.fetch_bodies(self.session.client(), uids)
        except Unavailable as error:
            if len(uids) == 1 and not code_of(str(error)):
                self._drops[uids[0]] += 1
            raise

    def _gone_or_refused(self, uid: int, reason: str) -> Outcome:
        """Tell a message that was deleted from one that the server holds back."""
        if uid in commands.still_there(self.session.client(), [uid]):
            return RefusedMessage(uid, reason)
        return Vanished(uid)

    def _too_old(self, envelope: Envelope) -> bool:
        """Whether it was received before `start_date`; one without INTERNALDATE is read, to be safe."""
        return (
            self.start_date is not None
            and envelope.internal_date is not None
            and envelope.internal_date < self.start_date
        )


def _unknown(uid: int) -> commands.Envelope:
    """Return the envelope of a message whose server gave none; its octets are asked for all the same."""
    return commands.Envelope(
        uid=uid, size=0, internal_date=None, flags=(), labels=None, gmail_msgid=None, gmail_thrid=None
    )


class Readers:
    """Some readers at work on the same jobs, and what they say in one stream."""

    def __init__(
        self, sessions: Iterable[Session], jobs: Sequence[Job], *, start_date: datetime | None
    ) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            self._jobs.put(job)
        self._events: queue.Queue[Event] = queue.Queue(maxsize=1)
        self._readers = [FolderReader(session, self._jobs, self._events, start_date) for session in sessions]
        for reader in self._readers:
            reader.thread.start()

    def events(self, check: Callable[[], None]) -> Iterator[Progress]:
        """Yield what the readers say until the last has ended; *check* is called while there is nothing.

        Raises:
            Exception: what ended a reader, once no other can do its work.
        """
        alive = len(self._readers)
        failure: Exception | None = None
        while alive:
            check()
            try:
                event = self._events.get(timeout=0.2)
            except queue.Empty:
                continue
            match event:
                case ReaderDone():
                    alive -= 1
                case ReaderFailed(PoliteStop() as error):
                    # Whoever goes on now makes the server's limit worse.
                    raise error
                case ReaderFailed(error):
                    failure = failure or error
                case _:
                    yield event
        if failure is not None and not self._jobs.empty():
            raise failure

    def close(self) -> None:
        """End every thread and connection: by LOGOUT at rest, by closing the socket while it reads."""
        for reader in self._readers:
            reader.close()
        deadline = time.monotonic() + JOIN_SECONDS
        for reader in self._readers:
            reader.thread.join(max(0, deadline - time.monotonic()))
        for reader in self._readers:
            if reader.thread.is_alive():
                reader.session.abort()
                reader.thread.join(JOIN_SECONDS / len(self._readers))
