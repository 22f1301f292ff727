"""Reads the input ahead in a thread, so that the tap need not stand still while a commit is written."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

CHUNK_BYTES = 1 << 20
"""As much as a pipe holds."""
AHEAD_BYTES = 16 * CHUNK_BYTES
"""What a tap writes in the time of one commit; of half of it little gain was left."""


class ReadAhead:
    """What can be read from *descriptor*, in the order in which it came."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._chunks: deque[bytes | OSError | MemoryError] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        # Not pipes: who makes every nth write(2) fail, as our tests do, means those to the disk.
        self.ready, self._filled = socket.socketpair()
        """`ready` can be polled: it holds one byte while `take` has something to give, and never more."""
        self._wakeup, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def take(self) -> bytes:
        """Return the next chunk, nothing at the end of the input; waits for it.

        Raises:
            OSError, MemoryError: the input cannot be read.
        """
        self.ready.recv(1)
        with self._changed:
            chunk = self._chunks.popleft()
            if self._chunks:
                self._filled.send(b"x")
            self._bytes -= sys.getsizeof(chunk)
            self._changed.notify()
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    def _run(self) -> None:
        # A signal must interrupt the main thread, which may be writing to a pipe that nobody reads.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.register(self._wakeup, select.POLLIN)
        chunk: bytes | OSError | MemoryError = b"x"
        while chunk and not isinstance(chunk, Exception):
            with self._changed:
                self._changed.wait_for(lambda: self._bytes < AHEAD_BYTES or self._closing)
            poll.poll()
            if self._closing:
                return
            try:
                chunk = os.read(self._descriptor, CHUNK_BYTES)
            except (OSError, MemoryError) as error:
                chunk = error
            with self._changed:
                if not self._chunks:
                    self._filled.send(b"x")
                self._chunks.append(chunk)
                # Not its length: a tap that writes octet by octet fills memory with what goes round them.
                self._bytes += sys.getsizeof(chunk)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread; what was read and not taken is lost, as it would be in the pipe."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._wake.send(b"x")
        self._thread.join()
        for each in (self.ready, self._filled, self._wakeup, self._wake):
            each.close()
