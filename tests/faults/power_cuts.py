"""What a power cut may leave of a recorded run, laid out and looked at: `record`, `violations`, `check_restart`."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from target_hashfs import sync
from target_hashfs.cli import main as hashfs
from tests.faults.disk_model import Emitted, Recorder
from tests.target.contents import check_covered, everything, tree
from tests.target.lines import Json, encoded, record_line, schema_line, state_line, uid
from tests.target.running import a_target, archive_here

MESSAGE = re.compile(r"[^_/][^/]*/\d{4}/\d\d/[0-9a-f.]+\.(json|eml)")
LINES: list[Json] = [
    schema_line(),
    record_line(1),
    record_line(2, date="2026-07-05T10:30:45+00:00"),
    state_line(2),
    record_line(1, subject="variant"),
    record_line(3, body_text="long " * 2000),
    record_line(2, date="2026-07-05T10:30:45+00:00"),
    state_line(3),
    record_line(4, account="work", eml=False),
    state_line(4),
]
CONTENT = {"write", "truncate"}
CONFIG = {"commit_messages": 2, "lease": False}
IN_THE_WAY = f"gmail/2026/06/{sha256(b'<3@example.org>').hexdigest()[:16]}.json"


@dataclass(repr=False)
class Recorded:
    """A run: its calls, and what it made."""

    recorder: Recorder
    place: str
    """The archive's path below what was recorded."""
    expected: dict[str, bytes]
    covered: dict[int, set[str]]
    """By bookmark: the files that a state with it promises."""
    begin: int = 0
    """The first call of the run that is tested; those before it are a dead one's."""

    def lost(self, calls: int, kind: str) -> list[int]:
        """Return what a power cut after so many calls takes: everything unsynced, or its content or names."""
        return [
            number
            for number in self.recorder.unsynced(calls)
            if kind == "everything" or (kind == "content") == (self.recorder.log[number].name in CONTENT)
        ]


class Killed(BaseException):
    """The process is gone."""


def record(path: Path, **config: Any) -> Recorded:
    """Archive `LINES` over an archive that has something in the way of message 3, and record the calls."""
    prepare(path)
    recorder = Recorder(path)
    with recorder.recording():
        covered = archive_recorded(recorder, path, LINES, **config)
    return Recorded(recorder, "", tree(path), covered)


def record_first(path: Path, lines: list[Json] = LINES, **config: Any) -> Recorded:
    """Archive *lines* where neither the archive nor the directory above it is, and record the calls."""
    path.mkdir(parents=True)
    recorder = Recorder(path)
    archive = path / "disk/archive"
    with recorder.recording():
        covered = archive_recorded(recorder, archive, lines, **config)
    return Recorded(recorder, "disk/archive", tree(archive), covered)


def record_recovery(path: Path, call: str, number: int, **config: Any) -> Recorded:
    """Record a run that dies at a call before it synced directories, and one with another message after it."""
    prepare(path)
    recorder = Recorder(path)
    with recorder.recording():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sync, "fsync_directory", lambda _descriptor: None)
            patch.setattr(os, call, _dying(getattr(os, call), number))
            with pytest.raises(Killed):
                archive_recorded(recorder, path, LINES, **config)
        begin = len(recorder.log)
        covered = archive_recorded(recorder, path, [schema_line(), record_line(7), state_line(7)], **config)
    return Recorded(recorder, "", tree(path), covered, begin)


def _dying(real: Any, number: int) -> Any:
    left = [number]

    def call(*args: Any, **options: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise Killed
        return real(*args, **options)

    return call


def prepare(path: Path) -> None:
    """Make an archive with a message, and with something in the way of message 3."""
    path.mkdir(parents=True)
    assert 0 == archive_here(path, [schema_line(), record_line(9), state_line(1)], **CONFIG).code
    (path / IN_THE_WAY).write_bytes(b"")


def archive_recorded(recorder: Recorder, path: Path, lines: list[Json], **config: Any) -> dict[int, set[str]]:
    """Archive *lines*; return by bookmark what its state promised. The states are entries of the log."""
    covered: dict[int, set[str]] = {}

    class Out(io.StringIO):
        def write(self, text: str) -> int:
            recorder.log.append(Emitted(text))
            files = {name for name in tree(path) if not name.endswith(".tmp")}
            covered[uid(json.loads(text))] = {name for name in files if tree(path)[name]}
            return len(text)

    with contextlib.redirect_stdout(Out()), a_target(path, **CONFIG | config) as target:
        target.archive_all(io.BytesIO(encoded(lines)))  # type: ignore[arg-type]
    return covered


def violations(run: Recorded, calls: int, dropped: Collection[int], path: Path) -> Iterator[str]:
    """Lay out what a power cut leaves, and yield what is wrong with it."""
    run.recorder.crash(calls, dropped).lay_out(run.recorder.top, path)
    found = everything(path / run.place)
    for name, content in found.items():
        fit = {run.expected.get(name), b"" if name == IN_THE_WAY else None}
        if MESSAGE.fullmatch(name) and content not in fit:
            yield f"{name} is visible without its content"
    yield from _broken_promises(run, calls, found)
    yield from _lines_without_files(run, found)


def _broken_promises(run: Recorded, calls: int, found: dict[str, bytes]) -> Iterator[str]:
    states = [json.loads(text) for text in run.recorder.emitted(calls)]
    kept = found.get("_state/state.json")
    if kept is not None and (not kept or (states and uid(json.loads(kept)) < uid(states[-1]))):
        yield "state.json does not say what left"
    if not states:
        return
    if kept is None:
        yield "state.json is not there"
    if states[-1]["bookmarks"]["_hashfs"]["archive_id"].encode() not in found.get("hashfs.json", b""):
        yield "the archive is not the one that the state names"
    text = found.get("_journal/live-poll.jsonl", b"")
    if json.dumps(states[-1], separators=(",", ":")).encode() not in text:
        yield "the state is not in the journal"
    for name in run.covered[uid(states[-1])]:
        if found.get(name) != run.expected[name]:
            yield f"{name} is promised and not there"
        if name.endswith(".json") and f'"path":"{name}"'.encode() not in text:
            yield f"{name} is promised and not in the journal"


def _lines_without_files(run: Recorded, found: dict[str, bytes]) -> Iterator[str]:
    for line in found.get("_journal/live-poll.jsonl", b"").splitlines():
        if not line.endswith(b"}") or b"\0" in line:
            continue  # a power cut tore it
        entry = json.loads(line)
        name, digest = entry.get("path"), entry.get("file_sha256")
        if name is not None and sha256(found.get(name, b"none")).hexdigest() != digest:
            yield f"{name} is in the journal and not there"
        eml = entry.get("eml_sha256")
        if eml and sha256(found.get(name.removesuffix(".json") + ".eml", b"none")).hexdigest() != eml:
            yield f"the .eml of {name} is in the journal and not there"


def check_restart(run: Recorded, path: Path, *, quarantined: int = 1) -> None:
    """The next run completes, and all is as if nothing had been."""
    archive = path / run.place
    assert 0 == archive_here(archive, LINES, **CONFIG).code
    assert run.expected == tree(archive)
    assert quarantined == sum(name.startswith("_quarantine/") for name in everything(archive))
    check_covered(archive)
    verified = CliRunner().invoke(hashfs, ["verify", "--jobs", "1", str(archive)])
    assert 0 == verified.exit_code, verified.output
