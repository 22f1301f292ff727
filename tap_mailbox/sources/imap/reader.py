"""A thread that reads folders ahead over one connection and says, in order, what became of every UID.

While the main thread parses one window, another waits for it, the next arrives, and the one after it is asked
for: four at most, whatever the folder's size; of small folders, as many as a window holds wait together. The
thread decides nothing about bookmarks.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_mailbox.errors import AccountError, Unavailable
from tap_mailbox.sources.imap import commands, search
from tap_mailbox.sources.imap.commands import Envelope
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
from tap_mailbox.sources.imap.pipeline import Pipeline
from tap_mailbox.sources.imap.plan import WINDOW_MESSAGES, windows
from tap_mailbox.sources.imap.replies import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tap_mailbox.sources.imap.backlog import Backlog
    from tap_mailbox.sources.imap.events import Event, Outcome
    from tap_mailbox.sources.imap.jobs import Jobs
    from tap_mailbox.sources.imap.session import Session

ENVELOPES_AT_ONCE = 500
"""UIDs in one FETCH of sizes and flags; keeps the command line under the 8,192 octets that servers take."""
SHRINK = 8
"""What a window is divided by after a break: 200, 25, 3, and 1 twice, before `MAX_RECONNECTS` are used up."""
DROPS_BEFORE_REFUSED = 2
"""So often may the connection break on one message that travels alone before that message is to blame."""
FOLDERS_GIVEN_UP = 3
"""So many folders in a row that break every connection are the server's trouble, and end the account."""
POLL_SECONDS = 0.2
"""So often does a thread that waits look whether it is to end."""
JOIN_SECONDS = 1.0
"""For a thread to leave by itself; with the socket closed after it, well within the grace of a signal."""


class _Closing(Exception):
    """The main thread has gone; nobody listens."""


