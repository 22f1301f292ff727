"""Servers that differ: what Gmail, Exchange, Cyrus, Courier, NetEase and others do, played by a script."""

from __future__ import annotations

import pytest

from tap_mailbox.sources.imap import search
from tests.servers.imap_script import CLOSE, HANG, Mailbox, Message
from tests.tap.runs import imap_account, mail, run_tap


def three() -> dict[int, Message]:
    """Three messages with UIDs 4, 7, 9."""
    return {uid: Message(mail(uid)) for uid in (4, 7, 9)}


@pytest.mark.parametrize(
    "inbox",
    [
        pytest.param({}, id="items before the literal"),
        pytest.param({"literal_first": True}, id="items after the literal"),
        pytest.param({"missing": frozenset({"INTERNALDATE", "FLAGS", "RFC822.SIZE"})}, id="items missing"),
    ],
)
def test_order_and_absence_of_items(make_imap_script, inbox):
    """FETCH items may come in any order and may be missing; the message counts."""
    server = make_imap_script({"INBOX": Mailbox(three(), **inbox)})
    run = run_tap([imap_account(server)])
    assert (0, ["4", "7", "9"]) == (run.code, run.ids)
    assert 9 == run.folders()["INBOX"]["last_uid"]


@pytest.mark.parametrize(
    "noise",
    [
        b"* 1 FETCH (FLAGS (\\Seen))\r\n",
        b"* 3 EXISTS\r\n* 0 RECENT\r\n",
        b"* 2 EXPUNGE\r\n",
        b"* OK [ALERT] maintenance tonight\r\n",
        b"* 9 FETCH (UID 4711 FLAGS (\\Deleted))\r\n",
    ],
)
def test_unsolicited_responses(make_imap_script, noise):
    """A server may say anything at any time (RFC 3501, section 7)."""
    server = make_imap_script({"INBOX": Mailbox(three())})
    server.answer("UID", lambda _, usual: noise + usual)
    run = run_tap([imap_account(server)])
    assert (0, ["4", "7", "9"]) == (run.code, run.ids)


def test_gmail(make_imap_script):
    """With an \\All folder it alone is read; ids and labels come along, labels decoded."""
    extra = {"X-GM-MSGID": "1278455344230334865", "X-GM-THRID": "1266894439832287888"}
    extra["X-GM-LABELS"] = '("\\\\Inbox" "Entw&APw-rfe" work)'
    server = make_imap_script(
        {
            "INBOX": Mailbox(three()),
            "[Gmail]": Mailbox(list_flags=("\\Noselect", "\\HasChildren")),
            "[Gmail]/All Mail": Mailbox({4: Message(mail(4), extra=extra)}, list_flags=("\\All",)),
            "[Gmail]/Spam": Mailbox(three(), list_flags=("\\Junk",)),
        },
        capability="IMAP4rev1 X-GM-EXT-1 SPECIAL-USE LIST-STATUS",
    )
    (record,) = run_tap([imap_account(server)]).records
    source = record["source"]
    assert "[Gmail]/All Mail" == source["folder"]
    assert ("1278455344230334865", "1266894439832287888") == (source["gmail_msgid"], source["gmail_thrid"])
    assert {"\\Inbox", "Entwürfe", "work"} == set(source["labels"])
    spelt_out = run_tap([imap_account(server, folders={"include": ["[Gmail]/*"], "exclude": []})])
    assert {"[Gmail]/All Mail", "[Gmail]/Spam"} == {each["source"]["folder"] for each in spelt_out.records}


def test_courier_prefix_and_dots(make_imap_script):
    """With a separator of "." and an INBOX. prefix names stay as they are, special use covers what is below."""
    server = make_imap_script(
        {
            "INBOX": Mailbox({1: Message(mail(1))}),
            "INBOX.Trash": Mailbox({1: Message(mail(2))}, list_flags=("\\Trash",)),
            "INBOX.Trash.Old": Mailbox({1: Message(mail(3))}),
            "INBOX.Work.2024": Mailbox({1: Message(mail(4))}),
        },
        separator=".",
    )
    assert ["1", "4"] == sorted(run_tap([imap_account(server)]).ids)
    everything = run_tap([imap_account(server, folders={"include": ["\\Inbox"], "exclude": []})])
    assert ["1", "2", "3", "4"] == sorted(everything.ids)


