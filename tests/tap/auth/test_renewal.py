"""Renewals by many at once, and renewals that are killed: one request, and a token file that works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tap_mailbox.errors import CredentialError
from tests.servers.oauth import App, Entra
from tests.servers.programs import require
from tests.tap.auth.accounts import legacy, microsoft, names

PROGRAM = """
import json, sys
from tap_mailbox.auth import credential_for
from tap_mailbox.config import parse_config
from tap_mailbox.schema import load_schema
(account,) = parse_config(json.loads(sys.argv[1]), load_schema("tap-config")).accounts
credential = credential_for(account, account.auth[0])
print("ready", flush=True)
print(credential.token(), flush=True)
"""


@pytest.fixture
def app(tmp_path, entra) -> App:
    """An application; token.json holds a legacy refresh token, app.json who it is."""
    found = entra.new_app()
    legacy(tmp_path / "token.json", entra.new_refresh_token(found))
    microsoft(tmp_path, entra, found)
    return found


@contextmanager
def process(directory: Path, entra: Entra, *wrapper: str) -> Iterator[subprocess.Popen[str]]:
    """Yield a process that asks for a token and prints it."""
    method = {"method": "msal", "app_file": "app.json", "token_file": "token.json"}
    account = {
        "name": "ann",
        "protocol": "graph",
        "authority": entra.authority,
        "ca_file": str(entra.ca_file),
    }
    config = {"accounts": [{**account, "auth": [method]}], "credentials_dir": str(directory)}
    command = [*wrapper, sys.executable, "-B", "-c", PROGRAM, json.dumps(config)]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    with child:
        try:
            yield child
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)


def works(directory: Path, entra: Entra, app: App) -> bool:
    """Whether the next run gets a token, and leaves nothing behind."""
    assert json.loads((directory / "token.json").read_text())["refresh_token"]
    ann = microsoft(directory, entra, app)
    assert entra.check(ann.token(rejected=ann.token()))
    return {".token.json.lock", "app.json", "token.json"} == names(directory)


def test_threads(tmp_path, entra, app):
    """Eight threads with one credential, and eight with their own: one renewal, one token."""
    entra.single_use = True
    one = microsoft(tmp_path, entra, app)
    credentials = [one] * 8 + [microsoft(tmp_path, entra, app) for _ in range(8)]
    tokens: list[str] = []
    threads = [threading.Thread(target=lambda each=each: tokens.append(each.token())) for each in credentials]
    with entra.hold_answers() as hold:
        for thread in threads:
            thread.start()
        hold.wait()
    for thread in threads:
        thread.join(30)
    assert (16, 1, 1) == (len(tokens), len(set(tokens)), entra.refreshes)


def test_processes(tmp_path, entra, app):
    """Eight processes at once, with a refresh token that is good for one renewal: one renewal, none fails."""
    entra.single_use = True
    starting = [process(tmp_path, entra) for _ in range(8)]
    with entra.hold_answers() as hold:
        children = [each.__enter__() for each in starting]
        assert ["ready\n"] * 8 == [child.stdout.readline() for child in children]
        hold.wait()
        hold.release()
        tokens = {child.stdout.readline() for child in children}
    for each in starting:
        each.__exit__(None, None, None)
    assert (1, 1) == (len(tokens), entra.refreshes)
    assert entra.check(tokens.pop().strip())


def test_killed_while_the_answer_is_on_its_way(tmp_path, entra, app):
    """The refresh token was redeemed, the answer never came: the old one is there, and Microsoft still takes it."""
    before = (tmp_path / "token.json").read_bytes()
    with entra.hold_answers() as hold, process(tmp_path, entra) as child:
        hold.wait()
        child.kill()
        child.wait()
    assert before == (tmp_path / "token.json").read_bytes()
    assert works(tmp_path, entra, app)


@pytest.mark.parametrize(
    ("point", "renewed"),
    [
        pytest.param("fallocate:signal=KILL", False, id="before the request"),
        pytest.param("connect:signal=KILL", False, id="at the request"),
        pytest.param("ftruncate:signal=KILL", False, id="the new file is half there"),
        pytest.param("fsync:signal=KILL:when=1", False, id="the new file is written"),
        pytest.param("rename:signal=KILL", None, id="at the rename"),
        pytest.param("fsync:signal=KILL:when=2", True, id="the new file has its name"),
    ],
)
def test_killed(tmp_path, entra, app, point, renewed):
    """By kill -9 at any step: the old file or the new one, whole; the next run goes on and sweeps up."""
    before = (tmp_path / "token.json").read_bytes()
    strace = (require("strace"), "-f", "-qq", "-o", "/dev/null", "-e", f"inject={point}")
    with process(tmp_path, entra, *strace) as child:
        printed = child.stdout.read()
    assert "ready\n" == printed
    after = (tmp_path / "token.json").read_bytes()
    assert renewed in (None, before != after)
    # Where the old refresh token is gone with the answer, only a renewed file is of use.
    entra.single_use = before != after
    assert works(tmp_path, entra, app)


def test_saved_before_it_is_used(tmp_path, entra, app):
    """A token that cannot be kept is not handed out: the next run would have lost its refresh token."""
    ann = microsoft(tmp_path, entra, app)
    with entra.hold_answers() as hold:
        failures: list[Exception] = []

        def ask() -> None:
            try:
                ann.token()
            except CredentialError as error:
                failures.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        hold.wait()
        # What stands there now cannot be opened, so it must not be replaced.
        (tmp_path / "token.json").write_text('{"fernet": "fake"}')
        hold.release()
        thread.join(30)
    assert ["TAP_MAILBOX_KEY"] == [word for word in str(failures).split() if word.isupper()][:1]


def test_no_room(tmp_path, entra, app):
    """Nobody is asked for a refresh token that there is no place to keep."""
    strace = (require("strace"), "-f", "-qq", "-o", "/dev/null", "-e", "inject=fallocate:error=ENOSPC")
    with process(tmp_path, entra, *strace) as child:
        assert "ready\n" == child.stdout.read()
    assert [] == entra.requests
