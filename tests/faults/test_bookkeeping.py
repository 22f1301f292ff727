"""What lies beside the messages, damaged: a torn journal, a torn intent, pages lost after a sync failed, a clock
that went back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from target_hashfs.archive import Archive
from tests.faults.matrix import Case
from tests.faults.sources import Source
from tests.faults.tracing import disturbed
from tests.target.contents import check_covered, journal, tree
from tests.target.lines import stream_of
from tests.target.running import archive_here

JOURNAL = "_journal/live-poll.jsonl"
LINES = stream_of(6)


@pytest.mark.parametrize("lease", [True, False], ids=["lease", "no lease"])
def test_last_line_torn_at_every_byte(memory: Path, lease: bool) -> None:
    """The next run cuts off what is torn, says so, and names again what the line had named."""
    path = memory / "archive"
    assert 0 == archive_here(path, LINES[:-2], commit_messages=2, lease=lease).code
    expected = tree(path)
    whole = (path / JOURNAL).read_bytes()
    begin = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(begin, len(whole), 1 if lease else 17):
        (path / JOURNAL).write_bytes(whole[:end])
        assert 0 == archive_here(path, LINES[:-2], commit_messages=2, lease=lease).code
        assert expected == tree(path), end
        assert whole[:begin] == (path / JOURNAL).read_bytes()[:begin], end
        entries = journal(path)
        assert (end > begin) == ("torn" in [entry["event"] for entry in entries]), end
        check_covered(path)


def test_torn_for_real(case: Callable[..., Case], source: Source) -> None:
    """The pair over a journal that ends in half a line."""
    broken = case(commit_messages=50)
    ran = broken.run()
    broken.after_fault(ran)
    text = (broken.path / JOURNAL).read_bytes()
    (broken.path / JOURNAL).write_bytes(text[:-100])
    broken.verify(notes_too=False)
    broken.restart(source.expected)


@pytest.mark.parametrize("suffix", [".json", ".eml"])
def test_pages_lost_after_a_failed_sync(case: Callable[..., Case], source: Source, suffix: str) -> None:
    """A sync failed and the kernel dropped pages: the next start looks at what the dead commit had linked."""
    broken = case(commit_messages=60, commit_seconds=600)
    with disturbed(broken, "fdatasync", "error=EIO:when=2") as live:  # of the journal: all is linked
        ran = live.finish()
    assert (1, []) == (ran.target, ran.states)
    victim = next(path for path in sorted((broken.path / "old-mac").rglob(f"*{suffix}")))
    victim.write_bytes(bytes(victim.stat().st_size))
    ran = broken.run()
    assert (0, 0) == (ran.tap, ran.target), ran
    assert victim.read_bytes().strip(b"\0")
    broken.verify()


def test_clock_set_back(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is decided by the time: a run that lives in the past adds to the same chain."""
    path = memory / "archive"
    assert 0 == archive_here(path, LINES[:5]).code
    past = datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)
    monkeypatch.setitem(Archive.__init__.__kwdefaults__, "clock", lambda: past)
    assert 0 == archive_here(path, LINES).code
    other = memory / "other"
    monkeypatch.undo()
    assert 0 == archive_here(other, LINES).code
    assert tree(other) == tree(path)
    at = [entry["at"] for entry in journal(path)]
    assert at[-1].startswith("1999")
    assert at != sorted(at)
    check_covered(path)
