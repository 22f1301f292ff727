"""How fast requests may go: four at a time, so many in ten minutes, and none before the server's Retry-After.

One `Pace` for an application, whichever mailbox it reads: Microsoft counts for both, and its documents
contradict each other about which limit is whose (research of 2026-11, section 1.7).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_mailbox.errors import PoliteStop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONCURRENCY = 4
"""Requests in flight that Outlook takes from one application in one mailbox."""
BUDGET = 9_600
WINDOW_SECONDS = 600.0
"""Outlook allows 10,000 requests in ten minutes; what others of the same application do is unknown."""
_POLL_SECONDS = 0.1


@dataclass(slots=True)
class Turn:
    """A request under way."""

    refused: bool = False
    """Whether it met the limit on requests at a time, so that its end makes no room."""


class Pace:
    """Gives turns to requests; every waiting ends when *check* raises."""

    def __init__(
        self, check: Callable[[], None], *, budget: int = BUDGET, window: float = WINDOW_SECONDS
    ) -> None:
        self._check, self._budget, self._window = check, budget, window
        self._changed = threading.Condition()
        self._starts: deque[float] = deque()
        self._fence = 0.0
        self._in_flight = 0
        self._ended = 0

    @contextmanager
    def turn(self, *, longest: float) -> Iterator[Turn]:
        """Hold one of the places while a request runs.

        Raises:
            PoliteStop: the service asked for a wait of more than *longest* seconds.
        """
        turn = Turn()
        with self._changed:
            while (delay := self._delay()) is None or delay > 0:
                if self._fence - time.monotonic() > longest:
                    raise PoliteStop(f"the service asks for a longer wait than max_wait ({longest:.0f} s)")
                self._changed.wait(_POLL_SECONDS if delay is None else min(delay, _POLL_SECONDS))
                self._check()
            self._in_flight += 1
            self._starts.append(time.monotonic())
        try:
            yield turn
        finally:
            with self._changed:
                self._in_flight -= 1
                self._ended += not turn.refused
                self._changed.notify_all()

    def hold(self, seconds: float) -> None:
        """Let no request begin within *seconds* from now, whoever makes it."""
        with self._changed:
            self._fence = max(self._fence, time.monotonic() + seconds)

    def wait_for_an_end(self, seconds: float) -> None:
        """Return when one of our own requests was answered; when there is none, after *seconds*."""
        deadline = time.monotonic() + seconds
        with self._changed:
            ended = self._ended
            while self._ended == ended:
                left = deadline - time.monotonic()
                if not self._in_flight and left <= 0:
                    return
                self._changed.wait(min(_POLL_SECONDS, left) if left > 0 else _POLL_SECONDS)
                self._check()

    def _delay(self) -> float | None:
        """Return the seconds until the next request may begin; None: when another has ended."""
        now = time.monotonic()
        while self._starts and self._starts[0] <= now - self._window:
            self._starts.popleft()
        if self._in_flight >= CONCURRENCY:
            return None
        full = self._starts[0] + self._window - now if len(self._starts) >= self._budget else 0.0
        return max(self._fence - now, full)
