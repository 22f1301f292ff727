"""Verifies a whole archive, while runs may write to it: findings as they are made, totals in the end.

In memory at any time: the names of one directory, a few pieces of work, the list of directories, and in each
process one `.json` and a part of an `.eml`. What the journals say lies in a ledger on disk.

A run that commits meanwhile makes no finding: journals are read up to an end taken between two commits, and a
piece with findings is checked once more, while no run may commit, if the journals have grown since.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from target_hashfs.address import is_account
from target_hashfs.errors import ConfigError, TargetError
from target_hashfs.proof.bookkeeping import check_bookkeeping, check_marker
from target_hashfs.proof.check import Checker
from target_hashfs.proof.files import unreadable
from target_hashfs.proof.finding import Code, Finding
from target_hashfs.proof.journals import Journals
from target_hashfs.proof.ledger import Ledger
from target_hashfs.proof.opened import Opened
from target_hashfs.proof.walk import Walk, pieces
from target_hashfs.proof.workers import workers

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from contextlib import AbstractContextManager

    from target_hashfs.proof.check import Checked
    from target_hashfs.proof.walk import Piece, Selection


@dataclass(slots=True)
class Totals:
    """What was read so far, and what was found."""

    messages: int = 0
    legacy: int = 0
    """Of them, those of the system before this one."""
    files: int = 0
    bytes: int = 0
    journals: int = 0
    lines: int = 0
    """Of the journals."""
    expected: int = 0
    """Messages that the journals name: how much there is to do."""
    damage: int = 0
    notes: int = 0


class Verification:
    """One look at an archive."""

    def __init__(
        self,
        path: Path,
        selection: Selection,
        *,
        jobs: int,
        progress: Callable[[], AbstractContextManager[Callable[[Totals], None]]],
    ) -> None:
        """Prepare to verify the archive at *path* in *jobs* processes.

        What *progress* gives is told of every step; it is entered when the processes have started.
        """
        self.totals = Totals()
        self._path = path
        self._selection = selection
        self._jobs = jobs
        self._progress = progress
        self._legacy: dict[str, tuple[int, str]] = {}
        """Messages of the system before this one: how many by directory, and the first."""
        self._grown = False
        """Whether a run committed since the journals were read first."""
        self._aside: deque[Finding] = deque()
        """What the walk found on the way to its next piece."""

    def findings(self) -> Generator[Finding]:
        """Yield what is wrong; the totals are complete at the end.

        Raises:
            RootError: there is no archive.
            ConfigError: the account that is asked for is not in it.
            TargetError: the directory for temporary files cannot hold the ledger.
            OSError: the disk gave up.
        """
        try:
            yield from self._all_findings()
        except sqlite3.Error as error:
            raise TargetError(
                "expected room for what the journals say in the directory for temporary files "
                f"({tempfile.gettempdir()}), found: {error}; free space there, or set TMPDIR to another "
                "directory, then verify again"
            ) from None

    def _all_findings(self) -> Iterator[Finding]:
        with Opened(self._path) as opened, tempfile.TemporaryDirectory(prefix="hashfs-") as scratch:
            place = Path(scratch, "ledger")
            make = partial(Checker, self._path, place)
            with (
                workers(make, self._jobs) as check,
                closing(Ledger(place)) as ledger,
                make() as again,
                self._progress() as watch,
            ):
                for finding in self._findings(opened, ledger, check, again, watch):
                    self.totals.damage += finding.is_damage
                    self.totals.notes += not finding.is_damage
                    yield finding

    def _findings(
        self,
        opened: Opened,
        ledger: Ledger,
        check: Callable[[Iterable[Piece]], Iterator[Checked]],
        again: Checker,
        watch: Callable[[Totals], None],
    ) -> Iterator[Finding]:
        marker, findings = check_marker(opened)
        yield from findings
        journals = Journals(opened.store, ledger, self._selection)
        walk = Walk(opened.store, self._selection, ledger.directories)
        with opened.between_commits():
            ends, findings = journals.look()
            findings += check_bookkeeping(opened, walk, marker)
        yield from findings
        yield from journals.read(ends)
        self.totals.journals, self.totals.lines = journals.count, journals.lines
        self.totals.expected = ledger.count()
        accounts, findings = walk.top()
        yield from findings
        accounts = sorted({*accounts, *filter(is_account, ledger.accounts())})
        if self._selection.account not in {None, *accounts}:
            raise ConfigError(f"account: expected {' or '.join(accounts) or 'nothing'}, found another name")
        for checked in check(self._pieces(walk, accounts)):
            yield from self._take_aside()
            if checked.findings:
                yield from self._settle(opened, journals, walk, again, checked)
            yield from self._count(checked)
            watch(self.totals)
        yield from self._take_aside()
        yield from self._about_directories(walk)

    def _pieces(self, walk: Walk, accounts: list[str]) -> Iterator[Piece]:
        for found in chain(walk.months(accounts), walk.quarantine()):
            if isinstance(found, Finding):
                self._aside.append(found)
                continue
            try:
                names = walk.names(found)
            except FileNotFoundError:
                names = []  # the journal speaks of it
            except OSError as error:
                self._aside.append(unreadable(found, error))
                continue
            yield from pieces(found, names)

    def _take_aside(self) -> Iterator[Finding]:
        while self._aside:
            yield self._aside.popleft()

    def _settle(
        self, opened: Opened, journals: Journals, walk: Walk, checker: Checker, checked: Checked
    ) -> Iterator[Finding]:
        """Yield those findings of a piece that no commit, living or dead, explains."""
        with opened.between_commits():
            ends, findings = journals.look()
            if not journals.has_read(ends):
                findings += journals.read(ends)
                self._grown = True
            if self._grown:
                checked = checker(walk.again(checked.piece))
        yield from findings
        yield from (each for each in checked.findings if not journals.excuses(each))

    def _count(self, checked: Checked) -> Iterator[Finding]:
        """Count a piece; yield one finding a directory about messages of the system before this one."""
        totals = self.totals
        totals.messages += checked.messages
        totals.legacy += len(checked.legacy)
        totals.files += checked.files
        totals.bytes += checked.bytes
        directory = checked.piece.directory
        if checked.legacy:
            count, first = self._legacy.get(directory, (0, checked.legacy[0]))
            self._legacy[directory] = count + len(checked.legacy), first
        if checked.piece.high is None and directory in self._legacy:
            count, first = self._legacy[directory]
            found = f"{count:,} without content_hash in {directory}, this is the first"
            yield Finding(Code.LEGACY, first, "messages with content_hash", found)

    def _about_directories(self, walk: Walk) -> Iterator[Finding]:
        """Yield directories with another mode than ours; those of the system before this one keep theirs."""
        adopted: set[str] = set()
        for directory in self._legacy:
            account, year, _ = directory.split("/")
            adopted |= {account, f"{account}/{year}", directory}
        for directory, mode in sorted(walk.odd_modes.items()):
            yield Finding(
                Code.LEGACY if directory in adopted else Code.MODE, directory, "0700", f"{mode:04o}"
            )
