"""Signals: the handler sets a flag and wakes the reader; nothing is written from a handler.

A handler that drained would acknowledge a batch that is only half written (docs/adr/0004-signals.md).
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

GRACE_SECONDS = 4.0
"""How long the commit in progress may take after a signal; the promise is an exit within 5 seconds."""


class Stop:
    """Whether a signal asked the run to end, and which."""

    def __init__(self) -> None:
        self.signum: int | None = None
        self.wakeup: int | None = None
        """Becomes readable when a signal arrives, for whoever waits in poll(); None before `install`."""

    def install(self) -> None:
        """Take over SIGTERM and SIGINT."""
        self.wakeup, writing = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self.request)

    def request(self, signum: int, _frame: FrameType | None = None) -> None:
        """Ask the run to end as after signal *signum*; exit hard if it does not within the grace period."""
        if self.signum is not None:
            return
        self.signum = signum
        # A stdout nobody reads, a lock another run holds or a slow disk must not keep us. A hard exit is
        # safe at any moment: no STATE leaves before its commit, and the next start recovers the rest.
        signal.signal(signal.SIGALRM, lambda *_: os._exit(128 + signum))
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
