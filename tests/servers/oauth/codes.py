"""`Codes`: authorization codes, bound to client, redirect address and proof of possession (RFC 6749, RFC 7636)."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.servers.oauth.assertions import encode
from tests.servers.oauth.faults import Refused
from tests.servers.oauth.tokens import Authorization

LIFE_SECONDS = 60


@dataclass
class _Code:
    authorization: Authorization
    redirect_uri: str
    challenge: str
    offline: bool
    expires: float
    used: bool = False


@dataclass
class Codes:
    """Codes given out; each is good for one exchange."""

    _codes: dict[str, _Code] = field(default_factory=dict)

    def new(self, authorization: Authorization, redirect_uri: str, challenge: str, *, offline: bool) -> str:
        """Return a code for the authorization; *offline*: a refresh token is part of it."""
        text = f"fake-code/{secrets.token_urlsafe(24)}"  # a slash, as Google's have: it has to be quoted
        expires = time.monotonic() + LIFE_SECONDS
        self._codes[text] = _Code(authorization, redirect_uri, challenge, offline, expires)
        return text

    def redeem(self, client_id: str, form: Mapping[str, str]) -> tuple[Authorization, bool]:
        """Return what the code stands for, and whether a refresh token belongs to it.

        Raises:
            Refused: `invalid_grant`: the code is unknown, old, another client's, of another redirect address,
                or the verifier does not fit (RFC 7636 section 4.6). A code that comes twice also ends what it
                was exchanged for (RFC 6749 section 4.1.2).
        """
        code = self._codes.get(form.get("code", ""))
        if code is None or code.authorization.grant.app_id != client_id or time.monotonic() >= code.expires:
            raise Refused("invalid_grant", "Malformed auth code.")
        if code.used:
            code.authorization.revoked = True
            raise Refused("invalid_grant", "The code was used before.")
        if code.redirect_uri != form.get("redirect_uri"):
            raise Refused("invalid_grant", "redirect_uri is not the one of the authorization request")
        if code.challenge != encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()):
            raise Refused("invalid_grant", "Invalid code verifier.")
        code.used = True
        return code.authorization, code.offline
