"""The next window is asked for while one arrives, and whoever answers what belongs where it was asked for."""

from __future__ import annotations

import pytest

from tap_mailbox.sources.imap import plan
from tests.servers.imap_script import CLOSE, Mailbox, Message
from tests.tap.runs import imap_account, mail, run_tap

BODIES = "UID FETCH .*PEEK"


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    """Two messages travel together."""
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
