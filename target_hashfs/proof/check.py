"""Checks the files of one piece of the tree: each against itself, and all against what the journals claim."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING

from target_hashfs.address import QUARANTINE, is_temporary, message_file
from target_hashfs.canonical import Canonical
from target_hashfs.proof.claims import Place, compare
from target_hashfs.proof.files import Read, check_mode, read, unreadable
from target_hashfs.proof.finding import Code, Finding
from target_hashfs.proof.ledger import Ledger
from target_hashfs.proof.message import Examined, examine
from target_hashfs.proof.opened import Opened
from target_hashfs.proof.walk import key
from target_hashfs.schema import load_schema
from target_hashfs.store import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from target_hashfs.proof.ledger import Claim
    from target_hashfs.proof.walk import Piece


@dataclass(slots=True)
class Checked:
    """What a piece holds."""

    piece: Piece
    """Without its names."""
    messages: int = 0
    """Those of the system before this one included."""
    legacy: list[str] = field(default_factory=list)
    """Paths of those."""
    files: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)


class Checker:
    """Checks pieces; opens the archive and the ledger for itself, in whatever process it is."""

    def __init__(self, path: Path, ledger: Path) -> None:
        self._opened = Opened(path)
        self._store = self._opened.store
        self._ledger = Ledger(ledger)
        self._canonical = Canonical(load_schema("message"))

    def __enter__(self) -> Checker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ledger.close()
        self._opened.__exit__(kind, error, trace)

    def __call__(self, piece: Piece) -> Checked:
        """Return what *piece* holds, and what is wrong with it."""
        self._store.forget_directories()
        checked = Checked(replace(piece, names=[]))
        rows = self._ledger.claims(piece.directory, piece.low, piece.high)
        claims = {name: list(group) for name, group in groupby(rows, lambda claim: claim.name)}
        if claims and piece.is_whole and not piece.names and not self._store.exists(piece.directory):
            found = f"nothing, though the journal names {len(claims):,} files in it"
            checked.findings.append(Finding(Code.MISSING, piece.directory, "a directory", found))
            return checked
        names = {name: list(group) for name, group in groupby(piece.names, key)}
        check = self._quarantined if piece.directory.startswith(f"{QUARANTINE}/") else self._message
        for name in sorted(names.keys() | claims.keys()):
            checked.findings += check(checked, name, names.get(name, []), claims.get(name, []))
        return checked

    def _message(
        self, checked: Checked, name: str, names: list[str], claims: list[Claim]
    ) -> Iterator[Finding]:
        if names and message_file(names[0]) is None:
            yield from self._odd(checked, f"{checked.piece.directory}/{name}")
            return
        stem = f"{checked.piece.directory}/{name}"
        found: dict[str, Read] = {}
        for suffix in (each.rpartition(".")[2] for each in names):
            file = read(self._store, f"{stem}.{suffix}", keep=suffix == "json")
            if isinstance(file, Finding):
                yield file
            elif file is not None:
                found[suffix] = file
                checked.files += 1
                checked.bytes += file.size
        document = found.get("json")
        examined = Examined()
        if document is not None:
            as_archived = any(claim.file_sha256 == document.sha256 for claim in claims)
            examined = examine(stem, document.content, self._canonical, as_archived=as_archived)
        checked.messages += document is not None
        if examined.is_legacy and not claims:
            checked.legacy.append(f"{stem}.json")
            return
        for suffix, file in found.items():
            if finding := check_mode(f"{stem}.{suffix}", file.mode):
                yield finding
        if examined.finding is not None:
            yield examined.finding
        suffixes = frozenset(each.rpartition(".")[2] for each in names)
        place = Place(stem, suffixes, document, found.get("eml"), examined)
        yield from compare(place, claims, self._ledger.was_moved)

    def _odd(self, checked: Checked, path: str) -> Iterator[Finding]:
        """Yield what to say about a name that no message has."""
        if is_temporary(path.rpartition("/")[2]):
            yield Finding(Code.TEMPORARY, path, "no temporary file", "one")
            return
        file = read(self._store, path, keep=path.endswith(".json"))
        if isinstance(file, Finding):
            yield file
        elif file is not None:
            if path.endswith(".json") and self._is_legacy(path, file.content):
                checked.messages += 1
                checked.legacy.append(path)
            else:
                yield Finding(Code.STRAY, path, "messages, <message_hash>.json and .eml", "another file")

    def _is_legacy(self, path: str, content: bytes) -> bool:
        return examine(path, content, self._canonical, as_archived=False).is_legacy

    def _quarantined(
        self, checked: Checked, name: str, names: list[str], claims: list[Claim]
    ) -> Iterator[Finding]:
        path = f"{checked.piece.directory}/{name}"
        if not names:
            expected = f"what journal {claims[-1].journal}, line {claims[-1].seq}, says was moved here"
            yield Finding(Code.MISSING, path, expected, "nothing")
            return
        if not claims:
            yield Finding(Code.UNJOURNALED, path, "a quarantined line about it in the journal", "none")
            return
        try:
            found = self._store.look(path)
        except OSError as error:
            yield unreadable(path, error)
            return
        if found is not None:
            special = found.kind in {Kind.SPECIAL, Kind.DIRECTORY}
            digest = None if special else sha256(found.content).hexdigest()
            if (claims[-1].file_sha256, claims[-1].size) != (digest, len(found.content)):
                expected = f"SHA-256 {claims[-1].file_sha256}, {claims[-1].size:,} bytes"
                yield Finding(
                    Code.JOURNAL_DIGEST, path, expected, f"SHA-256 {digest}, {len(found.content):,} bytes"
                )
