"""The files source over whole trees: what is read, in which order, and what is said about the rest."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime

import pytest

from tap_mailbox.message import JsonMessage, RawMessage
from tests.tap.files.trees import eml, mbox_of, plant, run

MTIME = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
SEPARATOR = "From a@example.org Mon Jan  5 10:30:00 2004\n"
LEGACY = {"message_id": "<1@example.org>", "date": "2004-01-05", "subject": "s", "body_text": "t"}


def test_every_layout_in_one_tree(tmp_path):
    """With auto, everything is found by looking, and read in path order."""
    plant(
        tmp_path,
        {
            "z.eml": eml("z"),
            "2019/inbox": mbox_of(eml("m1"), eml("m2")),
            "2019/b.json": json.dumps(LEGACY).encode(),
            "2019/a/1.eml": eml("1"),
            "2019/c.emlx": b"%d\n" % len(eml("x")) + eml("x"),
            "md/cur/1.host:2,FS": eml("seen"),
            "md/new/2.host": eml("new"),
            "a.txt": b"no mail",
        },
    )
    found = run(tmp_path)
    assert [(message.seen.folder, message.seen.path) for message in found.messages] == [
        ("2019/a", "2019/a/1.eml"),
        ("2019", "2019/b.json"),
        ("2019", "2019/c.emlx"),
        ("2019", "2019/inbox#1"),
        ("2019", "2019/inbox#2"),
        ("md", "md/cur/1.host:2,FS"),
        ("md", "md/new/2.host"),
        (".", "z.eml"),
    ]  # fmt: skip
    first, legacy, apple, inbox, _, seen, new, _ = found.messages
    assert isinstance(first, RawMessage)
    assert (eml("1"), MTIME, None) == (first.octets, first.seen.internal_date, first.seen.flags)
    assert isinstance(legacy, JsonMessage)
    assert legacy.fields == LEGACY
    assert isinstance(apple, RawMessage)
    assert eml("x") == apple.octets
    assert datetime(2004, 1, 5, 10, 30, tzinfo=UTC) == inbox.seen.internal_date
    assert (seen.seen.flags, new.seen.flags) == (("\\Flagged", "\\Seen"), ())
    assert {"files"} == {message.seen.protocol for message in found.messages}
    assert found.checkpoints == ["2019/a", "2019/inbox", "2019", "md", "."]
    assert found.report.warnings == ["files that are no mail: 1 (a.txt)"]
    size = sum(len(m.octets) for m in found.messages if isinstance(m, RawMessage)) + len(json.dumps(LEGACY))
    assert (found.report.messages, found.report.folders, found.report.failures) == (8, 5, [])
    assert found.report.octets == size + len(b"%d\n" % len(eml("x")))


def test_maildir_with_subfolders(tmp_path):
    """cur/ and new/ of a Maildir and of its Maildir++ subfolders are read; tmp/ and bookkeeping are not."""
    plant(
        tmp_path,
        {
            "cur/1.host:2,S": eml(),
            "cur/.hidden": eml(),
            "new/2.host": b"no header at all\n",
            "tmp/3.host": eml(),
            "dovecot-uidlist": b"3 V1\n",
            "dovecot.index.log": b"\x01",
            "subscriptions": b"V\t2\n\nSent\n",
            "maildirfolder": b"",
            ".Sent.Old/cur/4.host:2,R": eml(),
            ".Sent.Old/new/.x": b"",
            ".Sent.Old/tmp/5.host": eml(),
            ".notmuch/x.eml": eml(),
            "Verbatim/cur/6.host:2,": eml(),
            "Verbatim/new/.x": b"",
        },
    )
    for layout in ("auto", "maildir"):
        found = run(tmp_path, layout=layout)
        assert [(m.seen.folder, m.seen.path) for m in found.messages] == [
            (".Sent.Old", ".Sent.Old/cur/4.host:2,R"),
            ("Verbatim", "Verbatim/cur/6.host:2,"),
            (".", "cur/1.host:2,S"),
            (".", "new/2.host"),
        ]
        assert found.report.warnings == ["hidden directories, not searched: 1 (.notmuch)"]
        assert found.report.failures == []


def test_links_and_special_files(tmp_path):
    """A link to a file is read; one to a directory, one to nowhere and a FIFO are named and left alone."""
    tree = tmp_path / "tree"
    plant(tmp_path, {"elsewhere/a.eml": eml("a")})
    plant(
        tree,
        {"file": "../elsewhere/a.eml", "loop": ".", "nowhere": "gone", "self": "self", "sub/b.eml": eml()},
    )
    os.mkfifo(tree / "pipe")
    found = run(tree)
    assert found.paths == ["file", "sub/b.eml"]
    assert found.report.warnings == [
        "symbolic links to directories, not followed: 1 (loop)",
        "symbolic links that lead nowhere: 1 (nowhere)",
        "devices, sockets or pipes: 1 (pipe)",
    ]
    assert found.report.failures == ["self: cannot be looked at (Too many levels of symbolic links)"]


def test_odd_names(tmp_path):
    """Names that are no UTF-8, or hold line breaks, are read; the record's path is clean, two never mix."""
    plant(
        tmp_path,
        {b"\xe9.mbox": mbox_of(eml("1")), b"\xe8.mbox": mbox_of(eml("2")), "a\nb": eml(), "日本/ä": eml()},
    )
    bookmark: dict = {}
    found = run(tmp_path, bookmark=bookmark)
    assert found.paths == ["a\nb", "日本/ä", "\ufffd.mbox#1", "\ufffd.mbox#1"]
    assert {".", "日本", "//%E8.mbox", "//%E9.mbox"} == set(bookmark["paths"])
    json.dumps(bookmark, ensure_ascii=False).encode()
    assert run(tmp_path, bookmark=bookmark).messages == []


