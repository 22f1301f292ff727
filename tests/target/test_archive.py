"""The tree that messages become: places, duplicates, variants, quarantine (DESIGN.md sections 6 and 7)."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from target_hashfs.schema import load_schema
from tests.target.contents import check_covered, events, everything, journal, tree
from tests.target.lines import (
    Json,
    a_record,
    hash_by_hand,
    record_line,
    schema_line,
    state_line,
    stream_of,
    uid,
)
from tests.target.running import archive_here

NAME = "gmail/2026/06/" + __import__("hashlib").sha256(b"<1@example.org>").hexdigest()[:16]


def one(**changes: Any) -> list[Json]:
    """A stream of one message."""
    return [schema_line(), record_line(1, **changes), state_line(1)]


def test_first_run(path: Path) -> None:
    """The layout of section 6, modes, journal, state file, and the state on stdout with the archive's id."""
    result = archive_here(path, one())
    assert 0 == result.code
    marker = json.loads((path / "hashfs.json").read_text())
    assert {"format", "version", "archive_id", "created"} == set(marker)
    assert ("hashfs", 1) == (marker["format"], marker["version"])
    assert {f"{NAME}.json", f"{NAME}.eml"} == set(tree(path))
    assert {
        "hashfs.json",
        f"{NAME}.json",
        f"{NAME}.eml",
        "_journal/live-poll.jsonl",
        "_state/state.json",
    } == set(everything(path))
    assert [{"archive_id": marker["archive_id"]}] == [
        state["bookmarks"]["_hashfs"] for state in result.states
    ]
    assert result.states[0] == json.loads((path / "_state/state.json").read_text())
    for folder, folders, files in os.walk(path):
        assert {0o700} == {Path(folder, name).stat().st_mode & 0o777 for name in [*folders, "."]}
        assert {0o600} >= {Path(folder, name).stat().st_mode & 0o777 for name in files}
    assert ["archived", "commit"] == events(path)
    check_covered(path)


def test_journal_lines_fit_their_schema(path: Path) -> None:
    """Every event there is, against schemas/journal-entry.json."""
    archive_here(path, [*one(), record_line(1, subject="other")])
    (path / f"{NAME}.json").write_bytes(b"")
    with (path / "_journal/live-poll.jsonl").open("ab") as file:
        file.write(b'{"torn')
    archive_here(path, one())
    entries = journal(path)
    assert {"archived", "variant", "commit", "quarantined", "torn"} == {entry["event"] for entry in entries}
    validator = jsonschema.Draft202012Validator(load_schema("journal-entry"))
    for entry in entries:
        validator.validate(entry)
        assert set(entry) <= set(load_schema("journal-entry")["properties"])
    assert {"protocol", "folder", "uid", "uidvalidity"} == set(entries[0]["source"])


def test_root_that_existed_keeps_its_mode(path: Path) -> None:
    """Only what the target creates is private."""
    path.mkdir(mode=0o750)
    path.chmod(0o750)
    archive_here(path, one())
    assert 0o750 == path.stat().st_mode & 0o777


def test_second_run_writes_nothing(path: Path) -> None:
    """The tree stays as it is, the journal grows by its commit line only."""
    archive_here(path, stream_of(9))
    before = tree(path)
    lines = events(path)
    result = archive_here(path, [state_line(9), *stream_of(9)])
    assert (0, 9) == (result.code, uid(result.states[-1]))
    assert before == tree(path)
    assert [*lines, "commit"] == events(path)


def test_run_without_messages_makes_one_commit(path: Path) -> None:
    """That write proves the disk before the state leaves."""
    archive_here(path, stream_of(3))
    lines = events(path)
    result = archive_here(path, [state_line(3), schema_line(), state_line(3), state_line(4)])
    assert [4] == [uid(state) for state in result.states]
    assert [*lines, "commit"] == events(path)
    entry = journal(path)[-1]
    assert (0, result.states[0]) == (entry["messages"], entry["state"])


