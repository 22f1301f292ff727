"""Whoever does not answer, or never stops, or keeps a lock, holds nothing up for ever."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tap_mailbox.auth import BearerCredential, credential_for, password, revocation, token_endpoint
from tap_mailbox.errors import CredentialError, TapError, Unavailable
from tap_mailbox.sources.graph import client
from tap_mailbox.sources.graph.pace import Pace
from tap_mailbox.sources.graph.sign_in import open_client
from tests.tap.auth.accounts import account, credential, legacy, write
from tests.tap.security.listener import Dripping, Listener, says, silent
from tests.waiting import wait_until

GENERIC = {"method": "xoauth2", "client_id": "fake-id", "token_file": "token.json"}
FRESH = {
    "access_token": "fake-access",
    "access_scope": "https://graph.microsoft.com/Mail.Read",
    "refresh_token": "fake-refresh",
    "updated": "2026-01-01T00:00:00+00:00",
    "expires_at": "2999-01-01T00:00:00+00:00",
}
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"


def test_answer_that_drips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer has so many seconds in all, however steadily it comes: it is waited for under the lock."""
    monkeypatch.setattr(token_endpoint, "ANSWER_SECONDS", 0.2)
    legacy(tmp_path / "token.json", "fake-refresh")
    with Listener(dripping := Dripping()) as endpoint:
        ann = credential(tmp_path, {**GENERIC, "token_url": f"{endpoint.url}/token"})
        with pytest.raises(Unavailable, match="no answer in time"):
            ann.token()
    assert not dripping.to_the_end


