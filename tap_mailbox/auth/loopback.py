"""Where the browser comes back to after a sign-in: a listener on this machine (RFC 8252, section 7.3).

Any program of this machine and any web page can send something there. Only a request with our `state` counts
(RFC 6749, section 10.12); whatever else comes is turned away and does not end the wait.
"""

from __future__ import annotations

import hmac
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tap_mailbox.errors import CredentialError

HOST = "127.0.0.1"
CLIENT_TIMEOUT_SECONDS = 5.0
"""Browsers open connections ahead and say nothing on them."""


class Loopback:
    """A listener for one answer, closed at the end of the `with` block.

    Args:
        port: 0 takes any that is free.
        state: What the answer must carry.

    Raises:
        CredentialError: somebody else listens on the port.
    """

    def __init__(self, *, port: int, state: str) -> None:
        try:
            self._server = _Server((HOST, port), _Handler)
        except OSError as error:
            raise CredentialError(
                f"port {port} of this machine cannot be listened on ({error.strerror}); choose another --port"
            ) from None
        self._server.state = state
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, *, timeout: float) -> dict[str, str]:
        """Return the query of the first request that carries the state: a `code`, or an `error`.

        Raises:
            CredentialError: none came within *timeout* seconds.
        """
        try:
            return self._server.answers.get(timeout=timeout)
        except queue.Empty:
            strangers = self._server.strangers
            seen = f"; {strangers} with a foreign `state` were turned away" if strangers else ""
            raise CredentialError(
                f"the browser did not come back within {timeout:.0f} s{seen}; begin again"
            ) from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    state = ""
    strangers = 0

    def __init__(self, *address: Any) -> None:  # noqa: ANN401  # socketserver's
        super().__init__(*address)
        self.answers: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()

    def handle_error(self, *_: object) -> None:
        """Say nothing: what strangers send, or a browser that went away, is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    timeout = CLIENT_TIMEOUT_SECONDS
    server: _Server

    def do_GET(self) -> None:
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        if not {"code", "error"} & query.keys():
            # Browsers ask for /favicon.ico too.
            self._say(404, "There is nothing here.")
        elif not hmac.compare_digest(query.get("state", "").encode(), self.server.state.encode()):
            self.server.strangers += 1
            self._say(400, "This answer belongs to another sign-in.")
        else:
            self._say(200, "You can close this window and go back to the terminal.")
            # After the page: the process may end as soon as it knows.
            self.server.answers.put(query)

    def _say(self, status: int, text: str) -> None:
        body = f"<!doctype html><title>mailbox login</title><p>{text}</p>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        # The address holds the code: it goes to nobody else, and nowhere into a cache.
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401  # http.server's
        """Say nothing: the request line holds the code."""
