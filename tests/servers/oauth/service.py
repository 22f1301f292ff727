"""`Service`: an HTTP server on loopback, over TLS or not; a subclass says what it answers.

A connection is kept open and has a thread of its own. The log `requests` keeps no secret. A mistake in the
double itself (an exception that is no refusal) is raised when the `with` block ends.
"""

from __future__ import annotations

import contextlib
import shutil
import ssl
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests
import trustme

from tests.servers.listening import Stoppable
from tests.servers.oauth.faults import Faults, Hold, Refused, Reply
from tests.servers.oauth.transport import Incoming, Server
from tests.servers.ports import HOST


@dataclass(frozen=True)
class Request:
    """A request as the test sees it, and how it was answered."""

    method: str
    path: str
    grant_type: str
    client_id: str
    scope: str
    client_info: bool
    """Whether `client_info=1` came, as MSAL sends it."""
    credential: str
    """How the client authenticated: `secret`, `basic`, `assertion` or empty."""
    status: int
    """Of the answer; 0: there was none, the connection was reset."""
    error: str
    """The answer's `error` member."""


class Service(Stoppable):
    """A running server; `stop()` ends it.

    Attributes:
        url: Without a path and without a slash at its end.
        latency: Seconds before a token answer is sent; what was asked is done before.
        requests: All that came, oldest first.
    """

    host = HOST
    scheme = "https"

    def __init__(self) -> None:
        self.latency = 0.0
        self.requests: list[Request] = []
        self._faults = Faults()
        self._hold: Hold | None = None
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._directory: Path | None = None
        context = self._tls() if self.scheme == "https" else None
        self._server = Server(self.respond, self.refusal, context)
        self.port: int = self._server.server_address[1]
        self.url = f"{self.scheme}://{HOST}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def answer(self, incoming: Incoming) -> Reply:
        """Return the right answer, or raise Refused; one request at a time."""
        raise NotImplementedError

    def refusal(self, refused: Refused) -> Reply:
        """Return the answer that says so, in the form of RFC 6749 section 5.2."""
        members: dict[str, Any] = {"error": refused.error}
        if refused.description:
            members["error_description"] = refused.description
        return Reply.json({**members, **refused.members}, refused.status)

    # --- what to break ----------------------------------------------------------------------------------

    def fail_next(
        self,
        error: str | None = None,
        *,
        codes: Sequence[int] = (),
        status: int | None = None,
        body: bytes = b"",
        retry_after: str | int | None = None,
        times: int | None = 1,
        path: str = r"/token$",
        **members: Any,
    ) -> None:
        """Refuse the next requests, or answer them with any status and octets.

        Args:
            error: Such as `invalid_grant`; without it the answer is `status` and `body` as they are.
            codes: Microsoft's numbers, such as 50173.
            status: Default: as the error has it; for a body 200.
            body: Such as `b"<html>"`, for answers that are no JSON.
            retry_after: The header's value.
            times: How many requests; None: until `heal`.
            path: Regular expression of the paths concerned.
            members: More members of the error, such as `suberror` and `claims`.
        """
        reply = Reply(status or 200, body, {"Content-Type": "text/html"})
        if error:
            reply = self.refusal(Refused(error, codes=codes, status=status, **members))
        headers = dict(reply.headers) | ({} if retry_after is None else {"Retry-After": str(retry_after)})
        wrong = Reply(reply.status, reply.body, headers)
        self._faults.add(lambda _: wrong, path=path, times=times)

    def reset_next(self, *, times: int | None = 1, path: str = r"/token$") -> None:
        """Reset the connection instead of an answer; nothing is granted."""
        self._faults.add(lambda _: Reply(0), path=path, times=times)

    def lose_next(self, *, times: int | None = 1, path: str = r"/token$") -> None:
        """Do what is asked, but reset the connection in the middle of the answer: what it granted is lost."""
        self._faults.add(lambda right: _half(right()), path=path, times=times)

    def heal(self) -> None:
        """Give right answers again."""
        self._faults.clear()

    @contextlib.contextmanager
    def hold_answers(self) -> Iterator[Hold]:
        """Keep back token answers (tokens are issued, the client waits) until the block ends or `release()`."""
        self._hold = Hold()
        try:
            with self._hold as hold:
                yield hold
        finally:
            self._hold = None

    # --- life -------------------------------------------------------------------------------------------

    @property
    def ca_file(self) -> Path:
        """The authority that signed the server's certificate (localhost, 127.0.0.1)."""
        if self._directory is None:
            raise RuntimeError("plain HTTP has no certificate")
        return self._directory / "ca.pem"

    @contextlib.contextmanager
    def session(self) -> Iterator[requests.Session]:
        """Yield a client's session that trusts this server, whatever the environment says."""
        with requests.Session() as session:
            session.trust_env = False
            if self._directory:
                session.verify = str(self.ca_file)
            yield session

    def stop(self) -> None:
        """End the server and every connection; raise what went wrong inside the double."""
        self._stopped.set()
        if self._hold:
            self._hold.release()
        self._server.shutdown()
        self._thread.join()
        self._server.end_connections()
        self._server.server_close()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
        if self._server.mistakes:
            raise self._server.mistakes.pop()

    def respond(self, incoming: Incoming) -> Reply:
        """Return what is sent, now: the fault that is due, else the right answer; it is in the log by then."""
        reply = self._faults.answer(incoming.path, lambda: self._right_answer(incoming))
        self.requests.append(_logged(incoming, reply))
        if "grant_type" in incoming.form:
            if self._hold:
                self._hold.keep()
            self._stopped.wait(self.latency)
        return reply

    def _right_answer(self, incoming: Incoming) -> Reply:
        try:
            with self._lock:
                return self.answer(incoming)
        except Refused as refused:
            return self.refusal(refused)

    def _tls(self) -> ssl.SSLContext:
        authority = trustme.CA()
        self._directory = Path(tempfile.mkdtemp(prefix="oauth-"))
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", HOST).configure_cert(context)
        return context


def _half(reply: Reply) -> Reply:
    return replace(reply, cut=len(reply.body) // 2)


def _logged(incoming: Incoming, reply: Reply) -> Request:
    form = incoming.form
    credential = "basic" if incoming.basic else "secret" if "client_secret" in form else ""
    return Request(
        method=incoming.method,
        path=incoming.path,
        grant_type=form.get("grant_type", ""),
        client_id=incoming.client_id,
        scope=form.get("scope", incoming.query.get("scope", "")),
        client_info="client_info" in form,
        credential=credential or ("assertion" if "client_assertion" in form else ""),
        status=reply.status,
        error=reply.error,
    )
