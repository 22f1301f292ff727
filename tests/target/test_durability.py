"""What is synced before what: the order of DESIGN.md section 9, as the system calls show it."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from target_hashfs import sync
from target_hashfs.root import open_root
from target_hashfs.target import TargetHashFS
from tests.disks import kind
from tests.target import contents
from tests.target.contents import tree
from tests.target.lines import Json, encoded, stream_of
from tests.target.running import a_target


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every sync, link and state, with the path it concerns, in order."""
    made: list[tuple[str, str]] = []

    def path_of(descriptor: int) -> str:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())

    def recorded(name: str, real: Any) -> Any:
        def call(first: Any, *args: Any, **options: Any) -> Any:
            if name in {"link", "rename"}:
                made.append((name, f"{path_of(options['dst_dir_fd'])}/{args[0]}"))
            elif name == "unlink":
                made.append((name, f"{path_of(options['dir_fd'])}/{first}"))
            else:
                made.append((name, path_of(first)))
            return real(first, *args, **options)

        return call

    for module, name in (
        (os, "link"),
        (os, "rename"),
        (os, "unlink"),
        (os, "fsync"),
        (os, "fdatasync"),
        (sync, "syncfs"),
    ):
        monkeypatch.setattr(module, name, recorded(name, getattr(module, name)))
    return made


def run(path: Path, calls: list[tuple[str, str]], lines: list[Json], **config: Any) -> list[tuple[str, str]]:
    """Archive *lines* in one commit; return its calls, the state among them."""
    calls.clear()

    class Out(io.StringIO):
        def write(self, text: str) -> int:
            calls.append(("state", text))
            return len(text)

    with contextlib.redirect_stdout(Out()):
        TargetHashFS(config={"path": str(path), "min_free_bytes": 0} | config).archive_all(
            io.BytesIO(encoded(lines))  # type: ignore[arg-type]
        )
    return list(calls)


