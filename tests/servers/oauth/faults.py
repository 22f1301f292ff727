"""What a token endpoint answers, rightly or not: `Reply`, `Refused`, the queue of `Faults`, and `Hold`."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """One HTTP answer."""

    status: int
    """0: none, the connection is reset."""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Octets of the body that are sent before the connection is reset; None: all, and it is not."""

    @classmethod
    def json(cls, members: Mapping[str, Any], status: int = 200) -> Reply:
        """Return an answer as token endpoints give it: never to be cached (RFC 6749 section 5.1)."""
        headers = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
        return cls(status, json.dumps(members).encode(), headers)

    @property
    def error(self) -> str:
        """The `error` member, empty when there is none."""
        try:
            members = json.loads(self.body)
        except ValueError:
            return ""
        return str(members.get("error", "")) if isinstance(members, dict) else ""


class Refused(Exception):
    """Raised where a request is refused: an error of RFC 6749 section 5.2, with what a provider adds.

    Attributes:
        error: Such as `invalid_grant`.
        codes: Microsoft's AADSTS numbers.
        status: 401 for `invalid_client`, else 400.
        members: More members of the answer, such as `suberror` and `claims`.
    """

    def __init__(
        self,
        error: str,
        description: str = "",
        *,
        codes: Sequence[int] = (),
        status: int | None = None,
        **members: Any,
    ) -> None:
        super().__init__(description)
        self.error, self.description, self.codes, self.members = error, description, tuple(codes), members
        self.status = status or (401 if error == "invalid_client" else 400)


Right = Callable[[], Reply]
"""Does what was asked and returns the right answer."""


@dataclass
class _Fault:
    """What to do instead of the right answer, for so many requests (None: for all)."""

    answer: Callable[[Right], Reply]
    path: re.Pattern[str]
    left: int | None


class Faults:
    """What goes wrong with the next requests, in the order it was added."""

    def __init__(self) -> None:
        self._queue: list[_Fault] = []
        self._lock = threading.Lock()

    def add(self, answer: Callable[[Right], Reply], *, path: str, times: int | None) -> None:
        """Answer the next requests whose path matches the regular expression in this way."""
        with self._lock:
            self._queue.append(_Fault(answer, re.compile(path), times))

    def answer(self, path: str, right: Right) -> Reply:
        """Return the right answer, or what was added for the path, once for each time it was ordered."""
        fault = self._take(path)
        return fault.answer(right) if fault else right()

    def _take(self, path: str) -> _Fault | None:
        with self._lock:
            for fault in self._queue:
                if fault.path.search(path):
                    if fault.left is not None:
                        fault.left -= 1
                        if not fault.left:
                            self._queue.remove(fault)
                    return fault
        return None

    def clear(self) -> None:
        """Give right answers again."""
        with self._lock:
            self._queue.clear()


class Hold:
    """Answers kept back: what was asked is done, the client does not know it yet."""

    def __init__(self) -> None:
        self._held = threading.Semaphore(0)
        self._released = threading.Event()

    def wait(self, count: int = 1, seconds: float = 20) -> None:
        """Return once so many more answers are held back; raise TimeoutError when they do not come."""
        for _ in range(count):
            if not self._held.acquire(timeout=seconds):
                raise TimeoutError("no token request came")

    def keep(self) -> None:
        """Stand still until `release`; called by the server, on the thread of the connection."""
        self._held.release()
        self._released.wait()

    def release(self) -> None:
        """Let all answers go, those to come as well."""
        self._released.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
