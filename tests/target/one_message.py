"""One message: Singer lines that carry it alone, and where it lies."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from tests.target.lines import Json, record_line, schema_line, state_line

NAME = "gmail/2026/06/" + sha256(b"<1@example.org>").hexdigest()[:16]
"""Its files, without their endings."""


def one(**changes: Any) -> list[Json]:
    """A stream of one message."""
    return [schema_line(), record_line(1, **changes), state_line(1)]