def test_state_alone_is_proved_and_emitted(path: Path) -> None:
    """A tap with nothing selected sends a state and no SCHEMA."""
    archive_here(path, stream_of(3))
    result = archive_here(path, [state_line(3)])
    assert [3] == [uid(state) for state in result.states]
    assert "commit" == events(path)[-1]


def test_empty_input_touches_nothing(path: Path) -> None:
    """A tap that could not start leaves no archive behind."""
    assert 0 == archive_here(path, []).code
    assert not path.exists()


@pytest.mark.parametrize("state_every", [1, 3])
@pytest.mark.parametrize("limit", [{"commit_messages": 2}, {"commit_bytes": 2500}, {"commit_seconds": 0}])
def test_commits(path: Path, limit: Json, state_every: int) -> None:
    """By number, size or time; each state leaves once, in order, and the last one always."""
    result = archive_here(path, stream_of(10, state_every=state_every), **limit)
    uids = [uid(state) for state in result.states]
    assert sorted(set(uids)) == uids
    assert 10 == uids[-1]
    assert len(uids) > 2
    assert [uids[-1]] == [uid(e["state"]) for e in journal(path) if e["event"] == "commit" and e["state"]][
        -1:
    ]
    check_covered(path)


def test_trees_are_equal_however_they_were_made(tmp_path: Path) -> None:
    """Batch sizes, order of keys and the way of syncing leave no trace."""
    lines = stream_of(12)
    trees = []
    for number, config in enumerate(
        [{}, {"commit_messages": 1}, {"durability": "fsync"}, {"durability": "syncfs", "commit_messages": 5}]
    ):
        assert 0 == archive_here(tmp_path / str(number), lines, **config).code
        trees.append(tree(tmp_path / str(number)))
    assert all(each == trees[0] for each in trees)


