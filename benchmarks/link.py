"""`Link`: a line of a given round trip and bandwidth between a client and a server on loopback.

Each direction hands every chunk on half a round trip after it came, and no faster than the line: what a
client does not ask for in time is time lost, as on a real one.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from typing import Self

_CHUNK = 16 * 1024
_IN_FLIGHT = 4 * 1024 * 1024
"""Octets under way at the most, as a TCP window of that size."""


class Link:
    """Listens on `port` and connects everyone to the port it was made for."""

    def __init__(self, server: int, *, round_trip: float, octets_per_second: float) -> None:
        self._server, self._half, self._rate = server, round_trip / 2, octets_per_second
        self._free = {"down": 0.0, "up": 0.0}
        """When the line is free again, towards the client and towards the server: one line for all."""
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._server))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._carry(client, server, "up")
            self._carry(server, client, "down")

    def _carry(self, origin: socket.socket, to: socket.socket, way: str) -> None:
        under_way: queue.Queue[tuple[float, bytes]] = queue.Queue(_IN_FLIGHT // _CHUNK)
        self._start(self._receive, origin, under_way, way)
        self._start(self._deliver, to, under_way)

    def _receive(self, origin: socket.socket, under_way: queue.Queue[tuple[float, bytes]], way: str) -> None:
        chunk = b"x"
        while chunk:
            try:
                chunk = origin.recv(_CHUNK)
            except OSError:
                chunk = b""
            with self._lock:
                self._free[way] = max(time.monotonic(), self._free[way]) + len(chunk) / self._rate
                due = self._free[way] + self._half
            under_way.put((due, chunk))

    @staticmethod
    def _deliver(to: socket.socket, under_way: queue.Queue[tuple[float, bytes]]) -> None:
        with to:
            while True:
                due, chunk = under_way.get()
                time.sleep(max(0.0, due - time.monotonic()))
                try:
                    if not chunk:
                        to.shutdown(socket.SHUT_WR)
                        return
                    to.sendall(chunk)
                except OSError:
                    return

    @staticmethod
    def _start(work, *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
