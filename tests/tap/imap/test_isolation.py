"""One bad message, folder, password or connection costs itself, and is named; everything else goes on."""

from __future__ import annotations

import re
import threading

import pytest

from tap_mailbox import streams
from tap_mailbox.sources.imap import session
from tests.servers.imap_script import CLOSE, Mailbox, Message
from tests.tap.runs import imap_account, mail, run_tap


def box(*uids: int) -> Mailbox:
    """A folder with these messages."""
    return Mailbox({uid: Message(mail(uid)) for uid in uids})


def asks_for(command, uids: set[int]) -> bool:
    """Whether a FETCH asks for one of *uids*."""
    return bool(uids & {int(each) for each in re.findall(r"\d+", command.args.split(" ")[0])})


@pytest.mark.parametrize(
    "act",
    [
        CLOSE,
        "* BYE [SERVERBUG] sorry\r\n",
        "{tag} NO [SERVERBUG] sorry\r\n",
        "{tag} BAD no\r\n",
    ],
)
@pytest.mark.parametrize("items", ["SIZE", "PEEK"])
def test_messages_that_spoil_every_answer(make_imap_script, items, act):
    """Whatever a server does at some messages, the others of that folder and the folders behind it are read."""
    server = make_imap_script({"INBOX": box(*range(1, 12)), "Zeta": box(21, 22)})
    bad = {3, 6, 9}
    server.answer(f"UID FETCH .*{items}", lambda command, usual: act if asks_for(command, bad) else usual)
    run = run_tap([imap_account(server)])
    read = {int(each) for each in run.ids}
    assert {21, 22} | set(range(1, 12)) - bad <= read
    pending = run.folders()["INBOX"]["pending"]
    assert {*bad} == read & bad | set(pending)
    assert (3 if pending else 0) == run.code
    again = run_tap([imap_account(server)], run.state)
    assert pending == again.folders()["INBOX"]["pending"]


def test_pending_messages_do_not_starve_new_mail(make_imap_script):
    """Pending messages that break the connection each time are tried once a run, and new mail is read."""
    inbox = box(*range(1, 12))
    server = make_imap_script({"INBOX": inbox, "Zeta": box(21)})
    server.answer("UID FETCH .*PEEK", lambda command, usual: CLOSE if asks_for(command, {3, 6, 9}) else usual)
    state = run_tap([imap_account(server)]).state
    inbox.messages[12] = Message(mail(12))
    server.folders["Zeta"].messages[22] = Message(mail(22))
    run = run_tap([imap_account(server)], state)
    assert (3, ["12", "22"]) == (run.code, sorted(run.ids))
    assert [3, 6, 9] == run.folders()["INBOX"]["pending"]


def test_folder_that_breaks_every_connection(make_imap_script):
    """The folder fails, the next one is read."""
    server = make_imap_script({"Bad": box(1), "INBOX": box(4)})
    server.answer("EXAMINE .*Bad", "* BYE no\r\n")
    run = run_tap([imap_account(server)])
    assert (3, ["4"]) == (run.code, run.ids)
    assert "'Bad'" in run.report().failures[0]


def test_search_without_an_answer_passes_nothing(make_imap_script):
    """A server that completes SEARCH without answering it has not said that there is no mail."""
    server = make_imap_script({"INBOX": box(4, 7, 9)})
    server.answer("UID SEARCH", "{tag} OK done\r\n")
    run = run_tap([imap_account(server)])
    assert (3, []) == (run.code, run.ids)
    assert 0 == run.folders()["INBOX"]["last_uid"]


def test_search_in_several_lines(make_imap_script):
    """UIDs of every * SEARCH line count."""
    server = make_imap_script({"INBOX": box(4, 7, 9)})
    server.answer("UID SEARCH", "* SEARCH 4 7\r\n* SEARCH 9\r\n{tag} OK done\r\n")
    assert ["4", "7", "9"] == run_tap([imap_account(server)]).ids


def test_bookmark_never_passes_what_no_search_named(make_imap_script):
    """UIDNEXT is a prediction: mail that a server shows late must still be found."""
    server = make_imap_script({"INBOX": box(4, 7, 9)})
    server.answer("EXAMINE", lambda _, usual: usual.replace(b"UIDNEXT 10", b"UIDNEXT 13"))
    assert 9 == run_tap([imap_account(server)]).folders()["INBOX"]["last_uid"]