def test_large_batch_is_synced_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 32 files on one syncfs replaces the fsync of each file, where the file system is known."""
    calls = []
    monkeypatch.setattr("target_hashfs.sync.syncfs_works", lambda _descriptor: True)
    monkeypatch.setattr("target_hashfs.sync.syncfs", calls.append)
    archive_here(path, stream_of(15))
    assert 0 == len(calls)
    archive_here(path, [schema_line(), *(record_line(number) for number in range(100, 116))])
    assert 1 == len(calls)


def test_same_message_in_one_batch(path: Path) -> None:
    """A message that comes twice is written once."""
    result = archive_here(path, [schema_line(), record_line(1), record_line(1), record_line(1, headers=[])])
    assert result.target is not None
    assert (1, 2) == (result.target.archive.tally.archived, result.target.archive.tally.duplicates)
    assert 2 == len(tree(path))


@pytest.mark.parametrize("batched", [500, 1])
def test_variants(path: Path, batched: int) -> None:
    """Other content under one Message-ID lies beside the first; a second time adds nothing."""
    lines = [schema_line(), record_line(1), record_line(1, subject="list"), record_line(1, subject="list 2")]
    archive_here(path, lines, commit_messages=batched)
    hashes = [hash_by_hand(a_record(1, subject=subject)) for subject in ("list", "list 2")]
    names = [NAME, *(f"{NAME}.{each[:16]}" for each in hashes)]
    assert {f"{name}{end}" for name in names for end in (".json", ".eml")} == set(tree(path))
    assert ["archived", "variant", "variant"] == [event for event in events(path) if event != "commit"]
    before = tree(path)
    archive_here(path, lines, commit_messages=batched)
    assert before == tree(path)
    check_covered(path)


def test_collision_of_the_variant_name(path: Path) -> None:
    """When 64 bits of the content hash are taken as well, all of it is the name."""
    archive_here(path, one())
    other = hash_by_hand(a_record(1, subject="other"))
    third = a_record(1, subject="third")
    (path / f"{NAME}.{other[:16]}.json").write_text(json.dumps(third))
    archive_here(path, one(subject="other"))
    assert json.loads(tree(path)[f"{NAME}.{other}.json"])["subject"] == "other"
    assert json.loads(tree(path)[f"{NAME}.{other[:16]}.json"]) == third


def test_collision_of_message_hashes(path: Path) -> None:
    """Another Message-ID with the same 64 bits is other content."""
    (path / NAME).parent.mkdir(parents=True)
    (path / f"{NAME}.json").write_text(json.dumps({"message_id": "<somebody@else>", "subject": "x"}))
    archive_here(path, one())
    assert f"{NAME}.{hash_by_hand(a_record(1))[:16]}.json" in tree(path)


@pytest.mark.parametrize(
    "existing",
    [
        {"message_id": "<1@example.org>", "subject": "as the legacy system had it"},
        a_record(1, eml=False, headers=[], email="elsewhere"),
    ],
    ids=["legacy", "same content"],
)
def test_known_messages_stay(path: Path, existing: Json) -> None:
    """Same content, or a legacy file of the same Message-ID: nothing is written, not even a missing .eml."""
    (path / NAME).parent.mkdir(parents=True)
    (path / f"{NAME}.json").write_text(json.dumps(existing))
    before = tree(path)
    assert 0 == archive_here(path, one()).code
    assert before == tree(path)
    assert ["commit"] == events(path)


def test_stored_content_hash_is_not_trusted(path: Path) -> None:
    """A file whose text was damaged still claims the hash; the message is archived beside it."""
    archive_here(path, one())
    damaged = (path / f"{NAME}.json").read_text().replace("The body says", "The body sbys")
    (path / f"{NAME}.json").write_text(damaged)
    archive_here(path, one())
    assert damaged.encode() == tree(path)[f"{NAME}.json"]
    assert f"{NAME}.{hash_by_hand(a_record(1))[:16]}.json" in tree(path)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 100, b'{"message_id": "<1@', b"[]", b"{}", b'{"message_id": ""}', b"\xff"]
)
def test_what_is_no_message_is_quarantined(path: Path, content: bytes) -> None:
    """It is moved with its path and a time, journaled, and the message written anew."""
    (path / NAME).parent.mkdir(parents=True)
    (path / f"{NAME}.json").write_bytes(content)
    assert 0 == archive_here(path, one()).code
    moved = [entry for entry in journal(path) if entry["event"] == "quarantined"]
    assert [f"{NAME}.json"] == [entry["was"] for entry in moved]
    assert moved[0]["path"].startswith(f"_quarantine/{NAME}.json.20")
    assert content == (path / moved[0]["path"]).read_bytes()
    assert (len(content), True) == (moved[0]["size"], "file_sha256" in moved[0])
    assert json.loads(tree(path)[f"{NAME}.json"])["message_id"] == "<1@example.org>"


def test_links_and_devices_in_the_way(path: Path, tmp_path: Path) -> None:
    """They are moved, never followed or opened for good."""
    secret = tmp_path / "secret"
    secret.write_text("{}")
    (path / NAME).parent.mkdir(parents=True)
    (path / f"{NAME}.json").symlink_to(secret)
    os.mkfifo(path / f"{NAME}.eml")
    assert 0 == archive_here(path, one()).code
    assert ["quarantined", "quarantined", "archived", "commit"] == events(path)
    assert "{}" == secret.read_text()
    assert not (path / f"{NAME}.json").is_symlink()
    assert (path / f"{NAME}.eml").is_file()


def test_socket_in_the_way(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket cannot even be opened; it is moved all the same."""
    (path / NAME).parent.mkdir(parents=True)
    monkeypatch.chdir((path / NAME).parent)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(Path(f"{NAME}.json").name)
        assert 0 == archive_here(path, one()).code
    assert "quarantined" in events(path)


@pytest.mark.parametrize("end", ["json", "eml"])
def test_directory_in_the_way(path: Path, end: str) -> None:
    """No guess is made about a directory."""
    (path / f"{NAME}.{end}").mkdir(parents=True)
    result = archive_here(path, one())
    assert (1, []) == (result.code, result.states)
    assert f"{NAME}.{end}" in result.log
    assert "directory" in result.log


