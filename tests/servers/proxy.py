"""`Proxy`: stands between an IMAP client and a server on loopback, and breaks things on demand.

    with Proxy(dovecot.port) as proxy:
        proxy.cut_after(100_000)                              # the server's 100,001st octet never arrives
        proxy.refuse(rb"UID FETCH 7 .*BODY", b"NO [SERVERBUG] Internal error")
        client = IMAPClient(proxy.host, proxy.port, ssl=False)

Plain text only: it reads the protocol. An answer of its own reaches the client only when the server has
answered everything it was asked before, so never inside a literal.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.servers.listening import Listening
from tests.servers.ports import HOST

ClientHook = Callable[[bytes], bytes | None]
ServerHook = Callable[[bytes], bytes]
LITERAL = re.compile(rb"\{(\d+)\+?\}\r?\n\Z")


class Cut(Exception):
    """Raised by a hook: close both sides now."""


@dataclass
class _Cut:
    """When to close: after so many octets, or behind the k-th occurrence of a pattern, from the server."""

    octets: int | None = None
    pattern: bytes | None = None
    occurrence: int = 1
    connections: int | None = 1  # how many are cut before all is well again; None: all


@dataclass(eq=False)
class _Connection:
    """Two sockets and what is under way between them."""

    client: socket.socket
    server: socket.socket
    number: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    outstanding: set[bytes] = field(default_factory=set)
    own_answers: list[bytes] = field(default_factory=list)
    line: bytes = b""  # of the server, so far
    literal: int = 0  # octets of the server's literal still to come
    sent: int = 0  # octets of the server handed on
    tail: bytes = b""
    seen: int = 0  # occurrences of the cut's pattern

    def close(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Proxy(Listening):
    """A listening proxy; `on_client_line` and `on_server_data` may be set at any time.

    Attributes:
        on_client_line: Gets every line of the client (with its line end). None passes it on; octets are
            the answer instead of the server's, in which `{tag}` stands for the command's tag.
        on_server_data: Gets what came from the server, returns what the client gets.
        delay: Seconds before anything from the server is handed on.
        connections: How many connections were accepted.
        commands: Every command line seen, without tag and line end; passwords never.
    """

    def __init__(self, port: int, host: str = HOST) -> None:
        self.target = (host, port)
        self.on_client_line: ClientHook | None = None
        self.on_server_data: ServerHook | None = None
        self.delay = 0.0
        self.commands: list[str] = []
        self.cuts = 0
        self._cut: _Cut | None = None
        self._refusals: list[tuple[re.Pattern[bytes], bytes, list[int]]] = []
        self._open: set[_Connection] = set()
        super().__init__()

    # --- what to break ----------------------------------------------------------------------------------

    def cut_after(self, octets: int, *, connections: int | None = 1) -> None:
        """Close both sides once the server has sent so many octets in one connection, counted from now."""
        self._cut = _Cut(octets=octets, connections=connections)
        for connection in list(self._open):
            connection.sent = 0

    def cut_at(self, pattern: bytes, occurrence: int = 1, *, connections: int | None = 1) -> None:
        """Close both sides right behind the k-th occurrence of *pattern* from the server."""
        self._cut = _Cut(pattern=pattern, occurrence=occurrence, connections=connections)
        for connection in list(self._open):
            connection.seen, connection.tail = 0, b""

    def refuse(self, command: bytes, answer: bytes, *, times: int | None = None) -> None:
        """Answer commands that match the pattern (tag aside) with e.g. `NO [UNAVAILABLE] Later`."""
        pattern = re.compile(command, re.IGNORECASE | re.DOTALL)
        self._refusals.append((pattern, answer, [-1 if times is None else times]))

    def heal(self) -> None:
        """From now on pass everything on as it is."""
        self._cut, self.on_client_line, self.on_server_data, self.delay = None, None, None, 0.0
        self._refusals.clear()

    def count(self, pattern: str) -> int:
        """Return how many commands so far match the pattern at their start."""
        return sum(re.match(pattern, command, re.IGNORECASE) is not None for command in list(self.commands))

    # --- life -------------------------------------------------------------------------------------------

    def drop_connections(self) -> None:
        """Close every connection there is; new ones are accepted."""
        for connection in list(self._open):
            connection.close()

    # --- the two directions -----------------------------------------------------------------------------

    def _accepted(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.target, timeout=10)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        connection = _Connection(client, server, self.connections)
        self._open.add(connection)
        self._spawn(self._guarded, self._from_client, connection)
        self._spawn(self._guarded, self._from_server, connection)

    def _guarded(self, work: Callable[[_Connection], None], connection: _Connection) -> None:
        try:
            with contextlib.suppress(Cut, OSError, ValueError):  # ValueError: the other thread closed it
                work(connection)
        finally:
            connection.close()
            self._open.discard(connection)

    def _from_client(self, connection: _Connection) -> None:
        with connection.client.makefile("rb") as lines:
            while line := lines.readline():
                fresh = self._note(line)
                if (answer := self._own_answer(line)) is not None:
                    self._answer(connection, answer.replace(b"{tag}", line.split(b" ")[0]))
                    continue
                if fresh:
                    with connection.lock:
                        connection.outstanding.add(line.split(b" ")[0])
                connection.server.sendall(line)
                while literal := LITERAL.search(line):
                    connection.server.sendall(lines.read(int(literal[1])))
                    line = lines.readline()
                    connection.server.sendall(line)

    def _note(self, line: bytes) -> bool:
        """Remember a command; False for what is none (the answer to a challenge, DONE)."""
        tag, _, command = line.rstrip(b"\r\n").partition(b" ")
        if not command or not re.fullmatch(rb"[A-Za-z0-9.]{1,32}", tag):
            return False
        words = command.split(b" ")
        secret = words[0].upper() in {b"LOGIN", b"AUTHENTICATE"}
        self.commands.append(words[0].decode() if secret else command.decode("utf-8", "replace"))
        return True

    def _own_answer(self, line: bytes) -> bytes | None:
        if self.on_client_line is not None and (answer := self.on_client_line(line)) is not None:
            return answer
        command = line.partition(b" ")[2]
        for pattern, answer, left in self._refusals:
            if left[0] and pattern.match(command):
                left[0] -= 1
                return b"{tag} " + answer + b"\r\n"
        return None

    def _answer(self, connection: _Connection, answer: bytes) -> None:
        with connection.lock:
            connection.own_answers.append(answer)
            self._flush(connection)

    def _flush(self, connection: _Connection) -> None:
        """Send our own answers if the server owes none; the lock is held."""
        if not connection.outstanding and not connection.literal and not connection.line:
            while connection.own_answers:
                connection.client.sendall(connection.own_answers.pop(0))

    def _from_server(self, connection: _Connection) -> None:
        while data := connection.server.recv(65536):
            if self.delay:
                time.sleep(self.delay)  # of a server far away
            if self.on_server_data is not None:
                data = self.on_server_data(data)
            allowed, cut = self._until_cut(connection, data)
            with connection.lock:
                connection.client.sendall(allowed)
                if cut:
                    raise Cut
                self._follow(connection, allowed)
                self._flush(connection)

    def _until_cut(self, connection: _Connection, data: bytes) -> tuple[bytes, bool]:
        """Return what may still pass of *data*, and whether the connection ends there."""
        rule = self._cut
        if rule is None or rule.connections == 0:
            return data, False
        end: int | None = None
        if rule.octets is not None and connection.sent + len(data) > rule.octets:
            end = rule.octets - connection.sent
        if rule.pattern is not None:
            window, offset = connection.tail + data, len(connection.tail)
            for found in re.finditer(re.escape(rule.pattern), window):
                connection.seen += 1
                if connection.seen == rule.occurrence:
                    end = found.end() - offset
                    break
            # Not a whole occurrence, or it would be counted twice.
            connection.tail = (
                window[max(0, len(window) - len(rule.pattern) + 1) :] if len(rule.pattern) > 1 else b""
            )
        connection.sent += len(data)
        if end is None:
            return data, False
        if rule.connections is not None:
            rule.connections -= 1
        self.cuts += 1
        return data[:end], True

    @staticmethod
    def _follow(connection: _Connection, data: bytes) -> None:
        """Keep count of lines, literals and tagged answers of the server."""
        while data:
            if connection.literal:
                taken = min(connection.literal, len(data))
                connection.literal -= taken
                data = data[taken:]
                continue
            head, newline, data = data.partition(b"\n")
            connection.line += head + newline
            if not newline:
                return
            line, connection.line = connection.line, b""
            if literal := LITERAL.search(line):
                connection.literal = int(literal[1])
            connection.outstanding.discard(line.split(b" ")[0])