def test_empty_files_are_counted(tmp_path):
    """A file without an octet is no message but a warning, in one line however many there are."""
    plant(tmp_path, {f"{number}.eml": b"" for number in range(9)} | {"x": mbox_of(b"", eml())})
    found = run(tmp_path)
    assert found.paths == ["x#2"]
    assert sorted(found.report.warnings) == [
        "empty files: 9 (0.eml, 1.eml, 2.eml, 3.eml, 4.eml, …)",
        "messages without an octet: 1 (x#1)",
    ]


@pytest.mark.parametrize(
    ("layout", "good", "bad"),
    [
        ("mbox", {"a": mbox_of(eml())}, {"b": eml()}),
        ("eml", {"a": eml()}, {"b": b"\xff\xd8"}),
        ("eml", {"a": mbox_of(eml(body=f"\n{SEPARATOR}no header\n"))}, {"b": mbox_of(eml(), eml("b"))}),
        ("json", {"a.txt": json.dumps(LEGACY).encode()}, {"b": b"{}"}),
        ("maildir", {"cur/a": eml()}, {"b": eml()}),
    ],
)
def test_a_misfit_is_a_failure_and_the_rest_goes_on(tmp_path, layout, good, bad):
    """A file that is not what `format` says is named in the report, and tried again by the next run."""
    plant(tmp_path, good | bad)
    bookmark: dict = {}
    for _ in range(2):
        found = run(tmp_path, layout=layout, bookmark=bookmark)
        assert len(found.report.failures) == 1
        assert found.report.failures[0].startswith("b: is no")
    (tmp_path / "b").unlink()
    run(tmp_path, layout=layout, bookmark=bookmark)
    assert run(tmp_path, layout=layout, bookmark=bookmark).messages == []


