"""The chain of lines, and what becomes of a line that was not finished."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_hashfs.errors import JournalError
from target_hashfs.journal import START, Journal, Position
from target_hashfs.store import Store
from tests.disks import in_memory

ENTRIES = st.lists(
    st.dictionaries(st.sampled_from(["a", "b"]), st.text() | st.integers(), max_size=2), max_size=5
)


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A directory for the many journals of a property test."""
    with in_memory() as directory:
        yield directory


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    path.mkdir(exist_ok=True)
    root = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    store = Store(root)
    journal = Journal(store, "j", "run")
    try:
        yield journal
    finally:
        journal.close()
        store.forget_directories()
        os.close(root)


def lines_of(path: Path) -> list[bytes]:
    return (path / "_journal/j.jsonl").read_bytes().splitlines(keepends=True)


def check(path: Path) -> list[str]:
    """Check the chain; return the events."""
    previous, events = "0" * 64, []
    for number, line in enumerate(lines_of(path), 1):
        entry = json.loads(line)
        assert (number, previous) == (entry["seq"], entry["prev"])
        assert line.endswith(b"\n")
        previous = sha256(line[:-1]).hexdigest()
        events.append(entry["event"])
    return events


def filled(path: Path, batches: list[list[dict[str, object]]]) -> None:
    for batch in batches:
        with opened(path) as journal:
            journal.seek_end()
            journal.append([{"event": "commit"} | entry for entry in batch])


@given(batches=st.lists(ENTRIES, max_size=4))
def test_appending_makes_a_chain(scratch: Path, batches: list[list[dict[str, object]]]) -> None:
    """However the lines are spread over runs, and whatever they hold."""
    path = Path(tempfile.mkdtemp(dir=scratch))
    filled(path, batches)
    assert sum(map(len, batches)) == (len(check(path)) if batches else 0)


@given(batches=st.lists(ENTRIES, min_size=1, max_size=3), data=st.data())
def test_cut_at_any_byte(scratch: Path, batches: list[list[dict[str, object]]], data: st.DataObject) -> None:
    """The whole lines stay as they were, the rest is cut off, a `torn` line says how much."""
    path = Path(tempfile.mkdtemp(dir=scratch))
    filled(path, batches)
    file = path / "_journal/j.jsonl"
    content = file.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    file.write_bytes(content[:cut])
    whole = content[:cut].rfind(b"\n") + 1
    with opened(path) as journal:
        journal.seek_end()
        journal.append([{"event": "commit"}])
    assert file.read_bytes().startswith(content[:whole])
    events = check(path)
    assert events[content[:whole].count(b"\n") :] == (["torn", "commit"] if cut > whole else ["commit"])
    if cut > whole:
        assert cut - whole == json.loads(lines_of(path)[-2])["bytes"]


def test_blocks_of_zeros_at_the_end(tmp_path: Path) -> None:
    """What XFS leaves of an append after a power cut."""
    filled(tmp_path, [[{}, {}]])
    with (tmp_path / "_journal/j.jsonl").open("ab") as file:
        file.write(b"\0" * 5000 + b'"}\n')
    filled(tmp_path, [[{}]])
    assert ["commit", "commit", "torn", "commit"] == check(tmp_path)


def test_long_lines(tmp_path: Path) -> None:
    """A state of megabytes is one line; the end is found behind it."""
    filled(tmp_path, [[{}, {"state": "x" * 2_000_000}], [{}]])
    with (tmp_path / "_journal/j.jsonl").open("ab") as file:
        file.write(b'{"seq":4,"state":"' + b"x" * 1_000_000)
    filled(tmp_path, [[{}]])
    assert 5 == len(check(tmp_path))


@pytest.mark.parametrize("content", [b"hello\nworld\n", b'{"a": 1}\n', b"[]\n", b"\n\n"])
def test_files_of_others_are_left_alone(tmp_path: Path, content: bytes) -> None:
    """A file without a single journal line is not ours to cut."""
    (tmp_path / "_journal").mkdir()
    (tmp_path / "_journal/j.jsonl").write_bytes(content)
    with opened(tmp_path) as journal, pytest.raises(JournalError, match="Move it away"):
        journal.seek_end()
    assert content == (tmp_path / "_journal/j.jsonl").read_bytes()


@pytest.mark.parametrize("lines", [b"a note\n", b"a note\nand another\n", b'{"seq": 3}\n', b"\n"])
def test_lines_of_others_at_the_end(tmp_path: Path, lines: bytes) -> None:
    """No dead run leaves whole lines that are none: they are somebody's, and whose journal this is they decide."""
    filled(tmp_path, [[{}, {}]])
    file = tmp_path / "_journal/j.jsonl"
    file.write_bytes(file.read_bytes() + lines)
    before = file.read_bytes()
    with opened(tmp_path) as journal, pytest.raises(JournalError, match="nothing was cut off"):
        journal.seek_end()
    assert before == file.read_bytes()


def test_lines_after_a_position(tmp_path: Path) -> None:
    """Recovery reads on from where the dead commit began, up to the first line that breaks the chain."""
    filled(tmp_path, [[{"a": 1}]])
    with opened(tmp_path) as journal:
        journal.seek_end()
        position = journal.position
        journal.append([{"event": "archived", "a": number} for number in range(4)])
    lines = lines_of(tmp_path)
    lines[2] = b"\0" * len(lines[2])
    (tmp_path / "_journal/j.jsonl").write_bytes(b"".join(lines))
    with opened(tmp_path) as journal:
        assert [0] == [entry["a"] for entry in journal.read_from(position)]
    assert ["commit", "archived", "torn"] == check(tmp_path)


@pytest.mark.parametrize("forged", [{}, {"seq": 2}, {"prev": None}], ids=["lost", "seq", "prev"])
def test_whole_line_that_is_not_the_next(tmp_path: Path, forged: dict[str, object]) -> None:
    """The first of the lines after a position is lost, the last one whole: neither number nor digest alone will do."""
    filled(tmp_path, [[{}]])
    with opened(tmp_path) as journal:
        journal.seek_end()
        position = journal.position
        journal.append([{"event": "archived", "a": number} for number in range(2)])
    first, _, last = lines_of(tmp_path)
    if "prev" in forged:
        forged = {"prev": position.digest}
    kept = json.dumps(json.loads(last) | forged).encode() + b"\n"
    (tmp_path / "_journal/j.jsonl").write_bytes(first + kept)
    with opened(tmp_path) as journal:
        assert [] == journal.read_from(position)
    assert ["commit", "torn"] == check(tmp_path)


def test_position_beyond_the_end(tmp_path: Path) -> None:
    """An older copy of the journal was put back: nothing is cut."""
    filled(tmp_path, [[{}, {}]])
    with opened(tmp_path) as journal:
        assert [] == journal.read_from(Position(10_000, 9, "f" * 64))
        assert 2 == journal.position.seq
    with opened(tmp_path) as journal:
        assert 2 == len(journal.read_from(START))
