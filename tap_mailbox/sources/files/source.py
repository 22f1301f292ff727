"""The files source: walks `path` in path order and reads what the bookmark does not cover.

A directory's files share one entry of the bookmark, an mbox file has its own. An entry is stored only when
everything it covers was handed over: after a failure in it, it stays as it was, and the next run reads that
directory or mbox again, whole (the archive knows what it has). What `start_date` holds back counts as read.
"""

from __future__ import annotations

import logging
import stat
from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import AccountError
from tap_mailbox.message import Checkpoint, RawMessage, Seen
from tap_mailbox.sources.base import Report, Source
from tap_mailbox.sources.files import mbox
from tap_mailbox.sources.files.bookmark import Entry, PathBookmark, fits_file, moment_of
from tap_mailbox.sources.files.layout import HEAD_BYTES, Kind, Misfit, kind_of
from tap_mailbox.sources.files.listing import Found, Listing, Subdirectory, check_path, list_directory
from tap_mailbox.sources.files.names import display, one_line
from tap_mailbox.sources.files.plan import plan_directory
from tap_mailbox.sources.files.separator import internal_date
from tap_mailbox.sources.files.single import PassedOver, read_single
from tap_mailbox.sources.files.tally import Tally

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from tap_mailbox.message import JsonMessage
    from tap_mailbox.stop import Stop

logger = logging.getLogger(__name__)

_BUFFER_BYTES = 1024 * 1024
_DEEPEST = 400  # Each directory is a generator within its parent's, and Python bounds that.


