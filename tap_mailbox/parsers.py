"""The parser processes beside the tap: chunks of messages go to them, records come back in the same order.

Pipes and poll(2) instead of a pool with threads: a thread that wakes up waits up to 5 ms for the
interpreter's lock, ten times what a message takes; and a process that holds only its own pipes ends with the
tap, even when that is killed.
"""

from __future__ import annotations

import fcntl
import logging
import os
import pickle
import select
import subprocess
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tap_mailbox.parser import HEAD_OCTETS, framed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO

    from tap_mailbox.message import JsonMessage, RawMessage
    from tap_mailbox.stop import Stop

logger = logging.getLogger(__name__)

CHUNKS_EACH = 2
"""One in work, and the next already there when it is done."""
PIPE_OCTETS = 1 << 20
"""So much that a chunk's records find room while the tap is busy; as much as Linux grants to everybody."""
OTHERS = 2
"""The tap and the target: on two cores nothing would be gained."""
MOST = 3
"""As many as the rest of the tap keeps busy; parsing is about half of its work."""
CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""How much time on cores a container may have in which period (cgroup v2): `150000 100000`, `max 100000`."""
WAIT_MILLISECONDS = 100
"""How long a signal may go unnoticed while every process works."""


@dataclass(slots=True, eq=False)
class Chunk:
    """Messages that follow one another, and what became of them."""

    messages: list[RawMessage | JsonMessage]
    options: Mapping[str, Any]
    """What `build_record` needs besides the message."""
    records: list[dict[str, Any]] | None = None
    """One for each message, as soon as they are known."""
    returned: bool = False
    """Whether nobody works on it any more; without records it is up to the tap."""
    handed_over: int = 0
    """How many of the records were."""
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.messages)

    def take(self, records: list[dict[str, Any]] | None) -> None:
        """Take what a process made of the messages; None when it could not."""
        self.records, self.returned = records, True
        if records is not None:
            self.messages = []


class Parsers:
    """Processes that parse, at most *count* of them, started with the first chunk and ended by `close`."""

    def __init__(self, count: int, stop: Stop) -> None:
        self._count = count
        self.stop = stop
        self.ahead = CHUNKS_EACH * count
        """How many chunks may be on their way before the first of them must have returned."""
        self._processes: list[_Process] = []
        self.started = False
        """Whether somebody had a chunk for them."""

    def submit(self, chunk: Chunk) -> None:
        """Hand a chunk to the process with the least to do; waits while all of them have enough.

        Raises:
            Stopped: a signal arrived meanwhile.
        """
        if not self.started:
            self._start()
        while self._processes:
            process = min(self._processes, key=lambda each: len(each.chunks))
            if len(process.chunks) < CHUNKS_EACH:
                try:
                    process.submit(chunk)
                except Exception:  # noqa: BLE001  # too deep or too large to be pickled: the tap can parse it
                    break
                self.exchange()
                return
            self.wait()
        chunk.returned = True

    def _start(self) -> None:
        self.started = True
        try:
            while len(self._processes) < self._count:
                self._processes.append(_Process())
        except (OSError, TypeError) as error:  # TypeError: an embedded Python knows no executable
            reason = getattr(error, "strerror", None) or "there is no Python to start"
            logger.warning(
                "%d of %d parser processes could be started (%s)", len(self._processes), self._count, reason
            )

    def exchange(self, milliseconds: int = 0) -> None:
        """Give the processes what they have room for, and take what they have done."""
        poll = select.poll()
        for process in self._processes:
            for descriptor, events in process.interests():
                poll.register(descriptor, events)
        ready = {descriptor for descriptor, _ in poll.poll(milliseconds)}
        for process in list(self._processes):
            try:
                process.exchange(ready)
            except Exception:  # noqa: BLE001  # it is gone, or out of its mind in whatever way
                self._processes.remove(process)
                code = process.end()
                logger.warning(
                    "a parser process ended (exit code %s); its messages are parsed without it", code
                )

    def wait(self) -> None:
        """Wait until a process has done something, or a moment.

        Raises:
            Stopped: a signal arrived.
        """
        self.stop.check()
        self.exchange(WAIT_MILLISECONDS)

    def close(self) -> None:
        """End the processes; what they were at is lost. The next chunk starts others."""
        for process in self._processes:
            process.end()
        self._processes = []
        self.started = False


@dataclass(slots=True, eq=False)
class _Process:
    """One process and the chunks it has to do, in their order."""

    chunks: deque[Chunk] = field(default_factory=deque)
    _outgoing: deque[memoryview] = field(default_factory=deque)
    _incoming: bytearray = field(default_factory=bytearray)
    _popen: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        # Its own session: Ctrl-C is for the tap, which decides what is still handed over. What it says on
        # stderr might quote mail, and is for no log.
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-c", "from tap_mailbox.parser import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
        )
        for descriptor in (self._requests, self._answers):
            os.set_blocking(descriptor, False)
            # Too many large pipes of this user, or not Linux: then small ones, as in `wire.py`.
            with suppress(OSError, AttributeError):
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_OCTETS)

    @property
    def _requests(self) -> int:
        return cast("IO[bytes]", self._popen.stdin).fileno()

    @property
    def _answers(self) -> int:
        return cast("IO[bytes]", self._popen.stdout).fileno()

    def submit(self, chunk: Chunk) -> None:
        """Take a chunk; `exchange` sends it. What cannot be pickled raises, and leaves no trace here."""
        request = memoryview(framed((chunk.messages, chunk.options)))
        self.chunks.append(chunk)
        self._outgoing.append(request)

    def interests(self) -> Iterator[tuple[int, int]]:
        """Yield the descriptors to poll, with the events to poll for."""
        if self.chunks:
            yield self._answers, select.POLLIN
        if self._outgoing:
            yield self._requests, select.POLLOUT

    def exchange(self, ready: set[int]) -> None:
        """Write and read as far as that goes at once.

        Raises:
            Exception: the process is gone, or says what cannot be an answer.
        """
        if self._requests in ready:
            self._outgoing[0] = self._outgoing[0][os.write(self._requests, self._outgoing[0]) :]
            if not self._outgoing[0]:
                self._outgoing.popleft()
        if self._answers in ready:
            octets = os.read(self._answers, PIPE_OCTETS)
            if not octets:
                raise EOFError
            self._incoming += octets
            self._take()

    def _take(self) -> None:
        while len(self._incoming) >= HEAD_OCTETS:
            end = HEAD_OCTETS + int.from_bytes(self._incoming[:HEAD_OCTETS])
            if len(self._incoming) < end:
                return
            with memoryview(self._incoming) as view:
                records = pickle.loads(view[HEAD_OCTETS:end])  # noqa: S301  # our own process's
            del self._incoming[:end]
            if records is not None and len(records) != self.chunks[0].size:
                raise EOFError
            self.chunks.popleft().take(records)

    def end(self) -> int:
        """Kill the process if it still runs, give its chunks back, and return its exit code."""
        for chunk in self.chunks:
            chunk.returned = True
        self._popen.kill()
        with self._popen:
            return self._popen.wait()


def _environment() -> dict[str, str]:
    """Return what Python needs of our environment: a process that reads hostile mail is told no secrets."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _NEEDED or name.startswith(("DYLD_", "LC_", "LD_", "PYTHON"))
    }
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


_NEEDED = frozenset({"HOME", "LANG", "PATH", "TMPDIR", "TZ"})


def automatic() -> int:
    """Return for how many parser processes there is a core, beside the tap's and the target's own."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # A container sees all cores of its host, whatever its share of them is.
    with suppress(OSError, ValueError):
        time, period = CPU_LIMIT.read_text(encoding="ascii").split()
        cores = min(cores, int(time) // int(period))
    return min(max(cores - OTHERS, 0), MOST)
