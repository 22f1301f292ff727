"""`Server`: HTTP/1.1 on loopback with threads, TLS and resets, that hands on each request as `Incoming`."""

from __future__ import annotations

import base64
import binascii
import contextlib
import http.server
import socket
import socketserver
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from tests.servers.oauth.faults import Refused, Reply
from tests.servers.ports import HOST

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time; close() then resets the connection


@dataclass(frozen=True)
class Incoming:
    """A request as the subclass gets it."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    basic: tuple[str, str] | None
    """User and password of HTTP Basic authentication."""

    @property
    def client_id(self) -> str:
        """Who says to be asking."""
        return self.basic[0] if self.basic else self.form.get("client_id", self.query.get("client_id", ""))

    @property
    def secret(self) -> str | None:
        """The client's secret, however it was presented."""
        return self.basic[1] if self.basic else self.form.get("client_secret")


class Server(http.server.ThreadingHTTPServer):
    """Accepts; the TLS handshake is left to the thread of the connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        respond: Callable[[Incoming], Reply],
        refusal: Callable[[Refused], Reply],
        context: ssl.SSLContext | None,
    ) -> None:
        """Listen on a port of its own; *refusal* makes the answer to what is no proper request."""
        self.respond, self.refusal, self.context = respond, refusal, context
        self.mistakes: list[BaseException] = []
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__((HOST, 0), _Handler)

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer asks DNS for its own name

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.context:
            connection = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._changed:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(RESET)) == RESET:
            self.close_request(request)  # a reset; shutdown() would say goodbye first
        else:
            super().shutdown_request(request)

    def close_request(self, request: Any) -> None:
        super().close_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def end_connections(self) -> None:
        """Wake the threads that wait for another request, and wait until they have closed."""
        with self._changed:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
            if not self._changed.wait_for(lambda: not self._open, timeout=10):
                raise RuntimeError("a connection of the double does not end")

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):  # OSError: the client hung up
            self.mistakes.append(error)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        try:
            incoming = Incoming(
                self.command, parts.path, _parameters(parts.query), _parameters(body), self._basic()
            )
        except Refused as refused:
            reply = self.server.refusal(refused)
        else:
            reply = self.server.respond(incoming)
        if reply.status:
            self._send(reply)
        if reply.cut is not None or not reply.status:
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.close_connection = True

    def do_POST(self) -> None:
        self.do_GET()

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[: reply.cut])

    def _basic(self) -> tuple[str, str] | None:
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Refused("invalid_client", "malformed Basic authentication") from None
        return unquote_plus(user), unquote_plus(password)  # RFC 6749 section 2.3.1: form-encoded first

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""


def _parameters(text: str) -> dict[str, str]:
    """Return the parameters; empty ones count as left out, repeated ones are refused (RFC 6749 section 3.2)."""
    pairs = parse_qsl(text)
    if len(pairs) != len(dict(pairs)):
        raise Refused("invalid_request", "a parameter is repeated")
    return dict(pairs)
