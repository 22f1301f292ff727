"""Several readers at work on the same folders, and what they say in one stream."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tap_mailbox.errors import PoliteStop
from tap_mailbox.sources.imap.backlog import Backlog
from tap_mailbox.sources.imap.events import ReaderDone, ReaderFailed
from tap_mailbox.sources.imap.jobs import Jobs
from tap_mailbox.sources.imap.reader import JOIN_SECONDS, POLL_SECONDS, FolderReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from tap_mailbox.sources.imap.events import Job, Progress
    from tap_mailbox.sources.imap.session import Session


class Readers:
    """One reader a session, all on the same jobs, each folder by one of them."""

    def __init__(
        self, sessions: Iterable[Session], jobs: Iterable[Job], *, start_date: datetime | None
    ) -> None:
        self._jobs = Jobs(jobs)
        self._events = Backlog()
        self._readers = [FolderReader(session, self._jobs, self._events, start_date) for session in sessions]
        self.lost: list[Exception] = []
        """What ended a reader whose work others have done."""
        for reader in self._readers:
            reader.thread.start()

    def events(self, check: Callable[[], None]) -> Iterator[Progress]:
        """Yield what the readers say until the last has ended; *check* is called while there is nothing.

        Raises:
            Exception: what ended a reader, when no other did its work.
        """
        alive = len(self._readers)
        while alive:
            check()
            event = self._events.take(timeout=POLL_SECONDS)
            match event:
                case None:
                    continue
                case ReaderDone():
                    alive -= 1
                case ReaderFailed(PoliteStop() as error):
                    # Whoever goes on now makes the server's limit worse.
                    raise error
                case ReaderFailed(error):
                    self.lost.append(error)
                case _:
                    yield event
        if self.lost and self._jobs.left:
            raise self.lost[0]

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
