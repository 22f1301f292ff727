"""`mailbox reconcile`: the sum of what the server has closes, or the missing ones are named and fetched."""

from __future__ import annotations

import json

import pytest

from tests.pipeline.pair import Pair
from tests.pipeline.reconciled import one_file, reconciled
from tests.servers.imap_script import Mailbox, Message
from tests.tap.runs import imap_account, mail

NO_ID = b"From: ann@example.org\r\nSubject: no id\r\n\r\nbody\r\n"


@pytest.fixture
def mailbox(dovecot, tmp_path):
    """A user, and the pair that has archived what the mailbox held a moment ago."""
    user = dovecot.new_user()
    for number in range(5):
        dovecot.append(user, "INBOX", mail(number))
    dovecot.append(user, "Junk", mail("spam"))
    # One message that INBOX has as well, and one without an id.
    dovecot.append(user, "Sent", mail(1))
    dovecot.append(user, "Sent", NO_ID)
    pair = Pair(tmp_path, [imap_account(dovecot, user)])
    assert 0 == pair.run().tap
    return user, pair


def test_everything_is_accounted_for(mailbox):
    """Archived from here or from another folder, with or without an id; excluded; the sum closes."""
    code, folders, _ = reconciled(mailbox[1])
    assert 0 == code
    assert (5, 5, []) == tuple(folders["INBOX"][key] for key in ("on_server", "archived", "missing"))
    assert (2, 2, []) == tuple(folders["Sent"][key] for key in ("on_server", "archived", "missing"))
    assert (1, 1, 0) == tuple(folders["Junk"][key] for key in ("on_server", "excluded", "archived"))
    parts = ("archived", "excluded", "pending", "newer", "vanished")
    for each in folders.values():
        assert each["on_server"] == sum(each[part] for part in parts) + len(each["missing"])


def test_newer_and_pending(dovecot, mailbox, tmp_path):
    """What the bookmark has not reached yet is newer; what it names as refused is pending."""
    user, pair = mailbox
    dovecot.append(user, "INBOX", mail("new"))
    state = json.loads((pair.archive / "_state" / "state.json").read_text())
    state["bookmarks"]["imap_messages"]["accounts"]["alice"]["folders"]["Sent"]["pending"] = [2]
    one = next(path for path in pair.archive.glob("alice/*/*/*.json") if "no id" in path.read_text())
    one.unlink()
    (tmp_path / "wrapped.json").write_text(json.dumps({"singer_state": state}))
    code, folders, _ = reconciled(pair, "--state", str(tmp_path / "wrapped.json"))
    assert 0 == code
    assert 1 == folders["INBOX"]["newer"]
    assert 1 == folders["Sent"]["pending"]


def test_missing_is_named_and_fetched(mailbox, tmp_path):
    """A file that is gone is missing wherever its message is; the state offered brings it back."""
    _, pair = mailbox
    before = one_file(pair, 1).read_bytes()
    one_file(pair, 1).unlink()
    repair = tmp_path / "repair.json"
    code, folders, said = reconciled(pair, "--repair", str(repair))
    assert (3, [2], [1]) == (code, folders["INBOX"]["missing"], folders["Sent"]["missing"])
    assert "2 messages" in said
    state = json.loads(repair.read_text())["singer_state"]
    assert 0 == pair.run(state).tap
    assert before == one_file(pair, 1).read_bytes()
    code, folders, _ = reconciled(pair)
    assert (0, []) == (code, folders["INBOX"]["missing"])


def test_before_start_date(mailbox):
    """What start_date leaves out is excluded by configuration, not missing."""
    _, pair = mailbox
    for path in pair.archive.glob("alice/*/*/*.json"):
        path.unlink()
    config = json.loads((pair.directory / "tap.json").read_text())
    pair.configure(config["accounts"], start_date="2100-01-01")
    code, folders, _ = reconciled(pair)
    assert (0, 5) == (code, folders["INBOX"]["excluded"])


