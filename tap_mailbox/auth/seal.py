"""Token files at rest: sealed with the keys of TAP_MAILBOX_KEY, or plain where it is not set.

A sealed file is `{"fernet": "gAAAAA…"}` (https://github.com/fernet/spec): still JSON, so that whoever finds
it sees what it is.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import CredentialError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.fernet import MultiFernet

VARIABLE = "TAP_MAILBOX_KEY"
_ENVELOPE = "fernet"


class SealBroken(CredentialError):
    """A sealed file cannot be opened, or nothing be sealed, with what TAP_MAILBOX_KEY holds."""


def keys() -> MultiFernet | None:
    """Return the keys of the environment, of which the first seals and any opens; None: nothing is sealed.

    Raises:
        SealBroken: one of them is no Fernet key.
    """
    words = [word for word in os.environ.get(VARIABLE, "").replace(",", " ").split() if word]
    if not words:
        return None
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415  # 60 ms that most runs need not pay

    try:
        return MultiFernet([Fernet(word) for word in words])
    except ValueError:
        raise SealBroken(
            f"{VARIABLE} is malformed; expected Fernet keys separated by commas, each as this prints one: "
            'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
        ) from None


def is_sealed(fields: Mapping[str, Any]) -> bool:
    """Whether a token file's fields are those of a sealed one."""
    return isinstance(fields.get(_ENVELOPE), str)


def sealed(octets: bytes) -> bytes:
    """Return *octets* as a file keeps them: sealed with the first key, or as they are without one."""
    known = keys()
    if known is None:
        return octets
    return json.dumps({_ENVELOPE: known.encrypt(octets).decode()}).encode() + b"\n"


def opened(fields: Mapping[str, Any], *, name: str) -> bytes:
    """Return what a sealed file holds; errors call it *name*.

    Raises:
        SealBroken: there is no key, none that fits, or one that is malformed.
    """
    known = keys()
    if known is None:
        raise SealBroken(
            f"{name} is encrypted and {VARIABLE} is not set; set it to the key the file was written with"
        )
    from cryptography.fernet import InvalidToken  # noqa: PLC0415  # `keys` has paid for it

    try:
        return known.decrypt(fields[_ENVELOPE])
    except (InvalidToken, TypeError, ValueError):
        raise SealBroken(
            f"{name} cannot be decrypted with any key of {VARIABLE}; add the key it was written with, after "
            "a comma, or delete the file and sign in again with `mailbox login`"
        ) from None
