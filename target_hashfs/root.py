"""The archive's directory: `hashfs.json` is the proof that it is the archive and that its disk is mounted.

The file is also the lock: whoever commits holds flock() on it. The kernel gives it back when a run dies.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager, suppress
from itertools import takewhile
from typing import TYPE_CHECKING

from target_hashfs import state as states
from target_hashfs import sync
from target_hashfs.address import MARKER
from target_hashfs.errors import RootError, StateError, StorageError, TargetError
from target_hashfs.lease import Leases
from target_hashfs.marker import Marker, new_marker
from target_hashfs.store import Store, explained, read_all, write_all
from target_hashfs.tree import is_legacy_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from target_hashfs.config import Config
    from target_hashfs.state import State

_HOW_TO_START_ANOTHER = "Mount the disk, or set allow_new_archive: true to start another archive."


class Root:
    """An archive, held open; see `open_root`."""

    def __init__(self, path: Path, directory: int, lock: int, marker: Marker, *, allow_new: bool) -> None:
        self.archive_id = marker.archive_id
        self.store = Store(directory)
        self._path = path
        self._directory = directory
        self._lock = lock
        self._superseded = marker.replaces if allow_new else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the archive for this run alone; other runs wait."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            self.store.forget_directories()
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def check(self) -> None:
        """Look through the path whether this is still the archive that was opened.

        A disk that was unmounted stays writable through held descriptors, and its path shows what lay below.

        Raises:
            RootError: the path leads elsewhere by now.
        """
        try:
            descriptor = os.open(self._path / MARKER, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise self._gone(f"there is no {MARKER} any more") from None
        with explained(f"checking {self._path / MARKER}"):
            try:
                same = os.path.samestat(self._path.stat(), os.fstat(self._directory)) and os.path.samestat(
                    os.fstat(descriptor), os.fstat(self._lock)
                )
                content = read_all(descriptor)
            finally:
                os.close(descriptor)
        if not same:
            raise self._gone("another directory or disk is there now")
        if Marker.parse(content, self._path).archive_id != self.archive_id:
            raise self._gone(f"{MARKER} has another archive_id now")

    def _gone(self, reason: str) -> RootError:
        return RootError(
            f"Archive disk gone: the archive under {self._path} changed during the run ({reason}). Mount the "
            "disk and run again; no STATE was emitted for what is not on it."
        )

    def check_state(self, state: State) -> None:
        """Refuse *state* if another archive emitted it.

        Raises:
            StateError: it did.
        """
        found = states.archive_id(state)
        if found not in {None, self.archive_id, self._superseded}:
            raise StateError(
                f"The state belongs to archive {found}, but {self._path} holds archive {self.archive_id}: "
                "what the state calls archived is not here. Mount the right disk, or correct path; to fill "
                f"this archive from the beginning, remove bookmarks.{states.OURS} and the bookmarks from the "
                "state"
            )

    def require_free(self, size: int, reserve: int) -> None:
        """Refuse to write *size* bytes if less than *reserve* bytes would remain.

        Raises:
            StorageError: they would.
        """
        found = os.fstatvfs(self._directory)
        free = found.f_bavail * found.f_frsize
        if found.f_blocks and free - size < reserve:  # some network file systems do not count at all
            raise StorageError(
                f"The archive's disk is nearly full: {free:,} bytes are free under {self._path}, {size:,} "
                f"are to be written and min_free_bytes keeps {reserve:,}. Free space, then run again; no "
                "STATE was emitted for what this commit held"
            )

    def leases(self, run: str) -> Leases:
        """Return the leases of *run*, none taken yet."""
        return Leases(self._directory, run)

    def close(self) -> None:
        """Let go of the directory."""
        self.store.forget_directories()
        os.close(self._lock)
        os.close(self._directory)


def open_root(config: Config, incoming: Sequence[State]) -> Root | None:
    """Return the archive under `config.path`, created if this is its first run.

    None in a dry run over an archive that does not exist yet. *incoming* are the states that the run was
    started with.

    Raises:
        RootError: the archive is missing, or it is another one than the configuration says.
        StateError: a state in *incoming* belongs to another archive.
    """
    with explained(f"opening the archive {config.path}"):
        held = _open_existing(config)
        if held is None:
            _refuse_missing(config, incoming)
            if config.dry_run:
                return None
            held = _create(config, incoming)
    directory, lock, marker = held
    root = Root(config.path, directory, lock, marker, allow_new=config.allow_new_archive)
    try:
        if config.archive_id not in {None, root.archive_id}:
            raise RootError(
                f"{config.path} holds archive {root.archive_id}, but archive_id in the configuration is "
                f"{config.archive_id}. Mount the right disk, or correct archive_id"
            )
        for state in incoming:
            root.check_state(state)
    except TargetError:
        root.close()
        raise
    return root


def _open_existing(config: Config) -> tuple[int, int, Marker] | None:
    try:
        directory = os.open(config.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        lock = _open_marker(directory, write=not config.dry_run)
    except FileNotFoundError:
        os.close(directory)
        return None
    content = read_all(lock)
    if not content:  # its writer died in between; it never held anything
        os.close(lock)
        os.close(directory)
        return None
    return directory, lock, Marker.parse(content, config.path)


def _open_marker(directory: int, *, write: bool, create: bool = False) -> int:
    # NFS grants an exclusive lock only to a descriptor open for writing.
    flags = (os.O_RDWR if write else os.O_RDONLY) | (os.O_CREAT if create else 0)
    return os.open(MARKER, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)


def _refuse_missing(config: Config, incoming: Sequence[State]) -> None:
    """Raise `RootError` if an archive that does not exist here has been written before."""
    if config.allow_new_archive:
        return
    missing = f"Archive disk missing: no {MARKER} under {config.path}, but "
    if config.archive_id is not None:
        raise RootError(f"{missing}archive_id {config.archive_id} is configured. {_HOW_TO_START_ANOTHER}")
    for state in incoming:
        identity = states.archive_id(state)
        if identity is not None:
            raise RootError(
                f"{missing}the state says this archive has been written before (archive {identity}). "
                + _HOW_TO_START_ANOTHER
            )
    for state in incoming:
        place = states.progress(state)
        if place is not None and not is_legacy_tree(config.path):
            raise RootError(
                f"{missing}the state says this archive has been written before (bookmark {place}). "
                + _HOW_TO_START_ANOTHER
            )


def _create(config: Config, incoming: Sequence[State]) -> tuple[int, int, Marker]:
    directory = _make_directory(config.path)
    lock = _open_marker(directory, write=True, create=True)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        content = read_all(lock)
        if not content:  # else another run was faster: it is its archive that we join
            # The tap repeats the id of an archive that is gone until it has seen a state of ours.
            gone = [identity for state in incoming if (identity := states.archive_id(state)) is not None]
            content = new_marker(config.archive_id, replaces=gone[-1] if gone else None)
            try:
                write_all(lock, content)
                sync.fsync(lock)
            except OSError:
                os.ftruncate(lock, 0)  # half a marker would look like a damaged archive
                raise
            sync.fsync_directory(directory)
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)
    return directory, lock, Marker.parse(content, config.path)


def _make_directory(path: Path) -> int:
    """Create *path* and what is missing above it, durably, and return a descriptor of it."""
    missing = list(takewhile(lambda above: not above.exists(), (path.absolute(), *path.absolute().parents)))
    for directory in reversed(missing):
        with suppress(FileExistsError):  # another first run
            directory.mkdir(mode=0o700)
    # Not only of those made just now: who made the others may have died before this.
    device = path.stat().st_dev
    for above in takewhile(lambda above: above.stat().st_dev == device, path.absolute().parents):
        try:
            parent = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError:
            continue
        try:
            sync.fsync_directory(parent)
        except OSError as error:
            if error.errno != errno.EACCES:
                raise
        finally:
            os.close(parent)
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
