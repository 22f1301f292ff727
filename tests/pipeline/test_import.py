"""Local files into the archive: an import with a journal of its own, that knows what the archive already has."""

from __future__ import annotations

import json

import pytest

from tests.pipeline.pair import Pair
from tests.tap.runs import files_account, imap_account, mail


@pytest.fixture
def tree(tmp_path):
    """An old mail folder: an mbox, a Maildir, an .eml and a JSON message of an older archiver."""
    tree = tmp_path / "Mail"
    maildir = tree / "Sent" / "cur"
    maildir.mkdir(parents=True)
    (tree / "inbox").write_bytes(
        b"".join(
            b"From ann@example.org Fri Jun  5 10:30:45 2026\n" + mail(number, body="Hi\n>From here\n").replace(b"\r", b"") + b"\n"
            for number in range(3)
        )
    )  # fmt: skip
    (maildir / "1591353045.M1P1.host:2,RS").write_bytes(mail(3))
    (tree / "single.eml").write_bytes(mail(4))
    legacy = {
        "message_id": "<5@example.org>",
        "date": "2019-03-04T05:06:07+00:00",
        "subject": "Old",
        "body_text": "Hi",
    }
    (tree / "legacy.json").write_text(json.dumps(legacy))
    return tree


def test_import_of_an_old_archive(tmp_path, tree):
    """Every message of every format once, in its journal; a second run reads nothing and writes its commit line."""
    pair = Pair(tmp_path, [files_account(tree)], journal="mac-import")
    ran = pair.run()
    assert (0, 0) == (ran.tap, ran.target), ran.tap_log
    assert [f"<{number}@example.org>" for number in range(6)] == sorted(
        m["message_id"] for m in pair.messages()
    )
    assert 5 == sum(name.endswith(".eml") for name in pair.tree())
    journal = (pair.archive / "_journal/mac-import.jsonl").read_text().splitlines()
    sources = {line["source"]["path"] for line in map(json.loads, journal) if line["event"] == "archived"}
    assert {
        "inbox#1",
        "inbox#2",
        "inbox#3",
        "Sent/cur/1591353045.M1P1.host:2,RS",
        "single.eml",
        "legacy.json",
    } == sources
    tree_before = pair.tree()
    second = pair.run(ran.state)
    assert (0, 0, tree_before) == (second.tap, second.target, pair.tree())
    assert "messages=0" in second.tap_log
    after = (pair.archive / "_journal/mac-import.jsonl").read_text().splitlines()
    assert ["commit"] == [json.loads(line)["event"] for line in after[len(journal) :]]


def test_removed_entry_rewinds(tmp_path, tree):
    """Deleting a path from the state reads that directory or mbox again; the archive stays as it was."""
    pair = Pair(tmp_path, [files_account(tree)])
    state = pair.run().state
    before = pair.tree()
    del state["bookmarks"]["file_messages"]["accounts"]["old-mac"]["paths"]["inbox"]
    ran = pair.run(state)
    assert "messages=3" in ran.tap_log
    assert before == pair.tree()


def test_what_imap_brought_is_not_imported_again(tmp_path, dovecot):
    """The same message from a server and from a file is one message, whatever its line ends."""
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", mail(1))
    pair = Pair(tmp_path, [imap_account(dovecot, user)])
    pair.run()
    before = pair.tree()
    (tmp_path / "Mail").mkdir()
    (tmp_path / "Mail" / "1.eml").write_bytes(mail(1).replace(b"\r\n", b"\n"))
    pair.configure(
        [files_account(tmp_path / "Mail", name="alice", email=imap_account(dovecot, user)["email"])]
    )
    ran = pair.run()
    assert (0, 0) == (ran.tap, ran.target)
    assert before == pair.tree()
