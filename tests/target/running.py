"""Ways to run the target: in this process, as a process of its own, and as one that a test talks to."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from target_hashfs.errors import TargetError
from target_hashfs.target import TargetHashFS
from tests.target.contents import tree
from tests.target.lines import Json, encoded
from tests.waiting import unread, wait_until

ROOT = Path(__file__).parents[2]


@dataclass
class Result:
    """What a run gave."""

    code: int
    states: list[Json]
    log: str = ""
    target: TargetHashFS | None = field(default=None, repr=False)


def archive_here(path: Path, lines: Iterable[Any], **config: Any) -> Result:
    """Run the target in this process: exit code as the command's, without its logging.

    A generator of lines is asked for the next one while the target reads: it may look at, or break, what is there.
    """

    class Lines:
        def __iter__(self) -> Iterator[bytes]:
            return (encoded([line]) for line in lines)

    out = io.StringIO()
    target = None
    try:
        with contextlib.redirect_stdout(out), a_target(path, **config) as target:
            target.archive_all(Lines())  # type: ignore[arg-type]
    except TargetError as error:
        return Result(1, _states(out.getvalue()), str(error), target)
    return Result(0, _states(out.getvalue()), "", target)


@contextlib.contextmanager
def a_target(path: Path, **config: Any) -> Iterator[TargetHashFS]:
    """A target in this process that leaves no descriptor open, however it ends."""
    target = TargetHashFS(config={"path": str(path), "min_free_bytes": 0} | config)
    try:
        yield target
    finally:
        if target.archive._leases is not None:
            with contextlib.suppress(OSError):  # the test may have broken it
                target.archive._leases.release()
        if target.archive._root is not None:
            target.archive._root.close()


def archive_watched(path: Path, lines: list[Any], **config: Any) -> list[tuple[Json, int]]:
    """Run the target in this process; return each state with the number of message files at that moment."""
    seen = []

    class Watching(io.StringIO):
        def write(self, text: str) -> int:
            seen.append((json.loads(text), len(tree(path))))
            return len(text)

    with contextlib.redirect_stdout(Watching()), a_target(path, **config) as target:
        target.archive_all(io.BytesIO(encoded(lines)))  # type: ignore[arg-type]
    return seen


def command(path: Path, tmp_path: Path, **config: Any) -> list[str]:
    """The command line of a target process."""
    content = json.dumps({"path": str(path), "min_free_bytes": 0} | config)
    file = tmp_path / f"config-{sha256(content.encode()).hexdigest()[:8]}.json"
    file.write_text(content)
    return [sys.executable, "-m", "target_hashfs", "--config", str(file)]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def archive(
    path: Path, tmp_path: Path, lines: list[Any], *, prefix: tuple[str, ...] = (), **config: Any
) -> Result:
    """Run the target as a process of its own."""
    done = subprocess.run(
        [*prefix, *command(path, tmp_path, **config)],
        input=encoded(lines),
        capture_output=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    return Result(done.returncode, _states(done.stdout.decode()), done.stderr.decode())


def _states(text: str) -> list[Json]:
    return [json.loads(line) for line in text.splitlines()]


class Running:
    """A target process with pipes on both sides."""

    def __init__(self, path: Path, tmp_path: Path, **config: Any) -> None:
        self.process = subprocess.Popen(
            command(path, tmp_path, **config),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self.stdin, self.stdout, self.stderr = self.process.stdin, self.process.stdout, self.process.stderr
        self._log = b""

    def send(self, lines: list[Any]) -> None:
        self.stdin.write(encoded(lines))
        self.stdin.flush()

    def wait_for_log(self, text: bytes) -> None:
        while text not in self._log:
            part = os.read(self.stderr.fileno(), 65536)
            assert part, self._log
            self._log += part

    def wait_for_file(self, path: Path) -> None:
        wait_until(path.exists, seconds=20)

    def wait_until_idle(self) -> None:
        """Return once everything sent has been read and the process waits for more."""
        until = time.monotonic() + 20
        asleep = 0
        while asleep < 3:
            assert time.monotonic() < until
            state = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
            asleep = asleep + 1 if (unread(self.stdin.fileno()), state) == (0, "S") else 0
            time.sleep(0.02)  # one look may catch it between two waits

    def next_state(self) -> Json:
        state: Json = json.loads(self.stdout.readline())
        return state

    def finish(self) -> Result:
        # Not communicate(): it would close stdin first.
        out = self.stdout.read()
        code = self.process.wait(timeout=20)
        log = (self._log + self.stderr.read()).decode()
        return Result(code, [json.loads(line) for line in out.splitlines()], log)
