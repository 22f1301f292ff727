"""`GraphServer`: Microsoft Graph mail on loopback, stateful and strict, as the documents and issues describe it.

    with GraphServer() as graph:
        box = graph.new_mailbox("ann@outlook.example")
        message = box.deliver(b"Subject: hi\\r\\n\\r\\nbody\\r\\n")
        token = graph.issue_token("ann@outlook.example")     # Authorization: Bearer
        graph.quirks.boomerang = True                        # what Graph was seen to do
        graph.faults.add(path=r"/\\$value", nth=3, fault=Fault.status(503, retry_after=1))
        ...                                                  # GET {graph.url}/me/mailFolders, trusting graph.ca_file
        assert [] == graph.throttle.violations

Rules are marked S1 to D9, F1 to F4, E1 to E8, H1 to H3 and T1 to T4, with their authority: DOC, ISSUE, INFER,
UNVERIFIED or INVENTED, so that a test that fails can be traced to it (T4).
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.servers.graph import batch
from tests.servers.graph.clock import Clock
from tests.servers.graph.connection import Answer, Listener
from tests.servers.graph.entities import Folder
from tests.servers.graph.errors import GraphError, invalid_token
from tests.servers.graph.faults import Fault, Faults
from tests.servers.graph.ids import Ids
from tests.servers.graph.links import Signer
from tests.servers.graph.log import LoggedRequest
from tests.servers.graph.mailbox import Mailbox
from tests.servers.graph.quirks import Quirks
from tests.servers.graph.request import Request, Response, json_response
from tests.servers.graph.rounds import Rounds
from tests.servers.graph.routes import Routes
from tests.servers.graph.throttle import Key, Throttle
from tests.servers.graph.tokens import Grant, Granted, Tokens
from tests.servers.listening import Stoppable
from tests.servers.ports import HOST

APP_ID = "00000000-fake-0000-0000-000000000001"


class GraphServer(Stoppable):
    """The server and its control port: everything a test sets is an attribute, and may be set at any time.

    Attributes:
        url: What a client takes for `https://graph.microsoft.com/v1.0`.
        ca_file: Verifies the server; PEM.
        users: The mailboxes, in the order of GET /users.
        quirks: What Graph was seen to do (D5 to D8).
        faults: What happens to single requests (F2).
        throttle: Limits, and who broke them (F1).
        log: Every request (T1).
        clock: The time in the mailboxes (T2).
        hook: Called with every request before it is answered, to deliver or move mail in the middle of a walk.
    """

    host = HOST

    def __init__(self, *, tls: bool = True, seed: int = 1) -> None:
        self.clock, self.quirks, self.faults, self.throttle = Clock(), Quirks(), Faults(), Throttle()
        self.log: list[LoggedRequest] = []
        self.users: list[Mailbox] = []
        self.hook: Callable[[Request], object] | None = None
        self._ids, self._lock = Ids(seed), threading.RLock()
        self._tokens = Tokens(self._ids)
        self._request_ids, self._shuffled = Ids(seed + 1), random.Random(seed)
        self._stopping = threading.Event()
        self._directory = tempfile.TemporaryDirectory(prefix="graph-")
        self.ca_file = Path(self._directory.name) / "ca.pem"
        self._listener = Listener(self._serve, tls=tls, ca_file=self.ca_file)
        self.port = self._listener.port
        origin = f"{'https' if tls else 'http'}://{HOST}:{self.port}"
        self.url = f"{origin}/v1.0"
        self._rounds = Rounds(Signer(seed), self.quirks)
        self._routes = Routes(self.users, self._rounds, self.quirks, origin=origin, seed=seed)
        self._listener.start()

    # --- the control port -------------------------------------------------------------------------------

    def new_mailbox(self, address: str, *, licensed: bool = True) -> Mailbox:
        """Return a new user's mailbox with its standard folders; without a licence it cannot be read (F3)."""
        box = Mailbox(address, ids=self._ids, clock=self.clock, lock=self._lock, licensed=licensed)
        self.users.append(box)
        return box

    def issue_token(self, mailbox: str | None, *, expires_in: float = 3600.0, app_id: str = APP_ID) -> str:
        """Return a Bearer token for a user's own mailbox, or, with None, for the mailboxes of all users."""
        return self._tokens.issue(Grant(mailbox, app_id), expires_in)

    def revoke(self, token: str) -> None:
        """Let a token be refused from now on."""
        self._tokens.revoke(token)

    @property
    def accept(self) -> Callable[[str], Granted | None] | None:
        """Another authority for tokens; returns what a token stands for, or None to refuse it."""
        return self._tokens.accept

    @accept.setter
    def accept(self, authority: Callable[[str], Granted | None] | None) -> None:
        self._tokens.accept = authority

    def expire_links(self, box: Mailbox, folder: Folder | None = None) -> None:
        """Let every nextLink and deltaLink so far be gone, of a folder or of all (D7)."""
        with self._lock:
            self._rounds.expire(box, folder)

    def stop(self) -> None:
        """Stop listening, close every connection, wait for the threads."""
        self._stopping.set()
        self._listener.stop()
        self._directory.cleanup()

    # --- a request --------------------------------------------------------------------------------------

    def _serve(self, request: Request) -> Answer:
        """Return what is written for a request, and whom to tell when the client has it."""
        grant = self._tokens.grant(request.bearer)
        key = self._key(request, grant)
        in_flight = self.throttle.enter(key, request.target)
        line = LoggedRequest.of(request, mailbox=key[1], app_id=key[0] or None, in_flight=in_flight)
        self.log.append(line)
        always, fault = self._always(request), None
        try:
            self.throttle.refuse(key)
            self._stopping.wait(self.quirks.latency)
            if self.hook is not None:
                self.hook(request)
            fault = self.faults.meet(request)
            response = self._usual(request, grant, fault)
        except GraphError as error:
            response = self._refusal(error, always)
        except BaseException:
            self.throttle.leave(key)
            raise
        if fault is not None and "Retry-After" in response.headers:
            self.throttle.fence(key, response.headers["Retry-After"])
        response.headers |= always

        def ended(status: int | None) -> None:
            self.throttle.leave(key)
            line.status, line.ended = status, time.monotonic()

        return Answer(response, fault or Fault(), ended)

    def _usual(self, request: Request, grant: Granted | None, fault: Fault | None) -> Response:
        if fault is not None:
            self._stopping.wait(fault.seconds)
            if fault.response is not None:
                given = fault.response
                return Response(given.status, given.body, given.content_type, dict(given.headers))
        if grant is None:
            raise invalid_token()
        if (request.method, request.segments) == ("POST", ["$batch"]):
            return batch.answer(request, self._in_batch, self._shuffled)
        with self._lock:
            response = self._routes.answer(request, grant)
        response.headers |= request.applied()
        return response

    def _in_batch(self, request: Request) -> Response:
        """Return the answer to one request of a batch; each has its own throttling and faults [DOC json-batching]."""
        answer = self._serve(request)
        answer.ended(answer.response.status)
        return answer.response

    def _key(self, request: Request, grant: Granted | None) -> Key:
        """Return what a request is counted under: the app, and the mailbox it is about."""
        mailbox = None if grant is None else grant.mailbox
        if mailbox is None and request.segments[:1] == ["users"] and len(request.segments) > 2:
            who = request.segments[1].lower()
            mailbox = next(
                (each.address for each in self.users if who in {each.id, each.address.lower()}), who
            )
        return ("" if grant is None else grant.app_id, mailbox)

    def _always(self, request: Request) -> dict[str, str]:
        """Return the headers of every answer (H2) [DOC]."""
        found = {"request-id": self._request_ids.guid()}
        if "client-request-id" in request.headers:
            found["client-request-id"] = request.headers["client-request-id"]
        return found

    def _refusal(self, error: GraphError, always: dict[str, str]) -> Response:
        if error.empty:
            return Response(error.status, headers=error.headers)
        inner = {"date": self.clock.now.strftime("%Y-%m-%dT%H:%M:%S"), **always}
        body = {"error": {"code": error.code, "message": error.message, "innerError": inner}}
        return json_response(body, status=error.status, headers=error.headers)
