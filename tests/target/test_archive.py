"""What a run makes of an archive: layout, modes, journal, commits, states; and what it refuses (DESIGN.md section 6)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest

from target_hashfs.schema import load_schema
from tests.target.contents import check_covered, events, everything, journal, tree
from tests.target.lines import Json, record_line, schema_line, state_line, stream_of, uid
from tests.target.one_message import NAME, one
from tests.target.running import archive_here


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


def test_known_messages_need_no_space(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what a commit writes that counts, not what it was given."""
    assert 0 == archive_here(path, stream_of(3)).code
    nearly_full = SimpleNamespace(f_bavail=1_000, f_frsize=1, f_blocks=1)
    monkeypatch.setattr(os, "fstatvfs", lambda _descriptor: nearly_full)
    assert 0 == archive_here(path, stream_of(3), min_free_bytes=900).code
    assert 1 == archive_here(path, stream_of(4), min_free_bytes=900).code


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
