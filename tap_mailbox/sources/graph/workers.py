"""Requests side by side: tasks go to a few threads, results come back one by one to whoever asked."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

POLL_SECONDS = 0.1
_JOIN_SECONDS = 1.0


class Workers:
    """A few threads that end with the process; the standard library's pool would wait for a silent server."""

    def __init__(self, count: int, *, name: str) -> None:
        self.outstanding = 0
        """Tasks whose result was not taken yet."""
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Callable[[], Any]] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Callable[[], T], then: Callable[[T | BaseException], Any]) -> None:
        """Do *task* in a thread; `next` will return what *then* makes of its result or error."""
        self.outstanding += 1

        def run() -> None:
            try:
                result: T | BaseException = task()
            except BaseException as error:  # noqa: BLE001  # *then* decides what it means
                result = error
            self._results.put(lambda: then(result))

        self._tasks.put(run)

    def next(self, check: Callable[[], None]) -> Any:  # noqa: ANN401  # whatever *then* returns
        """Wait for a result and return what its *then* makes of it; *check* is called while there is none."""
        while True:
            check()
            try:
                then = self._results.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            self.outstanding -= 1
            return then()

    def close(self) -> None:
        """End the threads; one that still waits for an answer is left to end with the process."""
        while True:
            try:
                self._tasks.get_nowait()
            except queue.Empty:
                break
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(_JOIN_SECONDS / len(self._threads))

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
