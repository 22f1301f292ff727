"""Where readers leave what they say for the main thread; no more mail waits there than one window holds."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from tap_mailbox.sources.imap.events import Fetched, Window
from tap_mailbox.sources.imap.plan import WINDOW_MESSAGES, WINDOW_OCTETS

if TYPE_CHECKING:
    from tap_mailbox.sources.imap.events import Event


class Backlog:
    """Events in the order in which they were put.

    It is mail that is limited, not events: whoever had to wait until somebody knows that a folder is done
    would not have read the next one meanwhile.
    """

    def __init__(self) -> None:
        self._events: deque[tuple[Event, int, int]] = deque()
        self._messages = self._octets = 0
        self._changed = threading.Condition()

    def put(self, event: Event, *, timeout: float) -> bool:
        """Leave *event*; False when there was no room for it in time."""
        messages, octets = _weight(event)
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(messages, octets), timeout):
                return False
            self._events.append((event, messages, octets))
            self._messages += messages
            self._octets += octets
            self._changed.notify_all()
            return True

    def take(self, *, timeout: float) -> Event | None:
        """Return the next event; None when there was none in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._events, timeout):
                return None
            event, messages, octets = self._events.popleft()
            self._messages -= messages
            self._octets -= octets
            self._changed.notify_all()
            return event

    def _has_room(self, messages: int, octets: int) -> bool:
        """Whether all that waits would fit into a window; the first always does, whatever its size."""
        return not (messages and self._messages) or (
            self._messages + messages <= WINDOW_MESSAGES and self._octets + octets <= WINDOW_OCTETS
        )


def _weight(event: Event) -> tuple[int, int]:
    """Return how many messages an event carries, and their octets."""
    if not isinstance(event, Window):
        return 0, 0
    octets = (len(each.octets) for each in event.outcomes if isinstance(each, Fetched))
    return len(event.outcomes), sum(octets)
