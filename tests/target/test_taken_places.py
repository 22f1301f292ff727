"""A message whose place is taken: duplicates, variants, quarantine, links that nobody follows."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from target_hashfs.errors import StorageError
from target_hashfs.store import Store
from tests.target.contents import check_covered, events, everything, journal, tree
from tests.target.lines import Json, a_record, hash_by_hand, record_line, schema_line, state_line, stream_of
from tests.target.one_message import NAME, one
from tests.target.running import archive_here


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


@pytest.mark.parametrize("end", ["json", "eml"])
def test_link_to_a_valid_copy(path: Path, tmp_path: Path, end: str) -> None:
    """What a link leads to may be gone tomorrow: however good a copy, it is no duplicate."""
    archive_here(path, one())
    whole = tree(path)
    file = path / f"{NAME}.{end}"
    copy = file.rename(tmp_path / "copy")
    file.symlink_to(copy)
    if end == "eml":
        (path / f"{NAME}.json").unlink()
    assert 0 == archive_here(path, one()).code
    assert whole == tree(path)
    assert not file.is_symlink()
    assert [f"{NAME}.{end}"] == [entry["was"] for entry in journal(path) if entry["event"] == "quarantined"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The tree below `tmp_path`, with a file to be given the name of another."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/new").write_text("new")
    (tmp_path / "a/taken").write_text("mine")
    root = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    store = Store(root)
    yield store
    store.forget_directories()
    os.close(root)


def without_links(store: Store) -> None:
    store._links = False
    store.publish("a/new", "a/taken")


GIVING = {
    "move": lambda store: store.move("a/new", "a/taken"),
    "link": lambda store: store.publish("a/new", "a/taken"),
    "rename": without_links,
}


@pytest.mark.parametrize("give", GIVING.values(), ids=GIVING)
def test_names_that_are_taken(store: Store, tmp_path: Path, give: Callable[[Store], None]) -> None:
    """No way to give a file its name takes that of another, be it in the quarantine or without hard links."""
    with pytest.raises(StorageError, match="Nothing was overwritten"):
        give(store)
    assert {"a/new": b"new", "a/taken": b"mine"} == everything(tmp_path)
