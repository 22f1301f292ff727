"""The listener of a sign-in among the other programs of its machine: only our `state` counts, once."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from tap_mailbox.auth.loopback import Loopback
from tap_mailbox.errors import CredentialError

STATE = "fake-state-Zq7"
CODE = "fake-code-Zq7"
STRANGERS = [
    b"",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /favicon.ico HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /?code=evil HTTP/1.1\r\n\r\n",
    b"GET /?code=evil&state= HTTP/1.1\r\n\r\n",
    b"GET /?code=evil&state=\xff\xfe%ff HTTP/1.1\r\n\r\n",
    b"GET /?code=evil&state=other&state=" + STATE.encode() + b" HTTP/1.1\r\n\r\n",
    b"GET /?error=access_denied&state=" + STATE[:-1].encode() + b" HTTP/1.1\r\n\r\n",
    b"POST /?code=evil&state=" + STATE.encode() + b" HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    b"HEAD /?code=evil&state=" + STATE.encode() + b" HTTP/1.1\r\n\r\n",
]


def ask(port: int, octets: bytes) -> bytes:
    """Send a request and return the whole answer."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line, contextlib.suppress(OSError):
        line.sendall(octets)
        line.shutdown(socket.SHUT_WR)
        while piece := line.recv(65536):
            answer += piece
    return answer


def right(code: str) -> bytes:
    return f"GET /?state={STATE}&code={code} HTTP/1.1\r\n\r\n".encode()


def test_strangers_first(capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever others send before it, also on lines they keep open, the right answer arrives, and the first."""
    with Loopback(port=0, state=STATE) as loopback, contextlib.ExitStack() as idle:
        for _ in range(20):
            idle.enter_context(socket.create_connection(("127.0.0.1", loopback.port)))
        answers = [ask(loopback.port, each) for each in STRANGERS]
        first = ask(loopback.port, right(CODE))
        second = ask(loopback.port, right("another"))
        assert loopback.answer(timeout=20) == {"state": STATE, "code": CODE}
    assert [each for each in answers if b" 200 " in each or b"evil" in each or STATE.encode() in each] == []
    assert CODE.encode() not in first + second
    assert b"Referrer-Policy: no-referrer" in first
    assert capfd.readouterr() == ("", "")


def test_strangers_alone() -> None:
    """Without the right answer the wait ends with a word about those with a foreign state."""
    with Loopback(port=0, state=STATE) as loopback:
        for each in STRANGERS:
            ask(loopback.port, each)
        with pytest.raises(CredentialError, match="5 with a foreign `state`"):
            loopback.answer(timeout=0.01)


def test_here_alone() -> None:
    """Nobody on the network reaches it."""
    with Loopback(port=0, state=STATE) as loopback:
        listening = [
            line.split()[1]
            for name in ("tcp", "tcp6")
            for line in Path("/proc/net", name).read_text().splitlines()[1:]
            if line.split()[1].endswith(f":{loopback.port:04X}") and line.split()[3] == "0A"
        ]
    assert listening == [f"0100007F:{loopback.port:04X}"]
