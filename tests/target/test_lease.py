"""Leases: one run per account at a time, said before anything is written, and never stale."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from target_hashfs.errors import LeaseError, StorageError
from target_hashfs.journal import now
from target_hashfs.lease import Leases
from tests.target.contents import events, everything
from tests.target.lines import record_line, schema_line, state_line, stream_of
from tests.target.running import archive, archive_here


def begun(running: Any, path: Path, **config: Any) -> Any:
    """A run that has committed a message of account gmail, and waits for more."""
    run = running(path, commit_seconds=0, **config)
    run.send(stream_of(1))
    assert run.next_state()
    return run


def test_second_run_is_refused(path: Path, tmp_path: Path, running: Any) -> None:
    """It says who holds the account and since when, exits 1 and writes nothing; the first goes on."""
    first = begun(running, path)
    before = everything(path)
    result = archive(path, tmp_path, [schema_line(), record_line(7), state_line(7)])
    assert (1, []) == (result.code, result.states)
    assert f"process {first.process.pid}" in result.log
    assert re.search(r"since 20\d\d-\d\d-\d\dT", result.log)
    assert before == everything(path)
    first.stdin.close()
    assert 0 == first.finish().code


def test_locks_of_the_dead_are_removed(path: Path, tmp_path: Path, running: Any) -> None:
    """A run that archives another account removes the lock of a run that was killed, and leaves those held."""
    killed = begun(running, path)
    os.kill(killed.process.pid, signal.SIGKILL)
    killed.process.wait(timeout=20)
    (path / "_lock/held.lock").touch()
    (path / "_lock/notes.txt").touch()
    with (path / "_lock/held.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        lines = [schema_line(), record_line(7, account="work"), state_line(7)]
        assert 0 == archive(path, tmp_path, lines).code
        assert ["held.lock", "notes.txt"] == sorted(each.name for each in (path / "_lock").iterdir())
    (path / "_lock/notes.txt").unlink()
    assert 0 == archive(path, tmp_path, lines).code
    assert not (path / "_lock").exists()


def test_taken_and_swept_in_turn(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the archive's lock: a run that looks for the locks of the dead is never taken for a holder."""
    archive_here(path, stream_of(1))
    made = []

    def under_the_lock(name: str, real: Any) -> Any:
        def call(*args: Any) -> None:
            with (path / "hashfs.json").open() as marker, pytest.raises(BlockingIOError):
                fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
            made.append(name)
            real(*args)

        return call

    for name in ("sweep", "take"):
        monkeypatch.setattr(Leases, name, under_the_lock(name, getattr(Leases, name)))
    assert 0 == archive_here(path, stream_of(2)).code
    assert ["sweep", "take"] == made


def test_other_accounts_are_free(path: Path, tmp_path: Path, running: Any) -> None:
    """Two runs archive two accounts at once."""
    first = begun(running, path)
    result = archive(path, tmp_path, [schema_line(), record_line(7, account="work"), state_line(7)])
    assert 0 == result.code
    first.stdin.close()
    assert 0 == first.finish().code


def test_dead_holder_holds_nothing(path: Path, tmp_path: Path, running: Any) -> None:
    """The kernel gives the lease back, however the holder ended."""
    first = begun(running, path)
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait(timeout=20)
    assert 0 == archive(path, tmp_path, [schema_line(), record_line(7), state_line(7)]).code
    assert 2 == events(path).count("archived")


def test_dry_run_takes_none(path: Path, tmp_path: Path, running: Any) -> None:
    """It writes nothing, so it may look on."""
    first = begun(running, path)
    assert 0 == archive(path, tmp_path, [schema_line(), record_line(7)], dry_run=True).code
    first.stdin.close()
    assert 0 == first.finish().code


@pytest.mark.parametrize("words", [b"", b"{}", b"\xff\xfe", b"[]", b'{"holder": 1}'])
def test_unreadable_holder(tmp_path: Path, words: bytes) -> None:
    """A holder that has not written its name yet, or a damaged file, is a holder all the same."""
    root = os.open(tmp_path, os.O_RDONLY)
    one, other = Leases(root, "one"), Leases(root, "other")
    one.take("gmail", now())
    one.take("gmail", now())
    (tmp_path / "_lock" / "gmail.lock").write_bytes(words)
    with pytest.raises(LeaseError, match="gmail"):
        other.take("gmail", now())
    one.release()
    other.take("gmail", now())
    assert "other" == json.loads((tmp_path / "_lock" / "gmail.lock").read_text())["run"]
    other.release()
    os.close(root)


def test_words_of_a_dead_holder(tmp_path: Path) -> None:
    """Longer than the new ones, they leave no rest behind them."""
    (tmp_path / "_lock").mkdir()
    (tmp_path / "_lock" / "gmail.lock").write_bytes(b'{"holder": "' + b"x" * 500 + b'"}')
    root = os.open(tmp_path, os.O_RDONLY)
    lease = Leases(root, "one")
    lease.take("gmail", now())
    assert "one" == json.loads((tmp_path / "_lock" / "gmail.lock").read_text())["run"]
    lease.release()
    os.close(root)


def test_nothing_is_left(path: Path, tmp_path: Path) -> None:
    """An archive says what it holds, not who was there."""
    assert 0 == archive(path, tmp_path, stream_of(1)).code
    assert not (path / "_lock").exists()


def test_holder_that_ends_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file was opened before its holder took it away: what has no name any more keeps nobody out."""
    root = os.open(tmp_path, os.O_RDONLY)
    one, other, third = Leases(root, "one"), Leases(root, "other"), Leases(root, "third")
    one.take("gmail", now())
    lock = fcntl.flock

    def late(descriptor: int, how: int) -> None:
        one.release()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    other.take("gmail", now())
    with pytest.raises(LeaseError, match="gmail"):
        third.take("gmail", now())
    other.release()
    os.close(root)


def test_directory_that_goes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last holder takes it away behind the back of the next one, who makes it once more."""
    root = os.open(tmp_path, os.O_RDONLY)
    make, gone = os.mkdir, []

    def in_vain(name: str, *args: Any, **options: Any) -> None:
        make(name, *args, **options)
        if not gone:
            gone.append(name)
            os.rmdir(name, dir_fd=root)

    monkeypatch.setattr(os, "mkdir", in_vain)
    lease = Leases(root, "one")
    lease.take("gmail", now())
    assert (["_lock"], True) == (gone, (tmp_path / "_lock" / "gmail.lock").exists())
    lease.release()
    os.close(root)


def test_planted_links_are_not_followed(tmp_path: Path) -> None:
    """Neither as the directory nor as the file."""
    outside = tmp_path / "outside"
    outside.mkdir()
    root = os.open(tmp_path, os.O_RDONLY)
    (tmp_path / "_lock").symlink_to(outside)
    with pytest.raises(StorageError):
        Leases(root, "one").take("gmail", now())
    (tmp_path / "_lock").unlink()
    (tmp_path / "_lock").mkdir()
    (tmp_path / "_lock" / "gmail.lock").symlink_to(outside / "file")
    with pytest.raises(StorageError):
        Leases(root, "one").take("gmail", now())
    assert [] == list(outside.iterdir())
    os.close(root)
