"""What was asked, when, and how much at once (T1)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tests.servers.graph.request import Request


@dataclass(eq=False)
class LoggedRequest:
    """A request; times are of time.monotonic()."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    """By name as it came; the token is a digest, equal tokens have equal ones."""
    mailbox: str | None
    """Whose mail it is about, so far as the path and the token say."""
    app_id: str | None
    in_flight: int
    """How many requests of the app were under way, with this one."""
    started: float
    """When it had come in, and before the simulator's own work on it began."""
    ended: float | None = None
    status: int | None = None
    """None while it is under way, and when the connection was broken instead of an answer."""

    @classmethod
    def of(
        cls, request: Request, *, mailbox: str | None, app_id: str | None, in_flight: int
    ) -> LoggedRequest:
        """Return the line for a request that has come in."""
        headers = dict(request.headers.items())
        if request.bearer:
            headers["Authorization"] = (
                f"Bearer sha256:{hashlib.sha256(request.bearer.encode()).hexdigest()[:16]}"
            )
        return cls(
            request.method, request.path, request.query, headers, mailbox, app_id, in_flight, request.received
        )
