"""Limits are kept: four at once, so many in a window, nothing before a Retry-After has passed."""

from __future__ import annotations

import threading
import time

import pytest

from tap_mailbox.errors import Stopped
from tap_mailbox.sources.graph.pace import CONCURRENCY, Pace
from tests.servers.graph import Fault
from tests.tap.graph.world import entry_of


def never() -> None:
    """Nothing ends these waits."""


def test_four_at_once():
    """However many ask, no more than four have a turn."""
    pace, running, most = Pace(never), [], []
    turns = iter(range(200))
    together = threading.Barrier(CONCURRENCY, timeout=60)

    def work() -> None:
        for _ in turns:
            with pace.turn(longest=900):
                running.append(1)
                most.append(len(running))
                together.wait()  # a turn ends when four have one
                running.pop()

    threads = [threading.Thread(target=work) for _ in range(10)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert 200 == len(most)
    assert CONCURRENCY == max(most)


def test_budget():
    """No window, wherever it begins, sees more turns than the budget."""
    pace, starts = Pace(never, budget=5, window=0.2), []
    for _ in range(14):
        with pace.turn(longest=900):
            starts.append(time.monotonic())
    # Taken a moment later than the pace's own times, so a window may look shorter by that moment.
    assert all(later - earlier >= 0.2 - 0.02 for earlier, later in zip(starts, starts[5:], strict=False))
    assert starts[4] - starts[0] < starts[5] - starts[0]


def test_fence_holds_everybody():
    """After `hold` nobody has a turn before the time is over; a shorter one takes nothing back."""
    pace, started = Pace(never), []
    pace.hold(0.3)
    end = time.monotonic() + 0.29
    pace.hold(0.01)

    def work() -> None:
        with pace.turn(longest=900):
            started.append(time.monotonic())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert 6 == len(started)
    assert min(started) >= end


@pytest.mark.parametrize("fill", ["fence", "places"])
def test_signal_ends_a_wait(fill):
    """Who waits for a turn looks at signals meanwhile."""

    def check() -> None:
        raise Stopped

    pace = Pace(check)
    if fill == "fence":
        pace.hold(60)
        with pytest.raises(Stopped), pace.turn(longest=900):
            pass
    else:
        turns = [pace.turn(longest=900) for _ in range(CONCURRENCY)]
        for each in turns:
            each.__enter__()
        with pytest.raises(Stopped), pace.turn(longest=900):
            pass
        with pytest.raises(Stopped):
            pace.wait_for_an_end(60)


def test_wait_for_an_end():
    """It ends with one of our own requests; when there is none, with the time."""
    pace = Pace(never)
    before = time.monotonic()
    pace.wait_for_an_end(0.05)
    assert time.monotonic() - before >= 0.05
    turn = pace.turn(longest=900)
    turn.__enter__()
    waiting = threading.Thread(target=pace.wait_for_an_end, args=(0.0,))
    waiting.start()
    waiting.join(0.15)
    assert waiting.is_alive()
    turn.__exit__(None, None, None)
    waiting.join(10)
    assert not waiting.is_alive()


@pytest.mark.parametrize("style", ["integer", "fractional", "date", "absent"])
def test_request_rate(world, style):
    """Over the limit the run slows down to it: complete, and not one request before its time."""
    world.graph.throttle.requests, world.graph.throttle.window = 25, 0.7
    world.graph.throttle.retry_after_style = style
    world.fill(40)
    run = world.run(None, world.account(reconcile_days=None))
    assert (0, 40) == (run.code, len(set(run.ids)))
    assert 40 == len(run.ids)
    assert any(429 == each.status for each in world.graph.log)
    assert [] == world.graph.throttle.violations
    assert world.graph.throttle.most_in_flight <= 4


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("retry_after", ["1", "0.75"])
def test_everybody_waits(world, status, retry_after):
    """A Retry-After holds back every request of the application, not just the one that met it."""
    world.fill(60)
    world.graph.quirks.latency = 0.01
    world.graph.faults.add(path=r"/\$value", nth=7, fault=Fault.status(status, retry_after=retry_after))
    run = world.run(None, world.account(reconcile_days=None))
    assert (0, 60) == (run.code, len(run.ids))
    assert [] == world.graph.throttle.violations


@pytest.mark.parametrize("share", [0, 1, 2])
def test_mailbox_concurrency(world, share):
    """Another client of the application takes the places: no storm of requests, and the run is complete."""
    world.fill(40)
    back = threading.Timer(0.8, setattr, (world.graph.throttle, "concurrency", 4))

    def hook(request):
        if request.path.endswith("$value"):
            world.graph.hook = None
            world.graph.throttle.concurrency = share
            world.graph.quirks.latency = 0.01
            back.start()

    world.graph.hook = hook
    run = world.run(None, world.account(reconcile_days=None))
    back.join()
    assert (0, 40) == (run.code, len(run.ids))
    refused = sum(429 == each.status for each in world.graph.log)
    answered = sum(200 == each.status for each in world.graph.log)
    # Each end of one of ours frees one place, for which at most the three others try.
    assert 0 < refused < (3 * answered if share else 60)
    assert [] == world.graph.throttle.violations


def quiet(name: str) -> None:
    """Wait until the threads of an account are gone."""
    for each in threading.enumerate():
        if each.name.startswith(name):
            each.join(20)
            assert not each.is_alive()


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("path", [r"/mailFolders\?", "messages/delta", r"/\$value"])
def test_max_wait(world, status, path):
    """A longer wait than `max_wait` ends the account politely; not one of its requests goes out afterwards."""
    world.fill(30)
    first = world.run(None, world.account(reconcile_days=None))
    link = entry_of(first.state)["delta_link"]
    world.fill(range(30, 60))
    world.graph.faults.add(
        path=path, nth=5 if "value" in path else 1, fault=Fault.status(status, retry_after=30)
    )
    second = world.run(first.state, world.account(reconcile_days=None, max_wait=1))
    assert 3 == second.code
    (failure,) = second.report("ann").failures
    assert "max_wait (1 s)" in failure
    quiet("graph-ann")
    assert [] == world.graph.throttle.violations
    assert link == entry_of(second.state)["delta_link"]
    world.graph.throttle.enabled = False
    third = world.run(second.state, world.account(reconcile_days=None))
    assert {str(number) for number in range(30, 60)} == {*second.ids, *third.ids}


def test_back_offs_add_up(world):
    """Many short waits for one request are a long one: `max_wait` bounds their sum."""
    world.fill(1)
    world.graph.faults.add(path=r"/\$value", times=None, fault=Fault.status(429, retry_after="0.2"))
    run = world.run(None, world.account(reconcile_days=None, max_wait=1))
    assert 3 == run.code
    assert 3 <= world.fetched() <= 6


def test_mailboxes_share_the_fence(world):
    """A wait asked of the application in one mailbox holds for its next mailbox too, which ends likewise."""
    world.graph.new_mailbox("bob@contoso.example").deliver(b"Message-ID: <bob@example.org>\r\n\r\n")
    world.fill(1)
    world.graph.faults.add(path="/users/ann.*value", fault=Fault.status(429, retry_after=30))
    accounts = world.organisation(mailboxes=["ann@outlook.example", "bob@contoso.example"], max_wait=1)
    run = world.run(None, accounts)
    assert (3, []) == (run.code, run.ids)
    assert [] == world.asked("/users/bob")
    assert all(
        "max_wait" in run.report(name).failures[0] for name in ("ann@outlook.example", "bob@contoso.example")
    )
