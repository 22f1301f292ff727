"""The time in the simulated mailboxes: it starts on a fixed day and moves when mail does (T2)."""

from __future__ import annotations

import datetime as dt

START = dt.datetime(2026, 6, 5, 8, 0, tzinfo=dt.UTC)
STEP = dt.timedelta(milliseconds=370)
"""Less than a second, so that neighbours share the second they show on the wire (S1)."""


class Clock:
    """Stands still until something happens, so that equal tests see equal times."""

    def __init__(self) -> None:
        self.now = START

    def tick(self) -> dt.datetime:
        """Return the time of the next event."""
        self.now += STEP
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass in the mailboxes."""
        self.now += dt.timedelta(seconds=seconds)


def on_the_wire(when: dt.datetime) -> str:
    """Return a time in whole seconds, as Graph writes it, whatever it stores [DOC, ISSUE python-o365#1084]."""
    return when.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
