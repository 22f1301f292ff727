"""Bookmarks: what the Singer state says of an IMAP account, checked, changed in place, safe to edit by hand.

The state is a dictionary keyed by account and folder, not SDK partitions (docs/adr/0001-state-dictionary.md).
Keys the tap does not know are kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tap_mailbox.errors import StateError

_LEGACY_KEYS = frozenset({"folders", "last_uid", "last_received"})
STREAMS = ("imap_messages", "graph_messages", "file_messages")


def account_state(state: dict[str, Any], stream: str, account: str) -> dict[str, Any]:
    """Return the account's dictionary within the Singer state, created if it is missing.

    Raises:
        StateError: something on the way there is no object.
    """
    node, path = state, "state"
    for key in ("bookmarks", stream, "accounts", account):
        path += f".{key}"
        # A null where an object belongs is what a hand-edited "delete this" leaves behind.
        if node.get(key) is None:
            node[key] = {}
        node = node[key]
        if not isinstance(node, dict):
            raise StateError(f"{path} must be an object, found {type(node).__name__}; see docs/state.md")
    return node


def has_folders(state: dict[str, Any] | None, stream: str, account: str) -> bool:
    """Whether *state* says of any folder of the account how far it was read."""
    node: Any = state
    for key in ("bookmarks", stream, "accounts", account, "folders"):
        node = node.get(key) if isinstance(node, dict) else None
    return bool(node)


def unwrapped(document: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the Singer state of *document*, also where `meltano state get` put it into `singer_state`.

    Raises:
        StateError: what it put there is no object.
    """
    if document is None or "bookmarks" in document or "singer_state" not in document:
        return document
    state = document["singer_state"]
    if not isinstance(state, dict | None):
        raise StateError(f"singer_state must be an object, found {type(state).__name__}")
    return state or {}


def check_state(state: object) -> dict[str, Any]:
    """Return *state* if it has the shape of a Singer state the tap can go on from.

    Raises:
        StateError: naming the place and what was expected there.
    """
    if not isinstance(state, dict):
        raise StateError(f"the state must be an object, found {type(state).__name__}")
    if _is_legacy(state):
        raise StateError(
            "the state is that of the system before this one: expected an object with bookmarks, found "
            "cursors by account; convert it with `mailbox import-state`"
        )
    bookmarks = state.get("bookmarks")
    if not isinstance(bookmarks, dict | None):
        raise StateError(f"state.bookmarks must be an object, found {type(bookmarks).__name__}")
    for stream in STREAMS:
        entry, place = (bookmarks or {}).get(stream), f"state.bookmarks.{stream}"
        accounts = entry
        if isinstance(entry, dict):
            accounts, place = entry.get("accounts"), f"{place}.accounts"
        if not isinstance(accounts, dict | None):
            raise StateError(f"{place} must be an object, found {type(accounts).__name__}")
        for account in accounts or {}:
            _check_account(stream, account_state(state, stream, account), f"{place}.{account}")
    return state


def without_nulls(state: dict[str, Any]) -> dict[str, Any]:
    """Return *state*, where null in the place of our bookmarks has become no bookmarks; the rest stays."""
    if "bookmarks" in state:
        bookmarks = state["bookmarks"] = state["bookmarks"] or {}
        bookmarks.update({stream: {} for stream in STREAMS if bookmarks.get(stream, 0) is None})
    return state