def test_login_disabled_goes_by_plain(make_imap_script):
    """Where LOGIN is disabled it is not tried; AUTHENTICATE PLAIN is."""
    server = make_imap_script({"INBOX": Mailbox(three())}, capability="IMAP4rev1 LOGINDISABLED AUTH=PLAIN")
    assert ["4", "7", "9"] == run_tap([imap_account(server)]).ids
    assert (0, 1) == (server.count("LOGIN"), server.count("AUTHENTICATE"))


def test_no_way_to_sign_in(make_imap_script):
    """A server that takes no password at all gets none."""
    server = make_imap_script(capability="IMAP4rev1 LOGINDISABLED")
    run = run_tap([imap_account(server)])
    assert 3 == run.code
    assert "forbids LOGIN" in run.report().failures[0]
    assert 0 == server.count("LOGIN")


def test_identifies_itself(make_imap_script):
    """ID is sent where it is offered, and its refusal is of no interest."""
    server = make_imap_script({"INBOX": Mailbox(three())}, capability="IMAP4rev1 ID")
    server.answer("ID", "{tag} BAD no\r\n")
    assert ["4", "7", "9"] == run_tap([imap_account(server)]).ids
    assert 1 == server.count("ID")


def test_utf8_only_is_enabled(make_imap_script):
    """A server that serves UTF-8 clients alone is told that we are one."""
    server = make_imap_script({"INBOX": Mailbox(three())}, capability="IMAP4rev1 ENABLE UTF8=ONLY")
    assert ["4", "7", "9"] == run_tap([imap_account(server)]).ids
    assert 1 == server.count("ENABLE UTF8=ACCEPT")


def test_nil_bodies_are_pending(make_imap_script):
    """A message the server has but gives as NIL is pending, not lost and not passed over in silence."""
    server = make_imap_script({"INBOX": Mailbox({**three(), 7: Message(None)})})
    run = run_tap([imap_account(server)])
    assert (3, ["4", "9"]) == (run.code, run.ids)
    assert [7] == run.folders()["INBOX"]["pending"]


def test_list_return_refused(make_imap_script):
    """A server that advertises LIST-STATUS and rejects it is asked the old way."""
    server = make_imap_script({"INBOX": Mailbox(three())}, capability="IMAP4rev1 LIST-STATUS SPECIAL-USE")
    server.answer("LIST .*RETURN", "{tag} BAD syntax\r\n")
    first = run_tap([imap_account(server)])
    assert ["4", "7", "9"] == first.ids
    assert [] == run_tap([imap_account(server)], first.state).ids
    assert 1 == server.count("STATUS")
    assert 1 == server.count("EXAMINE")


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        (b"* LIST () NIL Archive\r\n", "Archive"),
        (b"* LIST () NIL {7}\r\nArchive\r\n", "Archive"),
        (b'* LIST () "/" 2024\r\n', "2024"),
        ('* LIST () "/" "Entwürfe"\r\n'.encode(), "Entwürfe"),
        (b'* LIST () "/" "A&-B"\r\n', "A&B"),
        (b'* LIST () "/" "A & B"\r\n', "A & B"),
    ],
)
def test_spellings_of_list(make_imap_script, listed, name):
    """NIL separators, literals, bare numbers, raw UTF-8 and odd ampersands are folder names like others."""
    server = make_imap_script({name: Mailbox(three())})
    server.answer("LIST", listed + b"{tag} OK done\r\n")
    server.answer(
        "EXAMINE",
        lambda command, _: server._examine(
            type(command)(command.tag, "EXAMINE", f'"{name.replace("&", "&-")}"', command.connection)
        ),
    )
    run = run_tap([imap_account(server)])
    assert {name} == {record["source"]["folder"] for record in run.records}


def test_folder_that_cannot_be_opened(make_imap_script):
    """One folder's refusal is named and makes the run partial; the others are read."""
    server = make_imap_script({"INBOX": Mailbox(three()), "Shared": Mailbox(three())})
    server.answer("EXAMINE .*Shared", "{tag} NO [NOPERM] not yours\r\n")
    run = run_tap([imap_account(server)])
    assert (3, ["4", "7", "9"]) == (run.code, run.ids)
    assert "'Shared'" in run.report().failures[0]


def test_search_beyond_the_end_names_the_last(make_imap_script):
    """`UID SEARCH 10:*` answers 9 when 9 is the last; it is not read again."""
    server = make_imap_script({"INBOX": Mailbox(three())})
    server.answer("STATUS", "{tag} NO no status here\r\n")
    first = run_tap([imap_account(server)])
    second = run_tap([imap_account(server)], first.state)
    assert ([], first.folders()) == (second.ids, second.folders())
    assert server.count("UID SEARCH UID 10") >= 1


