"""Reads the input ahead in a thread, so that the tap need not stand still while a commit is written."""

from __future__ import annotations

import os
import select
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
        self._chunks: deque[bytes | OSError] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self.ready, self._filled = os.pipe()
        """`ready` can be polled: it is readable while `take` has something to give."""
        self._wakeup, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def take(self) -> bytes:
        """Return the next chunk, nothing at the end of the input; waits for it.

        Raises:
            OSError: the input cannot be read.
        """
        os.read(self.ready, 1)
        with self._changed:
            chunk = self._chunks.popleft()
            if isinstance(chunk, OSError):
                raise chunk
            self._bytes -= len(chunk)
            self._changed.notify()
        return chunk

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.register(self._wakeup, select.POLLIN)
        chunk: bytes | OSError = b"x"
        while chunk and not isinstance(chunk, OSError):
            with self._changed:
                self._changed.wait_for(lambda: self._bytes < AHEAD_BYTES or self._closing)
            poll.poll()
            if self._closing:
                return
            try:
                chunk = os.read(self._descriptor, CHUNK_BYTES)
            except OSError as error:
                chunk = error
            with self._changed:
                self._chunks.append(chunk)
                self._bytes += 0 if isinstance(chunk, OSError) else len(chunk)
            os.write(self._filled, b"x")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread; what was read and not taken is lost, as it would be in the pipe."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        os.write(self._wake, b"x")
        self._thread.join()
        for descriptor in (self.ready, self._filled, self._wakeup, self._wake):
            os.close(descriptor)
