"""A disk that refuses: EIO, ENOSPC, EDQUOT and EROFS at single system calls, and really full file systems."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.disks import require_syncfs
from tests.faults.matrix import Case
from tests.faults.sources import Source
from tests.faults.tracing import disturbed, states_after_failure
from tests.faults.warm import Warm

STEADY = {"commit_messages": 60, "commit_seconds": 600}

REFUSALS = [
    ("fsync", "EIO", "3"),  # of a message, in the first commit
    ("fsync", "EIO", "200"),  # in the second
    ("fsync", "ENOSPC", "60"),  # delayed allocation: the disk was full all the time
    ("fdatasync", "EIO", "1"),  # of the intent
    ("fdatasync", "EIO", "2"),  # of the journal
    ("fdatasync", "EDQUOT", "3"),
    ("linkat", "EIO", "7"),
    ("linkat", "ENOSPC", "130"),
    ("linkat", "EROFS", "130+"),
    ("renameat", "EIO", "1"),
    ("renameat", "EROFS", "2"),
    ("unlinkat", "EIO", "20"),
    ("write", "EIO", "40"),
    ("write", "ENOSPC", "140"),
    ("write", "EDQUOT", "90"),
    ("mkdirat", "EROFS", "1"),
    ("mkdirat", "ENOSPC", "3"),
    ("mkdirat", "EDQUOT", "5"),
    ("mkdirat", "EIO", "7"),
    ("openat", "EROFS", "300"),
    ("ftruncate", "EIO", "2"),
]


@pytest.mark.parametrize(("call", "error", "when"), REFUSALS)
def test_refused(case: Callable[..., Case], source: Source, call: str, error: str, when: str) -> None:
    """Exit 1 with one line that says what to do; nothing is tried again, no state leaves; then all is well."""
    refuse(case(lease=error != "EIO", **STEADY), source, call, error, when)


@pytest.mark.parametrize(("error", "when"), [("EIO", "1"), ("EIO", "2"), ("ENOSPC", "1"), ("EDQUOT", "2")])
def test_sync_of_the_file_system_refused(
    tmp_path: Path, warm: Warm, source: Source, error: str, when: str
) -> None:
    """The same of syncfs, which needs a disk: it fails once, so that a second try would report success."""
    require_syncfs(tmp_path)
    broken = Case(tmp_path, warm, source.accounts, source.promised, durability="syncfs", **STEADY)
    refuse(broken, source, "syncfs", error, when)


def refuse(broken: Case, source: Source, call: str, error: str, when: str) -> None:
    """Let a call fail, check how the target takes it, restart, check."""
    with disturbed(broken, call, f"error={error}:when={when}") as live:
        ran = live.finish()
    assert 1 == ran.target, ran
    words = {"EIO": "nput/output error", "ENOSPC": "No space", "EDQUOT": "quota", "EROFS": "ead-only"}[error]
    assert words in ran.target_log.splitlines()[-1]
    assert [] == states_after_failure(broken), ran
    broken.after_fault(ran)
    broken.restart(source.expected)
