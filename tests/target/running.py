"""`Running`: a target process that a test talks to while it runs."""

from __future__ import annotations

import fcntl
import json
import os
import select
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import Any

from tests.target.helpers import Json, Result, command, encoded, environment


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
        until = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < until
            select.select([], [], [], 0.01)

    def wait_until_idle(self) -> None:
        """Return once everything sent has been read and the process waits for more."""
        until = time.monotonic() + 20
        asleep = 0
        while asleep < 3:
            assert time.monotonic() < until
            unread = struct.unpack("i", fcntl.ioctl(self.stdin, termios.FIONREAD, b"\0" * 4))[0]
            state = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
            asleep = asleep + 1 if (unread, state) == (0, "S") else 0
            select.select([], [], [], 0.02)

    def next_state(self) -> Json:
        state: Json = json.loads(self.stdout.readline())
        return state

    def finish(self) -> Result:
        # Not communicate(): it would close stdin first.
        out = self.stdout.read()
        code = self.process.wait(timeout=20)
        log = (self._log + self.stderr.read()).decode()
        return Result(code, [json.loads(line) for line in out.splitlines()], log)
