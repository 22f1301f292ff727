"""Two pairs at once: on one account with and without leases, and on one archive with two accounts."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.matrix import Case, listing
from tests.faults.sources import ACCOUNT, Source
from tests.waiting import wait_until

TWO = "other.account"


def beside(one: Case, accounts: list[dict[str, object]], source: Source, **target: object) -> Case:
    """Make another pair over the same archive."""
    return Case(
        one.directory / "beside", one.warm, accounts, source.promised, archive=one.archive, **target
    )  # fmt: skip


def test_one_account(case: Callable[..., Case], source: Source) -> None:
    """The second says who holds the account and exits 1 before it writes; the first never notices."""
    one = case(commit_messages=10)
    other = beside(one, source.accounts, source)
    reading, writing = os.pipe()
    os.write(writing, b" " * fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ))
    live = one.start(states=writing)
    os.close(writing)
    wait_until((one.path / "_state/state.json").exists)  # now it waits for a reader of its state
    ran = other.run()
    with os.fdopen(reading, "rb") as states:
        one.states_read(states.read())
    first = live.finish()
    assert (1, []) == (ran.target, ran.states)
    assert f"account {ACCOUNT} is being archived by another run" in ran.target_log
    assert (0, 0) == (first.tap, first.target)
    assert source.expected == listing(one.path)
    one.after_fault(first)
    other.restart(source.expected)


@pytest.mark.parametrize("victim", [None, "one", "other"])
def test_one_account_without_leases(case: Callable[..., Case], source: Source, victim: str | None) -> None:
    """Both may work at once, and one may die: the archive is as if one had run alone."""
    one = case(commit_messages=7, lease=False)
    other = beside(one, source.accounts, source, commit_messages=11, lease=False)
    pairs = {"one": one.start(), "other": other.start()}
    if victim:
        wait_until(lambda: journal_of(one).exists() and journal_of(one).stat().st_size > 30_000)
        pairs[victim].target.send_signal(signal.SIGKILL)
    ended = {name: pair.finish() for name, pair in pairs.items()}
    for name, ran in ended.items():
        assert name == victim or (0, 0) == (ran.tap, ran.target), ran
        pairs[name].case.after_fault(ran)
    if not victim:
        assert source.expected == listing(one.path)
    other.restart(source.expected)


def test_two_accounts(case: Callable[..., Case], source: Source) -> None:
    """Two runs on one archive take turns, each with its lease; each account is as if alone."""
    one = case(commit_messages=7)
    other = beside(one, [source.accounts[0] | {"name": TWO}], source, commit_messages=11)
    pairs = [one.start(), other.start()]
    for pair in pairs:
        ran = pair.finish()
        assert (0, 0) == (ran.tap, ran.target), ran
        pair.case.after_fault(ran)
    found = listing(one.path)
    assert source.expected == {name: each for name, each in found.items() if name.startswith(ACCOUNT)}
    assert {name.partition("/")[2] for name in source.expected} == {
        name.partition("/")[2] for name in found if name.startswith(TWO)
    }
    one.verify()


def journal_of(each: Case) -> Path:
    """Return the journal of a case."""
    return each.path / "_journal/live-poll.jsonl"
