"""A signal at every step of the commit protocol: before an early and a late call of each kind."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.disks import require_syncfs
from tests.faults.conftest import FAULTS
from tests.faults.matrix import Case
from tests.faults.sources import Source
from tests.faults.tracing import calls_of, disturbed
from tests.faults.warm import Warm

STEPS = ("mkdirat", "write", "fsync", "fdatasync", "linkat", "unlinkat", "renameat", "ftruncate", "pwrite64")
POINTS = (0.0, 0.7) if FAULTS < 200 else tuple(part / 20 for part in range(21))
"""Where in the run: its first call, its last, or in between."""
STEADY = {"commit_messages": 60, "commit_seconds": 600}
"""Commits by number alone, so that the nth call is the same one every time."""


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory, warm: Warm, source: Source) -> dict[bool, Counter[str]]:
    """How often an undisturbed run makes which system call, with a lease and without one."""
    return {
        lease: calls_of(Case(tmp_path_factory.mktemp("counts"), warm, source.accounts, lease=lease, **STEADY))
        for lease in (True, False)
    }


def number_at(count: int, point: float) -> int:
    """Return the number of the call at a point of the run."""
    return 1 + round((count - 1) * point)


def break_off(broken: Case, source: Source, call: str, number: int, signum: signal.Signals) -> None:
    """Send a signal at a call, check, restart, check."""
    with disturbed(broken, call, f"signal={signum.name}:when={number}") as live:
        ran = live.finish()
    assert ran.target in {-signum, 128 + signum}, ran
    broken.after_fault(ran)
    broken.restart(source.expected)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("call", STEPS)
def test_killed(
    case: Callable[..., Case], source: Source, counts: dict[bool, Counter[str]], call: str, point: float
) -> None:
    """kill -9 at a step."""
    lease = point == 0
    count = counts[lease][call]
    if point and count < 2:
        pytest.skip(f"no second {call} is made: {count} without a lease")
    break_off(case(lease=lease, **STEADY), source, call, number_at(count, point), signal.SIGKILL)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
@pytest.mark.parametrize("call", ["fsync", "fdatasync", "linkat", "renameat"])
def test_asked_to_end(
    case: Callable[..., Case],
    source: Source,
    counts: dict[bool, Counter[str]],
    call: str,
    signum: signal.Signals,
) -> None:
    """A polite signal in the middle of a commit: the commit is finished or nothing of it is acknowledged."""
    break_off(case(**STEADY), source, call, number_at(counts[True][call], 0.5), signum)


@pytest.mark.parametrize("number", [1, 2])
def test_killed_at_the_sync_of_the_file_system(
    tmp_path: Path, warm: Warm, source: Source, number: int
) -> None:
    """kill -9 before syncfs, which needs a disk."""
    require_syncfs(tmp_path)
    broken = Case(tmp_path, warm, source.accounts, source.promised, durability="syncfs", **STEADY)
    break_off(broken, source, "syncfs", number, signal.SIGKILL)
