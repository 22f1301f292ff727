"""An archive, opened to be looked at: nothing in it is created, changed, or locked for long."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from target_hashfs.address import JOURNALS, MARKER
from target_hashfs.errors import RootError
from target_hashfs.marker import Marker
from target_hashfs.store import Kind, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType


class Opened:
    """An archive held open; use it in a `with` statement."""

    def __init__(self, path: Path) -> None:
        """Open the directory *path*.

        Raises:
            RootError: it is no directory.
        """
        self.path = path
        try:
            self._directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise RootError(
                f"{path}: expected the directory of an archive, found none ({error.strerror}). Name the "
                f"directory that holds {MARKER}"
            ) from None
        self.store = Store(self._directory)

    def __enter__(self) -> Opened:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.forget_directories()
        os.close(self._directory)

    def marker(self) -> Marker | None:
        """Return what hashfs.json says; None when there is none, but journals show that it is an archive.

        Raises:
            RootError: the directory is no archive, or its hashfs.json cannot be understood.
        """
        found = self.store.look(MARKER)
        if found is not None and found.kind is Kind.FILE:
            return Marker.parse(found.content, self.path)
        if self.store.names(JOURNALS):
            return None
        raise RootError(
            f"{self.path}: expected an archive ({MARKER} lies at its top), found no {MARKER}. Is its disk "
            "mounted? Name the directory that holds it"
        )

    def require_marker(self) -> Marker:
        """Return what hashfs.json says.

        Raises:
            RootError: there is none, or it cannot be understood.
        """
        marker = self.marker()
        if marker is None:
            raise RootError(
                f"{self.path}: expected {MARKER}, found journals only. Restore it, then run hashfs verify"
            )
        return marker

    @contextmanager
    def between_commits(self) -> Iterator[None]:
        """Keep runs from committing inside; they wait, so be brief."""
        try:
            lock = self.store.open_existing(MARKER)
        except OSError:
            # No run commits without the marker.
            yield
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield
        finally:
            self.store.forget_directories()
            os.close(lock)
