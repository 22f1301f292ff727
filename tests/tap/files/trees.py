"""What the tests of the files source share: trees to read, and runs over them that note what is opened."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tap_mailbox.message import Checkpoint, JsonMessage, RawMessage
from tap_mailbox.sources.base import Report
from tap_mailbox.sources.files import FilesSource
from tap_mailbox.stop import Stop


class _Opened:
    """Every file that is opened while it is on, however it is opened."""

    def __init__(self) -> None:
        self.names: list[str] | None = None
        sys.addaudithook(self._hear)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if self.names is not None and event == "open" and isinstance(args[0], (str, bytes)):
            self.names.append(os.fsdecode(args[0]))


_opened = _Opened()


@dataclass
class Run:
    """What one run of the source gave."""

    report: Report
    messages: list[RawMessage | JsonMessage] = field(default_factory=list)
    checkpoints: list[str] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)
    """Files that were opened, relative to the tree."""

    @property
    def paths(self) -> list[str | None]:
        """`source.path` of the messages, in order."""
        return [message.seen.path for message in self.messages]


def source_of(
    path: Path,
    *,
    layout: str = "auto",
    bookmark: dict[str, Any] | None = None,
    start_date: datetime | None = None,
    stop: Stop | None = None,
) -> FilesSource:
    """Return a source as the tap makes it."""
    bookmark = {} if bookmark is None else bookmark
    return FilesSource(path, layout=layout, bookmark=bookmark, start_date=start_date, stop=stop or Stop())


def run(path: Path, **settings: Any) -> Run:
    """Run the source to its end."""
    source = source_of(path, **settings)
    result = Run(source.report)
    names = _opened.names = []
    try:
        for item in source.messages():
            if isinstance(item, Checkpoint):
                result.checkpoints.append(item.folder)
            else:
                result.messages.append(item)
    finally:
        _opened.names = None
    below = f"{path}/" if path.is_dir() else str(path)
    result.opened = {name.removeprefix(below) for name in names if name.startswith(below)}
    return result


def eml(subject: str = "a", body: str = "text\n") -> bytes:
    """Return a small message."""
    return f"From: a@example.org\nSubject: {subject}\n\n{body}".encode()


def mbox_of(*messages: bytes) -> bytes:
    """Return an mbox of messages that need no quoting."""
    return b"".join(
        b"From a@example.org Mon Jan  5 10:30:00 2004\n" + message + b"\n" for message in messages
    )


def plant(root: Path, files: dict[Any, bytes | str], *, mtime: float = 1_700_000_000) -> Path:
    """Write files under *root*, all with one time; a str as content makes a symbolic link to it."""
    for name, content in files.items():
        path = root / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.symlink_to(content)
        else:
            path.write_bytes(content)
            os.utime(path, (mtime, mtime))
    return root
