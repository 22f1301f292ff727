"""Token files: whole, private, durable, one writer at a time, and sealed where there is a key."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_mailbox.auth import check_keys, token_file
from tap_mailbox.auth.token_file import TokenFile
from tap_mailbox.errors import ConfigError, CredentialError, Unavailable
from tests.servers.programs import require
from tests.tap.auth.accounts import account, names, write

FIELDS = {"access_token": "fake-access", "refresh_token": "fake-refresh", "updated": "2026-06-05T10:30:45"}
KEY, OTHER_KEY, THIRD_KEY = (base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in range(3))


@pytest.fixture
def path(tmp_path) -> Path:
    """Where the file is to be."""
    return tmp_path / "token.json"


def test_written_and_read(path):
    """What was written is read; nobody else may read it; nothing else is left but the lock."""
    path.write_text("{}")
    path.chmod(0o644)
    TokenFile(path).write(FIELDS)
    assert FIELDS == TokenFile(path).read() == json.loads(path.read_text())
    assert 0o600 == path.stat().st_mode & 0o777
    assert {".token.json.lock", "token.json"} == names(path.parent)


def test_link_is_followed(path):
    """The file a symbolic link names is replaced, and the link stays; both have one lock."""
    real = path.with_name("real") / "token.json"
    real.parent.mkdir()
    path.symlink_to(real)
    TokenFile(path).write(FIELDS)
    assert path.is_symlink()
    assert FIELDS == json.loads(real.read_text())
    assert {".token.json.lock", "token.json"} == names(real.parent)


def test_litter_of_killed_writers(path):
    """Is swept by the next writer; files of others stay."""
    litter = path.with_name(".token.json.0123456789abcdef.tmp")
    foreign = path.with_name(".token.json.bak")
    # Perhaps a writer at work, under a lock of its own.
    neighbour = path.with_name(".token.json.old.0123456789abcdef.tmp")
    for each in (litter, foreign, neighbour):
        each.write_text("x")
    TokenFile(path).write(FIELDS)
    assert [False, True, True] == [each.exists() for each in (litter, foreign, neighbour)]


def test_delete(path):
    """Deleted, and deleted again without a fuss."""
    file = TokenFile(path)
    file.write(FIELDS)
    file.delete()
    file.delete()
    assert not path.exists()


def test_one_at_a_time(path):
    """Who comes second waits until the first has done."""
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with TokenFile(path).locked():
            order.append("second")

    thread = threading.Thread(target=second)
    with TokenFile(path).locked():
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join(10)
    assert ["first", "second"] == order


def test_lock_that_is_never_given_up(path, monkeypatch):
    """Is waited for, but not for ever."""
    monkeypatch.setattr(token_file, "LOCK_TIMEOUT_SECONDS", 0.01)
    with (
        TokenFile(path).locked(),
        pytest.raises(Unavailable, match="locked by another process"),
        TokenFile(path).locked(),
    ):
        pass


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (None, "mailbox login"),
        (b"", "no JSON object"),
        (b'"fake-secret"', "no JSON object"),
        (b"fake-secret", "no JSON object"),
        (b"[" * 100_000, "no JSON object"),
        (b'{"a": "' + b"a" * 2**20 + b'"}', "no JSON object"),
        (b'{"fernet": "fake-secret"}', "TAP_MAILBOX_KEY"),
    ],
)
def test_unreadable(path, octets, words):
    """File and fault are named, what stands in it is not."""
    if octets is not None:
        path.write_bytes(octets)
    with pytest.raises(CredentialError) as caught:
        TokenFile(path).read()
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "fake-secret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_no_file_at_all(path, kind):
    """Neither is waited for or read."""
    path.mkdir() if kind == "directory" else os.mkfifo(path)
    with pytest.raises(CredentialError, match=str(path)):
        TokenFile(path).read()


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["fernet", *FIELDS]), inner),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
def test_any_octets(path, octets):
    """Whatever a file holds, it is a dictionary or a credential error; a dictionary can be written back."""
    path.write_bytes(octets)
    try:
        fields = TokenFile(path).read()
    except CredentialError:
        return
    TokenFile(path).write(fields)
    assert json.dumps(fields) == json.dumps(TokenFile(path).read())


@pytest.mark.parametrize(
    ("call", "error", "use"),
    [
        ("openat", "EROFS", "reserve"),
        ("openat", "EACCES", "reserve"),
        ("fallocate", "ENOSPC", "reserve"),
        ("fallocate", "EDQUOT", "reserve"),
        ("fsync", "EIO", "write"),
        ("rename", "EIO", "write"),
    ],
)
def test_directory_that_takes_nothing(path, call, error, use):
    """Is known before anybody is asked for a token where that can be, by the system's answer; the file stays."""
    write(path, **FIELDS)
    program = (
        "import sys; from pathlib import Path; from tap_mailbox.auth.token_file import TokenFile\n"
        "from tap_mailbox.errors import CredentialError\n"
        "file = TokenFile(Path(sys.argv[1]))\n"
        "try:\n"
        "    with file.locked():\n"
        f"        {'file.reserve()' if use == 'reserve' else 'file.write({})'}\n"
        "except CredentialError as problem:\n"
        "    print(problem)\n"
    )
    # openat is everybody's call, so that of the lock file alone.
    which = ("-P", str(path.with_name(".token.json.lock"))) if call == "openat" else ()
    strace = (require("strace"), "-f", "-qq", "-o", "/dev/null", *which, "-e", f"inject={call}:error={error}")
    command = [*strace, sys.executable, "-B", "-c", program, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "must be writable" in run.stdout
    assert FIELDS == json.loads(path.read_text())
    assert {".token.json.lock", "token.json"} >= names(path.parent)


# --- sealed ---------------------------------------------------------------------------------------------


def keys(monkeypatch, *values: str) -> None:
    """Set TAP_MAILBOX_KEY."""
    monkeypatch.setenv("TAP_MAILBOX_KEY", ", ".join(values))


def test_plain_files_are_sealed_when_they_are_written(path, monkeypatch):
    """Read as they are, sealed at the next write; without the key nothing of it can be read."""
    write(path, **FIELDS)
    keys(monkeypatch, KEY)
    file = TokenFile(path)
    assert FIELDS == file.read()
    file.write(file.read())
    assert FIELDS == file.read()
    assert b"fake" not in path.read_bytes()
    assert ["fernet"] == list(json.loads(path.read_text()))


def test_keys_rotate(path, monkeypatch):
    """The first key seals, any opens."""
    file = TokenFile(path)
    keys(monkeypatch, KEY)
    file.write(FIELDS)
    keys(monkeypatch, OTHER_KEY, KEY)
    file.write(file.read())
    keys(monkeypatch, OTHER_KEY)
    assert FIELDS == file.read()


@pytest.mark.parametrize(
    "value", [None, "", OTHER_KEY, f"{OTHER_KEY},{THIRD_KEY}"], ids=["none", "empty", "another", "two others"]
)
def test_wrong_key(path, monkeypatch, value):
    """Is said at the start with the file's name; the file is neither read nor written over."""
    keys(monkeypatch, KEY)
    TokenFile(path).write(FIELDS)
    before = path.read_bytes()
    monkeypatch.delenv("TAP_MAILBOX_KEY") if value is None else keys(monkeypatch, value)
    method = {"method": "msal", "client_id": "fake-id", "token_file": path.name}
    with pytest.raises(ConfigError, match=str(path)) as caught:
        check_keys([account(path.parent, method)])
    assert "TAP_MAILBOX_KEY" in str(caught.value)
    for use in (TokenFile(path).read, lambda: TokenFile(path).write(FIELDS)):
        with pytest.raises(CredentialError, match="TAP_MAILBOX_KEY"):
            use()
    assert before == path.read_bytes()


@pytest.mark.parametrize("value", ["fake-key", f"{KEY[:-4]}", f"{KEY},fake-key", "é"])
def test_malformed_key(monkeypatch, value):
    """Is said at the start even where no file is sealed, without showing it."""
    keys(monkeypatch, value)
    with pytest.raises(ConfigError, match="TAP_MAILBOX_KEY is malformed") as caught:
        check_keys([])
    assert value not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]", b'{"fernet": 7}'])
def test_files_that_are_not_sealed_need_no_key(path, content):
    """What else is wrong with a file is its account's own trouble."""
    if content is not None:
        path.write_bytes(content)
    method = {"method": "msal", "client_id": "fake-id", "token_file": path.name}
    check_keys([account(path.parent, method)])
