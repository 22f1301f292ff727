"""The power fails: whatever the disk had not been told to keep may be gone, and nothing promised is.

Not a real power cut, but every one that the model of disk_model.py knows; for real ones without a power switch
see test_vanished_disk.py, which lets an ext4 forget.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_hashfs import sync
from tests.faults.conftest import FAULTS
from tests.faults.power_cuts import (
    CONTENT,
    Recorded,
    check_restart,
    record,
    record_first,
    record_recovery,
    violations,
)
from tests.target.contents import check_covered, events, tree
from tests.target.lines import schema_line, state_line


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
        path = memory / str(calls)
        assert [] == list(violations(run, calls, run.lost(calls, lost), path)), calls
        if calls % 5 == 0 or FAULTS >= 200:
            check_restart(run, path)
        shutil.rmtree(path)


@pytest.mark.parametrize("durability", ["fsync", "syncfs"])
def test_first_run(memory: Path, durability: str) -> None:
    """Nor does a state outlive the new archive that it names, or the directories above that."""
    run = record_first(memory / "recorded", durability=durability)
    for calls in range(len(run.recorder.log) + 1):
        for lost in ("everything", "content", "names"):
            path = memory / f"{calls} {lost}"
            assert [] == list(violations(run, calls, run.lost(calls, lost), path)), (calls, lost)
            if lost == "everything" or FAULTS >= 200:
                check_restart(run, path, quarantined=0)
            shutil.rmtree(path)


def test_first_run_without_a_message(memory: Path) -> None:
    """A state that covers nothing new still finds its line in the journal."""
    run = record_first(memory / "recorded", [schema_line(), state_line(0)])
    for calls in range(len(run.recorder.log) + 1):
        path = memory / str(calls)
        assert [] == list(violations(run, calls, run.recorder.unsynced(calls), path)), calls
        shutil.rmtree(path)


@pytest.mark.parametrize("durability", ["fsync", "syncfs"])
@pytest.mark.parametrize(("call", "number"), [("link", 2), ("link", 4), ("unlink", 3)])
def test_recovery(memory: Path, call: str, number: int, durability: str) -> None:
    """The names that a dead run gave are made durable before they get their lines, and those before a state."""
    run = record_recovery(memory / "recorded", call, number, durability=durability, commit_messages=500)
    assert {"archived", "recovered"} <= set(events(memory / "recorded"))
    for calls in range(run.begin, len(run.recorder.log) + 1):
        for lost in ("everything", "content", "names"):
            path = memory / f"{calls} {lost}"
            assert [] == list(violations(run, calls, run.lost(calls, lost), path)), (calls, lost)
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
