"""Throttling: how much at once, how much in a window, and who came back too early (F1).

Limits [DOC throttling-limits]: 10,000 requests in 10 minutes for an app and a mailbox, and 4 at once; whether
the 4 are per mailbox or over all mailboxes of the app is contested, so both are held.
"""

from __future__ import annotations

import email.utils
import math
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field

from tests.servers.graph.errors import GraphError

Key = tuple[str, str | None]
"""An app and a mailbox."""


@dataclass(frozen=True)
class Violation:
    """A request made before its Retry-After had passed."""

    app_id: str
    mailbox: str | None
    path: str
    early: float
    """Seconds before the end of the wait."""
    late: float
    """Seconds after the answer that said how long to wait."""


@dataclass(frozen=True)
class _Fence:
    """Nothing may be asked from *begin* until *end*."""

    begin: float
    end: float


@dataclass
class Throttle:
    """The limits, to be set by the test, and what broke them. Times are of time.monotonic()."""

    enabled: bool = True
    requests: int = 10_000
    window: float = 600.0
    concurrency: int = 4
    retry_after_style: str = "integer"
    """Or `fractional` (2.128), `date` (an HTTP-date), `absent` (outlook-dev-docs#144)."""
    grace: float = 0.25
    """Seconds for requests that were under way: a client cannot know of an answer that it has not received.

    On a machine with more to do than it can a request takes a tenth of a second to get here.
    """
    violations: list[Violation] = field(default_factory=list)
    most_in_flight: int = 0
    _in_flight: Counter[object] = field(default_factory=Counter)
    _times: dict[Key, deque[float]] = field(default_factory=dict)
    _fences: dict[Key, list[_Fence]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, key: Key, path: str) -> int:
        """Count a request that begins; return how many of its app are under way."""
        with self._lock:
            now = time.monotonic()
            self._fences[key] = [fence for fence in self._fences.get(key, ()) if now < fence.end]
            for fence in self._fences[key]:
                if fence.begin + self.grace < now:
                    self.violations.append(Violation(*key, path, fence.end - now, now - fence.begin))
            self._times.setdefault(key, deque()).append(now)
            self._in_flight[key] += 1
            self._in_flight[key[0]] += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight[key[0]])
            return self._in_flight[key[0]]

    def leave(self, key: Key) -> None:
        """Count a request that ends."""
        with self._lock:
            self._in_flight[key] -= 1
            self._in_flight[key[0]] -= 1

    def refuse(self, key: Key) -> None:
        """Raise the 429 for the request that entered last, if there are too many; those refused count too [DOC]."""
        if not self.enabled:
            return
        with self._lock:
            if max(self._in_flight[key], self._in_flight[key[0]]) > self.concurrency:
                # Its Retry-After is no time limit: one may come back as soon as one ends [ISSUE MS Q&A 2143058].
                raise _throttled("MailboxConcurrency", {"Retry-After": "1"})
            times, now = self._times[key], time.monotonic()
            while times and times[0] <= now - self.window:
                times.popleft()
            if len(times) > self.requests:
                # Until there is room for one more: who waits so long and no longer is served.
                last_to_leave = times[-max(1, self.requests)]
                raise _throttled("RequestRate", self._wait(key, last_to_leave + self.window - now))

    def fence(self, key: Key, retry_after: str) -> None:
        """Hold the client to a Retry-After, in seconds or as a date, that it is about to get."""
        seconds = _seconds(retry_after)
        with self._lock:
            now = time.monotonic()
            self._fences.setdefault(key, []).append(_Fence(now, now + seconds))

    def _wait(self, key: Key, seconds: float) -> dict[str, str]:
        """Return the header that says how long to wait, in the style that is set, and hold the client to it."""
        match self.retry_after_style:
            case "absent":
                return {}
            case "fractional":
                text = f"{math.ceil(seconds * 1000) / 1000:.3f}"
            case "date":
                text = email.utils.formatdate(math.ceil(time.time() + seconds), usegmt=True)
            case _:
                text = str(max(1, math.ceil(seconds)))
        now = time.monotonic()
        self._fences.setdefault(key, []).append(_Fence(now, now + _seconds(text)))
        return {"Retry-After": text}


def _seconds(retry_after: str) -> float:
    try:
        return float(retry_after)
    except ValueError:
        return email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time()


def _throttled(limit: str, headers: dict[str, str]) -> GraphError:
    """Return the 429 [ISSUE, many]."""
    return GraphError(429, "ApplicationThrottled", f"Application is over its {limit} limit.", headers)