def test_stray_eml(path: Path) -> None:
    """The same octets stay where they are, others are moved."""
    archive_here(path, one())
    octets = (path / f"{NAME}.eml").read_bytes()
    inode = (path / f"{NAME}.eml").stat().st_ino
    (path / f"{NAME}.json").unlink()
    archive_here(path, one())
    assert inode == (path / f"{NAME}.eml").stat().st_ino
    (path / f"{NAME}.json").unlink()
    (path / f"{NAME}.eml").write_bytes(b"other")
    archive_here(path, one())
    assert octets == (path / f"{NAME}.eml").read_bytes()
    assert [f"{NAME}.eml"] == [entry["was"] for entry in journal(path) if entry["event"] == "quarantined"]


@pytest.mark.parametrize("level", ["gmail", "gmail/2026", "gmail/2026/06"])
def test_links_in_the_tree_are_not_followed(path: Path, tmp_path: Path, level: str) -> None:
    """A planted link cannot carry a message out of the root."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (path / level).parent.mkdir(parents=True, exist_ok=True)
    (path / level).symlink_to(outside)
    result = archive_here(path, one())
    assert (1, []) == (result.code, result.states)
    assert "symbolic link" in result.log
    assert {} == everything(outside)


@pytest.mark.parametrize("name", ["_journal", "_state"])
def test_links_for_bookkeeping_are_not_followed(path: Path, tmp_path: Path, name: str) -> None:
    """Nor can one redirect the journal or the state."""
    outside = tmp_path / "outside"
    outside.mkdir()
    path.mkdir()
    (path / name).symlink_to(outside)
    result = archive_here(path, one())
    assert (1, []) == (result.code, result.states)
    assert {} == everything(outside)


def test_file_systems_without_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT and many network mounts refuse link(); a rename after a look does the same under the lock."""

    def refuse(*_args: Any, **_options: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)
        assert 0 == archive_here(path, stream_of(5)).code
    assert 10 == len(tree(path))
    check_covered(path)


def test_another_writer_is_never_overwritten(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that appears between look and link stays; the run ends without a state."""
    link = os.link

    def race(source: str, name: str, **options: Any) -> None:
        (path / f"{NAME}.json").write_text("mine")
        link(source, name, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", race)
        result = archive_here(path, [schema_line(), record_line(1, eml=False), state_line(1)])
    assert (1, []) == (result.code, result.states)
    assert "mine" == (path / f"{NAME}.json").read_text()


def test_two_journals_in_one_archive(path: Path) -> None:
    """Each is a chain of its own."""
    archive_here(path, stream_of(4))
    archive_here(path, [schema_line(), record_line(9)], journal="mac-import")
    assert ["archived", "commit"] == events(path, "mac-import")
    assert 4 == events(path).count("archived")


def test_little_free_space_is_refused_before_writing(path: Path) -> None:
    """The reserve is kept, and the message says what to do."""
    archive_here(path, one())
    before = everything(path)
    result = archive_here(path, [schema_line(), record_line(2), state_line(2)], min_free_bytes=2**60)
    assert (1, []) == (result.code, result.states)
    assert "Free space" in result.log
    assert before == everything(path)


def test_dry_run(path: Path) -> None:
    """Everything is read, checked and counted; nothing is written, no state leaves."""
    lines = [*stream_of(3), record_line(1), record_line(1, subject="other")]
    fresh = archive_here(path, lines, dry_run=True)
    assert (0, []) == (fresh.code, fresh.states)
    assert not path.exists()
    archive_here(path, stream_of(2))
    before = everything(path)
    result = archive_here(path, lines, dry_run=True, commit_messages=1)
    assert result.target is not None
    tally = result.target.archive.tally
    # record_line(1) has another date than the first message of the stream: it lies in another month.
    assert (0, [], 3, 1, 2) == (result.code, result.states, tally.archived, tally.variants, tally.duplicates)
    assert before == everything(path)


@pytest.mark.parametrize("name", ["account", "date", "body_text_source", "attachments"])
def test_streams_that_cannot_be_archived(path: Path, name: str) -> None:
    """Refused by name at the SCHEMA, before anything is written."""
    result = archive_here(path, [schema_line(without=(name,)), record_line(1)])
    assert (1, []) == (result.code, result.states)
    assert name in result.log
    assert not path.exists()
