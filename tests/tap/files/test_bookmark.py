"""The bookmark of the files source: what fits is not read again, what changed is, and when it moves."""

from __future__ import annotations

import copy
import os

import pytest

from tap_mailbox.errors import StateError
from tap_mailbox.message import Checkpoint
from tests.tap.files.trees import eml, mbox_of, plant, run, source_of

MTIME = "2023-11-14T22:13:20.000000000Z"


@pytest.fixture
def tree(tmp_path):
    """Every layout, some files that are no mail, and one directory that mixes them."""
    return plant(
        tmp_path / "tree",
        {
            "a.eml": eml("a"),
            "b.eml": eml("b"),
            "inbox": mbox_of(eml("1"), eml("2")),
            "README": b"no mail",
            "empty.eml": b"",
            "md/cur/1.h:2,S": eml("seen"),
            "md/new/2.h": eml("new"),
            "only-mbox/x": mbox_of(eml("x")),
        },
    )


@pytest.fixture
def bookmark(tree):
    """The bookmark after a first run."""
    bookmark: dict = {}
    assert len(run(tree, bookmark=bookmark).messages) == 7
    return bookmark


def test_entries(bookmark):
    """One entry for each directory and each mbox: messages, octets, newest time."""
    assert bookmark == {
        "paths": {
            ".": {
                "count": 2,
                "bytes": 2 * len(eml("a")),
                "mtime": MTIME,
                "skipped": {"count": 2, "bytes": 7},
            },
            "inbox": {"count": 2, "bytes": len(mbox_of(eml("1"), eml("2"))), "mtime": MTIME},
            "md": {"count": 2, "bytes": len(eml("seen") + eml("new")), "mtime": MTIME},
            "only-mbox/x": {"count": 1, "bytes": len(mbox_of(eml("x"))), "mtime": MTIME},
        }
    }


def test_unchanged(tree, bookmark):
    """A second run opens no file at all and leaves the bookmark as it is."""
    before = copy.deepcopy(bookmark)
    found = run(tree, bookmark=bookmark)
    assert ([], [], set()) == (found.messages, found.checkpoints, found.opened)
    assert (before, 4, []) == (bookmark, found.report.folders, found.report.warnings)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"a.eml": eml("other")}, ["a.eml", "b.eml"]),
        ({"c.eml": eml("c")}, ["a.eml", "b.eml", "c.eml"]),
        ({"README": b"still no mail"}, ["a.eml", "b.eml"]),
        ({"inbox": mbox_of(eml("1"), eml("2"), eml("3"))}, ["inbox#1", "inbox#2", "inbox#3"]),
        ({"inbox": eml("now")}, ["a.eml", "b.eml", "inbox"]),
        ({"another": mbox_of(eml())}, ["another#1"]),
        ({"sub/c.eml": eml()}, ["sub/c.eml"]),
        ({"md/new/3.h": eml()}, ["md/cur/1.h:2,S", "md/new/2.h", "md/new/3.h"]),
        ({".DS_Store": b"x", "md/dovecot.index.log": b"x", "md/tmp/4.h": eml()}, []),
    ],
)
def test_changed(tree, bookmark, change, expected):
    """What changed is read again whole, and nothing else; then it fits."""
    plant(tree, change)
    assert expected == run(tree, bookmark=bookmark).paths
    assert run(tree, bookmark=bookmark).messages == []


