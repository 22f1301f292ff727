"""Lets STATE leave on standard output, and says why when it cannot."""

from __future__ import annotations

import json
import os
import select
import sys
from io import UnsupportedOperation
from typing import TYPE_CHECKING

from target_hashfs.errors import TargetError

if TYPE_CHECKING:
    from target_hashfs.state import State
    from target_hashfs.stop import Stop


def require_output() -> None:
    """Refuse to begin without a place for the states.

    Raises:
        TargetError: standard output is closed.
    """
    if sys.stdout is None:
        raise TargetError(
            "expected an open standard output for the states, found it closed; nothing was read: lead it to "
            "a file or a pipe, then run again"
        )


def emit(stop: Stop, state: State) -> None:
    """Print *state*: the one place from which STATE leaves, called by the archive after a commit.

    Raises:
        TargetError: it cannot be printed; the messages that it covers are durable all the same.
    """
    line = json.dumps(state) + "\n"
    try:
        try:
            descriptor = sys.stdout.fileno()
        except UnsupportedOperation:  # no file: somebody in this process listens
            sys.stdout.write(line)
        else:
            _write(descriptor, line.encode(), stop)
    except OSError as error:
        # Python flushes once more at exit, and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            found = "nobody reads the states on standard output any more (Meltano ended?)"
        else:
            found = f"writing the states to standard output failed: {error.strerror}; see where it leads"
        raise TargetError(
            f"{found}. All messages received are durable; the next run reads some of them again"
        ) from None


def _write(descriptor: int, line: bytes, stop: Stop) -> None:
    """Write *line* in pieces that never block, so that a signal is noticed whenever it comes.

    Python handles a signal before or after write(2), not while it waits; one that comes between its last look
    and the call would wait with it for ever.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if stop.wakeup is not None:
        poll.register(stop.wakeup, select.POLLIN)
    rest = memoryview(line)
    while rest:
        ready = dict(poll.poll())
        if stop.wakeup in ready:
            os.read(stop.wakeup or 0, 4096)
        if descriptor in ready:
            rest = rest[os.write(descriptor, rest[: select.PIPE_BUF]) :]
