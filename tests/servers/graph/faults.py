"""Faults by script: which request meets one, and what it does to the answer (F2, F4)."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from tests.servers.graph.request import JSON, Request, Response


@dataclass(frozen=True)
class Fault:
    """What happens to an answer. Make one by the methods below."""

    response: Response | None = None
    """Instead of the usual answer."""
    seconds: float = 0.0
    """To wait before."""
    resets: bool = False
    """The connection is reset before the status line."""
    keep: int | None = None
    """How many octets of the body arrive before the connection closes."""
    framing: str = "usual"
    """`length`: Content-Length says the whole; `missing`: nothing says where it ends but the close."""
    bytes_per_second: float | None = None

    @classmethod
    def status(
        cls,
        status: int,
        *,
        code: str = "",
        message: str = "",
        retry_after: float | str | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
        after: float = 0.0,
    ) -> Self:
        """Answer with a status, and Graph's error body unless *body* is given; *after* so many seconds."""
        given = dict(headers or {})
        if retry_after is not None:
            given["Retry-After"] = str(retry_after)
        if body is None:
            body = b'{"error":{"code":"%b","message":"%b"}}' % (
                (code or "generalException").encode(), (message or "An error has occurred.").encode(),
            )  # fmt: skip
        return cls(Response(status, body, content_type, given), seconds=after)

    @classmethod
    def insufficient_claims(cls, claims: str) -> Self:
        """Answer with the 401 of continuous access evaluation; *claims* is Base64 [DOC claims-challenge]."""
        challenge = f'Bearer realm="", error="insufficient_claims", claims="{claims}"'
        return cls.status(401, code="InvalidAuthenticationToken", headers={"WWW-Authenticate": challenge})

    @classmethod
    def body(cls, body: bytes, *, content_type: str = JSON) -> Self:
        """Answer 200 with other octets: HTML, broken JSON, duplicate keys, a byte order mark."""
        return cls(Response(200, body, content_type))

    @classmethod
    def redirect(cls, url: str, *, status: int = 302) -> Self:
        """Send the client elsewhere; with its token it must not go to another host (F4) [INVENTED]."""
        return cls(Response(status, b"", headers={"Location": url}))

    @classmethod
    def reset(cls) -> Self:
        """Reset the connection before anything is answered."""
        return cls(resets=True)

    @classmethod
    def truncate(cls, keep: int = 20, *, framing: str = "usual") -> Self:
        """Answer as usual, but close behind so many octets of the body. See `framing`."""
        return cls(keep=keep, framing=framing)

    @classmethod
    def delay(cls, seconds: float) -> Self:
        """Answer as usual, but later."""
        return cls(seconds=seconds)

    @classmethod
    def slow(cls, bytes_per_second: float) -> Self:
        """Answer as usual, but drop by drop, the headers too."""
        return cls(bytes_per_second=bytes_per_second)


@dataclass
class _Rule:
    method: str
    path: re.Pattern[str]
    first: int
    last: float
    fault: Fault
    seen: int = 0


@dataclass
class Faults:
    """The script; the first rule that applies to a request wins, and every rule that matches it counts it."""

    _rules: list[_Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self, *, method: str = "GET", path: str = "", nth: int = 1, times: int | None = 1, fault: Fault
    ) -> None:
        """Let requests meet a fault: from the *nth* that matches on, so many *times*; None is for ever.

        *path* is a regular expression, searched in path and query as they were sent, percent-encoded.
        """
        last = float("inf") if times is None else nth + times - 1
        with self._lock:
            self._rules.append(_Rule(method, re.compile(path), nth, last, fault))

    def clear(self) -> None:
        """Forget the script."""
        with self._lock:
            self._rules.clear()

    def meet(self, request: Request) -> Fault | None:
        """Return the fault that this request meets, and count it."""
        met = None
        with self._lock:
            for rule in self._rules:
                if rule.method == request.method and rule.path.search(request.target):
                    rule.seen += 1
                    if met is None and rule.first <= rule.seen <= rule.last:
                        met = rule.fault
        return met
