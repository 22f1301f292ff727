"""A disk that forgets: the calls of a run, recorded, and replayed with unsynced ones left out.

What a power cut may leave, after the first *n* calls, is every call that was synced, and of the others any
choice: a page of a file, a name in a directory, its removal. Rules as of ext4, none kinder than the manual:

    write, truncate          stays for sure once the file was synced; pages of 4 KiB on their own
    create, link, unlink     stays for sure once the directory was synced
    mkdir                    likewise, by the directory above
    rename                   happens or not, as one; stays for sure once both directories were synced
    syncfs                   syncs everything

A name whose directory was lost is lost with it; one that is still taken is not given to another file. That fsync of a file also keeps its name, as ext4 does, is
not relied upon.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from target_hashfs import sync

PAGE = 4096


@dataclass(frozen=True)
class Call:
    """A change; *inodes* are what has to be synced for it to stay."""

    name: str
    inodes: tuple[int, ...]
    apply: Callable[[Disk], None] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Sync:
    """A sync of one inode, or of all."""

    inode: int | None


@dataclass(frozen=True)
class Emitted:
    """Something that left the machine at this moment."""

    text: str


@dataclass
class Disk:
    """What is on the platter: files by inode, directories by inode."""

    files: dict[int, bytearray] = field(default_factory=dict)
    directories: dict[int, dict[str, int]] = field(default_factory=dict)

    def file(self, inode: int) -> bytearray:
        """Return the content of a file; empty if nothing was written to it."""
        return self.files.setdefault(inode, bytearray())

    def directory(self, inode: int) -> dict[str, int]:
        """Return the names in a directory."""
        return self.directories.setdefault(inode, {})

    def lay_out(self, inode: int, path: Path) -> None:
        """Make a real tree of what can be reached from a directory."""
        path.mkdir(mode=0o700)
        for name, found in self.directory(inode).items():
            if found in self.directories:
                self.lay_out(found, path / name)
            else:
                (path / name).touch(0o600)
                (path / name).write_bytes(self.file(found))


class Recorder:
    """The calls of what runs inside `recording`."""

    def __init__(self, root: Path) -> None:
        self.log: list[Call | Sync | Emitted] = []
        self.root = root.stat().st_ino
        self._known: dict[int, int] = {}
        self._next = 0
        self.base = Disk()
        self._read(root, self.base)
        self.top = self._id(root.stat())

    def _read(self, path: Path, disk: Disk) -> int:
        inode = self._id(path.stat())
        if path.is_dir():
            disk.directories[inode] = {each.name: self._read(each, disk) for each in path.iterdir()}
        else:
            disk.files[inode] = bytearray(path.read_bytes())
        return inode

    def _id(self, status: os.stat_result, *, new: bool = False) -> int:
        """Return our number of an inode: the system gives the number of a removed one to the next."""
        if new or status.st_ino not in self._known:
            self._next += 1
            self._known[status.st_ino] = self._next
        return self._known[status.st_ino]

    def crash(self, calls: int, dropped: Collection[int] = ()) -> Disk:
        """Return the disk after so many entries of the log, but for the unsynced ones in *dropped*."""
        disk = Disk(
            {inode: bytearray(content) for inode, content in self.base.files.items()},
            {inode: dict(names) for inode, names in self.base.directories.items()},
        )
        for number, entry in enumerate(self.log[:calls]):
            if isinstance(entry, Call) and number not in dropped:
                entry.apply(disk)
        return disk

    def unsynced(self, calls: int) -> list[int]:
        """Return the calls among the first so many that a power cut may undo."""
        found = []
        for number, entry in enumerate(self.log[:calls]):
            if isinstance(entry, Call):
                later = [each.inode for each in self.log[number:calls] if isinstance(each, Sync)]
                if None not in later and not set(entry.inodes) <= set(later):
                    found.append(number)
        return found

    def emitted(self, calls: int) -> list[str]:
        """Return what had left by then."""
        return [entry.text for entry in self.log[:calls] if isinstance(entry, Emitted)]

    # The calls. Each is recorded after it was made: a model of what fails is test_disk_errors.py.

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what this process does to files."""
        with pytest.MonkeyPatch.context() as patch:
            for name in (
                "open",
                "write",
                "pwrite",
                "ftruncate",
                "fsync",
                "fdatasync",
                "mkdir",
                "link",
                "unlink",
                "rename",
            ):
                patch.setattr(os, name, getattr(self, f"_{name}")(getattr(os, name)))
            patch.setattr(sync, "syncfs_works", lambda _descriptor: True)
            patch.setattr(sync, "syncfs", lambda _descriptor: self.log.append(Sync(None)))
            yield

    def _add(self, name: str, inodes: tuple[int, ...], apply: Callable[[Disk], None]) -> None:
        self.log.append(Call(name, inodes, apply))

    def _above(self, path: Any, dir_fd: int | None) -> int:
        if dir_fd is not None:
            return self._id(os.fstat(dir_fd))
        return self._id(Path(path).absolute().parent.stat())

    def _named(self, call: str, above: int, name: str, inode: int) -> None:
        self._add(f"{call} {name}", (above,), lambda disk: disk.directory(above).setdefault(name, inode))

    def _open(self, real: Any) -> Any:
        def call(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            before = self._exists(path, dir_fd)
            descriptor: int = real(path, flags, mode, dir_fd=dir_fd)
            if flags & os.O_CREAT and not before:
                inode = self._id(os.fstat(descriptor), new=True)
                self._named("create", self._above(path, dir_fd), Path(path).name, inode)
            return descriptor

        return call

    @staticmethod
    def _exists(path: Any, dir_fd: int | None) -> bool:
        try:
            os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
        except OSError:
            return False
        return True

    def _write(self, real: Any) -> Any:
        def call(descriptor: int, data: Any) -> int:
            at = os.lseek(descriptor, 0, os.SEEK_CUR)
            if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND:
                at = os.fstat(descriptor).st_size
            written: int = real(descriptor, data)
            self._written(descriptor, bytes(data)[:written], at)
            return written

        return call

    def _pwrite(self, real: Any) -> Any:
        def call(descriptor: int, data: Any, at: int) -> int:
            written: int = real(descriptor, data, at)
            self._written(descriptor, bytes(data)[:written], at)
            return written

        return call

    def _written(self, descriptor: int, data: bytes, at: int) -> None:
        inode = self._id(os.fstat(descriptor))
        while data:
            size = PAGE - at % PAGE
            self._page(inode, data[:size], at)
            data, at = data[size:], at + size

    def _page(self, inode: int, page: bytes, at: int) -> None:
        def apply(disk: Disk) -> None:
            content = disk.file(inode)
            content.extend(bytes(max(0, at - len(content))))
            content[at : at + len(page)] = page

        self._add("write", (inode,), apply)

    def _ftruncate(self, real: Any) -> Any:
        def call(descriptor: int, size: int) -> None:
            real(descriptor, size)
            inode = self._id(os.fstat(descriptor))
            self._add("truncate", (inode,), lambda disk: disk.file(inode).__delitem__(slice(size, None)))

        return call

    def _fsync(self, real: Any) -> Any:
        def call(descriptor: int) -> None:
            real(descriptor)
            self.log.append(Sync(self._id(os.fstat(descriptor))))

        return call

    _fdatasync = _fsync

    def _mkdir(self, real: Any) -> Any:
        def call(path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
            real(path, mode, dir_fd=dir_fd)
            inode = self._id(os.stat(path, dir_fd=dir_fd), new=True)
            above, name = self._above(path, dir_fd), Path(path).name

            def apply(disk: Disk) -> None:
                disk.directory(inode)
                disk.directory(above)[name] = inode

            self._add(f"mkdir {name}", (above,), apply)

        return call

    def _link(self, real: Any) -> Any:
        def call(source: Any, name: Any, *, src_dir_fd: int, dst_dir_fd: int, **more: Any) -> None:
            real(source, name, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, **more)
            inode = self._id(os.stat(name, dir_fd=dst_dir_fd, follow_symlinks=False))
            self._named("link", self._above(name, dst_dir_fd), name, inode)

        return call

    def _unlink(self, real: Any) -> Any:
        def call(name: Any, *, dir_fd: int | None = None) -> None:
            real(name, dir_fd=dir_fd)
            above = self._above(name, dir_fd)
            self._add(
                f"unlink {name}", (above,), lambda disk: disk.directory(above).pop(Path(name).name, None)
            )  # fmt: skip

        return call

    def _rename(self, real: Any) -> Any:
        def call(source: Any, name: Any, *, src_dir_fd: int, dst_dir_fd: int) -> None:
            real(source, name, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
            inode = self._id(os.stat(name, dir_fd=dst_dir_fd, follow_symlinks=False))
            old, new = self._above(source, src_dir_fd), self._above(name, dst_dir_fd)

            def apply(disk: Disk) -> None:
                disk.directory(old).pop(source, None)
                disk.directory(new)[name] = inode

            self._add(f"rename {name}", (old, new), apply)

        return call
