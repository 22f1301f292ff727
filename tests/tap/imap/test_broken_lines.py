"""Connections that break, servers that refuse: the tap goes on from the bookmark, and names what it missed."""

from __future__ import annotations

import pytest

from tests.tap.runs import imap_account, mail, run_tap


@pytest.fixture
def user(dovecot):
    """Someone with thirty messages."""
    someone = dovecot.new_user()
    dovecot.fill(someone, "INBOX", [mail(number, body="x" * 2000) for number in range(30)])
    return someone


def everything() -> list[str]:
    """The ids of those thirty."""
    return [str(number) for number in range(30)]


def test_cut_in_the_middle_of_a_literal(user, proxy):
    """A connection that dies inside a message is opened again; nothing is lost, nothing comes twice."""
    proxy.cut_after(20_000)
    run = run_tap([imap_account(proxy, user)])
    assert (0, everything()) == (run.code, run.ids)
    assert 2 == proxy.connections


def test_cut_again_and_again(user, proxy):
    """As long as each connection brings something, the account is read to its end."""
    proxy.cut_after(15_000, connections=None)
    run = run_tap([imap_account(proxy, user)])
    assert (0, everything()) == (run.code, run.ids)
    assert proxy.connections > 3


@pytest.mark.parametrize("pattern", [b"* LIST", b"FETCH (", b"* SEARCH", b"UIDVALIDITY", b"* OK"])
def test_cut_anywhere(user, proxy, pattern):
    """Wherever the line breaks first, the second connection brings the rest."""
    proxy.cut_at(pattern)
    run = run_tap([imap_account(proxy, user)])
    assert (0, everything()) == (run.code, run.ids)


def test_server_that_stays_away(dovecot, user, proxy):
    """After five reconnections in vain the account is partial, and says so."""
    proxy.stop()
    run = run_tap([imap_account(proxy, user)])
    assert (3, []) == (run.code, run.records)
    assert "gave up after 5" in run.report().failures[0]


def test_refused_message_is_pending(user, proxy):
    """One refused UID is found by halving, kept as pending, and costs no other message."""
    proxy.on_client_line = _refuse_fetch_of(17)
    run = run_tap([imap_account(proxy, user)])
    assert 3 == run.code
    assert [each for each in everything() if each != "16"] == run.ids
    assert {"last_uid": 30, "pending": [17]} == {
        k: v for k, v in run.folders()["INBOX"].items() if k != "uidvalidity"
    }
    assert 1 == run.report().pending
    assert "UID 17" in run.report().failures[0]


def test_pending_is_tried_first_and_resolved(user, proxy):
    """When the server relents, the pending message comes first, before newer mail."""
    proxy.on_client_line = _refuse_fetch_of(17)
    state = run_tap([imap_account(proxy, user)]).state
    proxy.heal()
    state["bookmarks"]["imap_messages"]["accounts"]["alice"]["folders"]["INBOX"]["last_uid"] = 28
    run = run_tap([imap_account(proxy, user)], state)
    assert (0, ["16", "28", "29"]) == (run.code, run.ids)
    assert [] == run.folders()["INBOX"]["pending"]


def test_pending_that_is_gone_is_dropped(dovecot, user, proxy):
    """A pending message that was deleted meanwhile is no failure."""
    proxy.on_client_line = _refuse_fetch_of(17)
    state = run_tap([imap_account(proxy, user)]).state
    proxy.heal()
    dovecot.expunge(user, "INBOX", [17])
    run = run_tap([imap_account(proxy, user)], state)
    assert (0, []) == (run.code, run.records)
    assert [] == run.folders()["INBOX"]["pending"]


@pytest.mark.parametrize("gone", [99, 17])
def test_pending_beyond_the_bookmark(dovecot, user, proxy, gone):
    """A pending UID above a lowered last_uid, or beyond all, is dealt with like others, and nothing comes twice."""
    state = run_tap([imap_account(proxy, user)]).state
    inbox = state["bookmarks"]["imap_messages"]["accounts"]["alice"]["folders"]["INBOX"]
    inbox.update(last_uid=14, pending=[gone, 30])
    dovecot.expunge(user, "INBOX", [17])
    run = run_tap([imap_account(proxy, user)], state)
    assert (0, ["29", *(str(uid - 1) for uid in range(15, 30) if uid != 17)]) == (run.code, run.ids)
    assert (30, []) == (run.folders()["INBOX"]["last_uid"], run.folders()["INBOX"]["pending"])


def test_message_that_kills_the_connection(dovecot, user):
    """A message at which the server hangs up each time is pending in the end; the others are read."""
    unlock = dovecot.lock_message(user, "INBOX", 9)
    try:
        run = run_tap([imap_account(dovecot, user)])
    finally:
        unlock()
    assert 3 == run.code
    assert [each for each in everything() if each != "8"] == run.ids
    assert [9] == run.folders()["INBOX"]["pending"]


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INUSE", "LIMIT"])
def test_transient_refusals_are_tried_again(user, proxy, code):
    """NO [UNAVAILABLE] and its like mean: come back in a moment."""
    proxy.refuse(rb"UID FETCH .*PEEK", f"NO [{code}] later".encode(), times=2)
    run = run_tap([imap_account(proxy, user)])
    assert (0, everything()) == (run.code, run.ids)


@pytest.mark.parametrize("code", ["OVERQUOTA", "THROTTLED"])
def test_polite_stop(user, proxy, code):
    """A server that wants us gone is left at once, with the bookmark where it was."""
    proxy.refuse(rb"UID FETCH .*PEEK", f"NO [{code}] enough".encode())
    run = run_tap([imap_account(proxy, user)])
    assert (3, []) == (run.code, run.records)
    assert 1 == proxy.connections
    assert 0 == run.folders()["INBOX"]["last_uid"]


def test_vanished_message_is_counted(dovecot, user, proxy):
    """A message deleted between SEARCH and FETCH is no error; it is counted and passed."""
    state = {"done": False}

    def delete_first(line: bytes) -> None:
        if b"BODY.PEEK" in line and not state["done"]:
            state["done"] = True
            dovecot.expunge(user, "INBOX", [5, 6])

    proxy.on_client_line = delete_first
    run = run_tap([imap_account(proxy, user)])
    assert 0 == run.code
    assert 2 == run.report().vanished
    assert 28 == len(run.ids)
    assert 30 == run.folders()["INBOX"]["last_uid"]


def _refuse_fetch_of(uid: int):
    """Answer NO to every FETCH of a body that asks for *uid*."""

    def hook(line: bytes) -> bytes | None:
        words = line.split()
        bodies = words[1:3] == [b"UID", b"FETCH"] and b"BODY.PEEK" in line
        if bodies and str(uid).encode() in words[3].split(b","):
            return b"{tag} NO [CANNOT] this message is broken\r\n"
        return None

    return hook
