"""`Listener`: somebody on loopback who takes what is sent and answers as the test says, in plain HTTP."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.servers.ports import HOST

Script = Callable[[socket.socket, threading.Event], None]
"""What is done with a connection whose request has come; the event tells that the listener ends."""


class Listener:
    """A server whose `heard` says what came, octet for octet."""

    def __init__(self, script: Script) -> None:
        self.heard = b""
        self._script, self._ended = script, threading.Event()
        self._open: list[socket.socket] = []
        self._socket = socket.create_server((HOST, 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for each in (self._socket, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,), daemon=True))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            request = b""
            while not _complete(request):
                octets = connection.recv(65536)
                self.heard += octets
                request += octets
                if not octets:
                    return
            self._script(connection, self._ended)


def _complete(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def says(body: bytes, status: str = "200 OK", *headers: str) -> Script:
    """Answer once, with a length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    octets = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    return lambda connection, _: connection.sendall(octets)


def silent(_: socket.socket, ended: threading.Event) -> None:
    """Answer nothing, and keep the connection."""
    ended.wait()


class Dripping:
    """Answers an octet now and then, until that is enough; `to_the_end` tells that somebody took them all."""

    def __init__(self) -> None:
        self.to_the_end = False

    def __call__(self, connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        for _ in range(100):
            if ended.wait(0.05):
                return
            connection.sendall(b" ")
        self.to_the_end = True
