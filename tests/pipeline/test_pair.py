"""Tap and target together: every message once, nothing twice, nothing acknowledged that is not on disk."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.pair import Pair, uncovered
from tests.servers.programs import unavailable
from tests.tap.runs import imap_account, mail
from tests.waiting import wait_until

PEERS = Path(__file__).parents[2] / ".venv-peers" / "bin"


@pytest.fixture
def user(dovecot):
    """Someone with mail in three folders."""
    someone = dovecot.new_user()
    dovecot.fill(someone, "INBOX", [mail(number) for number in range(8)])
    dovecot.fill(
        someone, "Work", [mail(number, date="Mon, 04 May 2026 08:00:00 +0200") for number in range(8, 12)]
    )
    return someone


@pytest.fixture
def pair(tmp_path, dovecot, user):
    """Their account, and an archive."""
    return Pair(tmp_path, [imap_account(dovecot, user)])


def test_first_run_writes_the_documented_tree(pair):
    """<account>/<YYYY>/<MM>/<hash>.json and .eml, a journal line each, the state on disk and out."""
    ran = pair.run()
    assert (0, 0) == (ran.tap, ran.target)
    names = list(pair.tree())
    assert (12, 12) == (sum(n.endswith(".json") for n in names), sum(n.endswith(".eml") for n in names))
    assert {"alice/2026/05", "alice/2026/06"} == {name.rpartition("/")[0] for name in names}
    journal = pair.journal()
    assert 12 == sum(line["event"] == "archived" for line in journal)
    assert "commit" == journal[-1]["event"]
    assert ran.state == json.loads((pair.archive / "_state/state.json").read_text())
    archive_id = json.loads((pair.archive / "hashfs.json").read_text())["archive_id"]
    assert archive_id == ran.state["bookmarks"]["_hashfs"]["archive_id"]


def test_octets_are_the_servers(pair, dovecot, user):
    """The .eml is what the server holds, octet for octet."""
    pair.run()
    with dovecot.client(user) as client:
        client.select_folder("INBOX", readonly=True)
        held = {data[b"BODY[]"] for data in client.fetch(client.search(), ["BODY.PEEK[]"]).values()}
    assert held <= {path.read_bytes() for path in pair.archive.rglob("*.eml")}


def test_second_run_writes_nothing(pair):
    """The tree is byte for byte what it was; the journal is longer by its commit line alone."""
    first = pair.run()
    tree, journal = pair.tree(), pair.journal()
    second = pair.run(first.state)
    assert (0, 0) == (second.tap, second.target)
    assert tree == pair.tree()
    assert ["commit"] == [line["event"] for line in pair.journal()[len(journal) :]]


@pytest.mark.parametrize(
    "rewind",
    [
        pytest.param(
            lambda state: state["bookmarks"]["imap_messages"]["accounts"]["alice"]["folders"]["INBOX"].update(
                last_uid=0
            ),
            id="to zero",
        ),
        pytest.param(
            lambda state: state["bookmarks"]["imap_messages"]["accounts"]["alice"]["folders"].pop("Work"),
            id="folder removed",
        ),
        pytest.param(
            lambda state: state["bookmarks"]["imap_messages"]["accounts"].clear(), id="account removed"
        ),
        pytest.param(lambda state: state["bookmarks"].pop("imap_messages"), id="stream removed"),
    ],
)
def test_rewind_leaves_the_archive_as_it_was(pair, rewind):
    """Reading again changes no byte."""
    state = pair.run().state
    tree = pair.tree()
    rewind(state)
    ran = pair.run(state)
    assert (0, 0, tree) == (ran.tap, ran.target, pair.tree())


def test_changed_uidvalidity_adds_no_duplicate(pair, dovecot, user):
    """The folder is read again from the start, and the archive knows every message."""
    state = pair.run().state
    tree = pair.tree()
    dovecot.renumber(user, "INBOX")
    ran = pair.run(state)
    assert (0, 0, tree) == (ran.tap, ran.target, pair.tree())


def test_copies_and_twins(pair, dovecot, user):
    """A copy in another folder is the same message; a list copy under the same id is kept beside it."""
    dovecot.append(user, "Copies", mail(1))
    dovecot.append(user, "Lists", mail(2, body="Hello\r\n-- \r\nto unsubscribe\r\n"))
    pair.run()
    assert 13 == len(pair.messages())
    variants = [line["path"] for line in pair.journal() if line["event"] == "variant"]
    assert 1 == len(variants)
    assert 2 == sum(message["message_id"] == "<2@example.org>" for message in pair.messages())


def test_two_archives_of_one_mailbox_are_equal(pair, tmp_path, dovecot, user):
    """What is archived depends on the messages alone."""
    pair.run()
    (tmp_path / "other").mkdir()
    other = Pair(tmp_path / "other", [imap_account(dovecot, user)])
    other.run()
    assert pair.tree() == other.tree()


def test_vanished_disk_stops_the_run(pair):
    """With state and without its archive nothing is written, and the bookmark stays where it was."""
    state = pair.run().state
    shutil.rmtree(pair.archive)
    ran = pair.run(state)
    assert 1 == ran.target
    assert [] == ran.states
    assert not pair.archive.exists()
    assert "hashfs.json" in ran.target_log
    assert "Traceback" not in ran.target_log


def test_another_disk_stops_the_run(pair, tmp_path, dovecot, user):
    """An archive with another id is not the one the state speaks of."""
    state = pair.run().state
    shutil.rmtree(pair.archive)
    pair.run()
    tree = pair.tree()
    ran = pair.run(state)
    assert (1, []) == (ran.target, ran.states)
    assert tree == pair.tree()


def test_one_failing_account(pair, dovecot, user):
    """The other account is archived and its state leaves; the run is partial."""
    wrong = imap_account(dovecot, dovecot.new_user(), name="wrong")
    wrong["auth"][0]["password"] = "not-this-one"
    pair.configure([wrong, imap_account(dovecot, user)])
    ran = pair.run()
    assert (3, 0) == (ran.tap, ran.target)
    assert 12 == len(pair.messages())
    assert 8 == ran.state["bookmarks"]["imap_messages"]["accounts"]["alice"]["folders"]["INBOX"]["last_uid"]


@pytest.mark.parametrize("victim", ["tap", "target", "both"])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_killed_at_random_moments(tmp_path, dovecot, victim, signum):
    """Whenever the pair is ended, what its STATE covers is on disk, and the next run completes the archive."""
    user = dovecot.new_user()
    messages = [mail(number, body="x" * 3000) for number in range(400)]
    uids = dovecot.fill(user, "INBOX", messages)
    ids = {"INBOX": {uid: f"<{number}@example.org>" for number, uid in enumerate(uids)}}
    pair = Pair(tmp_path, [imap_account(dovecot, user)], commit_messages=20)
    chance = random.Random(f"{victim}{signum}")
    state = None
    for _ in range(2):
        tap, target = pair.start(state)
        _wait_for(pair, chance.randrange(1, 300))
        for process in {"tap": [tap], "target": [target], "both": [tap, target]}[victim]:
            process.send_signal(signum)
        ran = pair.finish(tap, target)
        for each in ran.states:
            assert [] == uncovered(pair, each, ids)
        state = ran.state if ran.states else state
    ran = pair.run(state)
    assert (0, 0) == (ran.tap, ran.target), ran.target_log
    assert 400 == len(pair.messages())
    assert [] == list(pair.archive.rglob("*.tmp"))
    undisturbed = Pair(tmp_path_of(tmp_path), [imap_account(dovecot, user)])
    undisturbed.run()
    assert undisturbed.tree() == pair.tree()


def tmp_path_of(tmp_path):
    """A second directory."""
    (tmp_path / "undisturbed").mkdir()
    return tmp_path / "undisturbed"


def _wait_for(pair: Pair, files: int) -> None:
    """Return once so many files are there, or the run is over anyway."""

    def enough() -> bool:
        return (pair.archive / "alice").is_dir() and sum(1 for _ in pair.archive.rglob("*.json")) >= files

    wait_until(lambda: enough() or "summary" in pair.directory.joinpath("tap.log").read_text())


@pytest.fixture
def singer_lines(pair):
    """What the tap writes, as octets."""
    done = subprocess.run(
        [sys.executable, "-m", "tap_mailbox", "--config", str(pair.directory / "tap.json"), *pair.arguments],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout


def peer(name: str) -> str:
    """Return a program of the peers' environment (`make setup`)."""
    if not (PEERS / name).exists():
        unavailable(f"{name} is not installed (make setup)")
    return str(PEERS / name)


def test_piped_into_target_jsonl(singer_lines, tmp_path):
    """Another Singer target takes the stream and gives the state back."""
    done = subprocess.run(
        [peer("target-jsonl")], input=singer_lines, cwd=tmp_path, capture_output=True, check=False, timeout=60
    )
    assert 0 == done.returncode, done.stderr
    (written,) = tmp_path.glob("imap_messages*.jsonl")
    assert 12 == len(written.read_text().splitlines())
    assert (
        8
        == json.loads(done.stdout.splitlines()[-1])["bookmarks"]["imap_messages"]["accounts"]["alice"][
            "folders"
        ]["INBOX"]["last_uid"]
    )


def test_singer_check_tap(singer_lines, tmp_path):
    """singer-check-tap finds nothing to object to."""
    done = subprocess.run(
        [peer("singer-check-tap")],
        input=singer_lines,
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert 0 == done.returncode, done.stderr + done.stdout
    assert b"imap_messages" in done.stdout
