"""What a server does not name is not there only when it says so: SEARCH without an answer, or too short a one."""

from __future__ import annotations

import pytest

from tap_mailbox.sources.imap import search
from tests.servers.imap_script import Mailbox, Message
from tests.tap.runs import imap_account, mail, run_tap

SILENT = "{tag} OK done\r\n"


def box(*uids: int) -> Mailbox:
    """A folder with these messages."""
    return Mailbox({uid: Message(mail(uid)) for uid in uids})


def state_at(last_uid: int, *pending: int) -> dict:
    """A state with a bookmark of INBOX."""
    inbox = {"uidvalidity": 1, "last_uid": last_uid, "pending": list(pending)}
    return {"bookmarks": {"imap_messages": {"accounts": {"alice": {"folders": {"INBOX": inbox}}}}}}


def refuse(server, uid: int) -> None:
    """Refuse every FETCH of octets that asks for *uid*."""

    def answer(command, usual):
        asked = command.args.split(" ")[0].split(",")
        return "{tag} NO [SERVERBUG] cannot\r\n" if str(uid) in asked else usual

    server.answer("UID FETCH .*PEEK", answer)


@pytest.mark.parametrize("state", [None, state_at(9, 7)], ids=["at its turn", "pending already"])
def test_refused_message_of_which_search_says_nothing(make_imap_script, state):
    """No answer is no proof that it is gone: pending, until the server says so."""
    server = make_imap_script({"INBOX": box(4, 7, 9)})
    refuse(server, 7)
    server.answer("UID SEARCH UID 7$", SILENT)
    run = run_tap([imap_account(server)], state)
    assert (3, [7], 9) == (run.code, run.folders()["INBOX"]["pending"], run.folders()["INBOX"]["last_uid"])
    assert 0 == run.report().vanished
    server.answer("UID SEARCH UID 7$", "* SEARCH\r\n{tag} OK done\r\n")
    again = run_tap([imap_account(server)], run.state)
    assert (0, [], 1) == (again.code, again.folders()["INBOX"]["pending"], again.report().vanished)


def test_short_search_is_made_up_for(make_imap_script):
    """A SEARCH that names fewer messages than EXAMINE counts is held against their numbers: all are read."""
    server = make_imap_script({"INBOX": box(*range(1, 7))})
    server.answer("UID SEARCH", "* SEARCH 1 2 6\r\n{tag} OK done\r\n")
    run = run_tap([imap_account(server)])
    assert (0, [str(uid) for uid in range(1, 7)]) == (run.code, run.ids)
    assert 6 == run.folders()["INBOX"]["last_uid"]


def test_short_search_of_many(make_imap_script, monkeypatch):
    """Numbers are asked for in parts that no server cuts."""
    monkeypatch.setattr(search, "SMALLEST_LIMIT", 10)
    server = make_imap_script({"INBOX": box(*range(2, 72, 2))})
    server.answer("UID SEARCH", "* SEARCH 2 70\r\n{tag} OK done\r\n")
    assert [str(uid) for uid in range(2, 72, 2)] == run_tap([imap_account(server)]).ids
    assert 4 == server.count("FETCH")


@pytest.mark.parametrize(
    "numbered",
    [
        pytest.param(lambda usual: b"{tag} OK done\r\n", id="no answer"),
        pytest.param(lambda usual: usual.replace(b"* 3 FETCH (UID 3)\r\n", b""), id="one left out"),
        pytest.param(lambda usual: usual.replace(b"(UID 3)", b"(UID 2)"), id="one named twice"),
        pytest.param(lambda usual: usual.replace(b"* 3 FETCH (UID 3)", b"* 9 FETCH (UID 9)"), id="another"),
        pytest.param(lambda usual: b"{tag} NO [CANNOT] no\r\n", id="refused"),
    ],
)
def test_contradiction_fails_the_folder(make_imap_script, numbered):
    """Where the server will not name what it counts, nothing is passed; the other folders are read."""
    server = make_imap_script({"INBOX": box(*range(1, 7)), "Zeta": box(21)})
    short = {"now": True}
    server.answer(
        "UID SEARCH UID 1:",
        lambda _, usual: usual.replace(b" 3 4 5", b"") if short["now"] else usual,
    )
    server.answer("FETCH", lambda _, usual: numbered(usual))
    run = run_tap([imap_account(server)])
    assert (3, ["21"]) == (run.code, run.ids)
    assert 0 == run.folders()["INBOX"]["last_uid"]
    assert "'INBOX'" in run.report().failures[0]
    short["now"] = False
    again = run_tap([imap_account(server)], run.state)
    assert (0, [str(uid) for uid in range(1, 7)]) == (again.code, again.ids)


def test_contradiction_is_told_with_both_counts(make_imap_script):
    """The failure says what was counted, what was named, and what to do."""
    server = make_imap_script({"INBOX": box(*range(1, 7))})
    server.answer("UID SEARCH", "* SEARCH 1 2 6\r\n{tag} OK done\r\n")
    server.answer("FETCH", "* 1 FETCH (UID 1)\r\n{tag} OK done\r\n")
    (failure,) = run_tap([imap_account(server)]).report().failures
    assert "3 of 6 messages by UID SEARCH and 1 of 6 by FETCH" in failure
    assert "run again" in failure


def test_mail_deleted_while_it_is_counted(make_imap_script):
    """Messages that go between EXAMINE and SEARCH are no contradiction."""
    inbox = box(*range(1, 7))
    server = make_imap_script({"INBOX": inbox})

    def delete(command, _usual):
        inbox.messages.pop(2, None)
        inbox.messages.pop(3, None)
        return server._usual(command)

    server.answer("UID SEARCH UID 1:", delete)
    run = run_tap([imap_account(server)])
    assert (0, ["1", "4", "5", "6"]) == (run.code, run.ids)
    assert 6 == run.folders()["INBOX"]["last_uid"]


