"""The tokens in nextLink and deltaLink: opaque, signed, over a hundred characters (D2) [DOC opaque; INVENTED form]."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass

from tests.servers.graph.errors import GraphError, bad_request

PADDING = 96
"""Octets that a token has at least, so that in Base64 it is longer than a hundred characters."""


@dataclass(frozen=True)
class Token:
    """Where a walk goes on: the next page of a round, or, with `page` 0, the round after it."""

    mailbox: str
    scope: str
    """The folder's id, or what else is walked."""
    round: int
    page: int = 0
    offset: int = 0
    empty: bool = False
    """Whether the page it asks for is an empty one."""
    nonce: int = 0


class Signer:
    """Seals tokens and opens its own ones."""

    def __init__(self, seed: int) -> None:
        self._key = hashlib.sha256(f"fake-secret {seed}".encode()).digest()

    def seal(self, token: Token) -> str:
        """Return the token as it stands in a link."""
        plain = json.dumps(asdict(token), separators=(",", ":")).encode().ljust(PADDING)
        signature = self._signature(plain)
        return base64.urlsafe_b64encode(signature + self._masked(plain, signature)).decode().rstrip("=")

    def open(self, text: str) -> Token:
        """Return what was sealed; raise a 400 for anything else."""
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            raise _malformed() from None
        signature = raw[:16]
        plain = self._masked(raw[16:], signature)
        if not hmac.compare_digest(signature, self._signature(plain)):
            raise _malformed()
        return Token(**json.loads(plain))

    def _masked(self, data: bytes, signature: bytes) -> bytes:
        """Return the octets so that nothing in them can be read, or the readable ones again."""
        mask = hashlib.shake_256(self._key + signature).digest(len(data))
        return bytes(one ^ other for one, other in zip(data, mask, strict=True))

    def _signature(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, "sha256")[:16]


def _malformed() -> GraphError:
    return bad_request("Badly formed token.")
