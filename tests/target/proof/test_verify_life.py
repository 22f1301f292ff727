"""`hashfs verify` in an archive's life: crashes, runs at work, adopted trees."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from target_hashfs.proof.check import Checker
from target_hashfs.proof.opened import Opened
from target_hashfs.proof.verify import Totals, Verification
from target_hashfs.proof.walk import Selection
from tests.target.lines import Json, a_record, record_line, schema_line, state_line, stream_of
from tests.target.proof.commands import findings_of, hashfs, verify
from tests.target.proof.example import JOURNAL, ONE, TWO, stem
from tests.target.running import archive_here

# Crashes


@pytest.mark.parametrize("tail", [b'{"seq":99,"at"', b"x", b"\0" * 5000, b'\0\0\0"}\n'])
def test_torn_tail(path: Path, tail: bytes) -> None:
    """The normal trace of a crash: a note, exit 0; the next run cuts it off."""
    with (path / JOURNAL).open("ab") as file:
        file.write(tail)
    assert (0, [("torn-tail", JOURNAL)]) == verify(path)
    assert "the next run cuts it off" in hashfs("verify", path).stdout
    archive_here(path, [state_line(9), schema_line()])
    assert (0, []) == verify(path)


def die_at(call: str, monkeypatch: pytest.MonkeyPatch, path: Path, lines: list[Any], nth: int = 1) -> None:
    """Run the target until its *nth* call of an os function, which fails like a disk would."""
    original, count = getattr(os, call), 0

    def fail(*args: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count >= nth:
            raise OSError(5, "Input/output error")
        return original(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        assert 1 == archive_here(path, lines, durability="fsync").code


@pytest.mark.parametrize(("call", "nth"), [("link", 1), ("link", 2), ("unlink", 3), ("fdatasync", 2)])
def test_dead_commit(path: Path, monkeypatch: pytest.MonkeyPatch, call: str, nth: int) -> None:
    """What a run left half-way is a note that names its intent; after the next run there is nothing to say."""
    die_at(call, monkeypatch, path, [schema_line(), record_line(9), state_line(9)], nth)
    assert (0, [("unfinished-commit", "_journal/live-poll.intent")]) == verify(path)
    assert 0 == archive_here(path, [schema_line(), record_line(9), state_line(9)]).code
    assert (0, []) == verify(path)


def test_torn_intent(path: Path) -> None:
    """Nothing was linked yet; its temporaries are explained, other files are not."""
    (path / "_journal/live-poll.intent").write_bytes(b'{"position"')
    (path / "_journal/live-poll.intent").chmod(0o600)
    (path / f"gmail/2026/06/.{'0' * 16}.json.1a2b3c4d.tmp").write_text("x")
    assert (0, [("unfinished-commit", "_journal/live-poll.intent")]) == verify(path)
    (path / "gmail/2026/06/x").write_text("x")
    assert 1 == verify(path)[0]


def test_temporary_state(path: Path) -> None:
    """A run died before it replaced the state file: the next one removes it."""
    (path / "_state/.state.json.tmp").write_text("{}")
    assert (0, [("unfinished-commit", "_state/.state.json.tmp")]) == verify(path)


@pytest.mark.parametrize("times", [1, 2])
def test_damage_that_a_run_put_right(path: Path, times: int) -> None:
    """An emptied file goes to the quarantine and is written anew: two lines about one place, and no finding."""
    for _ in range(times):
        (path / f"{ONE}.json").write_bytes(b"")
        archive_here(path, [schema_line(), record_line(1)])
    assert (0, []) == verify(path)


def test_wrong_octets_from_the_start(path: Path) -> None:
    """A record whose raw_sha256 was wrong is archived as it came: a note, unless the .eml changed since."""
    archive_here(path, [schema_line(), record_line(9, raw_sha256="0" * 64)])
    assert (0, [("archived-so", f"{stem(9)}.eml")]) == verify(path)
    (path / f"{stem(9)}.eml").write_bytes(b"x")
    assert (1, [("eml-digest", f"{stem(9)}.eml")]) == verify(path)


# Runs at work


def test_run_in_between(path: Path) -> None:
    """Files that a run archives while the journals are already read are no finding."""
    grown: list[int] = []
    more = [record_line(number, account="work") for number in range(50, 60)]

    def grow(totals: Totals) -> None:
        if not grown and totals.files:
            grown.append(archive_here(path, [schema_line(), *more, state_line(9)]).code)

    verification = Verification(path, Selection(), jobs=1, progress=lambda: nullcontext(grow))
    assert [] == list(verification.findings())
    assert [0] == grown


def test_new_lines_are_read_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece is checked again only when the journals grew; real damage stays a finding."""
    (path / f"{ONE}.json").write_bytes(b"")
    (path / f"{TWO}.json").chmod(0o644)
    calls: list[str] = []
    original = Checker.__call__
    monkeypatch.setattr(
        Checker, "__call__", lambda self, piece: calls.append(piece.directory) or original(self, piece)
    )
    assert 2 == len(findings_of(path))
    assert len(set(calls)) == len(calls)


