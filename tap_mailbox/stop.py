"""Signals: the handler sets a flag, whoever works looks at it; nothing is written from a handler.

A handler that wrote STATE would tear the line in progress when the pipe is full, and one that
raised could leave half a protocol exchange behind (docs/adr/0004-signals.md).
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from tap_mailbox.errors import Stopped

if TYPE_CHECKING:
    from types import FrameType

GRACE_SECONDS = 4.0
"""How long the line in progress may take after a signal; DESIGN.md promises the exit within 5 s."""


class Stop:
    """Whether a signal asked the run to end, and which."""

    def __init__(self) -> None:
        self.signum: int | None = None

    def request(self, signum: int, _frame: FrameType | None = None) -> None:
        """Ask the run to end as after signal *signum*; exit hard if it does not within the grace period."""
        if self.signum is None:
            self.signum = signum
            # A pipe whose reader is stuck, or a server that says nothing, must not keep us. A hard exit is
            # safe: no bookmark covers what was not handed over.
            signal.signal(signal.SIGALRM, lambda *_: _leave(128 + signum))
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    @property
    def requested(self) -> bool:
        """Whether a signal has arrived."""
        return self.signum is not None

    def check(self) -> None:
        """Raise `Stopped` if a signal has arrived."""
        if self.requested:
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Wait, but raise `Stopped` as soon as a signal arrives."""
        # Slices, not an Event: its lock is not reentrant, and the handler may run while this thread holds it.
        deadline = time.monotonic() + seconds
        self.check()
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
            self.check()


def _leave(code: int) -> None:
    """End the process here and now, with a word about it; logging might wait for a lock."""
    os.write(2, b"tap-mailbox: no orderly end within the grace period; nothing unacknowledged is lost\n")
    os._exit(code)
