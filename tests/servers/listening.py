"""What the servers of the tests share: `Stoppable`, the end of a `with` block, and `Listening`, a port on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.servers.ports import HOST


class Stoppable:
    """Something that runs until `stop()`, which the end of a `with` block calls."""

    def stop(self) -> None:
        """End it."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Listening(Stoppable):
    """A listening port from the end of `__init__` on, so a subclass calls that last.

    Attributes:
        connections: How many were accepted.
    """

    host = HOST

    def __init__(self) -> None:
        self.connections = 0
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._spawn(self._accept)

    def stop(self) -> None:
        """Stop listening, close everything, wait for the threads."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(5)

    def drop_connections(self) -> None:
        """Close every connection there is; new ones are accepted."""
        raise NotImplementedError

    def _accepted(self, client: socket.socket) -> None:
        """Begin to serve a connection, in a thread of its own."""
        raise NotImplementedError

    def _spawn(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._accepted(client)