@pytest.mark.parametrize("capability", ["IMAP4rev1", "IMAP4rev1 LIST-STATUS"])
def test_uidnext_of_zero_is_unknown(make_imap_script, capability):
    """A server that predicts UID 0 predicts nothing: the folder is read."""
    server = make_imap_script({"INBOX": box(4, 7)}, capability=capability)
    for command in ("LIST", "STATUS", "EXAMINE"):
        server.answer(command, lambda _, usual: usual.replace(b"UIDNEXT 8", b"UIDNEXT 0"))
    first = run_tap([imap_account(server)])
    assert (0, ["4", "7"]) == (first.code, first.ids)
    second = run_tap([imap_account(server)], first.state)
    assert (0, []) == (second.code, second.ids)


def test_refused_password_is_not_tried_again_for_another_ones_sake(make_imap_script):
    """When a second method's connection breaks, the first, refused, is not sent again."""
    server = make_imap_script({"INBOX": box(4)})
    server.answer("LOGIN", CLOSE, times=3)
    server.answer("LOGIN", "{tag} NO [AUTHENTICATIONFAILED] no\r\n", times=1)
    account = imap_account(server)
    account["auth"].append({**account["auth"][0], "password": "fake-other"})
    assert ["4"] == run_tap([account]).ids
    assert 5 == server.count("LOGIN")


@pytest.mark.parametrize(
    ("command", "answer", "secret"),
    [
        ("LOGIN", '{tag} BAD unknown command: LOGIN "alice" fake-secret\r\n', "fake-secret"),
        ("LOGIN", "{tag} NO [AUTHENTICATIONFAILED] alice@example.org\r\n", "alice@example.org"),
        (
            "UID FETCH .*PEEK",
            b"* 1 FETCH (UID 4 BODY[] {3}\r\nYour PIN is 1199\r\n)\r\n{tag} OK done\r\n",
            "1199",
        ),
        ("UID FETCH .*PEEK", '{tag} NO cannot render "Re: the divorce"\r\n', "divorce"),
        ("EXAMINE", "{tag} NO Re: the divorce\r\n", "divorce"),
    ],
)
def test_server_words_stay_out_of_the_log(make_imap_script, caplog, command, answer, secret):
    """Servers quote commands and mail; we quote neither."""
    server = make_imap_script({"INBOX": box(4)})
    server.answer(command, answer)
    run = run_tap([imap_account(server)])
    assert 3 == run.code
    assert secret not in caplog.text + str(run.report())


def test_connections_beyond_the_servers_limit(make_imap_script):
    """Where the server takes fewer connections than configured, those it takes do the work."""
    server = make_imap_script({f"F{number}": box(number) for number in range(1, 7)})
    seen: list[int] = []
    refused = threading.Event()

    def one_only(command, usual):
        seen.append(command.connection)
        if command.connection == seen[0]:
            return usual
        refused.set()
        return "{tag} NO [LIMIT] too many\r\n"

    def not_alone(_command, usual):
        # The first connection would else be done before the next one has asked.
        assert refused.wait(30)
        return usual

    server.answer("LOGIN", one_only)
    server.answer("EXAMINE", not_alone)
    run = run_tap([imap_account(server, connections=3)])
    assert (0, 6) == (run.code, len(run.ids))
    assert any("connections was lost" in line for line in run.report().warnings)


def test_empty_list_is_no_empty_mailbox(make_imap_script):
    """INBOX always exists; a server that names no folder has a problem."""
    server = make_imap_script({"INBOX": box(4)})
    server.answer("LIST", "{tag} OK done\r\n")
    assert 3 == run_tap([imap_account(server)]).code


def test_credential_of_another_protocol(make_imap_script):
    """An account whose credential is missing is named, whatever its protocol; the others are read."""
    method = {"method": "msal", "app_file": "missing.json", "token_file": "missing.json"}
    graph = {"name": "outlook", "protocol": "graph", "auth": [method]}
    run = run_tap([graph, imap_account(make_imap_script({"INBOX": box(4)}))])
    assert (3, ["4"]) == (run.code, run.ids)
    assert "missing.json" in run.report("outlook").failures[0]


