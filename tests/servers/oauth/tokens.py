"""`Tokens`: the access and refresh tokens a server has given out, and what each permits."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Grant:
    """What a token permits, and to whom."""

    mailbox: str | None
    """Whose mail; None: an application of its own right, any mailbox."""
    app_id: str
    scopes: tuple[str, ...]
    audience: str = ""
    """The resource it is for, such as `https://graph.microsoft.com`; empty: not bound to one."""


@dataclass(eq=False)
class Authorization:
    """One consent. The tokens that came of it die with it (RFC 7009 section 2.1)."""

    grant: Grant
    revoked: bool = False


@dataclass(frozen=True)
class _Access:
    authorization: Authorization
    grant: Grant
    expires: float


@dataclass
class Tokens:
    """Every token by its text; safe between threads."""

    _access: dict[str, _Access] = field(default_factory=dict)
    _refresh: dict[str, Authorization] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new_access(
        self,
        authorization: Authorization,
        expires_in: float,
        grant: Grant | None = None,
        text: str | None = None,
    ) -> str:
        """Return an access token for the grant (default: all of the authorization), live for so many seconds."""
        text = text or f"fake-access-{secrets.token_urlsafe(32)}"
        with self._lock:
            expires = time.monotonic() + expires_in
            self._access[text] = _Access(authorization, grant or authorization.grant, expires)
        return text

    def new_refresh(self, authorization: Authorization) -> str:
        """Return another refresh token of the authorization."""
        text = f"fake-refresh-{secrets.token_urlsafe(32)}"
        with self._lock:
            self._refresh[text] = authorization
        return text

    def check(self, text: str) -> Grant | None:
        """Return what a live access token permits; None for any other."""
        with self._lock:
            found = self._access.get(text)
        if found is None or found.authorization.revoked or time.monotonic() >= found.expires:
            return None
        return found.grant

    def authorization(self, refresh_token: str) -> Authorization | None:
        """Return what a refresh token stands for, revoked or not; None when it is unknown or used up."""
        with self._lock:
            return self._refresh.get(refresh_token)

    def owner(self, text: str) -> str | None:
        """Return the client of a token of either kind; None when there is no such token."""
        with self._lock:
            found = self._find(text)
        return found.grant.app_id if found else None

    def use_up(self, refresh_token: str) -> None:
        """Make a refresh token unknown, as single use does (RFC 9700 section 4.14.2)."""
        with self._lock:
            self._refresh.pop(refresh_token, None)

    def revoke(self, text: str) -> bool:
        """End the authorization of a token of either kind; False when there is no such token."""
        with self._lock:
            found = self._find(text)
        if found is None or found.revoked:
            return False
        found.revoked = True
        return True

    def revoke_all(self, chosen: Callable[[Grant], bool]) -> None:
        """End every authorization whose grant is chosen."""
        with self._lock:
            for one in {*self._refresh.values(), *(access.authorization for access in self._access.values())}:
                one.revoked = one.revoked or chosen(one.grant)

    def _find(self, text: str) -> Authorization | None:
        access = self._access.get(text)
        return access.authorization if access else self._refresh.get(text)
