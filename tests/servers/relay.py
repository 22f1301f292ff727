"""`Relay`: hands octets on between a client and a server as they come, TLS too, and may add or delay some.

`Proxy` reads IMAP; this one does not, so that it can stand in the middle of a handshake.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable

from tests.servers.listening import Listening
from tests.servers.ports import HOST

Pieces = Callable[[bytes], Iterable[bytes]]


class Relay(Listening):
    """A listening relay; *pieces* turns what came from the server into what is sent to the client, in packets."""

    def __init__(self, port: int, pieces: Pieces = lambda data: [data]) -> None:
        self.pieces = pieces
        self.said = b""
        """Everything that clients sent."""
        self._target = (HOST, port)
        self._open: list[socket.socket] = []
        super().__init__()

    def drop_connections(self) -> None:
        """Close every connection there is; new ones are accepted."""
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Stop listening, close everything, wait for the threads."""
        super().stop()
        for each in self._open:
            each.close()

    def _accepted(self, client: socket.socket) -> None:
        self._connect(client, self._target)

    def _connect(self, client: socket.socket, target: tuple[str, int], greeting: bytes = b"") -> None:
        try:
            server = socket.create_connection(target, timeout=10)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        client.sendall(greeting)
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