def test_repair_that_cannot_be_written(mailbox, tmp_path):
    """Is said in one line; the messages are named all the same."""
    _, pair = mailbox
    one_file(pair, 1).unlink()
    code, folders, said = reconciled(pair, "--repair", str(tmp_path / "nowhere" / "repair.json"))
    assert (1, [2]) == (code, folders["INBOX"]["missing"])
    assert "repair.json cannot be written" in said


def another_disk(pair):
    """Leave an empty directory where the archive was."""
    pair.archive.rename(pair.directory / "unmounted")
    pair.archive.mkdir()


def no_directory(pair):
    """Put a file where the account's directory belongs."""
    (pair.archive / "alice").rename(pair.directory / "alice")
    (pair.archive / "alice").touch()


@pytest.mark.parametrize(
    ("break_", "words"),
    [
        (lambda pair: (pair.archive / "hashfs.json").unlink(), "no archive"),
        (another_disk, "is its disk mounted?"),
        (lambda pair: pair.configure([]), "alice"),
        (no_directory, "cannot be read"),
    ],
)
def test_refused(mailbox, break_, words):
    """Without an archive or the account nothing is proven: exit 1."""
    _, pair = mailbox
    break_(pair)
    code, _, said = reconciled(pair)
    assert 1 == code
    assert words in said


def test_search_cut_short(make_imap_script, tmp_path):
    """A server that names fewer messages than the folder has proves nothing: no account of it is given."""
    server = make_imap_script({"INBOX": Mailbox({uid: Message(mail(uid)) for uid in (1, 2)})})
    pair = Pair(tmp_path, [imap_account(server)])
    assert 0 == pair.run().tap
    code, folders, _ = reconciled(pair)
    assert (0, 2) == (code, folders["INBOX"]["archived"])
    server.answer("UID SEARCH", "* SEARCH 1\r\n{tag} OK done\r\n")
    server.answer("FETCH", "* 1 FETCH (UID 1)\r\n{tag} OK done\r\n")
    code, folders, said = reconciled(pair)
    assert (3, {}) == (code, folders)
    assert "1 of 2 messages" in said


def test_another_uidvalidity(make_imap_script, tmp_path):
    """The bookmark speaks of other messages: those of today are newer, and no UID of it is called missing."""
    server = make_imap_script({"INBOX": Mailbox({uid: Message(mail(uid)) for uid in (1, 2)})})
    pair = Pair(tmp_path, [imap_account(server)])
    assert 0 == pair.run().tap
    server.folders["INBOX"] = Mailbox({uid: Message(mail(f"new {uid}")) for uid in (1, 2)}, uidvalidity=2)
    code, folders, _ = reconciled(pair)
    assert (0, 2, []) == (code, folders["INBOX"]["newer"], folders["INBOX"]["missing"])


def test_known_uid(make_imap_script, tmp_path):
    """What the archive has under its UID is not asked for again."""
    server = make_imap_script({"INBOX": Mailbox({uid: Message(mail(uid)) for uid in (1, 2)})})
    pair = Pair(tmp_path, [imap_account(server)])
    assert 0 == pair.run().tap
    before = server.count("UID FETCH")
    code, folders, _ = reconciled(pair)
    assert (0, 2) == (code, folders["INBOX"]["archived"])
    assert before == server.count("UID FETCH")


def test_deleted_while_it_is_counted(make_imap_script, tmp_path):
    """A message that the server named and then has no more is vanished: the sum closes."""
    server = make_imap_script({"INBOX": Mailbox({uid: Message(mail(uid)) for uid in (1, 2)})})
    pair = Pair(tmp_path, [imap_account(server)])
    assert 0 == pair.run().tap
    one_file(pair, 2).unlink()

    def expunge(_command, usual):
        server.folders["INBOX"].messages.pop(2, None)
        return usual

    server.answer("UID SEARCH", expunge)
    code, folders, _ = reconciled(pair)
    parts = ("on_server", "archived", "vanished", "missing")
    assert (0, [2, 1, 1, []]) == (code, [folders["INBOX"][each] for each in parts])
