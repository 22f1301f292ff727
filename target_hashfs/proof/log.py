"""The lines of all journals in order of time, or those of an account, a time, a run, an event."""

from __future__ import annotations

import heapq
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from target_hashfs.address import JOURNALS, is_account
from target_hashfs.errors import ConfigError
from target_hashfs.proof.chain import SUFFIX, Chain, find_journal_end, journal_names, open_journal
from target_hashfs.proof.files import unreadable
from target_hashfs.proof.finding import Finding
from target_hashfs.proof.opened import Opened
from target_hashfs.proof.walk import Selection, Walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_hashfs.proof.chain import End

_UNKNOWN_TIME = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a journal."""

    journal: str
    at: datetime
    entry: dict[str, Any]

    @property
    def account(self) -> str | None:
        """The account it is about; None for a commit."""
        path = self.entry.get("was", self.entry.get("path"))
        return path.partition("/")[0] if isinstance(path, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which lines are wanted; None: all."""

    account: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Lines before this moment."""
    run: str | None = None
    """The beginning of its id."""
    event: str | None = None

    def wants(self, line: Line) -> bool:
        """Whether *line* is."""
        return (
            self.account in {None, line.account}
            and (self.since is None or line.at >= self.since)
            and (self.until is None or line.at < self.until)
            and (self.run is None or str(line.entry.get("run")).startswith(self.run))
            and self.event in {None, line.entry["event"]}
        )


def read_log(path: Path, wanted: Filter) -> Iterator[Line | Finding]:
    """Yield the wanted lines, each journal in its own order, and what is wrong with the chain.

    Raises:
        RootError: there is no archive.
        ConfigError: the wanted account is not in it; known when all journals have been read.
        OSError: the disk gave up.
    """
    with Opened(path) as opened, ExitStack() as files:
        opened.require_marker()
        accounts = set(Walk(opened.store, Selection()).top()[0])
        journals = []
        for name in journal_names(opened.store):
            try:
                file = files.enter_context(open_journal(opened.store, name))
                with opened.between_commits():
                    end = find_journal_end(file, name)
            except OSError as error:
                yield unreadable(f"{JOURNALS}/{name}{SUFFIX}", error)
                continue
            journals.append(_lines(file, end))
        for _, line in heapq.merge(*journals, key=lambda each: each[0]):
            if isinstance(line, Finding):
                yield line
                continue
            if line.account is not None:
                accounts.add(line.account)
            if wanted.wants(line):
                yield line
        if wanted.account not in {None, *accounts}:
            known = " or ".join(sorted(filter(is_account, accounts)))
            raise ConfigError(f"account: expected {known or 'nothing'}, found another name")


def _lines(file: BinaryIO, end: End) -> Iterator[tuple[datetime, Line | Finding]]:
    at = _UNKNOWN_TIME
    for entry in Chain(end.path).read(file, end.position.offset):
        if isinstance(entry, Finding):
            yield at, entry
        else:
            at = parse_time(entry.get("at")) or at
            yield at, Line(end.name, at, entry)


def parse_time(text: object) -> datetime | None:
    """Return the moment that *text* names (ISO 8601, or a day; UTC if it does not say), or None."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
