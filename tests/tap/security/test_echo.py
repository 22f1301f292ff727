"""Servers that repeat what they were sent, or say what a terminal would obey: none of it comes through."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_mailbox.sources.imap.replies import without
from tests.servers.imap_script import ImapScript
from tests.tap.auth.accounts import legacy
from tests.tap.runs import imap_account, run_tap
from tests.tap.security.listener import Listener, says

PASSWORDS = [
    "hunter2Zq",
    'ab"Zq7tail"Zq8',
    "ba\\ck\\sl\\ashZq",
    "mit ümlautZq",
    "it's\\'Zq77",
    "Zq with spaces",
]
ECHOES: dict[str, Callable[[str], str]] = {
    "as it is": lambda secret: secret,
    "quoted": lambda secret: '"' + secret.replace("\\", "\\\\").replace('"', '\\"') + '"',
    "half of a quotation": lambda secret: '"' + secret.replace("\\", "\\\\").replace('"', '\\"'),
    "in capitals": str.upper,
    "cut": lambda secret: secret[: len(secret) * 2 // 3],
    "the end of it": lambda secret: secret[len(secret) // 3 :],
    "base64": lambda secret: base64.b64encode(f"\0alice\0{secret}".encode()).decode(),
    "cut base64": lambda secret: base64.b64encode(f"\0alice\0{secret}".encode()).decode()[:-6],
}


def pieces(secret: str, size: int) -> set[str]:
    return {secret[start : start + size].lower() for start in range(len(secret) - size + 1)}


def said(run: Any, caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join([caplog.text, *run.report().failures, *run.report().warnings])


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("echo", ECHOES)
def test_password(make_imap_script, caplog, password: str, echo: str) -> None:
    """In whatever form the server repeats a password, no eight letters of it are in a log or the summary."""
    caplog.set_level(logging.DEBUG)
    server: ImapScript = make_imap_script(capability="IMAP4rev1 AUTH=PLAIN")
    words = ECHOES[echo](password)
    for command in ("LOGIN", "AUTHENTICATE"):
        server.answer(command, f"{{tag}} NO bad command: LOGIN alice {words} is wrong\r\n")
    method = {"method": "password", "username": "alice", "password": password}
    run = run_tap([imap_account(server, auth=[method])])
    assert run.code == 3
    shown = said(run, caplog)
    assert "sign-in refused" in shown
    encoded = base64.b64encode(f"\0alice\0{password}".encode()).decode()
    found = [each for each in pieces(password, 7) | pieces(encoded, 8) if each in shown.lower()]
    assert found == []


@pytest.mark.parametrize("cut", [20, 38])
def test_token_in_the_servers_reasons(tmp_path, make_imap_script, caplog, cut: int) -> None:
    """XOAUTH2's JSON is shown, but not where the server puts a part of the token there."""
    caplog.set_level(logging.DEBUG)
    token = "ya29." + "fakeZq7" * 10
    reasons = base64.b64encode(json.dumps({"status": token[:cut], "scope": token[3:90]}).encode()).decode()
    server: ImapScript = make_imap_script(capability="IMAP4rev1 AUTH=XOAUTH2")
    server.answer("AUTHENTICATE", f"+ {reasons}\r\n{{tag}} NO {token[:cut]}... refused\r\n")
    legacy(tmp_path / "token.json", "fake-refresh-Zq7")
    answer = says(json.dumps({"access_token": token, "expires_in": 3600}).encode())
    with Listener(answer) as endpoint:
        method = {"method": "xoauth2", "client_id": "fake-id", "token_url": endpoint.url}
        account = imap_account(server, auth=[{**method, "token_file": "token.json"}])
        run = run_tap([account], credentials_dir=str(tmp_path))
    assert run.code == 3
    shown = said(run, caplog)
    assert "XOAUTH2 refused" in shown
    assert [each for each in pieces(token, 8) if each in shown.lower()] == []


@pytest.mark.parametrize("letters", ["\x1b[2J", "\x9b2J", "\x07", "\r", "\u202e", "\x00"])
def test_terminal(make_imap_script, caplog, letters: str) -> None:
    """What the server says at the sign-in moves no cursor and fakes no line."""
    server: ImapScript = make_imap_script()
    server.answer("LOGIN", f"{{tag}} NO go {letters}away\r\n")
    run = run_tap([imap_account(server)])
    assert run.code == 3
    assert all(each.isprintable() for each in run.report().failures)


@given(st.text(min_size=1, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_without(secret: str, before: str, after: str) -> None:
    """No secret of more than spaces survives, wherever it stands."""
    shown = without(f"{before}{secret}{after}", [secret])
    assert not secret.strip() or " " in secret or secret not in shown or secret in "***"
