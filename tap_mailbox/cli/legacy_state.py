"""Cursors of the system before this one, turned into a Singer state; pure.

What it wrote is an object of accounts, bare or under "accounts":

    {"gmail": {"folders": {"INBOX": {"last_uid": 12345}}, "last_poll": "…"},   a folder may be a plain number
     "work": {"last_uid": 7, "uidvalidity": 3},                                 INBOX is meant
     "outlook": {"last_received": "2026-06-05T10:30:45Z"}}                      Microsoft Graph

Nothing is dropped in silence: what is not understood is an error that names its place.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

_IMAP_KEYS = frozenset({"last_uid", "uidvalidity", "pending"})
_GRAPH_KEYS = frozenset({"last_received", "delta_link", "name", "pending"})


def singer_state(document: dict[str, Any], protocols: Mapping[str, str]) -> dict[str, Any]:
    """Return the Singer state that says what *document* says; one that is a Singer state already as it is.

    Args:
        document: The legacy state.
        protocols: Protocol by account name, as configured; who is not in it is told by their keys.

    Raises:
        StateError: something in it is not understood.
    """
    if "bookmarks" in document:
        return document
    accounts = document
    if "accounts" in document:
        if others := sorted(document.keys() - {"accounts"}):
            raise StateError(f"state.{others[0]}: expected nothing beside accounts")
        accounts = _object(document["accounts"], "state.accounts")
    bookmarks: dict[str, Any] = {}
    for name, entry in accounts.items():
        place = f"state.{name}"
        stream, converted = _account(_object(entry, place), place, protocols.get(name))
        bookmarks.setdefault(stream, {"accounts": {}})["accounts"][name] = converted
    return {"bookmarks": bookmarks}


def _account(entry: dict[str, Any], place: str, protocol: str | None) -> tuple[str, dict[str, Any]]:
    """Return the stream an account belongs to, and its bookmarks there."""
    entry = {key: value for key, value in entry.items() if value is not None}
    found = _protocol(entry)
    if protocol is None and found is None:
        raise StateError(
            f"{place}: expected folders, last_uid or last_received, found none; name the configuration "
            "(--config) so that its protocol is known"
        )
    if protocol is not None and (found not in (None, protocol) or protocol not in _READERS):
        cursors = f"the cursors are of protocol {found}" if found else "expected an account with cursors"
        raise StateError(f"{place}: {cursors}, the configuration says {protocol}")
    stream, convert = _READERS[protocol or found or ""]
    return stream, convert(entry, place)


def _protocol(entry: Mapping[str, Any]) -> str | None:
    folders = entry.get("folders")
    levels = [entry, *(folders.values() if isinstance(folders, dict) else ())]
    keys = {key for level in levels if isinstance(level, dict) for key in level}
    if keys & {"last_received", "delta_link"}:
        return "graph"
    numbers = any(not isinstance(level, dict) for level in levels)
    return "imap" if numbers or keys & {"last_uid", "uidvalidity"} else None


def _imap(entry: dict[str, Any], place: str) -> dict[str, Any]:
    _only(entry, _IMAP_KEYS | {"folders", "last_poll"}, place)
    folders = {
        name: _imap_folder(value, f"{place}.folders[{name!r}]")
        for name, value in _object(entry.get("folders", {}), f"{place}.folders").items()
    }
    inbox = {key: value for key, value in entry.items() if key in _IMAP_KEYS}
    if inbox:
        if "INBOX" in folders:
            raise StateError(f"{place}: expected the cursor of INBOX once, found it twice; delete one")
        folders["INBOX"] = _imap_folder(inbox, place)
    return {"folders": folders, **_last_poll(entry, place)}


def _imap_folder(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {"last_uid": _uid(value, place)}
    _only(value, _IMAP_KEYS, place)
    folder: dict[str, Any] = {
        key: _uid(value[key], f"{place}.{key}")
        for key in ("uidvalidity", "last_uid")
        if value.get(key) is not None
    }
    if value.get("pending") is not None:
        if not isinstance(value["pending"], list):
            raise StateError(f"{place}.pending: expected a list of UIDs")
        folder["pending"] = [_uid(each, f"{place}.pending") for each in value["pending"]]
    return folder


def _graph(entry: dict[str, Any], place: str) -> dict[str, Any]:
    _only(entry, frozenset({"folders", "last_received", "last_poll"}), place)
    folders = _object(entry.get("folders", {}), f"{place}.folders")
    converted = {
        name: _graph_folder(_object(value, f"{place}.folders[{name!r}]"), f"{place}.folders[{name!r}]")
        for name, value in folders.items()
    }
    return {**_received(entry, place), "folders": converted, **_last_poll(entry, place)}


def _graph_folder(value: dict[str, Any], place: str) -> dict[str, Any]:
    _only(value, _GRAPH_KEYS, place)
    for key in ("delta_link", "name"):
        if not isinstance(value.get(key, ""), str | None):
            raise StateError(f"{place}.{key}: expected text, found {type(value[key]).__name__}")
    pending = value.get("pending")
    if not isinstance(pending, list | None) or not all(isinstance(each, str) for each in pending or ()):
        raise StateError(f"{place}.pending: expected a list of message ids")
    return {**value, **_received(value, place)}


def _received(entry: Mapping[str, Any], place: str) -> dict[str, str]:
    value = entry.get("last_received")
    return {} if value is None else {"last_received": _moment(value, f"{place}.last_received")}


def _last_poll(entry: Mapping[str, Any], place: str) -> dict[str, str]:
    value = entry.get("last_poll")
    return {} if value is None else {"last_poll": _moment(value, f"{place}.last_poll")}


def _moment(value: object, place: str) -> str:
    """Return a time as our states write it: whole seconds of UTC, rounded down so that nothing is passed."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value, UTC)
        else:
            found = datetime.fromisoformat(str(value))
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise StateError(f"{place}: expected a time such as 2026-06-05T10:30:45Z") from None
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")


def _uid(value: object, place: str) -> int:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**32:
        raise StateError(f"{place}: expected a whole number from 0 to 4294967295")
    return number


def _object(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise StateError(f"{place}: expected an object, found {type(value).__name__}")
    return value


def _only(entry: Mapping[str, Any], known: frozenset[str], place: str) -> None:
    if strange := sorted(entry.keys() - known):
        raise StateError(f"{place}.{strange[0]}: not understood; expected {', '.join(sorted(known))}")


_READERS = {"imap": ("imap_messages", _imap), "graph": ("graph_messages", _graph)}
"""By protocol: the stream, and what reads an account's cursors."""
