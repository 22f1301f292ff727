"""`mailbox reconcile`: several messages of one Message-ID, each archived in a file of its own."""

from __future__ import annotations

import json

import pytest

from tests.pipeline.pair import Pair
from tests.pipeline.reconciled import reconciled
from tests.tap.runs import imap_account, mail

ONE, OTHER = mail(1), mail(1, body="Another text\r\n")


@pytest.fixture
def mailbox(dovecot, tmp_path):
    """A user with two messages of one id (UID 1 and 2), both archived; in Sent lies a copy of each."""
    user = dovecot.new_user()
    for folder in ("INBOX", "Sent"):
        dovecot.append(user, folder, ONE)
        dovecot.append(user, folder, OTHER)
    pair = Pair(tmp_path, [imap_account(dovecot, user)])
    assert 0 == pair.run().tap
    return user, pair


def first(pair):
    """Return the file of the message that came first."""
    (found,) = (path for path in pair.archive.glob("alice/*/*/*.json") if path.name.count(".") == 1)
    return found


def variant(pair):
    """Return the file beside it."""
    (found,) = pair.archive.glob("alice/*/*/*.*.json")
    return found


def lengthen(pair):
    """Give the variant the name it has where its short one is taken."""
    short = variant(pair)
    content = json.loads(short.read_text())["content_hash"]
    long = short.with_name(f"{short.name.split('.')[0]}.{content}.json")
    short.rename(long)
    journal = pair.archive / "_journal" / "live-poll.jsonl"
    journal.write_text(journal.read_text().replace(short.name, long.name))


def missing(pair):
    """Return the UIDs missing in INBOX and in Sent."""
    _, folders, _ = reconciled(pair)
    return folders["INBOX"]["missing"], folders["Sent"]["missing"]


@pytest.mark.parametrize("rename", [lambda pair: None, lengthen])
@pytest.mark.parametrize(("lost", "uid"), [(first, 1), (variant, 2)])
def test_one_of_two_is_lost(mailbox, rename, lost, uid):
    """The other is no substitute for it: not under the UID the journal names, and not for its copy."""
    _, pair = mailbox
    rename(pair)
    assert ([], []) == missing(pair)
    lost(pair).unlink()
    assert ([uid], [uid]) == missing(pair)


def test_repaired(mailbox, tmp_path):
    """The state offered brings the lost one back, and then nothing is missing."""
    _, pair = mailbox
    before = variant(pair).read_bytes()
    variant(pair).unlink()
    repair = tmp_path / "repair.json"
    assert 3 == reconciled(pair, "--repair", str(repair))[0]
    assert 0 == pair.run(json.loads(repair.read_text())["singer_state"]).tap
    assert before == variant(pair).read_bytes()
    assert ([], []) == missing(pair)


def test_lost_and_fetched_under_another_name(dovecot, mailbox):
    """A new copy took the name of the lost file: the lost one stays missing, the copied one does not."""
    user, pair = mailbox
    state = json.loads((pair.archive / "_state" / "state.json").read_text())
    first(pair).unlink()
    dovecot.append(user, "INBOX", OTHER)
    assert 0 == pair.run(state).tap
    assert "Another text" in first(pair).read_text()
    assert ([1], [1]) == missing(pair)
    variant(pair).unlink()
    assert ([1], [1]) == missing(pair)


def test_no_regular_file(mailbox):
    """A link where a message belongs is no message."""
    _, pair = mailbox
    file = variant(pair)
    file.unlink()
    file.symlink_to(first(pair))
    assert ([2], [2]) == missing(pair)