@dataclass
class FolderReader:
    """Reads folders from *jobs* over *session* and puts events into *events*."""

    session: Session
    jobs: Jobs
    events: Backlog
    start_date: datetime | None
    _closing: threading.Event = field(default_factory=threading.Event)
    _drops: Counter[int] = field(default_factory=Counter)
    _window_messages: int = WINDOW_MESSAGES
    _given_up: int = 0

    def __post_init__(self) -> None:
        self._pipeline = Pipeline()
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
            while job := self.jobs.take(self._closing):
                self._read(job)
                self.jobs.done()
        except _Closing:
            pass
        except Exception as error:  # noqa: BLE001  # a defect of ours ends this account, not the run in silence
            if job is not None:
                # Another connection may do what this one could not (a limit of connections, say).
                self.jobs.put_back(job)
            self._put_last(ReaderFailed(error))
        finally:
            if self._pipeline.busy:
                # A farewell would wait for octets that nobody wants.
                self.session.drop()
            else:
                self.session.close()
            self._put_last(ReaderDone())

    def _put(self, event: Event) -> None:
        while not self._closing.is_set():
            if self.events.put(event, timeout=POLL_SECONDS):
                return
        raise _Closing

    def _put_last(self, event: Event) -> None:
        try:
            self._put(event)
        except _Closing:
            return

    def _read(self, job: Job) -> None:
        """Read one folder to its end, over as many connections as that takes."""
        self._drops = Counter(dict.fromkeys(job.pending, DROPS_BEFORE_REFUSED - 1))
        while True:
            try:
                self._read_once(job)
            except Unavailable as error:
                # What broke is asked for again in smaller parts: a line that dies after some megabytes, or
                # a server that dies at one message, would otherwise never let us through.
                self._window_messages = max(1, self._window_messages // SHRINK)
                self._pipeline.one_by_one = True
                if not self._again(error):
                    self._put(FolderFailed(job.folder, error))
                    return
            except Refused as error:
                self._put(FolderFailed(job.folder, error))
                return
            else:
                self._given_up = 0
                return

    def _again(self, error: Unavailable) -> bool:
        """Wait for another attempt at this folder; False when it is the folder that breaks connections.

        Raises:
            AccountError: the server itself cannot be reached any more.
        """
        try:
            self.session.broke(error)
        except AccountError:
            self._given_up += 1
            if not self.session.reached or self._given_up >= FOLDERS_GIVEN_UP:
                raise
            self.session.progress()
            return False
        return True

    def _read_once(self, job: Job) -> None:
        client = self.session.client()
        self._pipeline.begin(client)
        examined = commands.examine(client, job.folder)
        if job.uidvalidity not in (None, examined.uidvalidity):
            job.last_uid, job.pending, job.retried = 0, [], set()
            self._drops.clear()
        job.uidvalidity = examined.uidvalidity
        self._put(FolderOpened(job.folder, examined.uidvalidity, examined.uidnext))
        self._retry_pending(job)
        uids = search.new_uids(client, job.folder, examined, last_uid=job.last_uid, since=self.start_date)
        # A pending message beyond a lowered last_uid was dealt with already.
        ahead = self._windows([uid for uid in uids if uid not in job.retried])
        window = next(ahead, None)
        while window:
            # Once something broke, a window is handed over before anything is asked about the next.
            calm = not self._pipeline.one_by_one
            following = next(ahead, None) if calm else None
            outcomes = self._window(window, following)
            self._put(Window(job.folder, deque(outcomes), retried=False))
            job.last_uid = window[-1].uid
            self._window_messages = min(WINDOW_MESSAGES, self._window_messages * 2)
            self.session.progress()
            window = following if calm else next(ahead, None)
        self._put(FolderDone(job.folder, uids[-1] if uids else 0))

    @property
    def _envelopes_at_once(self) -> int:
        """UIDs whose envelopes are asked for together; few while something breaks the connection."""
        return ENVELOPES_AT_ONCE if self._window_messages == WINDOW_MESSAGES else self._window_messages

    def _retry_pending(self, job: Job) -> None:
        for uid in list(job.pending):
            outcomes = self._window(self._envelopes([uid]))
            self._put(Window(job.folder, deque(outcomes), retried=True))
            job.pending.remove(uid)
            job.retried.add(uid)
            self.session.progress()

    def _windows(self, uids: Sequence[int]) -> Iterator[list[Envelope]]:
        """Yield what travels together, asking for sizes and flags some hundred messages at a time."""
        position = 0
        while run := uids[position : position + self._envelopes_at_once]:
            position += len(run)
            known = self._envelopes(run)
            while known:
                window = next(windows(known, messages=self._window_messages))
                known = known[len(window) :]
                yield window

    def _envelopes(self, uids: Sequence[int]) -> list[Envelope]:
        """Return the envelopes in the order of *uids*; an empty one where the server gives none."""
        found: dict[int, Envelope] = {}
        groups = [list(uids)]
        while groups:
            group = groups.pop()
            if len(group) == 1 and self._drops[group[0]] >= DROPS_BEFORE_REFUSED:
                continue
            try:
                client = self._pipeline.client()
                with self._blaming(group):
                    found |= commands.fetch_envelopes(client, group)
            except Refused:
                if len(group) > 1:
                    groups += [group[len(group) // 2 :], group[: len(group) // 2]]
        return [found.get(uid) or Envelope(uid=uid) for uid in uids]

    def _window(
        self, window: Sequence[Envelope], following: Sequence[Envelope] | None = None
    ) -> list[Outcome]:
        """Return what became of each message of a window, in its order; the *following* one is asked for."""
        found: dict[int, Outcome] = {each.uid: TooOld(each.uid) for each in window if self._too_old(each)}
        known = {each.uid: each for each in window}
        groups = [self._wanted(window)]
        then = self._wanted(following or ())
        while groups:
            group = groups.pop()
            if not group:
                continue
            try:
                bodies = self._bodies(group, then)
            except Refused as error:
                if len(group) > 1:
                    # One message spoils the answer for all; halving finds it in a few steps.
                    groups += [group[len(group) // 2 :], group[: len(group) // 2]]
                    continue
                bodies, reason = {}, str(error)
            else:
                reason = "the server gives no octets for it"
            # An empty body of a message that has a size is no body.
            bodies = {uid: octets for uid, octets in bodies.items() if octets or not known[uid].size}
            found.update((uid, Fetched(known[uid], octets)) for uid, octets in bodies.items())
            if missing := [uid for uid in group if uid not in bodies]:
                if len(group) > 1:
                    groups += [[uid] for uid in reversed(missing)]
                else:
                    found[missing[0]] = self._gone_or_refused(missing[0], reason)
        return [found[uid] for uid in known]

    def _wanted(self, window: Sequence[Envelope]) -> list[int]:
        return [each.uid for each in window if not self._too_old(each)]

    def _bodies(self, uids: list[int], then: list[int]) -> dict[int, bytes]:
        if len(uids) == 1 and self._drops[uids[0]] >= DROPS_BEFORE_REFUSED:
            raise Refused("the connection breaks whenever it is fetched")
        with self._blaming(uids):
            return self._pipeline.bodies(uids, then=then)

    @contextmanager
    def _blaming(self, uids: Sequence[int]) -> Iterator[None]:
        """Hold a break of the connection against a message that was asked for alone."""
        try:
            yield
        except Unavailable:
            if len(uids) == 1:
                self._drops[uids[0]] += 1
            raise

    def _gone_or_refused(self, uid: int, reason: str) -> Outcome:
        """Tell a message that was deleted from one that the server holds back."""
        if search.is_gone(self._pipeline.client(), uid):
            return Vanished(uid)
        return RefusedMessage(uid, reason)

    def _too_old(self, envelope: Envelope) -> bool:
        """Whether it was received before `start_date`; one without INTERNALDATE is read, to be safe."""
        return (
            self.start_date is not None
            and envelope.internal_date is not None
            and envelope.internal_date < self.start_date
        )
