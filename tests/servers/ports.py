"""Ports on loopback: find free ones, wait until one answers."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago; all are held until the last is found, so they differ."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in held]


def wait_for_greeting(
    port: int, *, greeting: bytes = b"* OK", seconds: float = 15.0, alive: Callable[[], bool] = lambda: True
) -> None:
    """Return once the port says *greeting*; raise TimeoutError when it does not, or its process ended."""
    deadline = time.monotonic() + seconds
    while True:
        with (
            contextlib.suppress(OSError),
            socket.create_connection((HOST, port), timeout=seconds) as connection,
        ):
            if connection.recv(4096).startswith(greeting):
                return
        if not alive() or time.monotonic() > deadline:
            raise TimeoutError(f"no IMAP server on port {port}")
        time.sleep(0.01)  # until the next try
