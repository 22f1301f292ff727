"""`serving(samples)`: a mail server (pymap) on a free port of this machine, with the samples in it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import imapclient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.messages import Sample

HOST = "127.0.0.1"
START_SECONDS = 30


@contextlib.contextmanager
def serving(samples: list[Sample], *, user: str, password: str, log: Path) -> Iterator[int]:
    """Yield the port of a server that holds the samples; it ends with the block."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    pymap = Path(sys.executable).with_name("pymap")
    arguments = ["--host", HOST, "--port", str(port), "--no-tls"]
    backend = ["dict", "--demo-user", user, "--demo-password", password]
    with log.open("wb") as output, subprocess.Popen(
        [pymap, *arguments, *backend], stdin=subprocess.DEVNULL, stdout=output, stderr=output
    ) as server:  # fmt: skip
        try:
            _await(port, server, log)
            _load(samples, port, user, password)
            yield port
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


def _await(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with (
            contextlib.suppress(OSError),
            socket.create_connection((HOST, port), timeout=START_SECONDS) as probe,
        ):
            if probe.recv(64).startswith(b"* OK"):
                return
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the mail server does not start:\n{log.read_text()}")
        time.sleep(0.05)


def _load(samples: list[Sample], port: int, user: str, password: str) -> None:
    with imapclient.IMAPClient(HOST, port, ssl=False, timeout=30) as client:
        client.login(user, password)
        for folder in sorted({sample.folder for sample in samples} - {"INBOX"}):
            client.create_folder(folder)
        for sample in samples:
            client.append(sample.folder, sample.octets, sample.flags, sample.internal_date)
