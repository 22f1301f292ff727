"""What a Singer STATE says about the archive it belongs to; pure."""

from __future__ import annotations

import json
from typing import Any

from target_hashfs.errors import StateError

State = dict[str, Any]

OURS = "_hashfs"
"""Our key among the streams below `bookmarks`; taps keep keys they do not know."""


def checked(value: object) -> State:
    """Return *value* as a state.

    Raises:
        StateError: it is none, or what it says about the archive is none of our making.
    """
    if not isinstance(value, dict):
        raise StateError(f"STATE: expected an object as value, found {type(value).__name__}")
    if not isinstance(value.get("bookmarks"), dict | None):
        raise StateError("STATE: expected an object as value.bookmarks, found something else")
    ours = _bookmarks(value).get(OURS)
    if ours is not None and not (isinstance(ours, dict) and isinstance(ours.get("archive_id"), str)):
        raise StateError(f'STATE: expected {{"archive_id": "…"}} as bookmarks.{OURS}, found something else')
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise StateError("STATE: a number in it is beyond what JSON can hold") from None
    return value


def archive_id(state: State) -> str | None:
    """Return the id of the archive that *state* was emitted by, or None when no archive emitted it."""
    found: str | None = (_bookmarks(state).get(OURS) or {}).get("archive_id")
    return found


def with_archive_id(state: State, identity: str) -> State:
    """Return *state* as it leaves the target."""
    bookmarks = _bookmarks(state)
    return state | {"bookmarks": bookmarks | {OURS: (bookmarks.get(OURS) or {}) | {"archive_id": identity}}}


def progress(state: State) -> str | None:
    """Return the first bookmark in *state* that says messages have been archived, as a path; or None."""
    for stream, bookmark in _bookmarks(state).items():
        if stream != OURS:
            place = _progress(bookmark)
            if place is not None:
                return f"{stream}/{place}"
    return None


def _progress(bookmark: object) -> str | None:
    if not isinstance(bookmark, dict):
        return None
    for key, value in bookmark.items():
        match key, value:
            case "last_uid", int() | float() if value > 0:
                return str(key)
            case (("delta_link" | "last_received"), str()) if value:
                return str(key)
            case "paths", dict() if value:
                return str(key)
        place = _progress(value)
        if place is not None:
            return f"{key}/{place}"
    return None


def _bookmarks(state: State) -> State:
    found: State = state.get("bookmarks") or {}
    return found
