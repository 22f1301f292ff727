"""Token files: read as they are, replaced whole and durably, by one process at a time (docs/adr/0006)."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import secrets
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_mailbox.auth.seal import is_sealed, opened, sealed
from tap_mailbox.errors import CredentialError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_BYTES = 1024 * 1024
LOCK_TIMEOUT_SECONDS = 150.0
"""More than a renewal takes against a server that answers nothing."""
LOCK_POLL_SECONDS = 0.05
RESERVED_BYTES = 64 * 1024
"""Set aside before a request, so that a full disk is known before the refresh token has been replaced."""


class TokenFile:
    """The JSON object that holds an account's refresh token.

    A reader sees the old file or the new one, whole, whatever kills the writer. `write` is for whoever holds
    `locked()`, and takes the lock itself otherwise. A symbolic link is followed, its target replaced. One
    object serves one thread at a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = f"token file {path}"
        # Not at each use: a link that is turned meanwhile must not part the file from its lock.
        self._real = Path(os.path.realpath(path))
        self._locked = False
        self._reserve: tuple[int, Path] | None = None

    def read(self) -> dict[str, Any]:
        """Return the file's fields.

        Raises:
            CredentialError: it is missing, unreadable, no JSON object, or (SealBroken) no key opens it.
        """
        fields = self._object(self._octets())
        return self._object(opened(fields, name=self._name)) if is_sealed(fields) else fields

    def write(self, fields: Mapping[str, Any]) -> None:
        """Replace the file: mode 600, durable on return, sealed when there is a key.

        Raises:
            CredentialError: it cannot be written, or (SealBroken) what is there has a key we do not know.
        """
        with self.locked():
            self.check_seal()
            # ASCII, so that a lone surrogate of somebody's file survives.
            octets = sealed(json.dumps(dict(fields), indent=2).encode() + b"\n")
            self.reserve()
            try:
                self._replace(octets)
            except OSError as error:
                raise self._unwritable(error) from None

    def reserve(self) -> None:
        """Make sure that `write` will find room; within `locked()`, before asking for what must be kept.

        Raises:
            CredentialError: the directory cannot be written, or is full.
        """
        if self._reserve is not None:
            return
        path = self._real.with_name(f".{self._real.name}.{secrets.token_hex(8)}.tmp")
        try:
            # The mode of the moment: there is none in which others could read it.
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._reserve = handle, path
            if hasattr(os, "posix_fallocate"):  # macOS has none
                os.posix_fallocate(handle, 0, RESERVED_BYTES)
        except OSError as error:
            # Some file systems set nothing aside; that they take the file is what we can know there.
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise self._unwritable(error) from None

    def delete(self) -> None:
        """Delete the file; the lock file stays, since somebody may be waiting for it."""
        with self.locked():
            try:
                self._real.unlink(missing_ok=True)
                self._sync_directory()
            except OSError as error:
                raise self._unwritable(error) from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process and thread from writing the file; reading needs no lock.

        Raises:
            Unavailable: somebody else held it all the time we wait.
            CredentialError: there is no place for the lock file.
        """
        if self._locked:
            yield
            return
        lock = self._real.with_name(f".{self._real.name}.lock")
        try:
            # Not through a link that somebody planted in a directory open to all.
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise CredentialError(
                f"{self._name} cannot be renewed: its lock {lock} cannot be opened ({error.strerror}); it "
                "and its directory must be writable"
            ) from None
        try:
            self._wait_for(handle)
            self._locked = True
            self._sweep()
            yield
        finally:
            self._locked = False
            self._drop_reserve()
            os.close(handle)  # which unlocks

    def _wait_for(self, handle: int) -> None:
        deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # In slices rather than in the kernel: a signal's grace period ends a sleep.
                if time.monotonic() > deadline:
                    raise Unavailable(
                        f"{self._name} has been locked by another process for {LOCK_TIMEOUT_SECONDS:.0f} s"
                    ) from None
                time.sleep(LOCK_POLL_SECONDS)
            except OSError as error:
                raise self._unwritable(error) from None
            else:
                return

    def _sweep(self) -> None:
        """Remove the temporary files of writers that were killed; only the lock's holder has living ones."""
        # The whole name: `token.json` must not sweep what belongs to `token.json.old`.
        ours = re.compile(rf"\.{re.escape(self._real.name)}\.[0-9a-f]{{16}}\.tmp")
        # What cannot be listed or removed is litter, and no reason to stop.
        with suppress(OSError):
            for each in self._real.parent.iterdir():
                if ours.fullmatch(each.name):
                    each.unlink(missing_ok=True)

    def _replace(self, octets: bytes) -> None:
        assert self._reserve is not None  # noqa: S101  # `reserve` has been called
        handle, path = self._reserve
        with open(handle, "wb", closefd=False) as file:
            file.write(octets)
        os.ftruncate(handle, len(octets))
        os.fsync(handle)
        path.replace(self._real)
        self._reserve = None
        os.close(handle)
        # The name is durable only with its directory.
        self._sync_directory()

    def _sync_directory(self) -> None:
        handle = os.open(self._real.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _drop_reserve(self) -> None:
        if self._reserve is not None:
            handle, path = self._reserve
            self._reserve = None
            os.close(handle)
            with suppress(OSError):
                path.unlink()

    def _octets(self) -> bytes:
        try:
            # Not blocking, for a FIFO would wait for its writer.
            handle = os.open(self._real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise CredentialError(f"{self._name} is no regular file")
                with open(handle, "rb", closefd=False) as file:
                    return file.read(MAX_BYTES + 1)
            finally:
                os.close(handle)
        except FileNotFoundError:
            raise CredentialError(
                f"{self._name} does not exist; `mailbox login` signs in and writes it"
            ) from None
        except OSError as error:
            raise CredentialError(f"{self._name} cannot be read ({error.strerror})") from None

    def _object(self, octets: bytes) -> dict[str, Any]:
        try:
            fields = json.loads(octets) if len(octets) <= MAX_BYTES else None
        except (ValueError, RecursionError):
            # Not `from error`: a JSON error carries the document, and this one holds tokens.
            fields = None
        if not isinstance(fields, dict):
            raise CredentialError(f"{self._name} is no JSON object; sign in again with `mailbox login`")
        return fields

    def check_seal(self) -> None:
        """Make sure that the file, if it is sealed, can be opened: a refresh token must not be lost.

        Raises:
            SealBroken: TAP_MAILBOX_KEY holds no key that fits.
        """
        try:
            fields = self._object(self._octets())
        except CredentialError:
            return
        if is_sealed(fields):
            opened(fields, name=self._name)

    def _unwritable(self, error: OSError) -> CredentialError:
        return CredentialError(
            f"{self._name} cannot be replaced ({error.strerror}); its directory must be writable, "
            "for a new refresh token has to be kept"
        )
