"""`wait_until`: for what no event tells of, such as another process; and what such a wait can look at."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios
import time
from collections.abc import Callable
from pathlib import Path


def wait_until(happened: Callable[[], object], seconds: float = 30) -> None:
    """Return once *happened* says so; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)  # between two looks


def unread(pipe: int) -> int:
    """Return how many octets are in a pipe; any end of it will do."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return int(count)


def is_full(pipe: Path) -> bool:
    """Whether a pipe, given as a path below /proc, has no room: who writes to it waits, or will at once."""
    descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    try:
        return select.select([], [descriptor], [], 0)[1] == []
    finally:
        os.close(descriptor)


def children(pid: int) -> list[str]:
    """Return the ids of the processes that a process has started and that are still there, as it is."""
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def runs(pid: str) -> bool:
    """Whether a process is there, and no more than a memory of its parent's."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False
