"""`disturbed`: a system call of the target that fails, or at which a signal arrives, by name and number.

strace does it to a process that is stopped before its first instruction, so that the calls counted are the
target's own and not those of starting Python.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.matrix import Case, Live
from tests.faults.warm import Started
from tests.servers.programs import require
from tests.waiting import wait_until

CALLS = (
    "mkdirat", "mkdir", "openat", "write", "fsync", "fdatasync", "syncfs", "linkat", "unlinkat", "renameat", "ftruncate",
    "flock", "pwrite64", "pread64", "newfstatat", "fstatfs", "getdents64", "close",
)  # fmt: skip
"""What the commit protocol is made of, by the names that strace knows on x86-64 and on ARM."""


@contextmanager
def traced(process: Started, *options: str) -> Iterator[None]:
    """Attach strace to a stopped process, and let that go on; waits for strace at the end."""
    tracer = subprocess.Popen(
        [require("strace"), "-qq", *options, "-p", str(process.pid)],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        wait_until(lambda: is_traced(process.pid) or tracer.poll() is not None)
        assert tracer.poll() is None, tracer.stderr.read()
        process.resume()
        yield
    finally:
        tracer.communicate(timeout=60)


def is_traced(pid: int) -> bool:
    """Whether somebody traces a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return "TracerPid:\t0\n" not in status


@contextmanager
def disturbed(case: Case, call: str, what: str, *, path: Path | None = None) -> Iterator[Live]:
    """Run the pair while *what* happens at a *call*, in strace's words: `error=EIO:when=3`.

    What the target wrote meanwhile is noted for `states_after_failure`, unless *path* is given.

    Args:
        case: Whose pair.
        call: The name of a system call.
        what: What is injected.
        path: Count calls that concern this path alone.
    """
    live = case.start(stopped=True)
    wait_until(lambda: is_stopped(live.target.pid))
    options = ["-o", str(_log(case)), "-e", f"trace={call},write", "-e", f"inject={call}:{what}"]
    with traced(live.target, *options, *(["-P", str(path)] if path else [])):
        yield live


def states_after_failure(case: Case) -> list[str]:
    """Return the writes to standard output that followed the first call that was made to fail."""
    calls = _log(case).read_text().splitlines()
    failed = next(number for number, line in enumerate(calls) if line.endswith("(INJECTED)"))
    return [line for line in calls[failed + 1 :] if line.startswith("write(1,")]


def _log(case: Case) -> Path:
    return case.directory / "strace"


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"


def calls_of(case: Case) -> Counter[str]:
    """Run the pair undisturbed; return how often its target made which system call."""
    log = _log(case)
    live = case.start(stopped=True)
    wait_until(lambda: is_stopped(live.target.pid))
    with traced(live.target, "-o", str(log), "-e", f"trace={','.join(CALLS)}"):
        ran = live.finish()
    assert (0, 0) == (ran.tap, ran.target), ran
    return Counter(line.partition("(")[0] for line in log.read_text().splitlines())