def test_numbers_of_a_dovecot(dovecot, user, proxy):
    """A real server names all it has counted by number, even while mail is deleted."""
    dovecot.fill(user, "INBOX", [mail(number) for number in range(4, 14)])
    doomed = [2, 3, 5]

    def cut_short(line: bytes) -> bytes | None:
        if line.split()[1:4] == [b"UID", b"SEARCH", b"UID"] and b"1:" in line:
            return b"* SEARCH 1 13\r\n{tag} OK done\r\n"
        if line.split()[1] == b"FETCH" and doomed:
            dovecot.expunge(user, "INBOX", [doomed.pop(0)])
        return None

    proxy.on_client_line = cut_short
    run = run_tap([imap_account(proxy, user, folders={"include": ["INBOX"]})])
    assert (0, [3, 5]) == (run.code, doomed)
    assert ["1", *map(str, range(3, 14))] == run.ids
    assert (13, 1) == (run.folders()["INBOX"]["last_uid"], run.report().vanished)


def test_mail_that_arrives_does_not_stand_for_what_is_left_out(make_imap_script):
    """A SEARCH that names as many as were counted, newer ones among them, is short all the same."""
    inbox = box(*range(1, 7))
    server = make_imap_script({"INBOX": inbox})

    def arrive(_command, _usual):
        inbox.messages |= {uid: Message(mail(uid)) for uid in (7, 8, 9)}
        return "* SEARCH 1 2 6 7 8 9\r\n{tag} OK done\r\n"

    server.answer("UID SEARCH UID 1:", arrive)
    run = run_tap([imap_account(server)])
    assert (0, [str(uid) for uid in range(1, 10)]) == (run.code, run.ids)


def test_made_anew_while_it_is_counted(make_imap_script):
    """Under another UIDVALIDITY the UIDs of the first SEARCH mean nothing: the folder is begun anew."""
    inbox = box(1, 2, 3)
    server = make_imap_script({"INBOX": inbox})

    def renumbered(_command, _usual):
        inbox.uidvalidity = 2
        inbox.messages = {1: Message(mail("new-1")), 2: Message(mail("new-2"))}
        return "* SEARCH\r\n{tag} OK done\r\n"

    server.answer(r"UID SEARCH UID 1:\*", "* SEARCH 3\r\n{tag} OK done\r\n", times=1)
    server.answer("UID SEARCH UID 1:2", renumbered, times=1)
    run = run_tap([imap_account(server)])
    assert (0, ["new-1", "new-2"]) == (run.code, run.ids)
    assert {"uidvalidity": 2, "last_uid": 2, "pending": []} == run.folders()["INBOX"]


@pytest.mark.parametrize(
    ("state", "config"),
    [(state_at(4), {}), (None, {"start_date": "2026-01-01"}), (state_at(4), {"start_date": "2026-01-01"})],
    ids=["bookmark", "start_date", "both"],
)
def test_silent_search_where_mail_is_predicted(make_imap_script, state, config):
    """UIDNEXT speaks of new mail and SEARCH does not answer: that folder fails, the others are read."""
    server = make_imap_script({"INBOX": box(4, 7, 9), "Zeta": box(21)})
    silent = {"now": True}
    server.answer(
        "UID SEARCH UID [15]:", lambda _, usual: SILENT if silent["now"] and b" 9" in usual else usual
    )
    run = run_tap([imap_account(server)], state, **config)
    assert (3, ["21"]) == (run.code, run.ids)
    assert "'INBOX'" in run.report().failures[0]
    assert "no answer" in run.report().failures[0]
    assert (4 if state else 0) == run.folders()["INBOX"]["last_uid"]
    silent["now"] = False
    again = run_tap([imap_account(server)], run.state, **config)
    assert (0, ["7", "9"] if state else ["4", "7", "9"]) == (again.code, again.ids)


def test_silent_search_where_none_is_predicted(make_imap_script):
    """A server that leaves out the line where it finds nothing is believed when UIDNEXT says the same."""
    server = make_imap_script({"INBOX": box(4, 7, 9), "Empty": Mailbox()})
    server.answer(r"UID SEARCH UID (10|1):", SILENT)
    run = run_tap([imap_account(server)], state_at(9, 4))
    assert (0, ["4"], []) == (run.code, run.ids, run.folders()["INBOX"]["pending"])


def test_silent_search_since_a_date(make_imap_script):
    """Where SINCE gets no answer, it is asked without: the older mail that is named shows that none is new."""
    server = make_imap_script({"INBOX": box(4, 7)})
    server.answer("UID SEARCH .*SINCE", SILENT)
    run = run_tap([imap_account(server)], start_date="2030-01-01")
    assert (0, [], 7) == (run.code, run.ids, run.folders()["INBOX"]["last_uid"])


def test_silence_below_what_was_named(make_imap_script, monkeypatch):
    """A server that names the newest and is silent about those below has not said that there are none."""
    monkeypatch.setattr(search, "SMALLEST_LIMIT", 3)
    server = make_imap_script({"INBOX": box(*range(1, 10))})
    server.answer("UID SEARCH UID 2:\\*", "* SEARCH 7 8 9\r\n{tag} OK done\r\n")
    server.answer("UID SEARCH UID 2:6", SILENT)
    run = run_tap([imap_account(server)], state_at(1))
    assert (3, [], 1) == (run.code, run.ids, run.folders()["INBOX"]["last_uid"])