class FilesSource(Source):
    """Messages from local files. See `Source`.

    `source.folder` is the directory, for a Maildir the one that holds cur/ and new/, and "." at the top;
    `source.path` is the file, with `#n` for the nth message of an mbox. Both are relative to `path`. When
    `path` is a file, the folder is "." and `source.path` the file's name; its entry in the bookmark is ".".

    Args:
        path: A file, or a directory that is searched recursively.
        layout: The account's `format`: auto, eml, maildir, mbox or json.
        bookmark: The account's part of the state; mutated in place.
        start_date: No message is yielded whose internal date (the `From ` line's, else the file's) is before.
        stop: Looked at between messages and within long ones.
    """

    def __init__(
        self, path: Path, *, layout: str, bookmark: dict[str, Any], start_date: datetime | None, stop: Stop
    ) -> None:
        self.report = Report()
        self._path = path
        self._root = path
        self._layout = layout
        self._bookmark = PathBookmark(bookmark)
        self._start_date = start_date
        self._stop = stop
        self._tally = Tally()
        self._identity: tuple[int, int] | None = None

    def messages(self) -> Iterator[RawMessage | JsonMessage | Checkpoint]:
        """Yield the messages that the bookmark does not cover yet. See `Source.messages`."""
        status = check_path(self._path)
        self._identity = _identity(status)
        try:
            if stat.S_ISDIR(status.st_mode):
                yield from self._directory("")
                self._tell_what_is_gone()
            else:
                self._root = self._path.parent
                yield from self._lone_file(status)
        finally:
            self.report.warnings += self._tally.lines()

    # -- what there is ------------------------------------------------------------------------------------

    def _directory(self, relative: str) -> Iterator[RawMessage | JsonMessage | Checkpoint]:
        if relative.count("/") > _DEEPEST:
            self._fail(relative, f"is nested deeper than {_DEEPEST} directories; not searched")
            return
        try:
            listing = list_directory(self._root, relative, layout=self._layout, check=self._stop.check)
        except FileNotFoundError:
            self._vanished()
            return
        except OSError as error:
            self._fail(relative, f"cannot be listed ({error.strerror})")
            return
        entry = self._entry_for(listing)
        plan = plan_directory(relative, listing.files, self._bookmark, self._look)
        for unchanged in plan.unchanged:
            self._pass(unchanged)
        for step in listing.steps:
            self._stop.check()
            if isinstance(step, Subdirectory):
                yield from self._directory(step.relative)
            elif plan.kinds.get(step) is Kind.MBOX:
                yield from self._mbox(step, folder=relative)
            elif step in plan.kinds:
                yield from self._single(step, plan.kinds[step], entry, folder=relative)
        if entry.count:
            yield from self._close(entry, relative)

    def _lone_file(self, status: os.stat_result) -> Iterator[RawMessage | JsonMessage | Checkpoint]:
        found = Found(self._path.name, status.st_size, status.st_mtime_ns)
        self._bookmark.top = found.relative
        if fits_file(self._bookmark.get(found.relative), found):
            self._pass(found.relative)
            return
        kind = self._look(found)
        if kind is Kind.FOREIGN:
            self._fail(found.relative, "is no mail that format: auto recognises; set the account's `format`")
        elif kind is Kind.MBOX:
            yield from self._mbox(found, folder="")
        else:
            entry = Entry()
            yield from self._single(found, kind, entry, folder="")
            if entry.count:
                yield from self._close(entry, found.relative)

    def _entry_for(self, listing: Listing) -> Entry:
        """Return a new entry, and report what the listing has already shown."""
        for reason, path in listing.passed_over:
            self._tally.add(reason, path)
        self.report.failures += [one_line(failure) for failure in listing.failures]
        self.report.vanished += listing.vanished
        entry = Entry()
        entry.complete = not listing.failures
        return entry

    def _look(self, found: Found) -> Kind:
        """Return what a file is by its head; a failure is reported here and now."""
        self._stop.check()
        if not found.size:
            return Kind.EMPTY
        if found.in_maildir:
            return Kind.MAILDIR
        try:
            with (self._root / found.relative).open("rb", buffering=0) as stream:
                return kind_of(self._layout, found.name, stream.read(HEAD_BYTES))
        except FileNotFoundError:
            self._vanished()
            return Kind.GONE
        except OSError as error:
            self._fail(found.relative, f"cannot be read ({error.strerror})")
        except Misfit as misfit:
            self._fail(found.relative, str(misfit))
        return Kind.FAILED

    # -- reading ------------------------------------------------------------------------------------------

    def _single(
        self, found: Found, kind: Kind, entry: Entry, *, folder: str
    ) -> Iterator[RawMessage | JsonMessage | Checkpoint]:
        """Yield the message of a file that holds one."""
        if kind is Kind.FAILED:
            entry.complete = False
            return
        try:
            single = read_single(self._root / found.relative, found, kind, folder=display(folder))
        except FileNotFoundError:
            # It stays out of the entry, which then does not fit if a message of a Maildir was merely renamed.
            self._vanished()
            return
        except OSError as error:
            entry.complete = False
            self._fail(found.relative, f"cannot be read ({error.strerror})")
            return
        except Misfit as misfit:
            entry.complete = False
            self._fail(found.relative, str(misfit))
            return
        if isinstance(single, PassedOver):
            if single.reason:
                self._tally.add(single.reason, display(found.relative))
            entry.skip(found)
            return
        if single.remark:
            self.report.warnings.append(one_line(f"{display(found.relative)}: {single.remark}"))
        yield from self._hand_over(single.message, found.size)
        entry.add(found)

    def _mbox(self, found: Found, *, folder: str) -> Iterator[RawMessage | JsonMessage | Checkpoint]:
        """Yield the messages of an mbox file, numbered from 1."""
        entry = Entry()
        number = count = 0
        try:
            with (self._root / found.relative).open("rb", buffering=_BUFFER_BYTES) as stream:
                for piece in mbox.split(stream, check=self._stop.check):
                    self._stop.check()
                    number += 1
                    path = f"{display(found.relative)}#{number}"
                    if not piece.octets:
                        self._tally.add("messages without an octet", path)
                        continue
                    received = internal_date(piece.from_line) or moment_of(found.mtime_ns)
                    seen = Seen(protocol="files", folder=display(folder), internal_date=received, path=path)
                    size = len(piece.octets)
                    message = RawMessage(piece.octets, seen)
                    del piece  # the next message is built while nobody holds this one
                    yield from self._hand_over(message, size)
                    del message
                    count += 1
        except FileNotFoundError:
            self._vanished()
            return
        except OSError as error:
            self._fail(found.relative, f"cannot be read further than message {number} ({error.strerror})")
            return
        except Misfit as misfit:
            self._fail(found.relative, str(misfit))
            return
        entry.add(found, count=count)
        yield from self._close(entry, found.relative)

    def _hand_over(
        self, message: RawMessage | JsonMessage, octets: int
    ) -> Iterator[RawMessage | JsonMessage]:
        received = message.seen.internal_date
        if self._start_date is not None and received is not None and received < self._start_date:
            return
        self.report.messages += 1
        self.report.octets += octets
        yield message

    # -- the bookmark and the report ----------------------------------------------------------------------

    def _pass(self, relative: str) -> None:
        """Count a directory or mbox file that was read or found unchanged."""
        self.report.folders += 1
        self._bookmark.visit(relative)

    def _close(self, entry: Entry, relative: str) -> Iterator[Checkpoint]:
        """Store an entry whose last message was handed over."""
        self._pass(relative)
        logger.info("%s: %d messages", one_line(display(relative)), entry.count)
        if entry.complete:
            self._bookmark.store(relative, entry)
            yield Checkpoint(display(relative))

    def _vanished(self) -> None:
        """Count a file that is gone since it was listed; if the whole disk is, raise."""
        self.report.vanished += 1
        if _identity(check_path(self._path)) != self._identity:
            raise AccountError(
                f"{self._path}: expected the one that the run began with, found another one there. "
                "Mount its disk again and start anew; what was read is kept."
            )

    def _fail(self, relative: str, reason: str) -> None:
        self.report.failures.append(one_line(f"{display(relative)}: {reason}"))

    def _tell_what_is_gone(self) -> None:
        """Warn of entries that nothing was found for; they are kept, for the disk may come back."""
        if not self.report.failures:
            for key in self._bookmark.gone():
                self._tally.add("in the bookmark but gone", key)
        if not self.report.folders and not self.report.failures:
            self.report.warnings.append(f"{self._path}: no mail found")


def _identity(status: os.stat_result) -> tuple[int, int]:
    """Return what tells a disk from the empty directory it was mounted on."""
    return status.st_dev, status.st_ino
