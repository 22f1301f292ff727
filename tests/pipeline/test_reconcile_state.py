"""`mailbox reconcile`: which state says what is lost and what is new."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.pipeline.pair import Pair
from tests.pipeline.reconciled import one_file, reconciled
from tests.tap.runs import imap_account, mail


@pytest.fixture
def accounts(dovecot):
    """The user alice has two messages, bob has one."""
    alice, bob = dovecot.new_user(), dovecot.new_user()
    for number in range(2):
        dovecot.append(alice, "INBOX", mail(number))
    dovecot.append(bob, "INBOX", mail("bob"))
    return alice, imap_account(dovecot, alice), imap_account(dovecot, bob, name="bob")


@pytest.fixture
def pair(accounts, tmp_path):
    """Alice was archived, then bob by a configuration of his own; one message of hers is lost."""
    _, alice, bob = accounts
    pair = Pair(tmp_path, [alice])
    assert 0 == pair.run().tap
    pair.configure([bob])
    assert 0 == pair.run().tap
    pair.configure([alice, bob])
    one_file(pair, 1).unlink()
    return pair


def forget(pair, account):
    """Take the bookmark of *account* out of every state in the archive."""
    journal = pair.archive / "_journal" / "live-poll.jsonl"
    lines = pair.journal()
    for line in lines:
        if line["event"] == "commit":
            (line["state"] or {}).get("bookmarks", {}).get("imap_messages", {}).get("accounts", {}).pop(
                account, None
            )
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_another_configuration_wrote_last(pair, tmp_path):
    """The bookmark of the account is found in the journal: what is lost is no new mail, and can be fetched."""
    repair = tmp_path / "repair.json"
    code, folders, _ = reconciled(pair, "--repair", str(repair))
    assert (3, [2], 0) == (code, folders["INBOX"]["missing"], folders["INBOX"]["newer"])
    state = json.loads(repair.read_text())["singer_state"]
    assert [2] == state["bookmarks"]["imap_messages"]["accounts"]["alice"]["folders"]["INBOX"]["pending"]


def test_newest_of_several_journals(dovecot, accounts, tmp_path):
    """The commit that was last by its time counts, whatever its journal is called."""
    user, alice, bob = accounts
    ran = Pair(tmp_path, [alice], journal="z").run()
    dovecot.append(user, "INBOX", mail(2))
    assert 0 == Pair(tmp_path, [alice], journal="a").run(ran.state).tap
    pair = Pair(tmp_path, [bob], journal="m")
    assert 0 == pair.run().tap
    pair.configure([alice])
    one_file(pair, 2).unlink()
    code, folders, _ = reconciled(pair)
    assert (3, [3]) == (code, folders["INBOX"]["missing"])


def test_no_bookmark_anywhere(pair):
    """Of an account that was archived, no state at hand is no reason to call lost messages new."""
    forget(pair, "alice")
    code, folders, said = reconciled(pair)
    assert (1, {}) == (code, folders)
    assert "account alice" in said
    assert "--state FILE" in said


def test_no_bookkeeping(pair):
    """Files alone, without state and journal, say no more."""
    for name in ("_state", "_journal"):
        shutil.rmtree(pair.archive / name)
    code, folders, said = reconciled(pair)
    assert (1, {}) == (code, folders)
    assert "--state FILE" in said


def test_source_deselected(pair):
    """A journal that does not say where messages were seen says that they were archived."""
    forget(pair, "alice")
    lines = [line | {"source": None} if "source" in line else line for line in pair.journal()]
    journal = pair.archive / "_journal" / "live-poll.jsonl"
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, _, said = reconciled(pair)
    assert 1 == code
    assert "--state FILE" in said


def test_given_state_without_the_account(pair, tmp_path):
    """A state that knows nothing of the account is refused by name."""
    (tmp_path / "bob.json").write_bytes((pair.archive / "_state" / "state.json").read_bytes())
    code, folders, said = reconciled(pair, "--state", str(tmp_path / "bob.json"))
    assert (1, {}) == (code, folders)
    assert "bob.json" in said


def test_state_file_lost(pair):
    """Without state.json the journal's state does."""
    (pair.archive / "_state" / "state.json").unlink()
    code, folders, _ = reconciled(pair)
    assert (3, [2]) == (code, folders["INBOX"]["missing"])


def test_never_archived(accounts, tmp_path):
    """An account that no run has read yet has nothing but newer messages."""
    _, alice, bob = accounts
    pair = Pair(tmp_path, [bob])
    assert 0 == pair.run().tap
    pair.configure([alice])
    code, folders, _ = reconciled(pair)
    assert (0, 2, []) == (code, folders["INBOX"]["newer"], folders["INBOX"]["missing"])
