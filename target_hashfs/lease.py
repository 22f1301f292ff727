"""One run per account at a time: `_lock/<account>.lock`, held from the account's first record to the end.

Two runs would do the same work twice and nothing worse: what is durable, and in which order, never depends
on this. The kernel gives a lease back when its holder dies, so that none is ever stale; the file goes when
its holder ends, or when the next run begins, for an archive says what it holds and not who was there.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from target_hashfs.address import LOCKS
from target_hashfs.errors import LeaseError
from target_hashfs.store import explained, read_all

if TYPE_CHECKING:
    from datetime import datetime


# O_NONBLOCK: a pipe that stands there must not wait for its reader.
_LOCK = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Leases:
    """The accounts that this run holds."""

    def __init__(self, root: int, run: str) -> None:
        self._root, self._run = root, run
        self._held: dict[str, int] = {}

    def take(self, account: str, now: datetime) -> None:
        """Hold *account*, whose name was validated, until `release`.

        Raises:
            LeaseError: another run holds it; says who and since when.
        """
        if account in self._held:
            return
        with explained(f"locking account {account}"):
            descriptor = self._lock(account)
            self._held[account] = descriptor
            words = {
                "holder": f"{socket.gethostname()} process {os.getpid()}",
                "since": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
                "run": self._run,
            }
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(words).encode() + b"\n", 0)

    def release(self) -> None:
        """Let go of all of them, and leave nothing behind."""
        while self._held:
            account, descriptor = self._held.popitem()
            try:
                with suppress(FileNotFoundError):
                    # While it is held: whoever waits for this file sees that it is no more the one.
                    os.unlink(f"{LOCKS}/{account}.lock", dir_fd=self._root)
            finally:
                os.close(descriptor)
        with suppress(OSError):
            os.rmdir(LOCKS, dir_fd=self._root)

    def sweep(self) -> None:
        """Remove the files of leases that nobody holds any more: a run that was killed leaves its own.

        Under the archive's lock, as `take`: to see whether a lease is held it is held for a moment.
        """
        try:
            directory = _open_locks(self._root)
        except FileNotFoundError:
            return
        try:
            for name in os.listdir(directory):  # noqa: PTH208 - of a descriptor
                with suppress(OSError):  # it is held, has just gone, or is none of ours
                    _remove_unheld(name, directory)
        finally:
            os.close(directory)
        with suppress(OSError):
            os.rmdir(LOCKS, dir_fd=self._root)

    def _lock(self, account: str) -> int:
        while True:
            try:
                descriptor, directory = self._open(account)
            except FileNotFoundError:
                # Its last holder has just taken the directory away.
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is(descriptor, f"{account}.lock", directory):
                    return descriptor
            except OSError as error:
                holder = _holder(descriptor)
                os.close(descriptor)
                if error.errno not in {errno.EAGAIN, errno.EACCES}:
                    raise
                raise LeaseError(
                    f"account {account} is being archived by another run ({holder}); this one wrote nothing "
                    "of it. Wait for that run, or end it; then run again"
                ) from None
            finally:
                os.close(directory)
            os.close(descriptor)

    def _open(self, account: str) -> tuple[int, int]:
        """Return the lock file and its directory, made where they are missing."""
        with suppress(FileExistsError):
            os.mkdir(LOCKS, 0o700, dir_fd=self._root)
        directory = _open_locks(self._root)
        try:
            return os.open(f"{account}.lock", _LOCK | os.O_CREAT, 0o600, dir_fd=directory), directory
        except BaseException:  # whatever ends the attempt, the directory does not stay open behind it
            os.close(directory)
            raise


def _open_locks(root: int) -> int:
    return os.open(LOCKS, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)


def _remove_unheld(name: str, directory: int) -> None:
    descriptor = os.open(name, _LOCK, dir_fd=directory)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if name.endswith(".lock") and _is(descriptor, name, directory):
            os.unlink(name, dir_fd=directory)
    finally:
        os.close(descriptor)


def _is(descriptor: int, name: str, directory: int) -> bool:
    """Whether *name* is still the file that is open; its holder may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(name, dir_fd=directory, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> str:
    """Return who holds a lease; its writer may be about to say."""
    try:
        words = json.loads(read_all(descriptor))
        return f"{words['holder']}, since {words['since']}"
    except (OSError, ValueError, TypeError, KeyError):
        return "it has just begun"