@pytest.mark.parametrize("act", [CLOSE, b"* BYE [UNAVAILABLE] too busy\r\n", b"* BYE bye\r\n{tag} OK\r\n"])
@pytest.mark.parametrize(
    "command", ["LOGIN", "LIST", "EXAMINE", "UID SEARCH", "UID FETCH .*SIZE", "UID FETCH .*PEEK"]
)
def test_bye_at_any_command(make_imap_script, command, act):
    """A server that hangs up or says BYE is called again."""
    server = make_imap_script({"INBOX": Mailbox(three())})
    server.answer(command, act, times=1)
    run = run_tap([imap_account(server)])
    assert (0, ["4", "7", "9"]) == (run.code, run.ids)


@pytest.mark.parametrize("command", ["CAPABILITY", "LIST", "UID FETCH .*PEEK"])
def test_silence_is_timed(make_imap_script, command):
    """A server that says nothing is left after read_timeout, and called again."""
    server = make_imap_script({"INBOX": Mailbox(three())})
    server.answer(command, HANG, times=1)
    run = run_tap([imap_account(server, connect_timeout=0.3, read_timeout=0.3)])
    assert (0, ["4", "7", "9"]) == (run.code, run.ids)


@pytest.mark.parametrize(
    "answer",
    [
        b"* 1 FETCH (UID 4 BODY[] {99999}\r\nshort)\r\n{tag} OK\r\n",
        b"* 1 FETCH (UID\r\n{tag} OK\r\n",
        b"garbage\r\n",
    ],
)
def test_answers_that_make_no_sense(make_imap_script, answer):
    """Wrong literal lengths and broken grammar cost a connection, not a message."""
    server = make_imap_script({"INBOX": Mailbox(three())})
    server.answer("UID FETCH .*PEEK", answer, times=1)
    run = run_tap([imap_account(server, read_timeout=0.5)])
    assert (0, ["4", "7", "9"]) == (run.code, run.ids)


def test_uidvalidity_changes_in_the_middle(make_imap_script):
    """After a reconnection under another UIDVALIDITY the folder starts anew."""
    inbox = Mailbox(three())
    server = make_imap_script({"INBOX": inbox})

    def renumbered(_command, _usual):
        inbox.uidvalidity = 2
        inbox.messages = {1: Message(mail("new-1")), 2: Message(mail("new-2"))}
        return CLOSE

    server.answer("UID FETCH .*PEEK", renumbered, times=1)
    run = run_tap([imap_account(server)])
    assert (0, ["new-1", "new-2"]) == (run.code, run.ids)
    assert {"uidvalidity": 2, "last_uid": 2, "pending": []} == run.folders()["INBOX"]


def test_server_words_carry_no_address(make_imap_script, caplog):
    """What a server says goes into errors with addresses taken out."""
    server = make_imap_script()
    server.answer("LOGIN", "{tag} NO [AUTHENTICATIONFAILED] alice@example.org may not\r\n")
    run = run_tap([imap_account(server)])
    text = caplog.text + str(run.report().failures)
    assert "may not" in text
    assert "alice@example.org" not in text
    assert "fake-secret" not in text


@pytest.mark.parametrize("code", [b"[MESSAGELIMIT 10 %d] ", b""], ids=["said", "silent"])
@pytest.mark.parametrize("held", [0, 1])
def test_search_stops_short(make_imap_script, monkeypatch, code, held):
    """A server that gives the newest messages only is asked for those below, until there are none (RFC 9738)."""
    monkeypatch.setattr(search, "SMALLEST_LIMIT", 10)
    server = make_imap_script({"INBOX": Mailbox({uid: Message(mail(uid)) for uid in range(2, 72, 2)})})

    def newest(command, usual):
        uids = [int(uid) for uid in usual.split(b"\r\n")[0].split()[2:]][-10:]
        said = code % uids[0] if code and len(uids) == 10 else b""
        line = b"* SEARCH" + b"".join(b" %d" % uid for uid in uids)
        return line + b"\r\n" + f"{command.tag} OK ".encode() + said + b"done\r\n"

    server.answer("UID SEARCH", newest)
    state = {"INBOX": {"uidvalidity": 1, "last_uid": held}}
    bookmarks = {"imap_messages": {"accounts": {"alice": {"folders": state}}}}
    run = run_tap([imap_account(server)], {"bookmarks": bookmarks} if held else None)
    assert (0, [str(uid) for uid in range(2, 72, 2)]) == (run.code, run.ids)
    assert 70 == run.folders()["INBOX"]["last_uid"]
