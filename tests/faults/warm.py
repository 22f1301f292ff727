"""`Warm`: starts tap, target and `hashfs` as processes of their own, without the second that imports take.

A server process imports everything once and forks for each start: a process of its own, with the command line,
the pipes and the signals of one that a shell started. It can live in a mount namespace of its own, and start
programs there.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import tap_mailbox.sources.files
import tap_mailbox.sources.imap
import tap_mailbox.tap
import target_hashfs.cli.verify  # which it would import when it is asked for
import target_hashfs.target

ROOT = Path(__file__).parents[2]
MAINS: dict[str, Callable[[], object]] = {
    "tap": tap_mailbox.tap.main,
    "target": target_hashfs.target.main,
    "hashfs": target_hashfs.cli.main,
}
ANYONE = ctypes.c_ulong(-1)
PR_SET_PTRACER = 0x59616D61


class Started:
    """A process, seen as `subprocess.Popen` shows one."""

    def __init__(self, status: socket.socket) -> None:
        self._status = status
        self.pid = int(self._line())
        self.returncode: int | None = None

    def wait(self, timeout: float = 60) -> int:
        """Return the exit code, the negative number of the signal if one ended it."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise TimeoutError(f"process {self.pid} is still there after {timeout} s")
            self.returncode = os.waitstatus_to_exitcode(int(self._line()))
            self._status.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit code if the process has ended."""
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def send_signal(self, signum: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            # It may end this very moment; its parent, who is not us, takes note at once.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signum)

    def resume(self) -> None:
        """Let a process go that was started `stopped`."""
        os.kill(self.pid, signal.SIGCONT)

    def _line(self) -> bytes:
        return self._status.recv(64)


class Warm:
    """A server of processes; `prefix` is what it is started under, such as `unshare -rm`."""

    def __init__(self, *prefix: str) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.server = subprocess.Popen(
                [*prefix, sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip

    def start(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        stopped: bool = False,
    ) -> Started:
        """Start tap, target or hashfs, or another program by its path, on the given descriptors.

        Stopped, it waits before its first instruction until `Started.resume`; a debugger may attach.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        null = os.open(os.devnull, os.O_RDWR)
        try:
            request = json.dumps([program, list(arguments), stopped]).encode()
            streams = [null if each is None else each for each in (stdin, stdout, stderr)]
            socket.send_fds(self._requests, [request], [*streams, theirs.fileno()])
        finally:
            os.close(null)
            theirs.close()
        return Started(ours)

    def run(self, program: str, *arguments: str) -> tuple[int, str]:
        """Run a program to its end; returns its exit code and all it said."""
        reading, writing = os.pipe()
        started = self.start(program, arguments, stdout=writing, stderr=writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as said:
            text = said.read().decode()
        return started.wait(), text

    def close(self) -> None:
        """End the server; what it started goes on."""
        self._requests.close()
        self.server.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _serve(requests: socket.socket) -> Callable[[], object]:
    """Fork for every request; return in a child, with what it is to do."""
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, 1 << 16, 4)
        if not request:
            return lambda: None
        if os.fork() == 0:
            requests.close()
            return _keep(json.loads(request), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _keep(request: tuple[str, list[str], bool], descriptors: list[int]) -> Callable[[], object]:
    """Fork once more, wait for the child and tell how it ended; return in the child."""
    program, arguments, stopped = request
    status = descriptors.pop()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child:
        for descriptor in (0, 1, 2, *descriptors):
            os.close(descriptor)
        os.write(status, str(child).encode())
        os.write(status, str(os.waitpid(child, 0)[1]).encode())
        os._exit(0)
    os.close(status)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if stopped:
        # Where Yama forbids it (as on Ubuntu), only ancestors may trace without this.
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYONE, 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
    if program not in MAINS:
        return lambda: os.execv(program, [program, *arguments])
    sys.argv = [program, *arguments]
    return MAINS[program]


if __name__ == "__main__":
    gc.freeze()  # or the first collection of every child would copy all of it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel takes the dead away
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with socket.socket(fileno=int(sys.argv[1])) as from_the_tests:
        work = _serve(from_the_tests)
    try:
        work()
    except SystemExit as end:
        # Taking the interpreter apart would copy every page that the processes share, for nothing.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 0)
