"""The folders still to be read, shared by the connections that read them."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_mailbox.sources.imap.events import Job

POLL_SECONDS = 0.2


class Jobs:
    """A queue in which a folder that was taken counts until it is done or put back."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._waiting = deque(jobs)
        self._taken = 0
        self._changed = threading.Condition()

    def take(self, closing: threading.Event) -> Job | None:
        """Return the next folder; None when all are done.

        Waits while others are at work: what breaks their connection may be left for this one.
        """
        with self._changed:
            while not closing.is_set():
                if self._waiting:
                    self._taken += 1
                    return self._waiting.popleft()
                if not self._taken:
                    return None
                self._changed.wait(POLL_SECONDS)
        return None

    def done(self) -> None:
        """The folder that was taken was dealt with."""
        with self._changed:
            self._taken -= 1
            self._changed.notify_all()

    def put_back(self, job: Job) -> None:
        """The folder that was taken is for somebody else."""
        with self._changed:
            self._taken -= 1
            self._waiting.append(job)
            self._changed.notify_all()

    @property
    def left(self) -> int:
        """How many folders nobody has read."""
        with self._changed:
            return len(self._waiting)
