"""Now and then each folder is listed and compared, which finds what delta lost; what is known is not read again."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from tests.servers.graph import Fault
from tests.tap.graph.world import account_of, entry_of

MAY = dt.datetime(2026, 5, 5, 12, tzinfo=dt.UTC)


def days_ago(days: float) -> str:
    """Return a time as the state has it."""
    return (dt.datetime.now(dt.UTC) - dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def listings(world) -> int:
    """Return how many listings of messages were asked for so far."""
    return len(world.asked(r"/messages\?"))


@pytest.mark.parametrize("received", [None, MAY])
@pytest.mark.parametrize("quirk", ["boomerang", "lost_move_in"])
def test_finds_what_delta_lost(world, quirk, received):
    """A message that delta never tells of is found by the listing, however old it is."""
    world.fill(5)
    world.fill("xy", received=MAY)
    account = world.account(reconcile_days=0)
    first = world.run(None, account)
    setattr(world.graph.quirks, quirk, True)
    junk = world.box.folder("junkemail")
    (lost,) = world.fill(["lost"], junk, received=received)
    world.box.move(lost, world.inbox)
    if quirk == "boomerang":
        # Seen leaving in one round, and coming back within the next: nothing but a removal.
        world.box.move(lost, junk)
        world.box.move(lost, world.inbox)
    second = world.run(first.state, account)
    assert 0 == second.code
    assert "lost" in second.ids
    assert len(second.ids) == len(set(second.ids))
    world.graph.log.clear()
    third = world.run(second.state, account)
    assert (0, [], 0) == (third.code, third.records, world.fetched())


def test_nothing_differs(world):
    """Where the listing says what it said before, nothing is fetched again."""
    world.fill(20)
    world.fill("ab", world.box.new_folder("Sub", parent=world.inbox), received=MAY)
    account = world.account(reconcile_days=0)
    first = world.run(None, account)
    assert 22 == world.fetched()
    for _ in range(2):
        world.graph.log.clear()
        run = world.run(first.state, account)
        assert (0, [], 0) == (run.code, run.records, world.fetched())
        assert listings(world) >= 5
        first = run


def test_other_months_are_left_alone(world):
    """Only the months in which the folder differs are read again."""
    world.fill("abc", received=MAY)
    world.fill(3)
    account = world.account(reconcile_days=0)
    first = world.run(None, account)
    world.graph.quirks.lost_move_in = True
    (lost,) = world.fill(["lost"], world.box.folder("junkemail"), received=MAY)
    world.box.move(lost, world.inbox)
    world.graph.log.clear()
    second = world.run(first.state, account)
    assert {"lost"} <= set(second.ids) <= {"lost", "a", "b", "c"}
    assert world.fetched() == len(second.ids)


def test_nothing_twice_in_one_run(world):
    """What the round of the same run handed over is not handed over again by the listing."""
    account = world.account(reconcile_days=0)
    world.fill(10)
    state = world.run(None, account).state
    for number in range(2):
        world.fill([f"new{number}"])
        run = world.run(state, account)
        assert (0, len(set(run.ids))) == (run.code, len(run.ids))
        assert f"new{number}" in run.ids
        state = run.state


@pytest.mark.parametrize(
    ("days", "last", "due"),
    [
        (0, 0, True),
        (7, None, True),
        (7, 6.9, False),
        (7, 7.1, True),
        (7, -1, True),
        (None, None, False),
        (None, 1000, False),
    ],
)
def test_when_it_is_due(world, days, last, due):
    """Every `reconcile_days`, for one account or for all; null is never, and a time to come is none."""
    world.fill(1)
    state = world.run(None, world.account(reconcile_days=None)).state
    last = None if last is None else days_ago(last)
    account_of(state)["last_reconcile"] = last
    world.graph.log.clear()
    before = days_ago(0)
    run = world.run(state, world.account(reconcile_days=days))
    assert due is (listings(world) > 0)
    world.graph.log.clear()
    world.run(state, world.account(), reconcile_days=days)
    assert due is (listings(world) > 0)
    now = account_of(run.state).get("last_reconcile")
    assert now >= before if due else now == last


def test_listing_that_fails(world):
    """A folder that cannot be listed is a failure, and the reconcile stays due; the other folders are done."""
    world.fill(2)
    world.fill("a", world.box.folder("Archive"))
    world.graph.faults.add(
        path=rf"{world.inbox.id[:40]}[^/]*/messages\?",
        times=None,
        fault=Fault.status(403, code="ErrorAccessDenied"),
    )
    run = world.run()
    assert (3, {"0", "1", "a"}) == (run.code, set(run.ids))
    assert "last_reconcile" not in account_of(run.state)
    assert "listing" in entry_of(run.state, "Archive")
    world.graph.faults.clear()
    again = world.run(run.state)
    assert 0 == again.code
    assert "last_reconcile" in account_of(again.state)


def test_pages_of_a_listing(world):
    """The listing has pages, and places that no message takes; each message is compared once."""
    world.graph.quirks.page_size_cap = 7
    world.fill(50)
    account = world.account(reconcile_days=0)
    first = world.run(None, account)
    assert (0, 50) == (first.code, len(first.ids))
    assert 50 == world.fetched()
    count = sum(int(text.partition("-")[0]) for text in entry_of(first.state)["listing"].values())
    assert 50 == count
    world.graph.log.clear()
    assert ([], 0) == (world.run(first.state, account).records, world.fetched())


def test_pending_is_not_fetched_twice(world):
    """A message that is pending is the round's affair, once in a run."""
    (message, *_) = world.fill(3)
    world.graph.faults.add(
        path=message.immutable_id[:-1], times=None, fault=Fault.status(403, code="ErrorAccessDenied")
    )
    account = world.account(reconcile_days=0)
    first = world.run(None, account)
    assert (3, [message.immutable_id]) == (first.code, entry_of(first.state)["pending"])
    world.graph.log.clear()
    second = world.run(first.state, account)
    assert (3, []) == (second.code, second.ids)
    assert 1 == len(world.asked(message.immutable_id[:-1]))