def test_revocation_that_drips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is that of `mailbox logout`, which holds the same lock; the sign-in is still good then."""
    monkeypatch.setattr(revocation, "TIMEOUT_SECONDS", 0.2)
    legacy(tmp_path / "token.json", "fake-refresh")
    with Listener(dripping := Dripping()) as endpoint:
        ann = account(
            tmp_path, {**GENERIC, "token_url": endpoint.url, "revoke_url": f"{endpoint.url}/revoke"}
        )
        with pytest.raises(Unavailable, match="still good"):
            revocation.revoke(ann, ann.auth[0])
    assert not dripping.to_the_end


def test_endless_answer(tmp_path: Path) -> None:
    """An answer without an end is cut off."""

    def flood(connection, ended) -> None:
        connection.sendall(ENDLESS)
        while not ended.is_set():
            connection.sendall(b'{"access_token": "' + b"x" * 65536)

    legacy(tmp_path / "token.json", "fake-refresh")
    with Listener(flood) as endpoint:
        ann = credential(tmp_path, {**GENERIC, "token_url": f"{endpoint.url}/token"})
        with pytest.raises(Unavailable, match="no JSON object"):
            ann.token()


@pytest.mark.parametrize("script", ["echo fake-secret; sleep 20 &", "sleep 20 & sleep 20"])
def test_password_command_with_a_child(tmp_path, monkeypatch, script) -> None:
    """A child that keeps the pipe open, such as an agent started on the way, is not waited for."""
    monkeypatch.setattr(password, "COMMAND_TIMEOUT_SECONDS", 0.5)
    ann = account(tmp_path, {"method": "password", "password_command": ["sh", "-c", script]})
    started = time.monotonic()
    with pytest.raises(CredentialError, match="no answer within"):
        credential_for(ann, ann.auth[0])
    assert time.monotonic() - started < 30


@contextmanager
def running(directory: Path, *accounts: dict[str, Any], **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Yield a tap over *accounts*."""
    config = write(directory / "tap.json", accounts=list(accounts), credentials_dir=str(directory))
    command = [sys.executable, "-m", "tap_mailbox", "--config", str(config)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def imap(endpoint: Listener) -> dict[str, Any]:
    method = {**GENERIC, "token_url": f"{endpoint.url}/token"}
    server = {"host": "127.0.0.1", "port": endpoint.port, "tls": "none"}
    return {"name": "ann", "protocol": "imap", "email": "ann@example.org", **server, "auth": [method]}


def graph(endpoint: Listener) -> dict[str, Any]:
    # It waits for the endpoint's part of the handshake, which never comes.
    authority = endpoint.url.replace("http:", "https:")
    method = {"method": "msal", "client_id": "fake-id", "token_file": "token.json"}
    return {"name": "ann", "protocol": "graph", "authority": authority, "auth": [method]}


@pytest.mark.parametrize("protocol", ["imap", "graph"])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_at_a_silent_endpoint(tmp_path: Path, protocol: str, signum: int) -> None:
    """A run that waits for a token ends within five seconds of a signal, and leaves the token file as it was."""
    before = legacy(tmp_path / "token.json", "fake-refresh").read_bytes()
    with Listener(silent) as endpoint:
        found = imap(endpoint) if protocol == "imap" else graph(endpoint)
        with running(tmp_path, found) as child:
            wait_until(lambda: endpoint.heard)
            ended(child, signum)
    assert before == (tmp_path / "token.json").read_bytes()


@pytest.mark.parametrize("protocol", ["imap", "graph"])
def test_signal_at_a_lock(tmp_path: Path, protocol: str) -> None:
    """So does one that waits for somebody who keeps the lock for ever."""
    legacy(tmp_path / "token.json", "fake-refresh")
    lock = tmp_path / ".token.json.lock"
    with Listener(silent) as endpoint, lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = imap(endpoint) if protocol == "imap" else graph(endpoint)
        with running(tmp_path, found) as child:
            wait_until(lambda: opened_by(child.pid, lock))
            ended(child, signal.SIGTERM)
        assert endpoint.heard == b""


def opened_by(pid: int, path: Path) -> bool:
    """Whether a process has the file open."""
    try:
        return any(each.readlink() == path for each in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def ended(child: subprocess.Popen[str], signum: int) -> None:
    """Send a signal and make sure of its exit code; the alarm of the tap bounds the time at four seconds."""
    child.send_signal(signum)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 128 + signum, err
    assert "Traceback" not in err
    # The alarm was not needed.
    assert "no orderly end" not in err


@pytest.mark.parametrize(
    "expires_in",
    [1e300, "1e400", "nan", "inf", None, [], {}, "", "soon", 10**30],
)
def test_odd_lifetimes(tmp_path: Path, expires_in: object) -> None:
    """A lifetime that is none, or no number, does not make every request a renewal."""
    legacy(tmp_path / "token.json", "fake-refresh")
    answer = json.dumps({"access_token": "fake-access", "expires_in": expires_in}).encode()
    with Listener(says(answer)) as endpoint:
        ann = credential(tmp_path, {**GENERIC, "token_url": f"{endpoint.url}/token"})
        assert ["fake-access"] * 3 == [ann.token() for _ in range(3)]
    assert endpoint.heard.count(b"POST /token ") == 1


TIMES = [
    {"expires_at": "2999-01-01T00:00:00+00:00"},
    {"expires_at": "0001-01-01T00:00:00+00:00", "updated": "0001-01-01T00:00:00+00:00"},
    {"expires_at": "0001-01-01T00:00:00+14:00"},
    {"expires_at": "9999-12-31T23:59:59-12:00"},
    {"expires_at": 1e300},
    {"expires_at": float("nan")},
    {"expires_at": -(10**30)},
    {"expires_at": True},
    {"expires_at": "yesterday", "updated": []},
    {"updated": "2999-01-01T00:00:00+00:00"},
    {"access_scope": 7},
    {"access_token": "two words"},
    {"access_token": "line\nbreak"},
]


@pytest.mark.parametrize("odd", TIMES)
def test_odd_token_files(tmp_path: Path, odd: dict[str, Any]) -> None:
    """Whatever a clock that jumped left in the file: a token that is refused is renewed, with the old refresh."""
    fields = {"access_token": "fake-old", "access_scope": "", "updated": "2026-01-01T00:00:00+00:00"}
    write(tmp_path / "token.json", **{"refresh_token": "fake-refresh", **fields, **odd})
    answer = json.dumps({"access_token": "fake-access", "expires_in": 3600}).encode()
    with Listener(says(answer)) as endpoint:
        ann = credential(tmp_path, {**GENERIC, "token_url": f"{endpoint.url}/token"})
        first = ann.token()
        assert ann.token(rejected=first) != first or first == "fake-access"
        assert ann.token(rejected="fake-old") == "fake-access"
    assert json.loads((tmp_path / "token.json").read_text())["refresh_token"] == "fake-refresh"


def test_somebody_elses_lock_file(tmp_path: Path) -> None:
    """A lock file that cannot be opened is named; a symbolic link in its place is not followed."""
    legacy(tmp_path / "token.json", "fake-refresh")
    (tmp_path / ".token.json.lock").symlink_to(tmp_path / "planted")
    ann = credential(tmp_path, {**GENERIC, "token_url": "http://127.0.0.1:9/token"})
    with pytest.raises(TapError, match=r"\.lock"):
        ann.token()
    assert not (tmp_path / "planted").exists()


def test_graph_answer_that_drips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So has an answer of Graph, also one whose first piece never becomes whole."""
    monkeypatch.setattr(client, "_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(client, "MAX_ATTEMPTS", 1)
    write(tmp_path / "token.json", **FRESH)
    with Listener(dripping := Dripping()) as service:
        method = {"method": "msal", "client_id": "fake-id", "token_file": "token.json"}
        ann = account(tmp_path, method, protocol="graph", graph_url=service.url)
        found = credential_for(ann, ann.auth[0])
        assert isinstance(found, BearerCredential)
        asked = open_client(ann, found, Pace(lambda: None), wait=time.sleep)
        with pytest.raises(Unavailable):
            asked.json(asked.url(""), doing="reading")
        asked.close()
    assert not dripping.to_the_end


@pytest.mark.parametrize("swap", ["another sign-in", "sealed elsewhere", "deleted", "turned link"])
def test_token_file_swapped_during_a_run(tmp_path: Path, swap: str) -> None:
    """A run goes on with the sign-in that is in the file by then; it never writes over what it cannot read."""
    own = legacy(tmp_path / "real.json", "fake-refresh-1")
    path = tmp_path / "token.json"
    path.symlink_to(own)
    answer = json.dumps({"access_token": "fake-access", "expires_in": 3600}).encode()
    with Listener(says(answer)) as endpoint:
        ann = credential(tmp_path, {**GENERIC, "token_url": f"{endpoint.url}/token"})
        assert ann.token() == "fake-access"
        match swap:
            case "another sign-in":
                legacy(own, "fake-refresh-2")
                ann.token(rejected="fake-access")
                assert b"refresh_token=fake-refresh-2" in endpoint.heard
            case "turned link":
                path.unlink()
                path.symlink_to(legacy(tmp_path / "other.json", "fake-refresh-2"))
                ann.token(rejected="fake-access")
                assert "fake-refresh-1" in own.read_text()
                assert "fake-expired" in (tmp_path / "other.json").read_text()
            case _:
                own.unlink() if swap == "deleted" else write(own, fernet="fake")
                before = own.read_bytes() if own.exists() else b""
                with pytest.raises(CredentialError, match=r"does not exist|TAP_MAILBOX_KEY"):
                    ann.token(rejected="fake-access")
                assert before == (own.read_bytes() if own.exists() else b"")
                assert endpoint.heard.count(b"POST") == 1
