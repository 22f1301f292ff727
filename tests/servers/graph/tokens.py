"""Access tokens: opaque, with an end, and for a mailbox or for all (A4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tests.servers.graph.ids import Ids


class Granted(Protocol):
    """What any authority says of a token that it takes."""

    @property
    def mailbox(self) -> str | None:
        """The address that signed in; None for an application permission, which reads every mailbox."""

    @property
    def app_id(self) -> str:
        """The client, by which Graph counts requests."""


@dataclass(frozen=True)
class Grant:
    """What the simulator's own tokens stand for."""

    mailbox: str | None
    app_id: str


class Tokens:
    """Tokens of the simulator's own, and the question to another authority."""

    def __init__(self, ids: Ids) -> None:
        self.accept: Callable[[str], Granted | None] | None = None
        self._ids = ids
        self._live: dict[str, tuple[Grant, float]] = {}

    def issue(self, grant: Grant, expires_in: float) -> str:
        """Return a token that lives so many seconds."""
        made = f"fake-token-{self._ids.guid()}"
        self._live[made] = (grant, time.monotonic() + expires_in)
        return made

    def revoke(self, token: str) -> None:
        """Let a token be good no more."""
        self._live.pop(token, None)

    def grant(self, token: str) -> Granted | None:
        """Return what a token stands for, or None when it is dead or unknown."""
        grant, end = self._live.get(token, (None, 0.0))
        if grant is not None:
            return grant if time.monotonic() < end else None
        return self.accept(token) if self.accept is not None and token else None
