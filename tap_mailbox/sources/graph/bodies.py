"""The body of an answer with status 200: what was asked for, or something in its place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_MIME_TYPES = frozenset({"text/html", "application/xhtml+xml", "application/json"})


def json_object(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object that *body* is.

    Raises:
        ValueError: it is none, or one that no URL and no state can hold.
    """
    document = json.loads(body, object_pairs_hook=_unambiguous)
    if not isinstance(document, dict):
        raise ValueError  # noqa: TRY004  # as for any other answer that is not what it should be
    if b"\\ud" in body.lower():
        # A lone surrogate raises a ValueError here.
        json.dumps(document, ensure_ascii=False).encode()
    return document


def mime(body: bytes) -> bytes:
    """Return the message that *body* is, once `no_mime` has nothing against it."""
    return body


def no_mime(content_type: str, body: bytes) -> str | None:
    """Return what an answer is that should be a message (RFC 5322); None when it may be one.

    Which type Graph gives a message is written nowhere; those of a sign-in page and of an error it never has.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _NO_MIME_TYPES or kind.endswith("+json"):
        return f"content of type {kind}"
    return None if body.strip() else "nothing"


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose keys differ; of two values of one key the wrong one could be an empty page."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found
