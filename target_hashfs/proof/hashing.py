"""Computes the roots of an archive as it is between two commits, though runs may write to it meanwhile.

All months are hashed without a lock. Then, while no run may commit, those that new journal lines speak of are
hashed once more.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from target_hashfs.address import is_month, is_temporary, split
from target_hashfs.errors import ConfigError, RootError
from target_hashfs.journal import START
from target_hashfs.proof.chain import Chain, find_journal_end, journal_names, open_journal
from target_hashfs.proof.files import Read, read
from target_hashfs.proof.finding import Code, Finding
from target_hashfs.proof.merkle import MerkleTree, leaf_hash
from target_hashfs.proof.opened import Opened
from target_hashfs.proof.roots import Root, Roots
from target_hashfs.proof.walk import Selection, Walk
from target_hashfs.proof.workers import workers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from target_hashfs.journal import Position
    from target_hashfs.store import Store

_BATCH = 256
"""Files in a batch; see `walk.pieces`."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some files of one directory, in the order of their bytes."""

    directory: str
    names: list[str]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Leaves:
    """The leaf hashes of a batch."""

    directory: str
    hashes: list[bytes] = field(repr=False)
    is_last: bool


class Hasher:
    """Hashes batches; opens the archive for itself, in whatever process it is."""

    def __init__(self, path: Path) -> None:
        self._opened = Opened(path)

    def __enter__(self) -> Hasher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def __call__(self, batch: Batch) -> Leaves:
        """Return the leaves of *batch*.

        Raises:
            RootError: a file cannot be read.
        """
        self._opened.store.forget_directories()
        hashes = []
        for name in batch.names:
            path = f"{batch.directory}/{name}"
            file = read(self._opened.store, path, keep=False)
            if isinstance(file, Read):
                hashes.append(leaf_hash(os.fsencode(path) + b"\n" + file.sha256.encode()))
            elif isinstance(file, Finding) and file.code is Code.UNREADABLE:
                raise _refusal(file)
        return Leaves(batch.directory, hashes, batch.is_last)


def compute_roots(path: Path, account: str | None, *, jobs: int) -> Roots:
    """Return the roots of the archive at *path*, or of one *account* of it.

    Raises:
        RootError: there is no archive, or a file in it cannot be read.
        ConfigError: the account is not in it.
    """
    with Opened(path) as opened:
        opened.require_marker()
        walk = Walk(opened.store, Selection(account))
        with opened.between_commits():
            before = _ends(opened.store)
        accounts, _ = walk.top()
        if account not in {None, *accounts}:
            raise ConfigError(f"account: expected {' or '.join(accounts) or 'nothing'}, found another name")
        months = _hash(walk, _directories(walk, accounts), path, jobs)
        with opened.between_commits():
            changed = {
                each for each in _touched(opened.store, before) if account in {None, each.split("/")[0]}
            }
            months |= _hash(walk, sorted(changed), path, 1)
    return Roots.of(months, whole=account is None)


def _hash(walk: Walk, directories: Iterable[str], path: Path, jobs: int) -> dict[str, Root]:
    """Return the root of each of *directories*."""
    months = {}
    tree = MerkleTree()
    with workers(partial(Hasher, path), jobs) as hash_all:
        for leaves in hash_all(_batches(walk, directories)):
            for leaf in leaves.hashes:
                tree.add(leaf)
            if leaves.is_last:
                months[leaves.directory] = Root(tree.root().hex(), tree.size)
                tree = MerkleTree()
    return months


def _directories(walk: Walk, accounts: list[str]) -> Iterator[str]:
    for found in walk.months(accounts):
        if isinstance(found, str):
            yield found
        elif found.code is Code.UNREADABLE:
            raise _refusal(found)


def _batches(walk: Walk, directories: Iterable[str]) -> Iterator[Batch]:
    for directory in directories:
        names = sorted((name for name in walk.names(directory) if not is_temporary(name)), key=os.fsencode)
        for at in range(0, len(names) or 1, _BATCH):
            yield Batch(directory, names[at : at + _BATCH], at + _BATCH >= len(names))


def _refusal(finding: Finding) -> RootError:
    return RootError(
        f"{finding.place}: expected {finding.expected}, found {finding.found}; {finding.code.advice}"
    )


def _ends(store: Store) -> dict[str, Position]:
    """Return where the journals end; only while no commit is under way."""
    ends = {}
    for name in journal_names(store):
        with open_journal(store, name) as file:
            ends[name] = find_journal_end(file, name).position
    return ends


def _touched(store: Store, before: dict[str, Position]) -> Iterator[str]:
    """Yield the months that journal lines after *before* speak of."""
    for name, end in _ends(store).items():
        chain = Chain(name, before.get(name, START))
        with open_journal(store, name) as file:
            for entry in chain.read(file, end.offset):
                if isinstance(entry, dict):
                    places = (split(str(entry.get(key, "")))[0] for key in ("path", "was"))
                    yield from filter(is_month, places)