def positions(made: list[tuple[str, str]], name: str, end: str) -> Iterator[int]:
    return (index for index, (call, path) in enumerate(made) if call == name and path.endswith(end))


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("killed_at", [1, 2, 3, 6])
def test_order_of_a_recovery(
    tmp_path: Path, calls: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    """What a dead run left is synced, file by file and directory by directory, before its journal line is."""
    path = tmp_path / "archive"
    link, links = os.link, []

    def dying(source: str, name: str, **options: Any) -> None:
        links.append(name)
        if len(links) == killed_at:
            raise Killed
        link(source, name, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", dying)
        with pytest.raises(Killed):
            run(path, calls, stream_of(3))
    made = run(path, calls, stream_of(4)[:1])
    journal = min(positions(made, "fdatasync", ".jsonl"), default=0)
    recovered = [entry["path"] for entry in contents.journal(path) if entry["event"] == "recovered"]
    assert killed_at // 2 == len(recovered)
    for name in recovered:
        folder, _, file = name.rpartition("/")
        synced = [
            index
            for index, (call, at) in enumerate(made)
            if call == "fsync" and (at.endswith(name) or f"{folder}/.{file}." in at)
        ]
        assert min(synced) < journal, name
        for above in list(Path(path / name).parents)[:4]:  # month, year, account, root
            assert min(positions(made, "fsync", str(above))) < journal, above
        linked = list(positions(made, "link", name))
        assert not linked or min(synced) < linked[0]


def test_order_of_a_first_run(tmp_path: Path, calls: list[tuple[str, str]]) -> None:
    """The names of new directories, the proof that they are an archive, and the name of that: all as it is opened."""
    path = tmp_path / "new/archive"
    with a_target(path) as target:
        root = open_root(target.settings, [])
        assert root is not None
        root.close()
    *above, marker, directory = calls
    assert {("fsync", str(each)) for each in (path.parent, path.parent.parent)} <= set(above)
    assert [("fsync", str(path / "hashfs.json")), ("fsync", str(path))] == [marker, directory]


@pytest.mark.parametrize("durability", ["fsync", "syncfs"])
def test_order(
    tmp_path: Path, calls: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, durability: str
) -> None:
    """Content before names, names before journal, journal before state; the .eml before its .json."""
    monkeypatch.setattr(sync, "syncfs_works", lambda _descriptor: True)
    path = tmp_path / "archive"
    made = run(path, calls, stream_of(3, state_every=3), durability=durability)
    intent = next(positions(made, "fdatasync", ".intent"))
    journal = next(positions(made, "fdatasync", ".jsonl"))
    kept = next(positions(made, "rename", "_state/state.json"))
    state = next(positions(made, "state", ""))
    assert intent < journal < kept < state
    assert max(positions(made, "fsync", "/_state")) in range(kept, state)
    assert next(positions(made, "fsync", "/_journal")) < journal
    for name in tree(path):
        linked = next(positions(made, "link", name))
        if durability == "fsync":
            folder, _, file = name.rpartition("/")
            synced = [
                i for i, (call, at) in enumerate(made) if call == "fsync" and f"{folder}/.{file}." in at
            ]
        else:
            synced = list(positions(made, "syncfs", "archive"))
        assert synced, name
        assert intent < max(synced) < linked < journal
        for depth in (1, 2, 3, 4):  # month, year, account, root
            above = str(Path(path / name).parents[depth - 1])
            assert any(linked < at < journal for at in positions(made, "fsync", above)), above
        if name.endswith(".json"):
            assert next(positions(made, "link", name.replace(".json", ".eml"))) < linked


@pytest.mark.parametrize("made_before", ["", "a", "a/b"])
def test_directories_above_a_new_archive(
    tmp_path: Path, calls: list[tuple[str, str]], made_before: str
) -> None:
    """Their names are durable before a state leaves, also of those that a run made which died at that."""
    (tmp_path / made_before).mkdir(parents=True, exist_ok=True)
    made = run(tmp_path / "a/b", calls, stream_of(1))
    synced = made[: next(number for number, (call, _) in enumerate(made) if call == "state")]
    assert {("fsync", str(tmp_path)), ("fsync", str(tmp_path / "a")), ("fsync", str(tmp_path / "a/b"))} <= {
        *synced
    }


def test_duplicates_are_made_durable(tmp_path: Path, calls: list[tuple[str, str]]) -> None:
    """Who linked them may have died before its own sync."""
    path = tmp_path / "archive"
    run(path, calls, stream_of(3))
    made = run(path, calls, stream_of(3, state_every=3))
    state = next(positions(made, "state", ""))
    assert not list(positions(made, "link", ""))
    for name in tree(path):
        assert next(positions(made, "fsync", str((path / name).parent))) < state
        assert next(positions(made, "fsync", str(path))) < state


def test_legacy_files_are_made_durable(tmp_path: Path, calls: list[tuple[str, str]]) -> None:
    """Nobody knows how the system before wrote them."""
    path = tmp_path / "archive"
    run(path, calls, stream_of(1))
    name = next(name for name in tree(path) if name.endswith(".json"))
    (path / name).write_text('{"message_id": "<1@example.org>"}')
    made = run(path, calls, stream_of(1))
    assert next(positions(made, "fsync", name)) < next(positions(made, "state", ""))


def test_syncfs_is_for_known_file_systems_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others (FUSE, network) answer 0 without syncing; old kernels report no error."""
    monkeypatch.setattr(sync, "_SYNCFS_TYPES", {kind(tmp_path): "this one"})
    monkeypatch.setattr(sync, "_kernel", lambda: (5, 8))
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        assert sync.syncfs_works(descriptor)
        monkeypatch.setattr(sync, "_kernel", lambda: (5, 7))
        assert not sync.syncfs_works(descriptor)
        monkeypatch.setattr(sync, "_kernel", lambda: (6, 1))
        monkeypatch.setattr(sync, "_SYNCFS_TYPES", {})
        assert not sync.syncfs_works(descriptor)
    finally:
        os.close(descriptor)
    proc = os.open("/proc", os.O_RDONLY)
    try:
        assert not sync.syncfs_works(proc)
    finally:
        os.close(proc)


def test_syncfs_reports_errors() -> None:
    """A failing syncfs is an OSError like any other."""
    with pytest.raises(OSError, match="Bad file descriptor"):
        sync.syncfs(987)


@pytest.mark.parametrize(("code", "passes"), [(22, True), (95, True), (5, False), (28, False)])
def test_file_systems_without_directory_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, passes: bool
) -> None:
    """That they have none is no error; that it failed is one."""

    def fail(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    expectation = contextlib.nullcontext() if passes else pytest.raises(OSError, match=r"rror|space")
    with expectation:
        sync.fsync_directory(0)