def test_back_between_round_and_listing(world):
    """A message that the round saw elsewhere and the listing sees here is read now: nobody may tell of it again."""
    account = world.account(reconcile_days=0)
    world.fill(3)
    first = world.run(None, account)
    junk = world.box.folder("junkemail")
    (lost,) = world.fill(["lost"])
    world.box.move(lost, junk)
    world.graph.quirks.lost_move_in = True

    def hook(request):
        if request.path.endswith("/messages") and lost.folder is junk:
            world.box.move(lost, world.inbox)

    world.graph.hook = hook
    second = world.run(first.state, account)
    assert lost.folder is world.inbox
    third = world.run(second.state, account)
    assert (0, 0) == (second.code, third.code)
    assert "lost" in {*second.ids, *third.ids}


@pytest.mark.parametrize("quirk", ["lost_move_in", "quota_on_delta"])
def test_floor_is_of_the_first_walk(world, quirk):
    """Older mail that comes into a folder after its first walk is read, also where only the listing shows it."""
    world.fill(3)
    account = world.account(reconcile_days=0)
    state = {
        "bookmarks": {"graph_messages": {"accounts": {"ann": {"last_received": "2026-06-04T12:00:00Z"}}}}
    }
    first = world.run(state, account)
    setattr(world.graph.quirks, quirk, True)
    (old,) = world.fill(["old"], world.box.folder("junkemail"), received=MAY)
    world.box.move(old, world.inbox)
    second = world.run(first.state, account)
    assert 0 == second.code
    assert "old" in second.ids


def test_skip_that_is_not_taken_notice_of(world, monkeypatch):
    """A service that gives its first page for ever, when pages are asked for one by one, fails the folder."""
    world.fill(3)
    ids = [message.immutable_id for message in world.box.messages(world.inbox)]
    same = json.dumps({"value": [{"id": each} for each in ids], "@odata.nextLink": "x"}).encode()
    world.graph.faults.add(path=r"top=1000", times=None, fault=Fault.status(500, code="InternalServerError"))
    world.graph.faults.add(path=r"top=\d+&\$skip", times=None, fault=Fault.body(same))
    run = world.run()
    assert (3, 3) == (run.code, len(run.ids))
    assert any("$skip" in each for each in run.report("ann").failures)


def test_listing_that_always_fails(world):
    """A service that fails at every page of one fails the folder, in a while."""
    world.fill(3)
    world.graph.faults.add(
        path=r"/messages\?.*top=\d+", times=None, fault=Fault.status(500, code="InternalServerError")
    )
    run = world.run()
    assert (3, 3) == (run.code, len(run.ids))
    assert any("pages in a row" in each for each in run.report("ann").failures)
