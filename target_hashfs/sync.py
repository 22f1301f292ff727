"""What makes written bytes durable on which file system.

A file is synced through the descriptor that wrote it, or the whole file system through a directory
descriptor held open since before the writes: an error that happened in between is reported to those two
and may be lost to a descriptor opened later (reproduced on XFS). Any error of a sync is final: the kernel
reports it once and drops the pages, so a second fsync would succeed over lost data.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import logging
import os
import platform
import re
import sys

_logger = logging.getLogger(__name__)

SYNCFS_FILES = 32
"""From how many files on one flush of everything is cheaper than a flush for each."""

# syncfs keeps what fsync promises, and reports errors, on these file systems. FUSE answers 0 without asking
# anyone, and network file systems make it expensive.
_SYNCFS_TYPES = {0xEF53: "ext4", 0x58465342: "xfs", 0x9123683E: "btrfs"}
_SYNCFS_KERNEL = (5, 8)  # before it syncfs reported no write-back error

_NOT_SUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


def syncfs_works(descriptor: int) -> bool:
    """Whether `syncfs` may replace fsync on the file system of *descriptor*."""
    if sys.platform != "linux" or _kernel() < _SYNCFS_KERNEL:
        return False
    libc = _libc()
    if not hasattr(libc, "syncfs") or not hasattr(libc, "fstatfs"):
        return False
    # struct statfs begins with its type, a machine word; 512 bytes are more than it has anywhere.
    buffer = ctypes.create_string_buffer(512)
    if libc.fstatfs(descriptor, buffer) != 0:
        return False
    return ctypes.c_ulong.from_buffer(buffer).value in _SYNCFS_TYPES


def syncfs(descriptor: int) -> None:
    """Make everything written to the file system of *descriptor* durable."""
    if _libc().syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def fsync(descriptor: int) -> None:
    """Make a file durable through the descriptor that wrote it."""
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS: its fsync leaves the bytes in the disk's cache
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def fdatasync(descriptor: int) -> None:
    """Make the content and the size of a file durable."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        fsync(descriptor)


def fsync_directory(descriptor: int) -> None:
    """Make the entries of a directory durable, where its file system has such a thing."""
    try:
        fsync(descriptor)
    except OSError as error:
        # Not an I/O error: some network file systems have no sync for directories and say so.
        if error.errno not in _NOT_SUPPORTED:
            raise
        _warn_once()


def drop_cache(descriptor: int) -> None:
    """Let a file be read from the disk, where the system has such a thing.

    After a failed sync the kernel keeps what it could not write and calls it clean: read back, it looks as if
    it were there. What is still to be written stays in memory, for the next sync to fail or to keep.
    """
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


_warned = False


def _warn_once() -> None:
    global _warned  # noqa: PLW0603 - one warning a process
    if not _warned:
        _warned = True
        _logger.warning("The archive's file system cannot sync directories: a power cut may lose names.")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _kernel() -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2])
