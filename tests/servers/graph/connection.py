"""HTTP/1.1 on sockets: TLS, kept-alive connections, chunks, and answers that break off."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from wsgiref.handlers import format_date_time

import trustme

from tests.servers.graph.faults import Fault
from tests.servers.graph.request import Request, Response
from tests.servers.ports import HOST

WORTH_GZIP = 1500
"""Octets from which JSON is compressed for those who take it, so on some answers only (H3)."""
IDLE_SECONDS = 120


@dataclass
class Answer:
    """An answer and what happens to it on its way."""

    response: Response
    fault: Fault
    ended: Callable[[int | None], None]
    """To be called once, with the status, or None for a broken connection, and before the last octets leave:
    whoever has them all may ask again at once, or look at the log."""


class Listener:
    """Accepts connections and reads requests from them; *serve* answers."""

    def __init__(self, serve: Callable[[Request], Answer], *, tls: bool, ca_file: Path) -> None:
        context = _certified(ca_file) if tls else None

        class Handler(_Handler):
            answer = staticmethod(serve)

        self._server = _Server((HOST, 0), Handler, context)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def stop(self) -> None:
        """Close everything and wait for the threads."""
        self._server.shutdown()
        self._thread.join()
        self._server.close_connections()
        self._server.server_close()


def _certified(ca_file: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "localhost").configure_cert(context)
    return context


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close() waits for them
    block_on_close = True
    request_queue_size = 64

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None
    ) -> None:
        self._context = context
        self._open: set[socket.socket] = set()
        self._closing = False
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # HTTPServer's would look its own name up in the DNS.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in its own thread; the handshake too, as a slow one must hold nobody up."""
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request.settimeout(IDLE_SECONDS)
        self._open.add(request)
        connection = request
        # A client may leave at any point; that is its right, and a reset is what some faults ask for.
        with contextlib.suppress(OSError, ValueError):
            try:
                if self._context is not None:
                    connection = self._context.wrap_socket(
                        request, server_side=True, do_handshake_on_connect=False
                    )
                    self._open.add(connection)
                    connection.do_handshake()
                if self._closing:
                    return
                super().finish_request(connection, client_address)
            finally:
                self._open -= {request, connection}
                connection.close()

    def close_connections(self) -> None:
        self._closing = True
        for each in list(self._open):
            with contextlib.suppress(OSError):
                # Not SSLSocket's own: it would take the TLS state from under the thread that reads.
                socket.socket.shutdown(each, socket.SHUT_RDWR)


class _Headers(HTTPMessage):
    """Made when the last line of a header is there, and before any is looked into."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        self.received = time.monotonic()
        super().__init__(*args, **settings)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    MessageClass = _Headers
    answer: Callable[[Request], Answer]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Say nothing."""

    def do_GET(self) -> None:
        """Read a request, have it answered, write the answer."""
        length = int(self.headers.get("Content-Length", "0"))
        path, _, query = self.path.partition("?")
        body = self.rfile.read(length)
        received = time.monotonic() if body else self.headers.received
        answer = self.answer(Request(self.command, path, query, self.headers, body, received))
        if answer.fault.resets:
            answer.ended(None)
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        *pieces, last = self._pieces(answer)
        try:
            for piece in pieces:
                self.connection.sendall(piece)
                if answer.fault.bytes_per_second:
                    time.sleep(len(piece) / answer.fault.bytes_per_second)  # of a slow line
        except OSError:
            answer.ended(None)
            raise
        answer.ended(answer.response.status)
        self.connection.sendall(last)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815 (the base class's names)

    def _pieces(self, answer: Answer) -> Iterator[bytes]:
        """Yield the answer as it goes on the wire, in pieces between which a slow one pauses."""
        response, fault = answer.response, answer.fault
        body, headers = response.body, dict(response.headers)
        accepts = "gzip" in self.headers.get("Accept-Encoding", "")
        if accepts and len(body) >= WORTH_GZIP and response.content_type.startswith("application/json"):
            body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        chunked = response.chunked and fault.framing == "usual"
        if chunked:
            headers["Transfer-Encoding"] = "chunked"
            framed = (
                b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in _split(body, 65536)) + b"0\r\n\r\n"
            )
        else:
            framed = body
            if fault.framing != "missing":
                headers["Content-Length"] = str(len(body))
        if fault.keep is not None:
            framed = framed[: fault.keep]
        if fault.keep is not None or fault.framing == "missing":
            self.close_connection = True
            headers["Connection"] = "close"
        if body:
            headers["Content-Type"] = response.content_type
        headers["Date"] = format_date_time(time.time())
        reason = HTTPStatus(response.status).phrase if response.status in set(HTTPStatus) else "Status"
        lines = [
            f"HTTP/1.1 {response.status} {reason}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        wire = "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if self.command == "HEAD" else framed)
        pace = fault.bytes_per_second
        yield from _split(wire, max(1, int(pace / 20)) if pace else 1 << 20)


def _split(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
