"""The directories and mbox files of a files account, by looking at names and first octets alone."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from tap_mailbox.errors import AccountError
from tap_mailbox.sources.files.layout import HEAD_BYTES, Kind, Misfit, kind_of
from tap_mailbox.sources.files.listing import Found, Subdirectory, check_path, list_directory
from tap_mailbox.sources.files.names import bookmark_key, display
from tap_mailbox.sources.summary import FolderSummary, Survey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_mailbox.config import Account

_ONE_MESSAGE = frozenset({Kind.EML, Kind.EMLX, Kind.MAILDIR, Kind.JSON})


def survey_files(account: Account) -> Survey:
    """Return what a files account has; an mbox is not counted through. See `survey`.

    Raises:
        AccountError: there is nothing at `path`, or it cannot be opened.
    """
    path = account.path
    if path is None:
        raise AccountError("no path is configured")
    status = check_path(path)
    if stat.S_ISDIR(status.st_mode):
        folders = list(_directory(path, "", account.format))
    else:
        found = Found(path.name, status.st_size, status.st_mtime_ns)
        kind = _kind(path.parent, found, account.format)
        folders = [_summary("", 1 if kind in _ONE_MESSAGE else None)]
    return Survey(server=str(path), credential="", fallbacks=[], folders=folders)


def _directory(root: Path, relative: str, layout: str) -> Iterator[FolderSummary]:
    """Yield the directories that hold single messages, and the mbox files: what the state has entries for."""
    waiting = [relative]
    while waiting:
        relative = waiting.pop()
        try:
            listing = list_directory(root, relative, layout=layout, check=lambda: None)
        except OSError as error:
            raise AccountError(f"{root / relative}: cannot be listed ({error.strerror})") from None
        kinds = {found: _kind(root, found, layout) for found in listing.files}
        if singles := sum(kind in _ONE_MESSAGE for kind in kinds.values()):
            yield _summary(relative, singles)
        for found, kind in kinds.items():
            if kind is Kind.MBOX:
                yield _summary(found.relative, None)
        waiting += [step.relative for step in reversed(listing.steps) if isinstance(step, Subdirectory)]


def _kind(root: Path, found: Found, layout: str) -> Kind:
    if found.in_maildir:
        return Kind.MAILDIR
    try:
        with (root / found.relative).open("rb", buffering=0) as stream:
            return kind_of(layout, found.name, stream.read(HEAD_BYTES)) if found.size else Kind.EMPTY
    except (OSError, Misfit):
        # The run names such a file; here it is merely not counted.
        return Kind.FAILED


def _summary(relative: str, messages: int | None) -> FolderSummary:
    return FolderSummary(
        key=bookmark_key(relative), name=display(relative), special=(), selected=True, messages=messages
    )