def test_nothing_selected_is_a_warning(make_imap_script):
    """A configuration that reads nothing is allowed, and named."""
    run = run_tap([imap_account(make_imap_script({"INBOX": box(4)}), folders={"exclude": ["*"]})])
    assert (0, []) == (run.code, run.ids)
    assert any("select no folder" in line for line in run.report().warnings)


def test_empty_body_of_a_message_with_a_size(make_imap_script):
    """An empty literal where 5,000 octets were promised is no message: pending."""
    inbox = box(4, 9)
    inbox.messages[7] = Message(b"", size=5000)
    run = run_tap([imap_account(make_imap_script({"INBOX": inbox}))])
    assert (3, ["4", "9"], [7]) == (run.code, run.ids, run.folders()["INBOX"]["pending"])


def test_folders_whose_names_cannot_be_told_apart(make_imap_script):
    """Two spellings that decode alike have a bookmark each."""
    server = make_imap_script({"INBOX": box(4)})
    server.answer("LIST", b'* LIST () "/" "caf\xe9"\r\n* LIST () "/" "caf\xe8"\r\n{tag} OK done\r\n')
    inbox = server._examine
    server.answer(
        "EXAMINE",
        lambda command, _: inbox(type(command)(command.tag, "EXAMINE", "INBOX", command.connection)),
    )
    run = run_tap([imap_account(server)])
    assert 2 == len(run.folders())
    assert ["4", "4"] == run.ids


def test_folder_named_twice_is_read_once(make_imap_script):
    """Some servers list INBOX twice."""
    server = make_imap_script({"INBOX": box(4)})
    server.answer("LIST", '* LIST () "/" INBOX\r\n* LIST () "/" "INBOX"\r\n{tag} OK done\r\n')
    assert ["4"] == run_tap([imap_account(server)]).ids


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_broken_ca_file(make_imap_script, tmp_path, content):
    """A CA file that is missing or holds none is named as such."""
    if content:
        (tmp_path / "ca.pem").write_text(content)
    server = make_imap_script({"INBOX": box(4)})
    account = imap_account(server, tls="implicit", ca_file=str(tmp_path / "ca.pem"))
    run = run_tap([account])
    assert 3 == run.code
    assert "ca.pem" in run.report().failures[0]
    assert "unexpected" not in run.report().failures[0]


def test_back_off_grows(make_imap_script, monkeypatch):
    """Between reconnections the tap waits, longer each time."""
    waits: list[float] = []
    monkeypatch.setattr(session, "FIRST_DELAY_SECONDS", 1.0)
    monkeypatch.setattr("tap_mailbox.stop.Stop.wait", lambda _, seconds: waits.append(seconds))
    server = make_imap_script({"INBOX": box(4)}, greeting="* BYE later\r\n")
    assert 3 == run_tap([imap_account(server)]).code
    assert [0, 1, 2, 3, 4] == [int(wait).bit_length() if wait >= 1 else 0 for wait in waits]


def test_state_in_the_middle_of_a_folder(make_imap_script, monkeypatch):
    """Each STATE between two messages covers exactly what was handed over before it."""
    monkeypatch.setattr(streams, "STATE_SECONDS", 0)
    run = run_tap([imap_account(make_imap_script({"INBOX": box(*range(1, 21))}))])
    handed_over, covered = 0, []
    for line in run.lines:
        if line["type"] == "RECORD":
            handed_over = line["record"]["source"]["uid"]
        elif line["type"] == "STATE" and "accounts" in line["value"]["bookmarks"]["imap_messages"]:
            last_uid = line["value"]["bookmarks"]["imap_messages"]["accounts"]["alice"]["folders"]["INBOX"][
                "last_uid"
            ]
            assert handed_over == last_uid
            covered.append(last_uid)
    assert set(range(1, 21)) <= set(covered)


def test_state_every_so_many_messages(make_imap_script, monkeypatch):
    """However fast it goes, a STATE comes after so many messages."""
    monkeypatch.setattr(streams, "STATE_SECONDS", 3600)
    monkeypatch.setattr(streams, "STATE_MESSAGES", 10)
    run = run_tap([imap_account(make_imap_script({"INBOX": box(*range(1, 36))}))])
    between = [line["type"] for line in run.lines]
    assert 3 <= "".join(kind[0] for kind in between).count("R" * 10 + "S")
