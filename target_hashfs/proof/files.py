"""One file of the archive, read: its digest, size and mode, or what stands there instead."""

from __future__ import annotations

import errno
import os
import stat
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from target_hashfs.proof.finding import Code, Finding

if TYPE_CHECKING:
    from target_hashfs.store import Store

_CHUNK_BYTES = 1 << 20
_FILE_MODE = 0o600


class Read(NamedTuple):
    """A regular file."""

    sha256: str
    size: int
    mode: int
    content: bytes
    """Empty unless it was asked for."""


def read(store: Store, path: str, *, keep: bool) -> Read | Finding | None:
    """Return the file at *path*, with its content if *keep*; None when there is none."""
    opened = _open(store, path)
    if not isinstance(opened, _Opened):
        return opened
    try:
        return _read_file(opened, keep=keep)
    except OSError as error:
        return unreadable(path, error)
    finally:
        os.close(opened.descriptor)


def mode_of(store: Store, path: str) -> int | Finding | None:
    """Return the mode of the file at *path*; None when there is none."""
    opened = _open(store, path)
    if not isinstance(opened, _Opened):
        return opened
    os.close(opened.descriptor)
    return opened.mode


class _Opened(NamedTuple):
    descriptor: int
    size: int
    mode: int


def _open(store: Store, path: str) -> _Opened | Finding | None:
    try:
        descriptor = store.open_existing(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        return unreadable(path, error)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode):
        return _Opened(descriptor, found.st_size, stat.S_IMODE(found.st_mode))
    os.close(descriptor)
    kind = "a directory" if stat.S_ISDIR(found.st_mode) else "a device or pipe"
    return Finding(Code.STRAY, path, "a file", kind)


def _read_file(opened: _Opened, *, keep: bool) -> Read:
    descriptor, size, mode = opened
    # One byte more than there is: an answer that is shorter says that the end was reached.
    content = os.read(descriptor, size + 1 if keep else min(size + 1, _CHUNK_BYTES))
    if len(content) == size:
        return Read(sha256(content).hexdigest(), size, mode, content if keep else b"")
    digest, length, parts = sha256(content), len(content), [content]
    while content := os.read(descriptor, _CHUNK_BYTES):
        digest.update(content)
        length += len(content)
        if keep:
            parts.append(content)
    return Read(digest.hexdigest(), length, mode, b"".join(parts) if keep else b"")


def check_mode(path: str, mode: int) -> Finding | None:
    """Return what is wrong with the mode of the file at *path*, if anything is."""
    if mode == _FILE_MODE:
        return None
    return Finding(Code.MODE, path, f"{_FILE_MODE:04o}", f"{mode:04o}")


def unreadable(path: str, error: OSError) -> Finding:
    """Return the finding that *path* cannot be read."""
    if error.errno == errno.ELOOP:
        return Finding(Code.SYMLINK, path, "no symbolic link", "one")
    if error.errno == errno.ENXIO:
        return Finding(Code.STRAY, path, "a file", "a socket")
    return Finding(Code.UNREADABLE, path, "to read it", error.strerror or type(error).__name__)
