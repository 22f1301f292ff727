"""Journals, read line by line: where each ends between two commits, its chain, and what its lines say.

A journal may grow while it is read. Its `End` is taken while no commit is under way; nothing beyond is read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from target_hashfs.address import JOURNALS, QUARANTINE, is_month, is_quarantined, split, stems
from target_hashfs.journal import START, Position, find_end, is_torn, line_digest, parse
from target_hashfs.proof.finding import Code, Finding
from target_hashfs.schema import load_schema
from target_hashfs.validation import Validator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_hashfs.store import Store

Entry = dict[str, Any]

SUFFIX = ".jsonl"
MESSAGE_EVENTS = frozenset({"archived", "variant", "recovered"})
_TORN_TAIL_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class End:
    """Where a journal ended when no commit was under way."""

    name: str
    """Of the journal."""
    position: Position
    """Behind its last whole line."""
    tail: int
    """Bytes behind that."""
    torn: bool
    """Whether the tail is what a dead run leaves: no line, not even a broken one."""

    @property
    def path(self) -> str:
        """Of the journal's file."""
        return f"{JOURNALS}/{self.name}{SUFFIX}"

    def findings(self) -> Iterator[Finding]:
        """Yield what there is to say about the tail."""
        if self.tail:
            code = Code.TORN_TAIL if self.torn else Code.JOURNAL_LINE
            yield Finding(
                code,
                self.path,
                "whole journal lines",
                f"{self.tail:,} bytes that are none",
                self.position.seq + 1,
            )


def journal_names(store: Store) -> list[str]:
    """Return the names of the journals, sorted."""
    return [
        name.removesuffix(SUFFIX)
        for name in store.names(JOURNALS)
        if name.endswith(SUFFIX) and not name.startswith(".")
    ]


def open_journal(store: Store, name: str) -> BinaryIO:
    """Return the file of a journal, for reading.

    Raises:
        OSError: it cannot be read.
    """
    return open(store.open_existing(f"{JOURNALS}/{name}{SUFFIX}"), "rb")  # noqa: PTH123 - a descriptor


def find_journal_end(file: BinaryIO, name: str) -> End:
    """Return where the journal *name* ends; to be called while no commit is under way."""
    size = os.fstat(file.fileno()).st_size
    position = find_end(file.fileno(), size) or START
    tail = os.pread(file.fileno(), min(size - position.offset, _TORN_TAIL_BYTES), position.offset)
    return End(name, position, size - position.offset, torn=is_torn(tail))


class Chain:
    """Reads the lines of one journal and checks that each names the one before it."""

    def __init__(self, path: str, begin: Position = START) -> None:
        self._path = path
        self._offset, self._seq, self._digest = begin.offset, begin.seq, begin.digest
        self.line = begin.seq
        """Number of the last line read, counted in the file."""

    @property
    def position(self) -> Position:
        """Behind the last line read."""
        return Position(self._offset, self._seq, self._digest)

    def read(self, file: BinaryIO, end: int) -> Iterator[Entry | Finding]:
        """Yield the entries up to the offset *end*, and before an entry what is wrong with its link."""
        file.seek(self._offset)
        while self._offset < end and (line := file.readline()):
            self.line += 1
            entry = _fast_parse(line)
            seq = self._seq + 1
            if entry is None:
                yield self._finding(Code.JOURNAL_LINE, "a journal line", "a text that is none")
            else:
                if entry["seq"] != seq or entry["prev"] != self._digest:
                    yield self._broken(entry)
                seq = entry["seq"]
                yield entry
            self._offset, self._seq, self._digest = self._offset + len(line), seq, line_digest(line)

    def _broken(self, entry: Entry) -> Finding:
        prev = entry["prev"] if len(entry["prev"]) == len(self._digest) else "of another length"
        return self._finding(
            Code.JOURNAL_CHAIN,
            f"seq {self._seq + 1} and prev {self._digest}",
            f"seq {entry['seq']} and prev {prev} (this line or the one before it was changed, or lines are "
            "missing or moved)",
        )

    def _finding(self, code: Code, expected: str, found: str) -> Finding:
        return Finding(code, self._path, expected, found, self.line)


class LineRules:
    """What a single journal line must be like, whatever lies in the tree."""

    def __init__(self) -> None:
        self._validator = Validator(load_schema("journal-entry"))

    def problem(self, entry: Entry) -> tuple[str, str] | None:
        """Return what was expected of *entry* and what was found, or None when it is sound."""
        for problem in self._validator.problems(entry):
            # The validator says both; it never shows a value.
            return "what schemas/journal-entry.json describes", problem.replace("\n", " ")
        event = entry["event"]
        if event in MESSAGE_EVENTS and not _names_message(entry):
            return "a path made of account, month, message_hash and content_hash", "another one"
        if event == "quarantined" and not _names_quarantined(entry):
            return f"a path made of {QUARANTINE}, the old path and a time", "another one"
        return None


def _names_message(entry: Entry) -> bool:
    directory, name = split(entry["path"])
    account, _, month = directory.partition("/")
    return (
        is_month(directory)
        and account == entry["account"]
        and name.endswith(".json")
        and entry["path"].removesuffix(".json")
        in stems(account, month, entry["message_hash"], entry["content_hash"])
    )


def _names_quarantined(entry: Entry) -> bool:
    directory, name = split(entry["path"])
    old_directory, old_name = split(entry["was"])
    return (
        is_month(old_directory)
        and directory == f"{QUARANTINE}/{old_directory}"
        and is_quarantined(name)
        and name.startswith(f"{old_name}.")
    )


def _fast_parse(line: bytes) -> Entry | None:
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return parse(line)  # it also takes what only Python writes, such as NaN in a foreign state
    if line.endswith(b"\n") and isinstance(entry, dict) and isinstance(entry.get("prev"), str):
        seq = entry.get("seq")
        return entry if isinstance(seq, int) and seq > 0 else None
    return None
