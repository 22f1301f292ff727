"""One entry of the bookmark: what a directory or an mbox file looked like when it was read whole.

    {"count": 1200, "bytes": 8123456, "mtime": "2026-06-05T10:30:45.123456789Z"}

`count` is the number of messages, `bytes` the size of their files (or of the mbox), `mtime` the newest time.
A directory that also holds files without a message (a README, an empty file) has `"skipped": {"count": 1,
"bytes": 55}` besides, so that stat alone can tell whether the entry still fits; mtime covers them as well.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import StateError
from tap_mailbox.sources.files.names import bookmark_key

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_mailbox.sources.files.listing import Found

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OLDEST_NS = -(2**63) * 10**9


class PathBookmark:
    """The account's entries by path; "." is the account's `path` itself."""

    def __init__(self, bookmark: dict[str, Any]) -> None:
        if not isinstance(bookmark.get("paths") or {}, dict):
            raise StateError("state of file_messages: expected an object under 'paths'; correct or delete it")
        self._bookmark = bookmark
        self._visited: set[str] = set()
        self.top = ""
        """The relative path that is "."; the file's name where `path` is a file."""

    def get(self, relative: str) -> object:
        """Return the entry of a directory or mbox file, None if it has none."""
        return self._paths().get(self._key(relative))

    def visit(self, relative: str) -> None:
        """Remember that the path is still there."""
        self._visited.add(self._key(relative))

    def store(self, relative: str, entry: Entry) -> None:
        """Write an entry into the state; keys that nobody here knows are kept."""
        paths = self._paths()
        key = self._key(relative)
        before = paths.get(key)
        kept = before if isinstance(before, dict) else {}
        paths[key] = {name: value for name, value in kept.items() if name != "skipped"} | entry.as_state()
        self._bookmark["paths"] = paths

    def gone(self) -> list[str]:
        """Return the keys that no visit was paid to."""
        return [key for key in self._paths() if key not in self._visited]

    def _paths(self) -> dict[str, Any]:
        return self._bookmark.get("paths") or {}

    def _key(self, relative: str) -> str:
        return "." if relative == self.top else bookmark_key(relative)


class Entry:
    """An entry in the making, file by file."""

    def __init__(self) -> None:
        self.count = 0
        self.complete = True
        """False once something failed: an incomplete entry is not stored, and read again by the next run."""
        self._bytes = 0
        self._newest_ns = _OLDEST_NS
        self._skipped = 0
        self._skipped_bytes = 0

    def add(self, found: Found, *, count: int = 1) -> None:
        """Count a file with *count* messages."""
        self.count += count
        self._bytes += found.size
        self._newest_ns = max(found.mtime_ns, self._newest_ns)

    def skip(self, found: Found) -> None:
        """Count a file without a message."""
        self._skipped += 1
        self._skipped_bytes += found.size
        self._newest_ns = max(found.mtime_ns, self._newest_ns)

    def as_state(self) -> dict[str, Any]:
        """Return the entry as it stands in the state."""
        state: dict[str, Any] = {"count": self.count, "bytes": self._bytes, "mtime": rfc3339(self._newest_ns)}
        if self._skipped:
            state["skipped"] = {"count": self._skipped, "bytes": self._skipped_bytes}
        return state


def fits_directory(entry: object, files: Collection[Found]) -> bool:
    """Whether the files of a directory (its mbox files apart) are those that were read."""
    if not isinstance(entry, dict) or not files:
        return False
    skipped = entry.get("skipped", {"count": 0, "bytes": 0})
    try:
        count = entry["count"] + skipped["count"]
        size = entry["bytes"] + skipped["bytes"]
    except (KeyError, TypeError):
        return False  # edited by hand: read again
    newest = rfc3339(max(found.mtime_ns for found in files))
    seen = (len(files), sum(found.size for found in files), newest)
    return seen == (count, size, entry.get("mtime"))


def fits_file(entry: object, found: Found) -> bool:
    """Whether a file that has an entry of its own is as it was read; its messages are not counted again."""
    return (
        isinstance(entry, dict)
        and entry.get("bytes") == found.size
        and entry.get("mtime") == rfc3339(found.mtime_ns)
    )


def moment_of(mtime_ns: int) -> datetime | None:
    """Return a file's time to the second, or None if it lies beyond the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=mtime_ns // 10**9)
    except OverflowError:
        return None


def rfc3339(mtime_ns: int) -> str:
    """Return a file's time with all nine digits of its fraction: a change within one second must show."""
    moment = moment_of(mtime_ns) or datetime.max.replace(tzinfo=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{mtime_ns % 10**9:09d}Z"
