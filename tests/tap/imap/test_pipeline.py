"""The next window is asked for while one arrives, and whoever answers what belongs where it was asked for."""

from __future__ import annotations

import pytest

from tap_mailbox.sources.imap import plan, session
from tests.servers.imap_script import CLOSE, Mailbox, Message
from tests.tap.runs import imap_account, mail, run_tap

BODIES = "UID FETCH .*PEEK"


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    """Two messages travel together, and a connection comes back at once."""
    monkeypatch.setattr(session, "FIRST_DELAY_SECONDS", 0.01)
    monkeypatch.setattr(plan, "WINDOW_OCTETS", 2 * len(mail(1)))


@pytest.fixture
def server(make_imap_script):
    """Eight messages: four windows."""
    return make_imap_script({"INBOX": Mailbox({uid: Message(mail(uid)) for uid in range(1, 9)})})


class Together:
    """Answers two FETCHes at once, message by message, the end of the second one first."""

    def __init__(self):
        self._first = None
        self.pairs = 0

    def __call__(self, command, usual):
        """Keep the first answer until the second command is here."""
        messages, tagged = usual.rpartition(b")\r\n")[0].split(b"\r\n* "), usual.rpartition(b")\r\n")[2]
        if self._first is None:
            self._first = messages, tagged.replace(b"{tag}", command.tag.encode())
            return b""
        others, other_tagged = self._first
        self._first = None
        self.pairs += 1
        mixed = [each for pair in zip(others, messages, strict=True) for each in pair]
        lines = b"".join(b"* " + each.removeprefix(b"* ").removesuffix(b")") + b")\r\n" for each in mixed)
        return lines + tagged + other_tagged


def test_answered_together(server):
    """A server that waits for the second FETCH gets it; octets of both in one stream each reach their message."""
    server.answer(BODIES, together := Together())
    run = run_tap([imap_account(server, read_timeout=2)])
    assert (0, [str(uid) for uid in range(1, 9)], 2) == (run.code, run.ids, together.pairs)
    assert [int(id_) for id_ in run.ids] == [record["source"]["uid"] for record in run.records]


@pytest.mark.parametrize("refused", ["1,2", "3,4", "7,8"])
def test_refused_while_another_is_under_way(server, refused):
    """A window that is refused is asked for message by message; the one asked for ahead arrives once."""
    server.answer(f"UID FETCH {refused} .*PEEK", "{tag} NO cannot\r\n")
    run = run_tap([imap_account(server, read_timeout=2)])
    assert (0, [str(uid) for uid in range(1, 9)]) == (run.code, run.ids)
    for window in {"1,2", "3,4", "5,6", "7,8"} - {refused}:
        assert 1 == server.count(f"UID FETCH {window} .*PEEK")


def test_line_that_breaks(server):
    """What was asked for ahead over a connection that is gone is asked for again."""
    server.answer("UID FETCH 3,4 .*PEEK", CLOSE, times=1)
    run = run_tap([imap_account(server, read_timeout=2)])
    assert (0, {str(uid) for uid in range(1, 9)}) == (run.code, set(run.ids))
    assert 2 == server.connections


def test_folder_given_up(make_imap_script):
    """What was asked for ahead in a folder that then fails is never taken for the next folder's mail."""
    folders = ("A", "B")
    server = make_imap_script(
        {
            name: Mailbox({uid: Message(mail(f"{name}-{uid}", body="x" * 99)) for uid in range(1, 5)})
            for name in folders
        }
    )
    read = {"B": {"uidvalidity": 1, "last_uid": 1, "pending": []}}
    state = {"bookmarks": {"imap_messages": {"accounts": {"alice": {"folders": read}}}}}
    # UID 1 travels alone, with UID 2 asked for ahead; B begins with UID 2.
    server.answer("UID FETCH 1 .*PEEK", "{tag} NO cannot\r\n")
    server.answer("UID SEARCH UID 1$", "{tag} NO [SERVERBUG] cannot\r\n")
    run = run_tap([imap_account(server, read_timeout=2)], state)
    assert (3, ["B-2", "B-3", "B-4"]) == (run.code, run.ids)
    assert 1 <= server.count("UID FETCH 2 .*PEEK")
    assert 4 == run.folders()["B"]["last_uid"]


def test_server_that_takes_one_command_at_a_time(server):
    """What was refused because it came early is asked for again before it counts as refused, and then no more."""
    for window in ("3,4", "7,8"):
        server.answer(f"UID FETCH {window} .*PEEK", "{tag} BAD command in progress\r\n", times=1)
    run = run_tap([imap_account(server, read_timeout=2)])
    assert (0, [str(uid) for uid in range(1, 9)]) == (run.code, run.ids)
    # By then nothing is early: the second refusal is meant, and halving finds whom.
    asked = {"1,2": 1, "3,4": 2, "5,6": 1, "7,8": 1, "7": 1, "8": 1}
    assert asked == {uids: server.count(f"UID FETCH {uids} .*PEEK") for uids in asked}


@pytest.mark.parametrize("poison", [1, 2, 3, 8])
def test_envelope_that_breaks_the_line(server, poison):
    """One message whose size and flags cannot be asked for costs nobody else the run."""
    server.answer(
        "UID FETCH .*SIZE", lambda command, usual: usual if str(poison) not in uids_of(command) else CLOSE
    )
    run = run_tap([imap_account(server, read_timeout=2)])
    assert {str(uid) for uid in range(1, 9)} - {str(poison)} <= set(run.ids)


def uids_of(command):
    """Return the UIDs of a FETCH."""
    return command.args.split(" ")[0].split(",")
