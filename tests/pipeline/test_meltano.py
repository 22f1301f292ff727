"""Through Meltano, for real: twice, with an edited bookmark, one plugin per account, without the octets."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.dovecot import Dovecot, User

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PASSWORD = 'fake "secret" $HOME ü'
STATE_ID = "prod:tap-mailbox-to-target-hashfs"
RUN = ("run", "--no-install", "tap-mailbox", "target-hashfs")

pytestmark = pytest.mark.slow


def mail(number: int) -> bytes:
    return (
        f"Date: Fri, 5 Jun 2026 10:30:{number:02} +0000\r\nFrom: a@example.org\r\nTo: b@example.org\r\n"
        f"Subject: Message {number}\r\nMessage-ID: <{number}@example.org>\r\n\r\nHello {number}\r\n"
    ).encode()


class Project:
    """A Meltano project: the repository's meltano.yml with other accounts, and plugins from this venv."""

    def __init__(self, directory: Path, accounts: list[dict[str, Any]]) -> None:
        self.archive = directory / "archive"
        self.root = directory / "project"
        self.root.mkdir()
        document = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
        for plugin in [*document["plugins"]["extractors"], *document["plugins"]["loaders"]]:
            # Without pip_url Meltano installs nothing and takes the program as it is.
            if plugin.pop("pip_url", None):
                plugin["executable"] = str(BIN / plugin["executable"])
        prod = next(each for each in document["environments"] if each["name"] == "prod")
        prod["config"]["plugins"]["extractors"][0]["config"]["accounts"] = accounts
        (self.root / "meltano.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
        self.environment = {
            **os.environ,
            "HOME": str(directory),
            "MELTANO_PROJECT_ROOT": str(self.root),
            "MELTANO_ENVIRONMENT": "prod",
            "ARCHIVE_PATH": str(self.archive),
            "MAIL_PASSWORD": PASSWORD,
        }

    def meltano(self, *arguments: str, **variables: str) -> str:
        """Run a command; returns its stdout."""
        done = subprocess.run(
            [BIN / "meltano", *arguments],
            cwd=self.root,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done.stdout

    def state(self, state_id: str = STATE_ID) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.meltano("state", "get", state_id))["singer_state"]
        return state

    def tree(self) -> dict[str, tuple[str, int]]:
        """Return digest and time of every file but journal and state."""
        return {
            path.relative_to(self.archive).as_posix(): (
                hashlib.sha256(path.read_bytes()).hexdigest(),
                path.stat().st_mtime_ns,
            )
            for path in self.archive.rglob("*")
            if path.is_file() and path.relative_to(self.archive).parts[0] not in {"_journal", "_state"}
        }

    def journal(self) -> list[dict[str, Any]]:
        text = (self.archive / "_journal" / "live-poll.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def user(dovecot: Dovecot) -> User:
    user = dovecot.new_user(PASSWORD)
    dovecot.fill(user, "INBOX", map(mail, range(5)))
    dovecot.fill(user, "Projekte/日本", map(mail, range(10, 13)))
    return user


@pytest.fixture
def make_project(tmp_path: Path, dovecot: Dovecot, user: User) -> Callable[..., Project]:
    def make(*names: str) -> Project:
        common = {
            "protocol": "imap",
            "host": dovecot.host,
            "port": dovecot.port,
            "tls": "starttls",
            "ca_file": str(dovecot.ca_file),
            "auth": [{"method": "password", "username": user.name, "password": "$MAIL_PASSWORD"}],
        }
        return Project(tmp_path, [{"name": name, **common} for name in names])

    return make


def test_twice_then_rewound(make_project: Callable[..., Project], dovecot: Dovecot, user: User) -> None:
    """The second run writes its commit line only; a rewound bookmark reads again and changes nothing."""
    project = make_project("personal")
    project.meltano(*RUN)
    files, journal, state = project.tree(), project.journal(), project.state()
    assert sum(name.endswith(".json") and name != "hashfs.json" for name in files) == 8
    assert sum(name.endswith(".eml") for name in files) == 8
    folders = state["bookmarks"]["imap_messages"]["accounts"]["personal"]["folders"]
    assert {name: folder["last_uid"] for name, folder in folders.items()} == {"INBOX": 5, "Projekte/日本": 3}
    assert list(project.root.rglob("*config.json")) == []  # it held the password

    project.meltano(*RUN)
    assert project.tree() == files
    assert project.journal()[: len(journal)] == journal
    assert [line["event"] for line in project.journal()[len(journal) :]] == ["commit"]

    journal = project.journal()
    folders["INBOX"]["last_uid"] = 2
    del folders["Projekte/日本"]
    edited = project.root / "edited.json"
    edited.write_text(json.dumps({"singer_state": state}), encoding="utf-8")
    project.meltano("state", "set", "--force", STATE_ID, "--input-file", str(edited))
    dovecot.append(user, "INBOX", mail(20))
    project.meltano(*RUN)
    assert {name: project.tree().get(name) for name in files} == files
    assert len(project.tree()) == len(files) + 2
    added = project.journal()[len(journal) :]
    assert sum(line.get("messages", 0) for line in added) == 3 + 3 + 1
    assert sum(line.get("duplicates", 0) for line in added) == 6
    folders = project.state()["bookmarks"]["imap_messages"]["accounts"]["personal"]["folders"]
    assert {name: folder["last_uid"] for name, folder in folders.items()} == {"INBOX": 6, "Projekte/日本": 3}


def test_one_plugin_per_account(make_project: Callable[..., Project]) -> None:
    """The inherited plugin reads its account only and has a state of its own; `select` can leave out raw."""
    project = make_project("personal", "work")
    project.meltano(
        "run", "--no-install", "tap-mailbox--work", "target-hashfs",
        TAP_MAILBOX__WORK__SELECT='["*.*", "!*.raw"]',
    )  # fmt: skip
    assert {name.split("/")[0] for name in project.tree()} == {"hashfs.json", "work"}
    assert not any(name.endswith(".eml") for name in project.tree())
    state_id = "prod:tap-mailbox--work-to-target-hashfs"
    assert state_id in project.meltano("state", "list")
    assert list(project.state(state_id)["bookmarks"]["imap_messages"]["accounts"]) == ["work"]


def test_schedule_and_secrets(make_project: Callable[..., Project]) -> None:
    """The schedule feeds cron; `config print` keeps the accounts to itself."""
    project = make_project("personal")
    schedules = json.loads(project.meltano("schedule", "list", "--format=json"))["schedules"]["job"]
    assert [(each["name"], each["cron_interval"]) for each in schedules] == [
        ("every-15-minutes", "*/15 * * * *")
    ]
    printed = json.loads(project.meltano("config", "print", "tap-mailbox"))
    assert printed["accounts"] == "*****"
