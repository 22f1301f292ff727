"""One directory: what there is to read in it, by scandir and stat alone."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_mailbox.errors import AccountError
from tap_mailbox.sources.files.layout import is_control_file
from tap_mailbox.sources.files.names import display

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# target-hashfs keeps these beside the messages of its archive.
_HASHFS_FILES = frozenset({"hashfs.json", "_journal", "_state", "_quarantine", "_lock"})


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file, as it was before it was read."""

    relative: str
    """From the account's `path`, as the operating system spells it."""
    size: int
    mtime_ns: int
    in_maildir: bool = False
    """It lies in cur/ or new/ of a Maildir."""

    @property
    def name(self) -> str:
        """The last component of the path."""
        return self.relative.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Subdirectory:
    """A directory to go into."""

    relative: str


@dataclass(slots=True)
class Listing:
    """What a directory holds, in path order; the files of a Maildir's cur/ and new/ are its own."""

    steps: list[Found | Subdirectory] = field(default_factory=list)
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    """(reason, path) of what is not read and deserves a word."""
    failures: list[str] = field(default_factory=list)
    vanished: int = 0

    @property
    def files(self) -> list[Found]:
        """The files alone."""
        return [step for step in self.steps if isinstance(step, Found)]


def check_path(path: Path) -> os.stat_result:
    """Return the status of the account's `path`, which is there and can be opened.

    Raises:
        AccountError: There is no file or directory, or it cannot be opened.
    """
    expected = f"{path}: expected a file or directory with mail"
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            os.scandir(path).close()
        elif stat.S_ISREG(status.st_mode):
            path.open("rb").close()
        else:
            raise AccountError(f"{expected}, found a device, socket or pipe. Correct the account's `path`.")
    except FileNotFoundError:
        raise AccountError(
            f"{expected}, found nothing there. Mount the disk it is on, or correct the account's `path`."
        ) from None
    except OSError as error:
        raise AccountError(
            f"{expected}, found one that cannot be opened ({error.strerror}). "
            "Give the user who runs the tap the right to read it."
        ) from error
    return status


def list_directory(root: Path, relative: str, *, layout: str, check: Callable[[], None]) -> Listing:
    """Return what there is to read in a directory.

    - Hidden files are left out (.DS_Store, .mbsyncstate), hidden directories too unless they are a Maildir
      (Maildir++ names its subfolders `.Sent`), and the bookkeeping of Dovecot and Courier.
    - A symbolic link to a file is read as the file; one to a directory is not followed, it may be a loop.
    - tmp/ of a Maildir holds mail that is not delivered yet (maildir(5)) and is not read.

    Raises:
        OSError: The directory cannot be listed.
    """
    listing = Listing()
    entries = _entries(root / relative)
    directories = {entry.name for entry in entries if entry.is_dir(follow_symlinks=False)}
    of_hashfs = any(entry.name == "hashfs.json" for entry in entries)
    has_maildir = {"cur", "new"} <= directories
    as_maildir = (
        has_maildir if layout == "auto" else layout == "maildir" and bool({"cur", "new"} & directories)
    )
    for entry in entries:
        check()
        path = f"{relative}/{entry.name}" if relative else entry.name
        if of_hashfs and entry.name in _HASHFS_FILES:
            continue
        if entry.name not in directories:
            _take_file(entry, path, listing, in_maildir=False)
        elif as_maildir and entry.name in ("cur", "new"):
            _take_maildir(root, path, listing, check)
        elif entry.name == "tmp" and has_maildir:
            continue
        elif entry.name.startswith(".") and not _is_maildir(root / path):
            listing.passed_over.append(("hidden directories, not searched", display(path)))
        else:
            listing.steps.append(Subdirectory(path))
    return listing


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    """Return the entries by the octets of their names, which no locale changes."""
    with os.scandir(directory) as entries:
        return sorted(entries, key=lambda entry: os.fsencode(entry.name))


def _is_maildir(directory: Path) -> bool:
    return all((directory / name).is_dir() for name in ("cur", "new"))


def _take_maildir(root: Path, relative: str, listing: Listing, check: Callable[[], None]) -> None:
    try:
        entries = _entries(root / relative)
    except OSError as error:
        listing.failures.append(f"{display(relative)}: cannot be listed ({error.strerror})")
        return
    for entry in entries:
        check()
        path = f"{relative}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            listing.passed_over.append(
                ("directories inside of cur/ or new/ of a Maildir, not searched", display(path))
            )
        else:
            _take_file(entry, path, listing, in_maildir=True)


def _take_file(entry: os.DirEntry[str], path: str, listing: Listing, *, in_maildir: bool) -> None:
    if entry.name.startswith(".") or is_control_file(entry.name):
        return
    try:
        status = entry.stat()
    except FileNotFoundError:
        if entry.is_symlink():
            listing.passed_over.append(("symbolic links that lead nowhere", display(path)))
        else:
            listing.vanished += 1
        return
    except OSError as error:
        listing.failures.append(f"{display(path)}: cannot be looked at ({error.strerror})")
        return
    if stat.S_ISREG(status.st_mode):
        listing.steps.append(Found(path, status.st_size, status.st_mtime_ns, in_maildir))
    elif stat.S_ISDIR(status.st_mode):
        listing.passed_over.append(("symbolic links to directories, not followed", display(path)))
    else:
        # A FIFO would block whoever opens it.
        listing.passed_over.append(("devices, sockets or pipes", display(path)))
