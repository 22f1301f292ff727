"""`mailbox folders`: what there is, what is read, and how far."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.servers.dovecot import Dovecot, User
from tests.tap.cli.commands import MAILBOX, mailbox, write_config

MAIL = b"Subject: hi\r\n\r\nbody\r\n"
STRANGE = '[bold]/日本 & "x"'


@pytest.fixture(scope="module")
def user(dovecot: Dovecot) -> User:
    user = dovecot.new_user()
    dovecot.fill(user, "INBOX", [MAIL] * 3)
    dovecot.fill(user, STRANGE, [MAIL])
    dovecot.create_folder(user, "Junk")
    return user


@pytest.fixture
def config(dovecot: Dovecot, user: User, tmp_path: Path) -> Path:
    auth = [{"method": "password", "username": user.name, "password": user.password}]
    account = {"name": "work", "protocol": "imap", "host": "127.0.0.1", "port": dovecot.port, "tls": "none"}
    return write_config(tmp_path / "config.json", {**account, "email": user.email, "auth": auth})


def bookmarks(**folders: Any) -> dict[str, Any]:
    return {"bookmarks": {"imap_messages": {"accounts": {"work": {"folders": folders}}}}}


def rows(stdout: str) -> dict[str, list[str]]:
    """Return the lines of the table by folder."""
    return {line.split("\t")[0]: line.split("\t")[1:] for line in stdout.splitlines()}


def test_table(config: Path) -> None:
    """Tab-separated in a pipe: name, special use, whether it is read, messages."""
    result = mailbox("folders", "work", "--config", config)
    assert 0 == result.exit_code
    found = rows(result.stdout)
    assert ["special use", "read", "messages"] == found["folder"]
    assert ["\\Inbox", "yes", "3"] == found["INBOX"]
    assert ["", "yes", "1"] == found[STRANGE]
    assert ["\\Junk", "no", "0"] == found["Junk"]


@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "as Meltano prints it"])
def test_bookmarks(config: Path, tmp_path: Path, wrapped: bool) -> None:
    """A bookmark stands beside its folder; one whose folder is gone is named on stderr."""
    state = bookmarks(INBOX={"uidvalidity": 1, "last_uid": 2, "pending": [1]}, Gone={"last_uid": 9})
    path = tmp_path / "state.json"
    path.write_text(json.dumps({"singer_state": state} if wrapped else state))
    result = mailbox("folders", "work", "--config", config, "--state", path)
    found = rows(result.stdout)
    assert ("UID 2, 1 pending", "-") == (found["INBOX"][-1], found[STRANGE][-1])
    assert "'Gone'" in result.stderr


def test_json(config: Path) -> None:
    """For programs: the same, and the bookmark as it stands in the state, here from stdin."""
    state = bookmarks(INBOX={"uidvalidity": 1, "last_uid": 2})
    arguments = ("folders", "work", "--config", config, "--json", "--state", "-")
    answer = json.loads(mailbox(*arguments, stdin=json.dumps(state)).stdout)
    inbox = next(folder for folder in answer["folders"] if folder["key"] == "INBOX")
    expected = {"name": "INBOX", "special": ["\\Inbox"], "selected": True, "messages": 3}
    assert {"key": "INBOX", **expected, "bookmark": {"uidvalidity": 1, "last_uid": 2}} == inbox


@pytest.mark.parametrize(
    ("arguments", "content", "words"),
    [
        (["--state", "FILE"], "no json", "is not JSON"),
        (["--state", "FILE"], "[]", "must hold an object"),
        (["--state", "FILE"], '{"bookmarks": []}', "state.bookmarks must be an object"),
        (["--state-id", "x"], "", "needs a Meltano project"),
    ],
)
def test_state_that_cannot_be_used(
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    content: str,
    words: str,
) -> None:
    """Exit 1, before the server is asked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "state.json").write_text(content)
    given = [argument.replace("FILE", str(tmp_path / "state.json")) for argument in arguments]
    result = mailbox("folders", "work", "--config", config, *given)
    assert (1, True) == (result.exit_code, words in result.stderr)


def test_names_cannot_write_on_the_screen(tmp_path: Path) -> None:
    """A name with control characters is shown without them."""
    directory = tmp_path / "mail" / "a\x1b[2Jb\nc"
    directory.mkdir(parents=True)
    (directory / "1.eml").write_bytes(MAIL)
    account = {"name": "old", "protocol": "files", "path": str(tmp_path / "mail")}
    result = mailbox("folders", "old", "--config", write_config(tmp_path / "c.json", account))
    assert "a\ufffd[2Jb\ufffdc\t\tyes\t1" == result.stdout.splitlines()[1]


def test_account_that_fails(config: Path, dovecot: Dovecot) -> None:
    """No folders: exit 3 and the reason."""
    document = json.loads(config.read_text())
    document["accounts"][0]["auth"][0]["password"] = "fake-wrong"
    config.write_text(json.dumps(document))
    result = mailbox("folders", "work", "--config", config)
    assert (3, "") == (result.exit_code, result.stdout)
    assert "sign-in refused" in result.stderr
    assert "fake-wrong" not in result.stderr


def test_on_a_terminal(config: Path) -> None:
    """A table with the names as they are, not as markup."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [*MAILBOX, "folders", "work", "--config", str(config)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "TERM": "xterm", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # Linux' way to say that nobody writes any more
                break
            shown += piece
        os.close(master)
    assert 0 == process.returncode
    assert STRANGE in shown.decode()
    assert "┃" in shown.decode()
