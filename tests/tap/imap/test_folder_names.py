"""Names of folders: fit to leave the tap, no two alike, the same in every run."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from tap_mailbox.cli import main
from tests.servers.imap_script import Mailbox, Message
from tests.tap.runs import imap_account, mail, run_tap


def box(*numbers: int) -> Mailbox:
    """A folder with messages of these numbers, under the UIDs from 1 on."""
    return Mailbox({uid: Message(mail(number)) for uid, number in enumerate(numbers, 1)})


@pytest.fixture
def make_server(make_imap_script):
    """Return a way to a server whose folders go by spellings, as octets, which it knows by these alone."""

    def make(folders: dict[bytes, Mailbox], attributes: dict[bytes, bytes] | None = None):
        known = {raw.decode("latin-1"): each for raw, each in folders.items()}
        server = make_imap_script(known)

        def listed(_command, _usual):
            lines = (b'* LIST (%b) "/" "%b"\r\n' % ((attributes or {}).get(raw, b""), raw) for raw in folders)
            return b"".join(lines) + b"{tag} OK done\r\n"

        def name_in(command):
            return re.match(r'"([^"]*)"', command.args)[1]

        def examined(command, _usual):
            name = name_in(command)
            server._selected[command.connection] = name
            count = len(known[name].messages)
            said = f"* {count} EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT {count + 1}] ok\r\n"
            return said + "{tag} OK [READ-ONLY] done\r\n"

        def status(command, _usual):
            name = name_in(command)
            uidnext = len(known[name].messages) + 1
            return f'* STATUS "{name}" (UIDNEXT {uidnext} UIDVALIDITY 1)\r\n{{tag}} OK done\r\n'

        server.answer("LIST", listed)
        server.answer("EXAMINE", examined)
        server.answer("STATUS", status)
        return server

    return make


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"&2AA-", "\ufffd"),
        (b"Work/&3AA-x", "Work/\ufffdx"),
        (b"&2AA-&3AA-", "\ufffd\ufffd"),
        (b"&AAA-x", "\ufffdx"),
    ],
)
def test_name_that_is_no_text(make_server, tmp_path, raw, shown):
    """No lone surrogate and no NUL leaves the tap; the folder is read by its spelling, once."""
    name = f"{shown} [{raw.hex()}]"
    server = make_server({b"INBOX": box(1), raw: box(2, 3)})
    account = imap_account(server)
    first = run_tap([account, {**account, "name": "zed"}])
    assert (0, ["1", "2", "3"] * 2) == (first.code, first.ids)
    assert {"INBOX", name} == set(first.folders()) == {each["source"]["folder"] for each in first.records}
    text = json.dumps(first.lines, ensure_ascii=False)
    text.encode()
    assert "\0" not in text
    assert "\\u0000" not in text
    second = run_tap([account], first.state)
    assert (0, [], []) == (second.code, second.ids, second.report().warnings)
    assert first.folders() == second.folders()
    (tmp_path / "config.json").write_text(json.dumps({"accounts": [account]}))
    done = CliRunner().invoke(main, ["--config", str(tmp_path / "config.json"), "folders", "alice", "--json"])
    assert 0 == done.exit_code
    assert ["INBOX", name] == [each["name"] for each in json.loads(done.stdout)["folders"]]


def test_label_that_is_no_text(make_imap_script):
    """Gmail's labels are spelled like folders."""
    message = Message(mail(1), extra={"X-GM-LABELS": '("&2AA-" "&AAA-x" work)'})
    server = make_imap_script({"INBOX": Mailbox({1: message})}, capability="IMAP4rev1 X-GM-EXT-1")
    (record,) = run_tap([imap_account(server)]).records
    assert ["\ufffd", "\ufffdx", "work"] == record["source"]["labels"]


@pytest.mark.parametrize("turned", [False, True])
def test_names_that_read_alike(make_server, turned):
    """Each has a bookmark of its own, whatever their order; the usual spelling keeps the plain name."""
    spellings = {b"a": box(1, 2, 3), b"&AGE-": box(4)}
    server = make_server(dict(reversed(spellings.items())) if turned else spellings)
    first = run_tap([imap_account(server)])
    assert (0, ["1", "2", "3", "4"]) == (first.code, sorted(first.ids))
    assert {"a": 3, "a [264147452d]": 1} == {name: each["last_uid"] for name, each in first.folders().items()}
    spellings[b"&AGE-"].messages[2] = Message(mail(5))
    second = run_tap([imap_account(server)], first.state)
    assert (0, ["5"]) == (second.code, second.ids)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_name_that_looks_told_apart(make_server, order):
    """Not even a folder that has another's hexadecimal in its name shares a bookmark."""
    raws = [b"a", b"&AGE-", b"a [264147452d]", b"&AGE- [264147452d]"]
    run = run_tap([imap_account(make_server({raws[number]: box(number) for number in order}))])
    assert (0, ["0", "1", "2", "3"]) == (run.code, sorted(run.ids))
    found = {each["source"]["folder"]: each["message_id"][1] for each in run.records}
    assert {
        "a": "0",
        "a [264147452d] [264147452d]": "1",
        "a [264147452d]": "2",
        f"a [264147452d] [{raws[3].hex()}]": "3",
    } == found


@pytest.mark.parametrize(("raw", "name"), [(b"&AGE-", "a"), (b"A & B", "A & B"), (b"&AOk-t&AOk-", "été")])
def test_odd_spelling_alone(make_server, raw, name):
    """A name that no other folder has stays as it was, however it is spelled."""
    assert [name] == list(run_tap([imap_account(make_server({raw: box(1)}))]).folders())


def test_special_use_of_a_name_told_apart(make_server):
    """What lies below such a folder is covered by its special use."""
    folders = {b"a": box(1), b"&AGE-": box(2), b"&AGE-/b": box(3)}
    run = run_tap([imap_account(make_server(folders, {b"&AGE-": b"\\Trash"}))])
    assert ["1"] == run.ids
