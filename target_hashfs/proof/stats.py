"""How much an archive holds, by account and month, and from when to when."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from target_hashfs.address import message_file
from target_hashfs.canonical import moment
from target_hashfs.errors import RecordError
from target_hashfs.proof.files import Read, read
from target_hashfs.proof.opened import Opened
from target_hashfs.proof.walk import Selection, Walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from target_hashfs.store import Store


@dataclass(slots=True)
class Count:
    """What some part of the archive holds."""

    messages: int = 0
    variants: int = 0
    """Of them, those beside other content under the same Message-ID."""
    eml: int = 0
    """`.eml` files."""
    bytes: int = 0
    """Of all message files."""

    def add(self, other: Count) -> None:
        """Count *other* as well."""
        self.messages += other.messages
        self.variants += other.variants
        self.eml += other.eml
        self.bytes += other.bytes


@dataclass(slots=True)
class AccountStats:
    """What an account holds."""

    total: Count = field(default_factory=Count)
    months: dict[str, Count] = field(default_factory=dict)
    """By `2026/06`, sorted."""
    first: datetime | None = None
    """Date of the oldest message, UTC."""
    last: datetime | None = None
    """Date of the newest."""


@dataclass(slots=True)
class Stats:
    """What an archive holds."""

    archive_id: str
    accounts: dict[str, AccountStats]
    """By name, sorted."""

    def total(self) -> AccountStats:
        """Return what all accounts hold together, months too."""
        whole = AccountStats()
        for account in self.accounts.values():
            whole.total.add(account.total)
            for month, count in account.months.items():
                whole.months.setdefault(month, Count()).add(count)
        whole.months = dict(sorted(whole.months.items()))
        dates = [each for account in self.accounts.values() for each in (account.first, account.last) if each]
        whole.first, whole.last = min(dates, default=None), max(dates, default=None)
        return whole


def collect(path: Path) -> Stats:
    """Return what the archive at *path* holds.

    Raises:
        RootError: there is no archive.
        OSError: it cannot be read.
    """
    with Opened(path) as opened:
        marker = opened.require_marker()
        walk = Walk(opened.store, Selection())
        accounts = {name: _account(walk, opened.store, name) for name in walk.top()[0]}
        return Stats(
            marker.archive_id, {name: each for name, each in accounts.items() if each.total.messages}
        )


def _account(walk: Walk, store: Store, name: str) -> AccountStats:
    stats = AccountStats()
    for directory in walk.months([name]):
        if not isinstance(directory, str):
            continue
        count = Count()
        for path, size in _sizes(store, directory):
            stem, suffix = message_file(path) or ("", "")
            count.messages += suffix == "json"
            count.variants += suffix == "json" and "." in stem
            count.eml += suffix == "eml"
            count.bytes += size if suffix else 0
        if count.messages:
            stats.months[directory.removeprefix(f"{name}/")] = count
            stats.total.add(count)
    if stats.months:
        # Folders are months, so that the ends of the time span lie in the first and the last of them.
        stats.first = min(_dates(store, f"{name}/{min(stats.months)}"), default=None)
        stats.last = max(_dates(store, f"{name}/{max(stats.months)}"), default=None)
    return stats


def _sizes(store: Store, directory: str) -> Iterator[tuple[str, int]]:
    """Yield name and size of each regular file in *directory*, which runs may write to."""
    descriptor = store.open_existing(directory)
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                try:
                    found = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # the temporary file of a run
                if stat.S_ISREG(found.st_mode):
                    yield entry.name, found.st_size
    finally:
        os.close(descriptor)


def _dates(store: Store, directory: str) -> Iterator[datetime]:
    for name, _ in _sizes(store, directory):
        file = read(store, f"{directory}/{name}", keep=True) if name.endswith(".json") else None
        if isinstance(file, Read):
            try:
                yield moment(orjson.loads(file.content)["date"])
            except (ValueError, RecordError, LookupError, TypeError):
                continue  # hashfs verify says what is wrong with it
