"""`Tunnel`: a proxy for HTTPS, which is asked by CONNECT for a way to a server (RFC 9110, section 9.3.6)."""

from __future__ import annotations

import contextlib
import socket

from tests.servers.relay import Relay


class Tunnel(Relay):
    """A proxy on loopback that opens a way to wherever it is asked, to whoever gives the right password.

    Attributes:
        asked: Host and port of every tunnel, as `127.0.0.1:443`.
    """

    def __init__(self, authorization: str | None = None) -> None:
        """Start it; *authorization* is the Proxy-Authorization it wants, None: nobody needs one."""
        self.asked: list[str] = []
        self._authorization = authorization
        super().__init__(0)

    @property
    def url(self) -> str:
        """What the environment says of it."""
        return f"http://{self.host}:{self.port}"

    def _accepted(self, client: socket.socket) -> None:
        self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        head = b""
        with contextlib.suppress(OSError):
            while not head.endswith(b"\r\n\r\n"):
                if not (octet := client.recv(1)):
                    break
                head += octet
        request, *fields = head.decode("latin-1").split("\r\n")
        method, target, _ = f"{request}   ".split(" ", 2)
        wanted = self._authorization
        if method != "CONNECT" or (wanted and f"Proxy-Authorization: {wanted}" not in fields):
            with contextlib.suppress(OSError):
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            client.close()
            return
        self.asked.append(target)
        host, _, port = target.rpartition(":")
        self._connect(client, (host, int(port)), b"HTTP/1.1 200 Connection established\r\n\r\n")