def test_verify_waits_for_a_commit(path: Path) -> None:
    """The moment between commits is one: while a run holds the lock, nothing is looked at."""
    with (path / "hashfs.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = threading.Event()

        def look() -> None:
            findings_of(path)
            done.set()

        thread = threading.Thread(target=look)
        thread.start()
        assert not done.wait(0.2)
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert done.wait(60)
        thread.join()


def test_lock_is_not_kept(path: Path) -> None:
    """Between two looks a run may commit: the lock is shared, and given back."""
    with Opened(path) as one, Opened(path) as other:
        with one.between_commits(), other.between_commits():
            pass
        with (path / "hashfs.json").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_while_runs_write(tmp_path: Path) -> None:
    """Verified over and over during a run that commits each message: never a finding."""
    path = tmp_path / "archive"
    archive_here(path, stream_of(3))
    seen: list[list[tuple[str, str]]] = []

    def lines() -> Any:
        yield schema_line()
        for number in range(100, 160):
            if number % 20 == 0:
                thread = threading.Thread(target=lambda: seen.append(findings_of(path)))
                threads.append(thread)
                thread.start()
            yield record_line(number)

    threads: list[threading.Thread] = []
    assert 0 == archive_here(path, lines(), commit_messages=1).code
    for thread in threads:
        thread.join()
    assert [[]] * 3 == seen


# Adopted trees


def test_adopted_tree(tmp_path: Path) -> None:
    """Files of the system before this one are named, month by month, and are no damage; nor are their modes."""
    path = tmp_path / "archive"
    folder = path / "gmail/2019/03"
    folder.mkdir(parents=True, mode=0o755)
    for directory in (folder, folder.parent, folder.parent.parent):
        directory.chmod(0o755)
    for number in range(3):
        (folder / f"{stem(number).rpartition('/')[2]}.json").write_text(
            json.dumps({"message_id": f"<{number}@example.org>"})
        )
    (folder / "by-subject.json").write_text(json.dumps({"message_id": "<x@example.org>"}))
    archive_here(path, [state_line(4), *stream_of(3)])
    code, findings = verify(path)
    assert 0 == code
    assert {"legacy"} == {each for each, _ in findings}
    assert ["gmail", "gmail/2019", "gmail/2019/03"] == [place for _, place in findings[1:]]
    assert findings[0][1].startswith("gmail/2019/03/")
    assert "4 of the system before this one" in hashfs("verify", path).stdout


def test_lease_and_disk_leave_traces(path: Path) -> None:
    """Lock files of accounts and the lost+found of a disk belong there."""
    (path / "_lock").mkdir(mode=0o700, exist_ok=True)
    (path / "_lock/gmail.lock").touch(mode=0o600)
    (path / "lost+found").mkdir()
    assert (0, []) == verify(path)


def test_old_root_keeps_its_mode(tmp_path: Path) -> None:
    """Only what the target creates is private."""
    path = tmp_path / "archive"
    path.mkdir()
    path.chmod(0o755)
    archive_here(path, stream_of(2))
    assert (0, []) == verify(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"x_number": 2**70},
        {"x_number": 0.5},
        {"x_number": 1e16},
        {"body_text": "\0 \ud800 \x7f \u2028"},
        {"subject": "é"},
    ],
    ids=["big", "float", "exponent", "unfit text", "text"],
)
def test_odd_values_are_canonical(path: Path, changes: Json) -> None:
    """What the target writes is right, whatever a tap sends."""
    schema = schema_line()
    schema["schema"]["properties"]["x_number"] = {}
    assert (
        0
        == archive_here(
            path, [schema, {"type": "RECORD", "stream": "imap_messages", "record": a_record(9, **changes)}]
        ).code
    )
    assert (0, []) == verify(path)
