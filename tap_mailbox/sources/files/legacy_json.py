"""A message that an older archiver kept as a JSON object; its octets are gone."""

from __future__ import annotations

import json
from typing import Any

from tap_mailbox.sources.files.layout import Misfit

KEYS = ("message_id", "date", "subject", "from", "to", "body_text", "body_html")


def parse(octets: bytes) -> dict[str, Any]:
    """Return the fields as they stand in the file, keys nobody knows too.

    Raises:
        Misfit: The file is no JSON object, or has none of the keys of a message.
    """
    try:
        fields = json.loads(octets)
    except (ValueError, RecursionError):
        # The decoder's own words would quote the file.
        raise Misfit("is no JSON: expected one object with the fields of a message") from None
    if not isinstance(fields, dict):
        raise Misfit(f"is no JSON object but {type(fields).__name__}: expected the fields of one message")
    if not any(key in fields for key in KEYS):
        raise Misfit(f"is no message: the JSON object has none of the keys {', '.join(KEYS)}")
    return fields


def is_from_hashfs(fields: dict[str, Any]) -> bool:
    """Whether target-hashfs wrote this object, which may have the message itself beside it as .eml."""
    return "content_hash" in fields and "message_hash" in fields
