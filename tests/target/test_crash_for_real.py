"""The commit protocol, broken in a process of its own: by real signals, and by errors of real system calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.disks import require_syncfs
from tests.servers.programs import require
from tests.target.contents import check_covered, no_litter, tree
from tests.target.lines import Json, stream_of, uid
from tests.target.running import archive, archive_here


def injecting(call: str, what: str) -> tuple[str, ...]:
    """The prefix of a command whose nth *call* is disturbed."""
    return (
        require("strace"),
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:{what}",
    )


KILLS = [
    ("fdatasync", 1),  # of the intent
    ("fsync", 4),
    ("linkat", 1),
    ("linkat", 2),
    ("linkat", 8),
    ("unlinkat", 3),
    ("fdatasync", 2),  # of the journal
    ("rename,renameat", 1),
]


@pytest.mark.parametrize(("call", "number"), KILLS)
def test_killed_for_real(tmp_path: Path, call: str, number: int) -> None:
    """kill -9 at a system call: no state is out, and a restart gives the archive of an undisturbed run."""
    path = tmp_path / "archive"
    lines = stream_of(6, state_every=6)
    result = archive(path, tmp_path, lines, prefix=injecting(call, f"signal=SIGKILL:when={number}"))
    assert (-9, []) == (result.code, result.states) or (137, []) == (result.code, result.states)
    again = archive_here(path, lines)
    assert (0, [6]) == (again.code, [uid(state) for state in again.states])
    archive_here(tmp_path / "other", lines)
    assert tree(tmp_path / "other") == tree(path)
    check_covered(path)
    no_litter(path)


ERRORS = [
    ("fsync", "EIO", "3+"),
    ("fsync", "EIO", "4"),  # once: a second try would succeed
    ("fdatasync", "EIO", "1+"),
    ("fdatasync", "EIO", "1"),
    ("fdatasync", "ENOSPC", "2+"),
    ("fdatasync", "ENOSPC", "2"),
    ("linkat", "ENOSPC", "2+"),
    ("linkat", "EIO", "2"),
    ("syncfs", "EIO", "1+"),
    ("syncfs", "EIO", "1"),
    ("write", "EDQUOT", "20+"),  # the log is written too: only from the intent on
    ("mkdirat", "EROFS", "2+"),
    ("rename,renameat", "EIO", "1"),
]


@pytest.mark.parametrize(("call", "error", "when"), ERRORS)
def test_errors_for_real(tmp_path: Path, call: str, error: str, when: str) -> None:
    """A disk that refuses a call, for good or once: exit 1, no state, no traceback; then it heals."""
    path = tmp_path / "archive"
    messages = 40 if call == "write" else 6
    lines = stream_of(messages, state_every=messages)
    config: Json = {"durability": "syncfs"} if call == "syncfs" else {}
    if call == "syncfs":
        require_syncfs(tmp_path)
    prefix = injecting(call, f"error={error}:when={when}")
    result = archive(path, tmp_path, lines, prefix=prefix, **config)
    assert (1, []) == (result.code, result.states)
    if call != "write":
        assert "Traceback" not in result.log
        assert "No STATE was emitted" in result.log
    again = archive_here(path, lines)
    assert 0 == again.code
    check_covered(path)
    no_litter(path)