def test_touched_within_the_second(tree, bookmark):
    """A time that differs by a nanosecond is a change."""
    status = (tree / "inbox").stat()
    os.utime(tree / "inbox", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert run(tree, bookmark=bookmark).paths == ["inbox#1", "inbox#2"]


def test_removed_file(tree, bookmark):
    """A directory that lost a file is read again; the archive knows what it has."""
    (tree / "a.eml").unlink()
    assert run(tree, bookmark=bookmark).paths == ["b.eml"]


def test_renamed_in_maildir(tree, bookmark):
    """A message that was merely seen is renamed; that is no reason to read a Maildir again."""
    (tree / "md/new/2.h").rename(tree / "md/cur/2.h:2,S")
    assert run(tree, bookmark=bookmark).messages == []


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (".", ["a.eml", "b.eml"]),
        ("inbox", ["inbox#1", "inbox#2"]),
        ("md", ["md/cur/1.h:2,S", "md/new/2.h"]),
        ("only-mbox/x", ["only-mbox/x#1"]),
    ],
)
def test_removed_entry_rewinds(tree, bookmark, key, expected):
    """Who deletes an entry gets that directory or mbox again, and only that."""
    before = copy.deepcopy(bookmark["paths"])
    del bookmark["paths"][key]
    assert expected == run(tree, bookmark=bookmark).paths
    assert before == bookmark["paths"]


@pytest.mark.parametrize("entry", [None, 7, [], {}, {"count": "2"}, {"count": 2, "bytes": 1, "skipped": 3}])
def test_entries_edited_by_hand(tree, bookmark, entry):
    """An entry that makes no sense does not fit: it is read again and put right."""
    before = copy.deepcopy(bookmark["paths"])
    bookmark["paths"] = dict.fromkeys(before, entry)
    assert len(run(tree, bookmark=bookmark).messages) == 7
    assert before == bookmark["paths"]


def test_unknown_keys_are_kept(tree, bookmark):
    """Keys that nobody here knows stay where they are, in the account and in an entry."""
    bookmark["note"] = 1
    bookmark["paths"]["inbox"] |= {"note": 2, "bytes": 0}
    run(tree, bookmark=bookmark)
    assert (bookmark["note"], bookmark["paths"]["inbox"]["note"]) == (1, 2)


@pytest.mark.parametrize("paths", [[], {}, None])
def test_empty_paths(tree, paths):
    """No entry is no entry, however it is written."""
    assert len(run(tree, bookmark={"paths": paths}).messages) == 7


def test_paths_must_be_an_object(tree):
    """A state that nobody can have meant is refused before anything is read."""
    with pytest.raises(StateError, match="expected an object under 'paths'"):
        source_of(tree, bookmark={"paths": ["inbox"]})


def test_gone_entries_are_kept_with_a_warning(tree, bookmark):
    """The entry of a directory or mbox that is gone stays: its disk may come back."""
    (tree / "inbox").rename(tree / ".inbox")
    found = run(tree, bookmark=bookmark)
    assert found.report.warnings == ["in the bookmark but gone: 1 (inbox)"]
    assert (found.messages, "inbox" in bookmark["paths"]) == ([], True)


def test_the_bookmark_moves_after_the_last_message(tree):
    """The bookmark never covers a message that was not handed over; a closed generator leaves it so."""
    everything = run(tree).paths
    for end in range(len(everything)):
        bookmark: dict = {}
        messages = source_of(tree, bookmark=bookmark).messages()
        handed: list[str | None] = []
        while len(handed) <= end:
            item = next(messages)
            if not isinstance(item, Checkpoint):
                handed.append(item.seen.path)
        messages.close()
        again = run(tree, bookmark=bookmark).paths
        assert set(handed[:-1]) | set(again) == set(everything)
        assert handed[-1] in again


def test_checkpoints_stand(tree):
    """When a checkpoint comes, its entry is in the bookmark."""
    bookmark: dict = {}
    for item in source_of(tree, bookmark=bookmark).messages():
        if isinstance(item, Checkpoint):
            assert item.folder in bookmark["paths"]


def test_a_file_that_changes_while_it_is_read(tree):
    """The entry says how the file was before it was read, so the next run notices."""
    bookmark: dict = {}
    for item in source_of(tree, bookmark=bookmark).messages():
        if not isinstance(item, Checkpoint) and item.seen.path in ("a.eml", "inbox#1"):
            with (tree / item.seen.path.partition("#")[0]).open("ab") as file:
                file.write(b"\nmore\n")
    assert run(tree, bookmark=bookmark).paths == ["a.eml", "b.eml", "inbox#1", "inbox#2"]
