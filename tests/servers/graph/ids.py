"""Ids as Graph gives them: opaque, case-sensitive, with `=`, `-` and `_`; reproducible by seed.

S3 [DOC outlook-immutable-id]: ids are compared by case. Every second id of a kind differs from the one before
it in the case of a single letter, so whoever folds case takes two messages for one [INVENTED, a worst case].
"""

from __future__ import annotations

import base64
import hashlib
import random
import uuid

MUTABLE, IMMUTABLE, FOLDER = "AAMkADk1", "AAkALgAAAAAA", "AQMkADAwATM0"
"""How the ids of messages (the form that changes on a move, the form that stays) and of folders begin."""


class Ids:
    """Makes ids; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"ids {seed}")
        self._unpaired: dict[str, str] = {}

    def new(self, prefix: str) -> str:
        """Return the next id that begins so."""
        if (last := self._unpaired.pop(prefix, None)) is not None:
            return _twin(last, after=len(prefix))
        body = base64.urlsafe_b64encode(self._random.randbytes(60)).decode()
        made = f"{prefix}{body[:30]}-{body[30:60]}_{body[60:]}="
        self._unpaired[prefix] = made
        return made

    def guid(self) -> str:
        """Return the next GUID, as users, licences and requests have them."""
        return str(uuid.UUID(bytes=self._random.randbytes(16), version=4))


def derived(*parts: object) -> str:
    """Return an id that depends on nothing but *parts*: for what has no life of its own, as attachments."""
    digest = hashlib.sha384(" ".join(map(str, parts)).encode()).digest()
    return f"AAMkADk1{base64.urlsafe_b64encode(digest).decode()}="


def _twin(text: str, *, after: int) -> str:
    """Return the same id with its last letter's case changed: `twin("aab=", after=0) == "aaB="`."""
    at = next(index for index in reversed(range(after, len(text))) if text[index].isalpha())
    return text[:at] + text[at].swapcase() + text[at + 1 :]
