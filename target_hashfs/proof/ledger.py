"""What all journals say about each place in the tree, sorted by place; on disk, so that memory stays flat.

A database in the directory for temporary files (TMPDIR), about 350 bytes a journal line, gone in the end.
Several processes read it while one adds to it.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, NamedTuple

from target_hashfs.address import split

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TABLES = """
    PRAGMA synchronous = OFF;
    CREATE TABLE claim (
        directory TEXT, name TEXT, journal TEXT, seq INTEGER, file_sha256 TEXT, size INTEGER,
        eml_sha256 TEXT, content_hash TEXT, was TEXT
    );
"""
_INDEXES = """
    CREATE INDEX IF NOT EXISTS place ON claim (directory, name, journal, seq);
    CREATE INDEX IF NOT EXISTS old_place ON claim (was) WHERE was IS NOT NULL;
"""
_BATCH = 1000
_BUSY_SECONDS = 600


class Claim(NamedTuple):
    """What one journal line says about the file at a place."""

    name: str
    """In its directory; of a message without `.json`."""
    journal: str
    seq: int
    file_sha256: str | None
    """None for a device, pipe or socket in the quarantine."""
    size: int
    eml_sha256: str | None
    content_hash: str | None
    """None for what is in the quarantine."""


class Ledger:
    """The claims of all journals."""

    def __init__(self, path: Path) -> None:
        """Open the ledger in the file *path*, which is created empty by the first to open it."""
        self._database = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        if not self._database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            self._database.executescript(_TABLES)
        self._batch: list[tuple[Any, ...]] = []

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # Writing

    def add(self, journal: str, entry: dict[str, Any]) -> None:
        """Take what a message line or a `quarantined` line says; it can be read after `flush`."""
        directory, name = split(entry["path"])
        was = entry.get("was")
        self._batch.append(
            (
                directory,
                name if was else name.removesuffix(".json"),
                journal,
                entry["seq"],
                entry["file_sha256"],
                entry["size"],
                entry.get("eml_sha256"),
                entry.get("content_hash"),
                was,
            )
        )
        if len(self._batch) >= _BATCH:
            self._write()

    def flush(self) -> None:
        """Let everybody read what was added."""
        self._write()
        self._database.executescript(_INDEXES)

    def _write(self) -> None:
        self._database.execute("BEGIN")
        self._database.executemany("INSERT INTO claim VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", self._batch)
        self._database.execute("COMMIT")
        self._batch.clear()

    # Reading

    def claims(self, directory: str, low: str, high: str | None) -> list[Claim]:
        """Return the claims on names from *low* to before *high* (None: the end), by name and line."""
        rows = self._database.execute(
            "SELECT name, journal, seq, file_sha256, size, eml_sha256, content_hash FROM claim "
            "WHERE directory = ? AND name >= ? AND (? IS NULL OR name < ?) ORDER BY name, journal, seq",
            (directory, low, high, high),
        )
        return list(map(Claim._make, rows))

    def was_moved(self, path: str) -> bool:
        """Whether a journal says that what lay at *path* was quarantined."""
        return self._one("SELECT 1 FROM claim WHERE was = ? LIMIT 1", path) is not None

    def directories(self, above: str) -> Iterator[str]:
        """Yield every directory below *above* that a claim is made on, sorted."""
        found = self._one("SELECT min(directory) FROM claim WHERE directory > ?", f"{above}/")
        # A jump from one to the next by the index; DISTINCT would read every line.
        while found is not None and found.startswith(f"{above}/"):
            yield found
            found = self._one("SELECT min(directory) FROM claim WHERE directory > ?", found)

    def accounts(self) -> Iterator[str]:
        """Yield the first name of every directory that a claim is made on, sorted."""
        found = self._one("SELECT min(directory) FROM claim")
        while found is not None:
            account = found.partition("/")[0]
            yield account
            found = self._one("SELECT min(directory) FROM claim WHERE directory >= ?", f"{account}0")

    def count(self) -> int:
        """Return how many claims there are."""
        return int(self._database.execute("SELECT count(*) FROM claim").fetchone()[0])

    def _one(self, query: str, *values: str) -> str | None:
        row = self._database.execute(query, values).fetchone()
        return row[0] if row else None
