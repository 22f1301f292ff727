"""The reader's thread: everything in order, only so much of it ahead, and gone when it is closed."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from pathlib import Path

import pytest

from target_hashfs.ahead import AHEAD_BYTES, CHUNK_BYTES, ReadAhead
from tests.waiting import wait_until


@pytest.fixture
def pipe():
    """A pipe whose ends are closed at the end, if they are not yet."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def feed(descriptor: int, octets: bytes) -> threading.Thread:
    """Write *octets* and close, in a thread: a pipe holds little."""

    def work() -> None:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            view = memoryview(octets)
            while view:
                view = view[file.write(view) :]

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_everything_in_order(pipe) -> None:
    """More than fits in memory ahead comes out as it went in, and then nothing: the end."""
    octets = b"".join(b"%07d\n" % number for number in range((AHEAD_BYTES + 3 * CHUNK_BYTES) // 8))
    writer = feed(pipe[1], octets)
    with ReadAhead(pipe[0]) as ahead:
        found = b"".join(iter(ahead.take, b""))
    writer.join()
    assert octets == found


def test_bounded(pipe) -> None:
    """Whoever writes more than may be read ahead waits for whoever takes."""
    writer = feed(pipe[1], bytes(2 * AHEAD_BYTES))
    with ReadAhead(pipe[0]) as ahead:
        writer.join(0.5)
        assert writer.is_alive()
        taken = len(ahead.take())
        while chunk := ahead.take():
            taken += len(chunk)
    writer.join()
    assert 2 * AHEAD_BYTES == taken


def test_ready(pipe) -> None:
    """`ready` can be polled together with other things."""
    with ReadAhead(pipe[0]) as ahead:
        assert ([], [], []) == select.select([ahead.ready], [], [], 0)
        os.write(pipe[1], b"abc")
        assert ([ahead.ready], [], []) == select.select([ahead.ready], [], [], 30)
        assert b"abc" == ahead.take()
        assert ([], [], []) == select.select([ahead.ready], [], [], 0)


@pytest.mark.parametrize("octets", [0, AHEAD_BYTES + 2 * CHUNK_BYTES], ids=["idle", "full"])
def test_close(pipe, octets: int) -> None:
    """Closing ends the thread, whether it waits for input or for room, and leaves the descriptor open."""
    before = threading.active_count()
    writer = feed(pipe[1], bytes(octets)) if octets else None
    with ReadAhead(pipe[0]) as ahead:
        wait_until(lambda: writer is None or ahead._bytes >= AHEAD_BYTES)
    while writer is not None and writer.is_alive():
        os.read(pipe[0], CHUNK_BYTES)
    assert before >= threading.active_count()
    os.fstat(pipe[0])


def test_signals_are_for_others(pipe) -> None:
    """A signal must interrupt the main thread, which may be writing to a pipe that nobody reads."""
    with ReadAhead(pipe[0]) as ahead:
        status = Path(f"/proc/self/task/{ahead._thread.native_id}/status")

        def blocked() -> int:
            return int(status.read_text().partition("SigBlk:")[2].split()[0], 16)

        wait_until(lambda: all(blocked() >> signum - 1 & 1 for signum in (signal.SIGTERM, signal.SIGINT)))


def test_octet_by_octet(pipe) -> None:
    """What goes round small pieces in memory counts too: as many as the bound has octets would be a multiple of it."""
    with ReadAhead(pipe[0]) as ahead:
        for number in range(100):
            os.write(pipe[1], b"x")
            wait_until(lambda number=number: len(ahead._chunks) > number)
        assert ahead._bytes >= 100 * sys.getsizeof(b"x")


def test_unreadable(tmp_path) -> None:
    """An error of reading is raised where the input is taken."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        with ReadAhead(descriptor) as ahead, pytest.raises(IsADirectoryError):
            ahead.take()
    finally:
        os.close(descriptor)
