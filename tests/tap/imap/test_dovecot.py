"""The IMAP source against a real Dovecot: every message of the chosen folders, whole, and nothing is changed."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest

from tests.tap.runs import imap_account, mail, run_tap

AWKWARD = [
    "a & b",
    'quo"ted',
    "back\\slash",
    "Entwürfe",
    "日本語",
    "Sub/Folder/Deep",
    "123",
    "NIL",
    "per%cent",
    "[Gmail]",
    "x~y",
]


def test_awkward_folder_names(dovecot):
    """Spaces, quotes, ampersands, non-ASCII names and names that look like atoms are read and kept apart."""
    user = dovecot.new_user()
    for number, name in enumerate(AWKWARD):
        dovecot.append(user, name, mail(number))
    run = run_tap([imap_account(dovecot, user)])
    assert {name: str(number) for number, name in enumerate(AWKWARD)} == {
        record["source"]["folder"]: each for record, each in zip(run.records, run.ids, strict=True)
    }
    assert set(AWKWARD) <= run.folders().keys()
    assert [] == run_tap([imap_account(dovecot, user)], run.state).records


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        pytest.param({}, ["INBOX", "Archive", "Sent", "Work", "Work/2024"], id="defaults leave out junk, trash, drafts"),
        pytest.param({"exclude": []}, ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash", "Trash/Old", "Work", "Work/2024"], id="no exclusion"),
        pytest.param({"include": ["Work*"]}, ["Work", "Work/2024"], id="a glob matches the separator"),
        pytest.param({"include": ["*"], "exclude": ["Work/*", "\\Sent"]}, ["INBOX", "Archive", "Drafts", "Junk", "Trash", "Trash/Old", "Work"], id="mixed exclusion"),
        pytest.param({"include": ["\\Trash"], "exclude": []}, ["Trash", "Trash/Old"], id="special use covers what is below"),
        pytest.param({"include": ["inbox"]}, ["INBOX"], id="INBOX has no case"),
        pytest.param({"include": ["\\Inbox"]}, ["INBOX"], id="INBOX as a special use"),
    ],
)  # fmt: skip
def test_folder_selection(dovecot, folders, expected):
    """include and exclude take globs on decoded names and special-use names; each default applies on its own."""
    user = dovecot.new_user()
    for number, name in enumerate(
        ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash", "Trash/Old", "Work", "Work/2024"]
    ):
        dovecot.append(user, name, mail(number))
    run = run_tap([imap_account(dovecot, user, folders=folders)])
    assert sorted(expected) == sorted(record["source"]["folder"] for record in run.records)


def test_pattern_that_matches_nothing_is_named(account):
    """A mistyped include is a warning: it would lose mail in silence."""
    run = run_tap([{**account, "folders": {"include": ["Elsewhere", "INBOX"]}}])
    assert 0 == run.code
    assert any("Elsewhere" in line for line in run.report().warnings)


def test_start_date_is_exact_to_the_second(dovecot):
    """What was received a second before start_date is left out, what was received at it is read."""
    user = dovecot.new_user()
    moment = dt.datetime(2026, 3, 1, 12, 0, 0, tzinfo=dt.UTC)
    for seconds in (-86_400 * 3, -1, 0, 1):
        dovecot.append(user, "INBOX", mail(seconds), internal_date=moment + dt.timedelta(seconds=seconds))
    run = run_tap([imap_account(dovecot, user)], start_date="2026-03-01T13:00:00+01:00")
    assert ["0", "1"] == run.ids
    assert 4 == run.folders()["INBOX"]["last_uid"]


def test_the_mailbox_is_never_changed(dovecot):
    """No flag is set or taken, \\Recent and \\Seen included, and only reading commands are sent."""
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", mail(1), flags=["\\Flagged", "$Label1"])
    dovecot.append(user, "INBOX", mail(2), flags=["\\Seen"])
    before = dovecot.flags(user, "INBOX"), dovecot.status(user, "INBOX")
    run = run_tap([imap_account(dovecot, user)])
    assert before == (dovecot.flags(user, "INBOX"), dovecot.status(user, "INBOX"))
    assert [["$Label1", "\\Flagged"], ["\\Seen"]] == [record["source"]["flags"] for record in run.records]


def test_only_reading_commands_are_sent(dovecot, user, proxy):
    """EXAMINE and BODY.PEEK[]; never SELECT, STORE, EXPUNGE, CLOSE; and LOGOUT at the end."""
    run_tap([imap_account(proxy, user)])
    verbs = {command.split()[0].upper() for command in proxy.commands}
    assert verbs <= {"CAPABILITY", "LOGIN", "ID", "LIST", "STATUS", "EXAMINE", "UID", "LOGOUT"}
    assert 0 == proxy.count(r"UID FETCH .*BODY\[\]")
    assert proxy.commands[-1].upper().startswith("LOGOUT")


def test_large_message_travels_whole(dovecot):
    """A message of 20 MB comes out octet for octet."""
    octets = mail("large") + b"0123456789abcdef" * 64 * 1024 * 20
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", octets)
    (record,) = run_tap([imap_account(dovecot, user)]).records
    assert len(octets) == record["size"]
    assert hashlib.sha256(octets).hexdigest() == record["raw_sha256"]


def test_several_connections_read_the_same(dovecot):
    """More connections change the order of folders, not what comes out nor where the bookmarks stand."""
    user = dovecot.new_user()
    for number in range(30):
        dovecot.append(user, f"Folder {number % 6}", mail(number))
    one = run_tap([imap_account(dovecot, user)])
    four = run_tap([imap_account(dovecot, user, connections=4)])
    assert sorted(one.ids) == sorted(four.ids)
    assert one.folders() == four.folders()