class FolderBookmark:
    """How far one IMAP folder was read; a view on its dictionary in the state.

    `uidvalidity` is None for an entry that does not know it yet (the legacy state): the first run adopts
    the server's. `last_uid` is 0 where nothing was read.
    """

    def __init__(self, folders: dict[str, Any], folder: str) -> None:
        self._entry: dict[str, Any] = folders[folder] if isinstance(folders.get(folder), dict) else {}
        self._folders, self._folder = folders, folder

    @property
    def uidvalidity(self) -> int | None:
        """The UIDVALIDITY (RFC 3501, section 2.3.1.1) under which the UIDs below were seen."""
        value: int | None = self._entry.get("uidvalidity")
        return value

    @property
    def last_uid(self) -> int:
        """Every message up to this UID was handed over, is pending, or is no more."""
        return self._entry.get("last_uid") or 0

    @property
    def pending(self) -> list[int]:
        """UIDs that the server refused to give, ascending; tried first in every run."""
        return sorted(set(self._entry.get("pending") or []))

    def begin(self, uidvalidity: int) -> None:
        """Go on under *uidvalidity*; a changed one starts the folder anew (its UIDs mean other messages)."""
        if self.uidvalidity not in (None, uidvalidity):
            self._entry.update(last_uid=0, pending=[])
        self._entry["uidvalidity"] = uidvalidity
        self._entry["last_uid"] = self.last_uid
        self._entry["pending"] = self.pending
        self._folders[self._folder] = self._entry

    def pass_uid(self, uid: int) -> None:
        """Everything up to *uid* is done with: handed over, pending or vanished."""
        self._entry["last_uid"] = max(self.last_uid, uid)

    def refuse(self, uid: int) -> None:
        """Remember *uid* as refused, before any bookmark passes it."""
        self._entry["pending"] = sorted({*(self._entry.get("pending") or ()), uid})

    def resolve(self, uid: int) -> None:
        """Forget a pending *uid*: it was handed over, or is no more."""
        pending = self._entry.get("pending")
        if pending and uid in pending:
            self._entry["pending"] = [each for each in pending if each != uid]


def _is_legacy(state: dict[str, Any]) -> bool:
    """Whether this is a state.json of the system before this one, whose bookmarks would be passed over."""
    accounts = state.get("accounts", state)
    if "bookmarks" in state or not isinstance(accounts, dict):
        return False
    return any(isinstance(entry, dict) and entry.keys() & _LEGACY_KEYS for entry in accounts.values())


def _check_account(stream: str, entry: dict[str, Any], place: str) -> None:
    paths = entry.get("paths")
    if not isinstance(paths, dict | None):
        raise StateError(f"{place}.paths must be an object, found {type(paths).__name__}")
    if stream != "file_messages":
        folders = entry.get("folders")
        if not isinstance(folders, dict | None):
            raise StateError(f"{place}.folders must be an object, found {type(folders).__name__}")
        check = _check_imap_folder if stream == "imap_messages" else _check_graph_folder
        for folder, bookmark in (folders or {}).items():
            _check_object(f"{place}.folders[{folder!r}]", bookmark)
            check(f"{place}.folders[{folder!r}]", bookmark or {})
    if stream == "graph_messages":
        _check_times(place, entry, "last_reconcile")


def _check_object(place: str, bookmark: object) -> None:
    if not isinstance(bookmark, dict | None):
        raise StateError(
            f"{place} must be an object, found {type(bookmark).__name__}; delete it to read from the start"
        )


def _check_imap_folder(place: str, bookmark: dict[str, Any]) -> None:
    for key in ("uidvalidity", "last_uid"):
        if not _is_uid(bookmark.get(key, 0)) and bookmark.get(key) is not None:
            raise StateError(f"{place}.{key} must be a whole number from 0 to 4294967295")
    pending = bookmark.get("pending")
    if pending is not None and not (isinstance(pending, list) and all(map(_is_uid, pending))):
        raise StateError(f"{place}.pending must be a list of UIDs")


def _check_graph_folder(place: str, bookmark: dict[str, Any]) -> None:
    for key in ("delta_link", "next_link"):
        link = bookmark.get(key)
        if link is not None and not isinstance(link, str):
            raise StateError(f"{place}.{key} must be a link, found {type(link).__name__}")
    _check_times(place, bookmark, "delta_received")
    pending = bookmark.get("pending")
    if pending is not None and not (
        isinstance(pending, list) and all(isinstance(each, str) for each in pending)
    ):
        raise StateError(f"{place}.pending must be a list of message ids")


def _check_times(place: str, entry: dict[str, Any], *more: str) -> None:
    for key in ("last_received", *more):
        value = entry.get(key)
        if value is None:
            continue
        try:
            datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise StateError(f"{place}.{key} must be a date and time such as 2026-01-31T00:00:00Z") from None


def _is_uid(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32
