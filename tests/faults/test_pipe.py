"""The pipe between the two, and the one behind the target: full, torn, without a reader."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path

import pytest

from target_hashfs.ahead import AHEAD_BYTES
from tests.faults.matrix import Case, Live, Ran
from tests.faults.sources import Source, a_tree, undisturbed
from tests.faults.warm import Started, Warm
from tests.waiting import is_full, wait_until

LIMITS = {"commit_messages": 1}


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory, warm: Warm) -> Source:
    """Messages of which one fills the pipe, and all together twice what the target reads ahead."""
    directory = tmp_path_factory.mktemp("heavy")
    accounts = a_tree(directory / "mail", folders=4, messages=3, size=2 * AHEAD_BYTES // 12)
    return undisturbed(directory / "undisturbed", warm, accounts, **LIMITS)


@pytest.fixture
def broken(memory: Path, warm: Warm, heavy: Source) -> Case:
    """A case over them."""
    return Case(memory, warm, heavy.accounts, heavy.promised, **LIMITS)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM], ids=lambda each: each.name)
def test_nobody_reads_the_states(broken: Case, heavy: Source, signum: signal.Signals) -> None:
    """The target waits with its state, the tap in the middle of a line; ended, they have lost nothing."""
    live, reading = stuck(broken)
    for each in (live.tap, live.target):
        each.send_signal(signum)
    assert {-signum, 128 + signum} >= {live.tap.wait(6), live.target.wait(6)}
    os.close(reading)
    ran = live.finish()
    broken.after_fault(Ran(ran.tap, ran.target, [], ran.tap_log, ran.target_log))
    broken.restart(heavy.expected)


def test_reader_of_the_states_gone(broken: Case, heavy: Source) -> None:
    """Meltano died: the target ends with exit 1, and the tap behind it, which says so."""
    live, reading = stuck(broken)
    os.close(reading)
    ran = live.finish()
    assert (1, 1) == (ran.tap, ran.target)
    assert "the target closed the pipe" in ran.tap_log
    assert "nobody reads the states" in ran.target_log
    broken.after_fault(Ran(ran.tap, ran.target, [], ran.tap_log, ran.target_log))
    broken.restart(heavy.expected)


def test_target_dies_while_the_tap_waits(broken: Case, heavy: Source) -> None:
    """A tap that waits for room in the pipe notices that nobody will make any."""
    live = broken.start(stopped=True)
    wait_until(lambda: is_stuck(live.tap))
    live.target.send_signal(signal.SIGKILL)
    ran = live.finish()
    assert (1, -9) == (ran.tap, ran.target)
    broken.after_fault(ran)
    broken.restart(heavy.expected)


@pytest.mark.parametrize("lease", [True, False], ids=["lease", "no lease"])
def test_tap_dies_inside_a_line(memory: Path, warm: Warm, heavy: Source, lease: bool) -> None:
    """A line longer than the pipe is torn by kill -9: the target says so and archives nothing of it."""
    broken = Case(memory, warm, heavy.accounts, heavy.promised, lease=lease, **LIMITS)
    live = broken.start(stopped=True)
    wait_until(lambda: is_stuck(live.tap))
    live.tap.send_signal(signal.SIGKILL)
    live.target.resume()
    ran = live.finish()
    assert (-9, 1) == (ran.tap, ran.target)
    assert "ended inside line" in ran.target_log
    broken.after_fault(ran)
    broken.restart(heavy.expected)


def stuck(broken: Case) -> tuple[Live, int]:
    """Return a run in which all wait for a reader of the states, and the descriptor to read them from."""
    reading, writing = os.pipe()
    os.write(writing, b" " * fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ))
    live = broken.start(states=writing)
    os.close(writing)
    wait_until((broken.path / "_state/state.json").exists)
    wait_until(lambda: is_stuck(live.tap))
    return live, reading


def is_stuck(tap: Started) -> bool:
    """Whether the tap has filled its pipe and waits for room for the rest of its line."""
    assert tap.poll() is None
    output = Path(f"/proc/{tap.pid}/fd/1")
    return output.is_fifo() and is_full(output)  # no pipe: the server's still, the process has just begun
