"""The journal: one JSON object a line, each naming the digest of the line before; only ever appended to.

A run that dies while appending leaves an unfinished last line. It is cut off, and a `torn` line says so.
Everything here happens under the archive's lock.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING, Any

from target_hashfs import sync
from target_hashfs.address import JOURNALS
from target_hashfs.encoding import compact_any
from target_hashfs.errors import JournalError
from target_hashfs.store import read_all, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from target_hashfs.store import Store

Entry = dict[str, Any]

_NO_LINE = "0" * 64
_TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Position:
    """The end of a journal."""

    offset: int
    """Bytes."""
    seq: int
    """Number of the last line; 0 in an empty journal."""
    digest: str
    """SHA-256 hex of the last line."""

    def as_dict(self) -> dict[str, int | str]:
        """Return the arguments that make it again."""
        return {"offset": self.offset, "seq": self.seq, "digest": self.digest}


START = Position(0, 0, _NO_LINE)


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


class Journal:
    """`_journal/<name>.jsonl`, opened for one commit."""

    def __init__(self, store: Store, name: str, run: str, clock: Callable[[], datetime] = now) -> None:
        self._store = store
        self._path = f"{JOURNALS}/{name}.jsonl"
        self._run = run
        self._clock = clock
        self._descriptor, created = store.open_file(self._path)
        if created:
            store.fsync_directories({JOURNALS})
        # Whoever wrote the last lines may have failed to make them durable: memory shows them all the same.
        sync.drop_cache(self._descriptor)
        self.position = START

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def seek_end(self) -> None:
        """Find the end of the last whole line, whoever wrote it, and cut off what a dead run left behind it.

        Raises:
            JournalError: the file has lines, and none of them is a journal line, or the last ones are none.
        """
        size = os.fstat(self._descriptor).st_size
        end = find_end(self._descriptor, size)
        if end is None and b"\n" in read_all(self._descriptor):
            raise JournalError(
                f"{self._path} has no journal line in it: it was not written by this program, or was "
                "overwritten. Move it away, then run again"
            )
        tail = read_all(self._descriptor, end.offset) if end else b""
        if end and tail and not is_torn(tail):
            raise JournalError(
                f"{self._path}: expected journal lines to the end, found {len(tail):,} bytes of other lines "
                f"after line {end.seq}: somebody changed or added them, and nothing was cut off. Restore "
                "the journal from a copy, or move what is no journal line out of it, then run again"
            )
        self._cut(end or START, size)

    def read_from(self, position: Position) -> list[Entry]:
        """Return the whole lines after *position* and cut off what follows them.

        More careful than `seek_end`: of several lines that one write appended, a power cut can lose the first
        and keep the last.
        """
        size = os.fstat(self._descriptor).st_size
        entries: list[Entry] = []
        end = position
        if position.offset <= size:
            for line in BytesIO(read_all(self._descriptor, position.offset)):
                entry = parse(line)
                if entry is None or entry["prev"] != end.digest or entry["seq"] != end.seq + 1:
                    break
                entries.append(entry)
                end = Position(end.offset + len(line), entry["seq"], line_digest(line))
            self._cut(end, size)
        else:
            # Somebody put an older journal back: nothing after the position is known, nothing may be cut.
            self.seek_end()
        return entries

    def append(self, entries: Iterable[Entry]) -> None:
        """Write *entries* in one go and make them durable."""
        text, position = self._render(entries)
        write_all(self._descriptor, text)
        sync.fdatasync(self._descriptor)
        self.position = position

    def _render(self, entries: Iterable[Entry]) -> tuple[bytes, Position]:
        at = self._clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        offset, seq, digest = self.position.offset, self.position.seq, self.position.digest
        lines = []
        for entry in entries:
            seq += 1
            event = entry["event"]
            head = {"seq": seq, "at": at, "run": self._run, "event": event, "prev": digest}
            rest = {key: value for key, value in entry.items() if key != "event"}
            line = compact_any(head | rest) + b"\n"
            digest = line_digest(line)
            offset += len(line)
            lines.append(line)
        return b"".join(lines), Position(offset, seq, digest)

    def _cut(self, end: Position, size: int) -> None:
        self.position = end
        if end.offset < size:
            os.ftruncate(self._descriptor, end.offset)
            self.append([{"event": "torn", "bytes": size - end.offset}])


def find_end(descriptor: int, size: int) -> Position | None:
    """Return the end of the last whole line in the first *size* bytes, or None when no line is one."""
    window = _TAIL_BYTES
    while True:
        start = max(0, size - window)
        tail = read_all(descriptor, start)[: size - start]
        last = _last_line(tail, whole=start == 0)
        if last is not None:
            end, seq, digest = last
            return Position(start + end, seq, digest)
        if start == 0:
            return None
        window *= 8


def is_torn(tail: bytes) -> bool:
    """Whether *tail*, behind the last whole line, is what a dead run leaves: no line, not even a broken one.

    A power cut leaves a line without its end, or blocks of zeros.
    """
    return not tail.endswith(b"\n") or b"\0" in tail


def line_digest(line: bytes) -> str:
    """Return what the next line says of *line*."""
    return sha256(line.removesuffix(b"\n")).hexdigest()


def parse(line: bytes) -> Entry | None:
    """Return the entry in *line*, or None when it is not a whole journal line."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or not isinstance(entry.get("prev"), str):
        return None
    seq = entry.get("seq")
    return entry if isinstance(seq, int) and seq > 0 else None


def _last_line(tail: bytes, *, whole: bool) -> tuple[int, int, str] | None:
    """Return end, number and digest of the last line in *tail*, whose first may be a part unless *whole*."""
    end = tail.rfind(b"\n") + 1
    while end > 0:
        begin = tail.rfind(b"\n", 0, end - 1) + 1
        if begin == 0 and not whole:
            return None
        entry = parse(tail[begin:end])
        if entry is not None:
            return end, entry["seq"], line_digest(tail[begin:end])
        end = begin
    return None
