"""The tree in pieces: every directory once, in order, and the names in it by the few hundred.

What does not belong where it stands is a finding here; the files themselves are for others to read.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from target_hashfs.address import (
    JOURNALS,
    LOCKS,
    MARKER,
    MONTH,
    QUARANTINE,
    STATES,
    YEAR,
    is_account,
    message_file,
    split,
)
from target_hashfs.proof.files import unreadable
from target_hashfs.proof.finding import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from target_hashfs.store import Store

_PIECE = 256
"""Names in a piece: enough to be worth handing to another process, few enough to forget at once."""
_OURS = frozenset({JOURNALS, STATES, QUARANTINE, LOCKS})
_OF_FILE_SYSTEMS = frozenset({"lost+found"})
"""At the top when the archive is the root of its disk."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some files of one directory, and the part of the alphabet they are all of."""

    directory: str
    names: list[str]
    """As listed; sorted."""
    low: str = ""
    """First name that belongs to the piece; of a message the stem."""
    high: str | None = None
    """First name that does not any more; None at the end of the directory."""

    @property
    def is_whole(self) -> bool:
        """Whether it is all of its directory."""
        return self.low == "" and self.high is None

    def __contains__(self, name: str) -> bool:
        """Whether *name* belongs to the piece."""
        return self.low <= key(name) and (self.high is None or key(name) < self.high)


def key(name: str) -> str:
    """Return what names are grouped and sorted by: of a message file the stem."""
    found = message_file(name)
    return found[0] if found else name


def pieces(directory: str, names: list[str]) -> Iterator[Piece]:
    """Yield *names*, all of *directory*, in pieces; none at all make one piece."""
    ordered = sorted((key(name), name) for name in names)
    low, begin = "", 0
    for at in range(1, len(ordered)):
        high = ordered[at][0]
        # The ledger takes no bound that is no text, and a message stays in one piece.
        if at - begin >= _PIECE and high != ordered[at - 1][0] and high.isascii():
            yield Piece(directory, [name for _, name in ordered[begin:at]], low, high)
            low, begin = high, at
    yield Piece(directory, [name for _, name in ordered[begin:]], low)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages are wanted."""

    account: str | None = None
    since: str | None = None
    """`2026/06`: this month and later."""

    def wants(self, account: str, month: str) -> bool:
        """Whether messages of *account* and *month* are."""
        return self.account in {None, account} and (self.since is None or month >= self.since)


class Walk:
    """Goes over the tree; *claims* yields the directories below one that journals speak of."""

    def __init__(
        self,
        store: Store,
        selection: Selection,
        claims: Callable[[str], Iterable[str]] = lambda _directory: (),
    ) -> None:
        self._store = store
        self._selection = selection
        self._claims = claims
        self.odd_modes: dict[str, int] = {}
        """Directories below the root that are not 0700; complete when the walk is."""

    def top(self) -> tuple[list[str], list[Finding]]:
        """Return the accounts in the tree, and what else lies at the top and should not."""
        directories, findings = self._look("")
        accounts = [name for name in directories if is_account(name) and name not in _OF_FILE_SYSTEMS]
        known = {*accounts, *_OURS, *_OF_FILE_SYSTEMS}
        findings += [_stray(name, "a directory") for name in directories if name not in known]
        return accounts, [each for each in findings if each.path != MARKER]

    def months(self, accounts: list[str]) -> Iterator[str | Finding]:
        """Yield the directories of *accounts* that messages lie in, and what does not belong above them."""
        for account in accounts:
            if self._selection.account in {None, account}:
                yield from self._account(account)

    def quarantine(self) -> Iterator[str | Finding]:
        """Yield the directories of the quarantine, likewise."""
        accounts = set()
        for found in self._below(QUARANTINE, is_account):
            if isinstance(found, Finding):
                yield found
            else:
                accounts.add(found)
        accounts |= {"/".join(each.split("/")[:2]) for each in self._claims(QUARANTINE)}
        for account in sorted(accounts):
            if self._selection.account in {None, split(account)[1]}:
                yield from self._account(account)

    def again(self, piece: Piece) -> Piece:
        """Return *piece* with the names that are in it now."""
        with suppress(OSError):
            return replace(
                piece, names=sorted(filter(piece.__contains__, self.names(piece.directory)), key=key)
            )
        return replace(piece, names=[])

    def _account(self, base: str) -> Iterator[str | Finding]:
        months = set(self._claims(base))
        for year in self._below(base, YEAR.fullmatch):
            for month in [year] if isinstance(year, Finding) else self._below(year, MONTH.fullmatch):
                if isinstance(month, Finding):
                    yield month
                else:
                    months.add(month)
        account = split(base)[1]
        for directory in sorted(months):
            if self._selection.wants(account, directory.removeprefix(f"{base}/")):
                yield directory

    def names(self, directory: str) -> list[str]:
        """Return the names in *directory*, in no order.

        Raises:
            OSError: it cannot be read.
        """
        descriptor = self._store.open_existing(directory or ".")
        try:
            self._check_mode(directory, descriptor)
            return os.listdir(descriptor)  # noqa: PTH208 - of a descriptor
        finally:
            os.close(descriptor)

    def _below(self, directory: str, fits: Callable[[str], object]) -> Iterator[str | Finding]:
        """Yield the directories in *directory* whose names fit, and findings about everything else."""
        try:
            directories, findings = self._look(directory)
        except FileNotFoundError:
            return
        except OSError as error:
            yield unreadable(directory, error)
            return
        yield from findings
        for name in directories:
            path = f"{directory}/{name}"
            yield path if fits(name) else _stray(path, "a directory")

    def _look(self, directory: str) -> tuple[list[str], list[Finding]]:
        """Return the names of the directories in *directory*, sorted, and what else is there as strays."""
        directories, findings = [], []
        descriptor = self._store.open_existing(directory or ".")
        try:
            self._check_mode(directory, descriptor)
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    path = f"{directory}/{entry.name}" if directory else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        directories.append(entry.name)
                    elif entry.is_symlink():
                        findings.append(Finding(Code.SYMLINK, path, "no symbolic link", "one"))
                    else:
                        findings.append(_stray(path, "a file"))
        finally:
            os.close(descriptor)
        return sorted(directories), sorted(findings, key=lambda each: each.path)

    def _check_mode(self, directory: str, descriptor: int) -> None:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if directory and mode != 0o700:
            self.odd_modes[directory] = mode


def _stray(path: str, found: str) -> Finding:
    return Finding(Code.STRAY, path, "accounts, years, months, messages and the archive's own files", found)
