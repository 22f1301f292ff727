"""The same work on many items, in several processes: results in the order of the items, and few under way."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

Item = TypeVar("Item")
Result = TypeVar("Result")
Item_contra = TypeVar("Item_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)

AHEAD = 4
"""Items under way for each process: enough that none waits, few enough to forget."""


class Work(Protocol[Item_contra, Result_co]):
    """What is done with an item."""

    def __call__(self, item: Item_contra, /) -> Result_co:
        """Return the result of *item*."""


def cores() -> int:
    """Return how many processes can work at the same time here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def workers(
    make: Callable[[], AbstractContextManager[Work[Item, Result]]], jobs: int
) -> Iterator[Callable[[Iterable[Item]], Iterator[Result]]]:
    """Start *jobs* processes that each make their own work by *make*; yield what hands them items.

    The work is made with a process's first item. Enter while no thread runs but this one, and before a
    database is opened: the processes are forks, and neither survives one.

    Results come in the order of the items, and never more than `AHEAD * jobs` items are taken before their
    results are. With one job the work is done here.
    """
    if jobs == 1:
        with make() as work:
            yield partial(map, work)
        return
    # Elsewhere the system's own libraries may have threads already; there each process imports anew (0.4 s).
    method = "fork" if sys.platform == "linux" else "forkserver"
    with ProcessPoolExecutor(jobs, get_context(method), partial(_start, make)) as pool:
        for _ in range(jobs):
            pool.submit(cores)  # to do anything at all starts the processes
        yield partial(_in_order, pool, AHEAD * jobs)


def _in_order(pool: ProcessPoolExecutor, ahead: int, items: Iterable[Item]) -> Iterator[Any]:
    waiting: deque[Future[Any]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(_do, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def collect_seldom() -> None:
    """Let this process look for unreachable cycles seldom: documents make many objects, but no cycles."""
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


_OBJECTS_BETWEEN_COLLECTIONS = 100_000
_held = ExitStack()
_make: Callable[[], AbstractContextManager[Work[Any, Any]]] | None = None
_work: Work[Any, Any] | None = None


def _start(make: Callable[[], AbstractContextManager[Work[Any, Any]]]) -> None:
    """Begin a process: it ends with its parent, and leaves Ctrl-C to it."""
    global _make  # noqa: PLW0603 - one work a process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    collect_seldom()
    _make = make


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _do(item: object) -> Any:  # noqa: ANN401 - whatever the work returns
    global _work  # noqa: PLW0603 - likewise
    if _work is None:
        assert _make is not None  # noqa: S101 - _start came first
        _work = _held.enter_context(_make())
    return _work(item)
