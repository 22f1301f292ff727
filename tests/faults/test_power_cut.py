"""The power fails: whatever the disk had not been told to keep may be gone, and nothing promised is.

Not a real power cut, but every one that the model of disk_model.py knows; for real ones without a power switch
see test_vanished_disk.py, which lets an ext4 forget.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_hashfs import sync
from target_hashfs.cli import main as hashfs
from tests.faults.conftest import FAULTS
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


@dataclass(repr=False)
class Recorded:
    """A run: its calls, and what it made."""

    recorder: Recorder
    expected: dict[str, bytes]
    covered: dict[int, set[str]]
    """By bookmark: the files that a state with it promises."""


def record(path: Path, **config: Any) -> Recorded:
    """Archive `LINES` over an archive that has something in the way of message 3, and record the calls."""
    path.mkdir(parents=True)
    assert 0 == archive_here(path, [schema_line(), record_line(9), state_line(1)], **CONFIG).code
    way = path / "gmail/2026/06" / f"{sha256(b'<3@example.org>').hexdigest()[:16]}.json"
    way.write_bytes(b"")
    recorder = Recorder(path)
    covered: dict[int, set[str]] = {}

    class Out(io.StringIO):
        def write(self, text: str) -> int:
            recorder.log.append(Emitted(text))
            covered[uid(json.loads(text))] = set(tree(path)) - {str(way.relative_to(path))}
            return len(text)

    with (
        recorder.recording(),
        contextlib.redirect_stdout(Out()),
        a_target(path, **CONFIG, **config) as target,
    ):
        target.archive_all(io.BytesIO(encoded(LINES)))  # type: ignore[arg-type]
    covered = {
        number: {name for name in files if not name.endswith(".tmp")} for number, files in covered.items()
    }
    return Recorded(recorder, tree(path), covered)


def violations(run: Recorded, calls: int, dropped: Collection[int], path: Path) -> Iterator[str]:
    """Lay out what a power cut leaves, and yield what is wrong with it."""
    run.recorder.crash(calls, dropped).lay_out(run.recorder.top, path)
    found = tree(path)
    for name, content in found.items():
        if MESSAGE.fullmatch(name) and content not in {
            run.expected.get(name),
            b"" if name in IN_THE_WAY else None,
        }:
            yield f"{name} is visible without its content"
    states = [uid(json.loads(text)) for text in run.recorder.emitted(calls)]
    promised = run.covered[states[-1]] if states else set()
    for name in promised:
        if found.get(name) != run.expected[name]:
            yield f"{name} is promised and not there"
    text = everything(path).get("_journal/live-poll.jsonl", b"")
    for name in promised:
        if name.endswith(".json") and f'"path":"{name}"'.encode() not in text:
            yield f"{name} is promised and not in the journal"


IN_THE_WAY = {f"gmail/2026/06/{sha256(b'<3@example.org>').hexdigest()[:16]}.json"}


def check_restart(run: Recorded, path: Path) -> None:
    """The next run completes, and all is as if nothing had been."""
    assert 0 == archive_here(path, LINES, **CONFIG).code
    assert run.expected == tree(path)
    assert 1 == sum(name.startswith("_quarantine/") for name in everything(path))
    check_covered(path)
    verified = CliRunner().invoke(hashfs, ["verify", "--jobs", "1", str(path)])
    assert 0 == verified.exit_code, verified.output


@pytest.fixture(scope="module", params=["fsync", "syncfs"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A run by each way of syncing."""
    return record(tmp_path_factory.mktemp("recorded") / "archive", durability=request.param)


def test_recorder_is_true(run: Recorded, memory: Path) -> None:
    """Replayed whole, the calls give the archive they made."""
    run.recorder.crash(len(run.recorder.log)).lay_out(run.recorder.top, memory / "archive")
    assert run.expected == tree(memory / "archive")
    check_covered(memory / "archive")
    assert 3 == len(run.recorder.emitted(len(run.recorder.log)))
    assert 100 < len(run.recorder.log)


@pytest.mark.parametrize("lost", ["everything", "content", "names"])
def test_at_every_call(run: Recorded, memory: Path, lost: str) -> None:
    """Everything unsynced lost, or all of one kind; every fifth state is also taken up again."""
    for calls in range(len(run.recorder.log) + 1):
        dropped = [
            number
            for number in run.recorder.unsynced(calls)
            if lost == "everything" or (lost == "content") == (run.recorder.log[number].name in CONTENT)
        ]
        path = memory / str(calls)
        assert [] == list(violations(run, calls, dropped, path)), calls
        if calls % 5 == 0 or FAULTS >= 200:
            check_restart(run, path)
        shutil.rmtree(path)


@pytest.mark.parametrize("names", ["in order", "in any order"])
@settings(
    max_examples=2 * FAULTS,
    derandomize=FAULTS < 200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_anything_lost(run: Recorded, memory: Path, names: str, data: st.DataObject) -> None:
    """Any choice of pages, and of names: the latest of them, as file systems with a journal do, or any."""
    log = run.recorder.log
    calls = data.draw(st.integers(0, len(log)))
    unsynced = run.recorder.unsynced(calls)
    dropped = data.draw(st.sets(st.sampled_from(unsynced)) if unsynced else st.just(set()))
    if names == "in order":
        cut = data.draw(st.integers(0, calls))
        dropped = {n for n in unsynced if (n in dropped if log[n].name in CONTENT else n >= cut)}
    path = memory / "archive"
    try:
        assert [] == list(violations(run, calls, dropped, path))
        check_restart(run, path)
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize("unlinked", [False, True], ids=["temporary there", "temporary gone"])
def test_name_of_the_octets_lost(run: Recorded, memory: Path, unlinked: bool) -> None:
    """The .json's name was kept and the .eml's was not: nobody promised the message, and it is archived whole."""
    log = [getattr(entry, "name", "") for entry in run.recorder.log]
    lost = next(n for n, name in enumerate(log) if re.fullmatch(r"link \w+\.eml", name))
    gone = next(n for n, name in enumerate(log) if n > lost and re.fullmatch(r"unlink \.\w+\.eml.*", name))
    calls = gone + 1 if unlinked else lost + 2
    assert [] == list(violations(run, calls, {lost}, memory / "archive"))
    check_restart(run, memory / "archive")


@pytest.mark.parametrize("missing", ["fsync", "fdatasync", "fsync_directory"])
def test_model_notices(memory: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Without one of the syncs the same checks fail: they are not blind."""
    monkeypatch.setattr(sync, missing, lambda _descriptor: None)
    run = record(memory / "recorded", durability="fsync")
    found = []
    for calls in range(len(run.recorder.log) + 1):
        unsynced = run.recorder.unsynced(calls)
        for dropped in (unsynced, [n for n in unsynced if run.recorder.log[n].name in CONTENT]):
            found += violations(run, calls, dropped, memory / "archive")
            shutil.rmtree(memory / "archive")
    assert found
