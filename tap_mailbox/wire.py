"""Writes Singer messages to stdout, each line whole or not at all.

A target that is busy lets the pipe fill up. A writer that is ended while it waits in the middle of a line
leaves half a record, and whatever is written after it lands on the same line (singer.md 1.2). So a line is
begun only when the pipe has room for all of it; until then a signal may end the run between two lines.
Only a line longer than the pipe itself (1 MiB) has to be written piecemeal.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import struct
import sys
import termios
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import orjson
from singer_sdk.singerlib.encoding import SingerMessageType
from singer_sdk.singerlib.encoding.base import GenericSingerWriter

from tap_mailbox.errors import OutputGone

if TYPE_CHECKING:
    from singer_sdk.singerlib import Message

    from tap_mailbox.stop import Stop

PIPE_OCTETS = 1024 * 1024
"""The most that Linux grants without privilege (/proc/sys/fs/pipe-max-size); fewer wake-ups, too."""
SMALL_PIPE_OCTETS = 65_536
"""What a pipe has when it cannot be enlarged (pipe(7))."""
PAGE = 4096
POLL_SECONDS = 0.001


class PipeWriter(GenericSingerWriter[bytes, "Message"]):
    """The SDK's message writer (`message_writer`), on the file descriptor below `sys.stdout`."""

    def __init__(self, stop: Stop) -> None:
        super().__init__()
        self._stop = stop
        self._pipe: _Pipe | None = None
        self._looked = False

    def serialize_message(self, message: Message) -> bytes:
        """Return the line of one message, with its newline."""
        # A STATE's own to_dict would copy it deeply; with thousands of folders that is what costs.
        if message.type is SingerMessageType.STATE:
            fields: dict[str, Any] = {"type": "STATE", "value": message.value}  # type: ignore[attr-defined]
        else:
            fields = message.to_dict()
        return orjson.dumps(fields, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)

    def write_message(self, message: Message) -> None:
        """Write one message.

        Raises:
            Stopped: a signal arrived while the pipe was full; nothing of this line was written.
            OutputGone: whoever read the pipe is gone, or the disk behind stdout is full.
        """
        line = self.serialize_message(message)
        try:
            self._write(line)
        except OSError as error:
            raise OutputGone(error.strerror or type(error).__name__) from None

    def _write(self, line: bytes) -> None:
        if not self._looked:
            self._pipe = _stdout_pipe()
            self._looked = True
        if self._pipe is None:
            # A file, a terminal, or the buffer of a test in the same process.
            sys.stdout.write(line.decode())
            sys.stdout.flush()
            return
        while not self._pipe.has_room(len(line)):
            self._stop.check()
            self._pipe.wait()
        self._pipe.write(line)


class _Pipe:
    """The writing end of a pipe, and how full it is.

    A pipe is made of pages, and a write begins a new one unless its last piece fits behind what is there
    (pipe_write in fs/pipe.c). So octets do not say how many pages are taken; the lines not yet read do.
    """

    def __init__(self, fd: int, capacity: int) -> None:
        self._fd, self._pages = fd, capacity // PAGE
        self._written = 0
        self._taken = 0
        self._lines: deque[tuple[int, int]] = deque()
        """Where each line that may be unread ends, in octets written, and the pages it takes at most."""
        self._poll = select.poll()
        self._poll.register(fd, 0)

    def has_room(self, octets: int) -> bool:
        """Whether a line will be written at once; True as well for one that can never fit."""
        waiting = struct.unpack("i", fcntl.ioctl(self._fd, termios.FIONREAD, bytes(4)))[0]
        while self._lines and self._lines[0][0] <= self._written - waiting:
            self._taken -= self._lines.popleft()[1]
        pages = -(-octets // PAGE)
        return not self._lines or pages > self._pages or self._taken + pages <= self._pages

    def wait(self) -> None:
        """Wait a moment for the reader.

        Raises:
            BrokenPipeError: it is gone; whoever only waits for room would wait for ever.
        """
        # Asked for nothing, poll tells of errors alone (poll(2)): a pipe without a reader is one.
        if self._poll.poll(0):
            raise BrokenPipeError(errno.EPIPE, "the reader is gone")
        time.sleep(POLL_SECONDS)

    def write(self, line: bytes) -> None:
        """Write a line, in pieces if it is longer than the pipe."""
        view = memoryview(line)
        while view:
            view = view[os.write(self._fd, view) :]
        self._written += len(line)
        pages = -(-len(line) // PAGE)
        self._taken += pages
        self._lines.append((self._written, pages))


def _stdout_pipe() -> _Pipe | None:
    try:
        fd = sys.stdout.fileno()
        if not stat.S_ISFIFO(os.fstat(fd).st_mode):
            return None
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        return None
    try:
        return _Pipe(fd, fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_OCTETS))
    except (OSError, AttributeError):
        # Too many large pipes of this user, or not Linux.
        return _Pipe(fd, SMALL_PIPE_OCTETS)
