"""File operations below one held directory; no path ever leaves it, no file is ever overwritten.

Every open is relative to a descriptor of the root, directory by directory and without following symbolic
links: a link planted in the tree, or another disk mounted over the root's path, cannot redirect a write.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from target_hashfs import sync
from target_hashfs.address import split
from target_hashfs.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a pipe that stands in the way must not wait for its writer.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

# FAT, exFAT and many SMB and FUSE mounts have no hard links.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_OPEN_DIRECTORIES = 200  # stays far below the usual limit of 1,024 descriptors


class Kind(Enum):
    """What stands at a path."""

    FILE = "a file"
    LINK = "a symbolic link"
    DIRECTORY = "a directory"
    SPECIAL = "a device, pipe or socket"


@dataclass(frozen=True, slots=True)
class Found:
    """What `Store.look` saw."""

    kind: Kind
    content: bytes
    """Of a file what it holds, of a symbolic link its target, else nothing."""


class Store:
    """The tree below the directory *root*, a descriptor that the caller keeps open."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.one_device = True
        """Whether all directories opened for writing are on the root's own file system."""
        self._device = os.fstat(root).st_dev
        self._directories: dict[str, int] = {}
        self._anchored: set[str] = set()
        """Directories whose own names are durable."""
        self._links = True

    # Reading

    def look(self, path: str, *, from_disk: bool = False) -> Found | None:
        """Return what stands at *path*, or None; a symbolic link is looked at, never followed."""
        try:
            descriptor = self.open_existing(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.ENXIO}:
                raise
            return self._look_at_odd(*split(path))
        try:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISREG(mode):
                if from_disk:
                    sync.drop_cache(descriptor)
                return Found(Kind.FILE, read_all(descriptor))
            return Found(Kind.DIRECTORY if stat.S_ISDIR(mode) else Kind.SPECIAL, b"")
        finally:
            os.close(descriptor)

    def open_existing(self, path: str) -> int:
        """Return a descriptor for reading what stands at *path*; a symbolic link or a socket raises."""
        directory, name = split(path)
        return os.open(name, _READ, dir_fd=self._open_directory(directory))

    def _look_at_odd(self, directory: str, name: str) -> Found:
        parent = self._open_directory(directory)
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            return Found(Kind.LINK, os.fsencode(os.readlink(name, dir_fd=parent)))
        return Found(Kind.SPECIAL, b"")

    def exists(self, path: str) -> bool:
        """Whether anything stands at *path*."""
        return self.modified(path) is not None

    def modified(self, path: str) -> float | None:
        """Return when what stands at *path* was changed (seconds of the epoch), or None."""
        with suppress(FileNotFoundError):
            directory, name = split(path)
            return os.stat(name, dir_fd=self._open_directory(directory), follow_symlinks=False).st_mtime
        return None

    def names(self, directory: str) -> list[str]:
        """Return the names in *directory*, sorted; none when it is missing or no directory."""
        try:
            return sorted(os.listdir(self._open_directory(directory)))  # noqa: PTH208 - of a descriptor
        except (FileNotFoundError, NotADirectoryError):
            return []

    # Writing

    def write(self, path: str, content: bytes, *, fsync: bool) -> None:
        """Create *path* with *content*; with *fsync* it is durable, but for its name, on return."""
        directory, name = split(path)
        parent = self._open_directory(directory, create=True)
        descriptor = os.open(name, _CREATE, 0o600, dir_fd=parent)
        try:
            write_all(descriptor, content)
            if fsync:
                sync.fsync(descriptor)
        finally:
            os.close(descriptor)

    def open_file(self, path: str) -> tuple[int, bool]:
        """Return a descriptor for reading and appending to *path*, and whether it was created just now."""
        directory, name = split(path)
        parent = self._open_directory(directory, create=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        created = False
        try:
            descriptor = os.open(name, flags, dir_fd=parent)
        except FileNotFoundError:
            descriptor = os.open(name, flags | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=parent)
            created = True
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "expected a regular file", path)
        return descriptor, created

    def publish(self, temporary: str, path: str) -> None:
        """Give the finished file *temporary* its name *path*, unless something has that name already."""
        directory, source = split(temporary)
        name = split(path)[1]
        parent = self._open_directory(directory)
        if self._links:
            try:
                os.link(source, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
            except FileExistsError:
                if not self._same_file(parent, source, name):
                    raise self._taken(path) from None
                # NFS repeats a request whose answer was lost: the link is ours.
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                self._links = False
            else:
                return
        if not self._links:
            # rename() would replace silently; the archive's lock keeps the time between look and rename ours.
            if self.exists(path):
                raise self._taken(path)
            os.rename(source, name, src_dir_fd=parent, dst_dir_fd=parent)

    @staticmethod
    def _same_file(parent: int, one: str, other: str) -> bool:
        first = os.stat(one, dir_fd=parent, follow_symlinks=False)
        second = os.stat(other, dir_fd=parent, follow_symlinks=False)
        return os.path.samestat(first, second)

    @staticmethod
    def _taken(path: str) -> StorageError:
        return StorageError(
            f"{path} appeared while it was being written: another program writes into the archive without "
            "its lock. Nothing was overwritten; stop the other program and run again"
        )

    def move(self, path: str, to: str) -> None:
        """Move what stands at *path* to the free place *to*."""
        if self.exists(to):
            raise self._taken(to)
        old, source = split(path)
        new, name = split(to)
        origin = self._open_directory(old)
        destination = self._descend(new, create=True)  # leaves origin open
        os.rename(source, name, src_dir_fd=origin, dst_dir_fd=destination)

    def replace(self, temporary: str, path: str) -> None:
        """Put *temporary* in the place of *path*, both in one directory: for our own bookkeeping only."""
        directory, source = split(temporary)
        parent = self._open_directory(directory)
        os.rename(source, split(path)[1], src_dir_fd=parent, dst_dir_fd=parent)

    def remove(self, path: str) -> None:
        """Remove the file *path* if it is there."""
        directory, name = split(path)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._open_directory(directory))

    def make_directories(self, directories: set[str]) -> None:
        """Create what is missing of *directories*; `one_device` is settled on return."""
        for directory in sorted(directories):
            self._open_directory(directory, create=True)

    # Durability

    def syncfs(self) -> None:
        """Make everything written so far durable, in one flush."""
        sync.syncfs(self.root)

    def fsync_file(self, path: str) -> None:
        """Make an existing file durable that somebody else wrote."""
        descriptor = self.open_existing(path)
        try:
            sync.fsync(descriptor)
        finally:
            os.close(descriptor)

    def fsync_directories(self, directories: set[str]) -> None:
        """Make the names in *directories* durable, and the names of those directories themselves.

        Also of directories found rather than made: who made them may have died before this step.
        """
        wanted = set(directories)
        for directory in directories:
            name = directory
            while name and name not in self._anchored:
                self._anchored.add(name)
                name = split(name)[0]
                wanted.add(name)
        for directory in sorted(wanted):
            sync.fsync_directory(self._open_directory(directory))

    # Directories

    def forget_directories(self) -> None:
        """Close all directories, so that the next access sees the tree as it is then."""
        for descriptor in self._directories.values():
            os.close(descriptor)
        self._directories.clear()

    def _open_directory(self, path: str, *, create: bool = False) -> int:
        """Return a descriptor of *path*; it stays open until the next call at the least."""
        if path not in self._directories and len(self._directories) >= _OPEN_DIRECTORIES:
            self.forget_directories()
        return self._descend(path, create=create)

    def _descend(self, path: str, *, create: bool) -> int:
        if path == "":
            return self.root
        known = self._directories.get(path)
        if known is not None:
            return known
        above, name = split(path)
        parent = self._descend(above, create=create)
        try:
            descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
        except FileNotFoundError:
            if not create:
                raise
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=parent)
            descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
        if os.fstat(descriptor).st_dev != self._device:
            self.one_device = False
        self._directories[path] = descriptor
        return descriptor


@contextmanager
def explained(action: str) -> Iterator[None]:
    """Turn a failed system call inside into a `StorageError` that says what *action* was."""
    try:
        yield
    except OSError as error:
        raise StorageError.during(action, error) from error


def read_all(descriptor: int, offset: int = 0) -> bytes:
    """Return what a file holds from *offset* on."""
    parts = []
    while part := os.pread(descriptor, 1 << 20, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of *content*, however little the system takes at a time."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
