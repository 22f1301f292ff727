"""Every step of the commit protocol, broken: what leaves, what stays, how the next run makes it whole."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from target_hashfs import sync
from tests.disks import in_memory
from tests.target.contents import check_covered, everything, journal, no_litter, tree
from tests.target.lines import Json, a_record, record_line, schema_line, state_line, stream_of, uid
from tests.target.running import archive_here, archive_watched

CALLS = [
    *(
        (os, name)
        for name in ("open", "write", "link", "unlink", "rename", "fsync", "fdatasync", "ftruncate", "mkdir")
    ),
    (sync, "syncfs"),
]
LINES = [
    *stream_of(3),
    record_line(1, date="2026-02-05T10:30:45+00:00", subject="variant"),
    record_line(7),
    state_line(7),
]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory in memory where there is one: hundreds of runs, and none needs a disk."""
    monkeypatch.setattr(sync, "syncfs_works", lambda _descriptor: True)
    monkeypatch.setattr(sync, "syncfs", lambda _descriptor: None)
    with in_memory() as directory:
        yield directory


def digested(line: str) -> str:
    """An intent that was written to its end, whatever it says."""
    return f"{line}\n{sha256(line.encode()).hexdigest()}\n"


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def breaking_at(number: int, break_: Callable[..., None]) -> Iterator[list[str]]:
    """Count the system calls that change something and break the one with *number*; yield those made."""
    made: list[str] = []

    def breakable(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            made.append(name)
            if len(made) >= number and (len(made) == number or break_ is kill):
                break_(name, *args)
            return real(*args, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for module, name in CALLS:
            patch.setattr(module, name, breakable(name, getattr(module, name)))
        yield made


REAL_WRITE = os.write


def kill(name: str, *args: Any) -> None:
    """Die, half-way through a write."""
    if name == "write":
        REAL_WRITE(args[0], bytes(args[1])[: len(args[1]) // 2])
    raise Killed


def fail(name: str, *_args: Any) -> None:
    """Answer as a broken disk does."""
    raise OSError(5, "Input/output error")


def prepare(path: Path) -> None:
    """An archive with a message, something in the way of another, and a stray .eml."""
    assert 0 == archive_here(path, [schema_line(), record_line(9), state_line(9)]).code
    victim = next(name for name in tree_after(path) if name.endswith(".json"))
    (path / victim).parent.mkdir(parents=True, exist_ok=True)
    (path / victim).write_bytes(b"")


def tree_after(path: Path) -> dict[str, bytes]:
    """What an undisturbed run makes of *path*."""
    copy = path.parent / "copy"
    shutil.copytree(path, copy)
    archive_here(copy, LINES)
    made = {name: content for name, content in tree(copy).items() if not (path / name).exists()}
    shutil.rmtree(copy)
    return made


def undisturbed(tmp_path: Path) -> dict[str, bytes]:
    path = tmp_path / "undisturbed"
    prepare(path)
    assert 0 == archive_here(path, LINES).code
    return tree(path)


def calls_of(tmp_path: Path, **config: Any) -> list[str]:
    """The calls of an undisturbed run."""
    path = tmp_path / "counting"
    prepare(path)
    with breaking_at(10**9, fail) as made:
        archive_here(path, LINES, **config)
    return made


def count_calls(tmp_path: Path, **config: Any) -> int:
    return len(calls_of(tmp_path, **config))


@pytest.mark.parametrize("config", [{}, {"durability": "syncfs"}, {"commit_messages": 2}], ids=str)
def test_killed_at_every_call(memory: Path, config: Json) -> None:
    """Wherever the run dies, half-written writes included: one more run makes tree and journal whole.

    And every state that left before is covered by what is there.
    """
    expected = undisturbed(memory)
    calls = count_calls(memory, **config)
    assert calls > 50
    for number in range(1, calls + 1):
        path = memory / str(number)
        prepare(path)
        states: list[tuple[Json, int]] = []
        with breaking_at(number, kill) as made, pytest.raises(Killed):
            states += archive_watched(path, LINES, **config)
        before = tree(path)
        result = archive_here(path, LINES, **config)
        where = f"call {number}: {made[-1]}"
        assert (0, 7) == (result.code, uid(result.states[-1])), where
        assert expected == tree(path), where
        # What was visible under its final name is still there, whole.
        assert {
            name: text for name, text in before.items() if text and not name.endswith(".tmp")
        }.items() <= tree(path).items(), where
        check_covered(path)
        moved = [entry["path"] for entry in journal(path) if entry["event"] == "quarantined"]
        assert {name for name in everything(path) if name.startswith("_quarantine")} == set(moved), where
        assert 1 == len(moved), where
        no_litter(path)
        shutil.rmtree(path)


@pytest.mark.parametrize("config", [{}, {"durability": "syncfs"}, {"commit_messages": 2}], ids=str)
def test_error_at_every_call(memory: Path, config: Json) -> None:
    """Whichever call fails: exit 1, a message for people, and not a state from then on; nothing is tried again.

    One more run makes everything whole.
    """
    expected = undisturbed(memory)
    for number in range(1, count_calls(memory, **config) + 1):
        path = memory / str(number)
        prepare(path)
        said: list[str] = []

        def fail_aloud(name: str, *args: Any, said: list[str] = said) -> None:
            assert isinstance(sys.stdout, io.StringIO)
            said.append(sys.stdout.getvalue())
            fail(name, *args)

        with breaking_at(number, fail_aloud) as made:
            result = archive_here(path, LINES, **config)
        where = f"call {number}: {made[number - 1]}"
        if result.code == 0:
            # Cleaning up after the last state left: the one place where an error is too late to matter.
            raise AssertionError(where)
        assert "input/output error" in result.log or "Input/output error" in result.log, where
        assert said[0].count("\n") == len(result.states), where
        if result.states and uid(result.states[-1]) == 7:
            assert expected == tree(path), where
        assert 0 == archive_here(path, LINES, **config).code, where
        assert expected == tree(path), where
        check_covered(path)
        no_litter(path)
        shutil.rmtree(path)


@pytest.mark.parametrize("intent", ["{", digested("{}"), digested("[]"), digested('{"position": {}}')])
def test_temporaries_of_a_torn_intent_are_found(tmp_path: Path, intent: str) -> None:
    """When nobody can say what a dead run was about, its temporary files are searched for."""
    path = tmp_path / "archive"
    prepare(path)
    litter = path / "gmail/2026/06/.0123456789abcdef.json.1a2b3c4d.tmp"
    litter.write_text("half")
    other = path / "gmail/2026/06/.somebody-elses.tmp"
    other.write_text("not ours")
    (path / "_journal/live-poll.intent").write_text(intent)
    assert 0 == archive_here(path, LINES).code
    assert not litter.exists()
    assert other.exists()


def test_stale_temporaries_are_removed(tmp_path: Path) -> None:
    """Of the accounts that a run archives, those older than a day: no intent speaks of them any more."""
    path = tmp_path / "archive"
    prepare(path)
    old, young, foreign = (
        path / f"gmail/2026/06/{name}"
        for name in (f".{'0' * 16}.json.1a2b3c4d.tmp", f".{'1' * 16}.eml.1a2b3c4d.tmp", ".somebody-elses.tmp")
    )
    for each in (old, young, foreign):
        each.write_text("half")
    for each in (old, foreign):
        os.utime(each, (0, 0))
    (path / "gmail/2025").mkdir()
    (path / "gmail/2025/01").symlink_to(path / "gmail/2026/06")
    assert 0 == archive_here(path, LINES, dry_run=True).code
    assert 0 == archive_here(path, [schema_line(), record_line(8, account="work"), state_line(8)]).code
    assert old.exists()
    assert 0 == archive_here(path, LINES).code
    assert [False, True, True] == [each.exists() for each in (old, young, foreign)]


def test_eml_without_its_json_is_completed(tmp_path: Path) -> None:
    """A run that died between the two links: the next one links the .json, even if the tap has nothing."""
    path = tmp_path / "archive"
    links = []

    def once(name: str, *_args: Any) -> None:
        links.append(name)

    with breaking_at(10**9, once) as made:
        archive_here(tmp_path / "counting", [schema_line(), record_line(1), state_line(1)])
    second = [index for index, name in enumerate(made, 1) if name == "link"][1]
    with breaking_at(second, kill), pytest.raises(Killed):
        archive_here(path, [schema_line(), record_line(1), state_line(1)])
    assert [".eml"] == [Path(name).suffix for name in tree(path) if not name.endswith(".tmp")]
    assert 0 == archive_here(path, [schema_line()]).code
    assert {".eml", ".json"} == {Path(name).suffix for name in tree(path)}
    assert ["recovered", "commit"] == [entry["event"] for entry in journal(path)]
    assert a_record(1)["source"] == journal(path)[0]["source"]
    check_covered(path)


def test_another_journal_is_recovered_too(tmp_path: Path) -> None:
    """Whoever comes next completes what a dead run left, in that run's journal."""
    path = tmp_path / "archive"
    prepare(path)
    with breaking_at(count_calls(tmp_path) - 20, kill), pytest.raises(Killed):
        archive_here(path, LINES, journal="import")
    assert 0 == archive_here(path, [schema_line(), record_line(9)]).code
    assert {"recovered"} <= {entry["event"] for entry in journal(path, "import")}
    assert not list(path.rglob("*.tmp"))


def test_death_of_another_run_is_noticed_under_way(tmp_path: Path) -> None:
    """A long run completes, before its next commit, what another one left in the same journal."""
    path = tmp_path / "archive"
    prepare(path)
    last_link = max(index for index, name in enumerate(calls_of(tmp_path), 1) if name == "link")

    def lines() -> Iterator[Json]:
        yield from (schema_line(), record_line(20), state_line(20))
        with breaking_at(last_link + 1, kill), pytest.raises(Killed):
            archive_here(path, LINES, lease=False)
        yield record_line(21)
        yield state_line(21)

    result = archive_here(path, lines(), commit_seconds=0, lease=False)
    assert (0, 21) == (result.code, uid(result.states[-1]))
    assert "recovered" in {entry["event"] for entry in journal(path)}
    check_covered(path)
    no_litter(path)