def test_broken_json_is_named(tmp_path):
    """Each broken .json is a failure of its own, without a word of what is in it; the others are read."""
    plant(tmp_path, {"a.json": b"{secret", "b.json": json.dumps(LEGACY).encode(), "c.json": b'{"secret": 1}'})
    found = run(tmp_path)
    assert found.paths == ["b.json"]
    assert [failure.partition(":")[0] for failure in found.report.failures] == ["a.json", "c.json"]
    assert "secret" not in repr(found.report)


def test_a_hashfs_archive_can_be_read(tmp_path):
    """Of our own archive the messages are read, from the octets where it has them; not its bookkeeping."""
    record = json.dumps(LEGACY | {"content_hash": "0", "message_hash": "1"}).encode()
    plant(
        tmp_path,
        {
            "hashfs.json": b"{}",
            "_journal/live-poll.jsonl": b"{}",
            "_state/state.json": b"{}",
            "_quarantine/a/2004/01/1.json": record,
            "a/2004/01/1.json": record,
            "a/2004/01/1.eml": eml(),
            "a/2004/01/2.json": record,
        },
    )
    found = run(tmp_path)
    assert found.paths == ["a/2004/01/1.eml", "a/2004/01/2.json"]
    assert found.report.failures == []


@pytest.mark.parametrize(
    ("name", "content", "paths"),
    [
        ("inbox", mbox_of(eml(), eml()), ["inbox#1", "inbox#2"]),
        ("a.eml", eml(), ["a.eml"]),
        ("empty", b"", []),
    ],
)
def test_path_is_a_file(tmp_path, name, content, paths):
    """A lone file lies in the folder "." under its name, and its entry is "."."""
    plant(tmp_path, {name: content})
    bookmark: dict = {}
    found = run(tmp_path / name, bookmark=bookmark)
    assert paths == found.paths
    assert {"."} >= {message.seen.folder for message in found.messages}
    assert ([".", 2023] if paths else []) == [
        x for k, e in bookmark.get("paths", {}).items() for x in (k, int(e["mtime"][:4]))
    ]
    assert (bool(paths), []) == (bool(bookmark), run(tmp_path / name, bookmark=bookmark).messages)


def test_a_lone_file_that_is_no_mail_is_a_failure(tmp_path):
    """Who names a file expects mail from it."""
    plant(tmp_path, {"a.txt": b"no mail"})
    assert [f[:17] for f in run(tmp_path / "a.txt").report.failures] == ["a.txt: is no mail"]


def test_start_date(tmp_path):
    """Nothing received before start_date comes; an mbox has From_ lines for it, others the file's time."""
    plant(tmp_path, {"m": mbox_of(eml()), "a.eml": eml(), "b.eml": eml()})
    os.utime(tmp_path / "b.eml", (1_700_000_001, 1_700_000_001))
    bookmark: dict = {}
    start_date = datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC)
    assert run(tmp_path, bookmark=bookmark, start_date=start_date).paths == ["b.eml"]
    assert (bookmark["paths"]["."]["count"], bookmark["paths"]["m"]["count"]) == (2, 1)


def test_a_file_without_a_sane_time(tmp_path):
    """A time before 1970 is a time like any other."""
    plant(tmp_path, {"a.eml": eml()}, mtime=-1.5)
    bookmark: dict = {}
    found = run(tmp_path, bookmark=bookmark)
    assert datetime(1969, 12, 31, 23, 59, 58, tzinfo=UTC) == found.messages[0].seen.internal_date
    assert bookmark["paths"]["."]["mtime"] == "1969-12-31T23:59:58.500000000Z"


def test_no_personal_data_in_the_log(tmp_path, caplog):
    """The log has paths, never subjects or addresses."""
    plant(tmp_path, {"a/x.eml": eml("secret"), "m": mbox_of(eml("secret")), "b.json": b"{secret"})
    with caplog.at_level(logging.DEBUG):
        run(tmp_path)
    assert "m: 1 messages" in caplog.messages
    assert not [line for line in caplog.messages if "secret" in line or "@" in line]
