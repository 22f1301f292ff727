"""What a token endpoint gave: as its answer says it, and as the token file keeps it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from tap_mailbox.errors import CredentialError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

MARGIN = timedelta(minutes=5)
"""A token is renewed when it lives no longer than this (or half its life): long downloads begin with it."""
_TOKEN = re.compile(r"[\x21-\x7e]+")
"""RFC 6749, appendix A.12, without the space, which no header could carry (RFC 6750, section 2.1)."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """An access token, with the refresh token that came beside it, if one did."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    renewed: datetime
    expires: datetime | None
    """None: the endpoint did not say; then the server that refuses it does."""

    @classmethod
    def answered(cls, fields: Mapping[str, Any], *, asked: datetime) -> Self:
        """Return the tokens of a successful answer (RFC 6749, section 5.1) to a request of the time *asked*.

        Raises:
            Unavailable: it has no access token, or one that no header could carry.
            CredentialError: the token is of a kind we cannot use.
        """
        access_token, refresh_token = fields.get("access_token"), fields.get("refresh_token")
        if not isinstance(access_token, str) or not _TOKEN.fullmatch(access_token):
            raise Unavailable("the token endpoint's answer has no access token")
        if str(fields.get("token_type", "bearer")).lower() != "bearer":
            raise CredentialError("the token endpoint gives tokens of another kind than Bearer (RFC 6750)")
        return cls(
            access_token,
            refresh_token if isinstance(refresh_token, str) and refresh_token else None,
            asked,
            _after(asked, fields.get("expires_in")),
        )

    @classmethod
    def kept(cls, fields: Mapping[str, Any], *, scope: str) -> Self | None:
        """Return the access token that a token file keeps, if it was given for *scope* and for a known time.

        Files of the legacy system say neither; theirs is not used.
        """
        access_token = fields.get("access_token")
        renewed, expires = moment(fields.get("updated")), moment(fields.get("expires_at"))
        if not isinstance(access_token, str) or not _TOKEN.fullmatch(access_token):
            return None
        if renewed is None or expires is None:
            return None
        if set(str(fields.get("access_scope")).split()) != set(scope.split()):
            return None
        return cls(access_token, None, renewed, expires)

    def good(self, rejected: str | None) -> bool:
        """Whether the access token is worth presenting, after *rejected* was refused."""
        if self.access_token == rejected:
            return False
        if self.expires is None:
            return True
        life = max(self.expires - self.renewed, timedelta())
        return datetime.now(UTC) < self.expires - min(MARGIN, life / 2)

    def written_into(self, fields: Mapping[str, Any], *, scope: str) -> dict[str, Any]:
        """Return a token file's *fields* with these tokens; every key that is not ours stays as it is."""
        updated = fields.get("updated")
        seconds, iso = self.renewed.timestamp(), self.renewed.isoformat(timespec="seconds")
        kind = type(updated)
        new = {
            **fields,
            "access_token": self.access_token,
            "updated": seconds if kind is float else int(seconds) if kind is int else iso,
            "expires_at": self.expires.isoformat(timespec="seconds") if self.expires else None,
            "access_scope": scope,
        }
        if self.refresh_token is not None:
            new["refresh_token"] = self.refresh_token
        return new


def moment(value: object) -> datetime | None:
    """Return a token file's time: ISO 8601, UTC where it names no zone, or seconds since 1970."""
    try:
        match value:
            case str():
                found = datetime.fromisoformat(value)
                return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
            case int() | float():
                return datetime.fromtimestamp(value, UTC)
            case _:
                return None
    except (ValueError, OverflowError, OSError):
        return None


def _after(asked: datetime, expires_in: object) -> datetime | None:
    """Return when a token expires; some providers send the seconds as text."""
    try:
        return asked + timedelta(seconds=float(str(expires_in)))
    except (ValueError, OverflowError):
        return None
