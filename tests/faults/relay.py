"""`Relay`: hands octets on between a client and a server as they come, TLS too, and may add or delay some.

The proxy of tests/servers reads IMAP; this one does not, so that it can stand in the middle of a handshake.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from tests.servers.ports import HOST

Pieces = Callable[[bytes], Iterable[bytes]]


class Relay:
    """A listening relay; *pieces* turns what came from the server into what is sent to the client, in packets."""

    host = HOST

    def __init__(self, port: int, pieces: Pieces = lambda data: [data]) -> None:
        self.pieces = pieces
        self.connections = 0
        self.said = b""
        """Everything that clients sent."""
        self._target = (HOST, port)
        self._open: list[socket.socket] = []
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for each in [self._listener, *self._open]:
            each.close()

    def _spawn(self, work: Callable[..., None], *args: object) -> None:
        self._threads.append(threading.Thread(target=work, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                server = socket.create_connection(self._target, timeout=10)
                server.settimeout(None)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open += [client, server]
                self._spawn(self._hand_on, client, server, self._note)
                self._spawn(self._hand_on, server, client, self._changed)

    def _changed(self, data: bytes) -> Iterable[bytes]:
        return self.pieces(data)

    def _note(self, data: bytes) -> list[bytes]:
        self.said += data
        return [data]

    @staticmethod
    def _hand_on(source: socket.socket, to: socket.socket, pieces: Pieces) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                for piece in pieces(data):
                    to.sendall(piece)
        for each in (source, to):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
