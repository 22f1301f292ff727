"""JSON files that people put beside the configuration: clients, applications, passwords."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import CredentialError

if TYPE_CHECKING:
    from pathlib import Path


def json_object(path: Path, *, what: str, expected: str) -> dict[str, Any]:
    """Return the object in the file at *path*; errors call it *what* and show what was *expected* in it.

    Raises:
        CredentialError: it cannot be read, or holds something else; the text never quotes it.
    """
    try:
        fields = json.loads(path.read_bytes())
    except OSError as error:
        raise CredentialError(f"{what} {path} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        # Not `from error`: a JSON error carries the document, and these hold secrets.
        raise CredentialError(f"{what} {path} is not JSON; expected {expected}") from None
    if not isinstance(fields, dict):
        raise CredentialError(f"{what} {path} is no JSON object; expected {expected}")
    return fields


def text_of(fields: dict[str, Any], key: str, *, path: Path, what: str, expected: str) -> str:
    """Return the text under *key*, which must be there.

    Raises:
        CredentialError: it is not.
    """
    value = fields.get(key)
    if not isinstance(value, str) or not value:
        raise CredentialError(f'{what} {path} has no "{key}" text; expected {expected}')
    return value
