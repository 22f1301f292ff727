"""The state is made to be edited: what somebody sets back is read again, and nothing else."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from tap_mailbox.bookmarks import check_state
from tap_mailbox.errors import StateError
from tests.servers.graph import Fault
from tests.tap.graph.world import account_of, entry_of

DAYS = [dt.datetime(2026, 6, day, 12, tzinfo=dt.UTC) for day in range(1, 6)]


@pytest.fixture
def read(world):
    """Five messages of as many days, all read, and the account that reads them."""
    for number, day in enumerate(DAYS):
        world.fill([number], received=day)
    sub = world.box.new_folder("Sub", parent=world.inbox)
    world.fill("a", sub, received=DAYS[0])
    return world.run(None, world.account()).state


@pytest.mark.parametrize(
    ("last_received", "again"),
    [
        ("2026-06-04T12:00:00Z", "34"),
        ("2026-06-04T12:00:01Z", "4"),
        ("2026-06-04", "34"),
        (None, "01234"),
        ("2026-06-05T12:00:00Z", ""),
        ("2030-01-01T00:00:00Z", ""),
    ],
)
def test_last_received_set_back(world, read, last_received, again):
    """A folder is read again from the moment that was put there, once, along with what is new."""
    entry_of(read)["last_received"] = last_received
    world.fill(["new"], received=DAYS[2])
    run = world.run(read, world.account(reconcile_days=None))
    assert (0, [*again, "new"]) == (run.code, sorted(run.ids))
    assert entry_of(run.state)["last_received"] in {"2026-06-05T12:00:00Z", last_received}
    assert [] == world.run(run.state, world.account(reconcile_days=None)).records


def test_link_deleted(world, read):
    """A folder without its link is read whole, also what came in with an older date; then it is known again."""
    entry_of(read)["delta_link"] = None
    world.fill(["new"], received=DAYS[0])
    run = world.run(read, world.account(reconcile_days=None))
    assert (0, [*"01234", "new"]) == (run.code, sorted(run.ids))
    assert [] == world.run(run.state, world.account(reconcile_days=None)).records


def test_folder_deleted(world, read):
    """A folder without an entry is read whole, the others are not."""
    folder_ids = account_of(read)["folders"]
    del folder_ids[next(key for key, entry in folder_ids.items() if entry["name"] == "Inbox")]
    assert list("01234") == sorted(world.run(read).ids)


def test_account_deleted(world, read):
    """An account without a bookmark is read whole."""
    del read["bookmarks"]["graph_messages"]["accounts"]["ann"]
    assert sorted("01234a") == sorted(world.run(read).ids)


@pytest.mark.parametrize("reconcile_days", [0, None])
def test_legacy_account(world, reconcile_days):
    """An account with only `last_received` is read from there; in a folder that is known it means nothing."""
    for number, day in enumerate(DAYS):
        world.fill([number], received=day)
    state = {
        "bookmarks": {"graph_messages": {"accounts": {"ann": {"last_received": "2026-06-04T12:00:00Z"}}}}
    }
    account = world.account(reconcile_days=reconcile_days)
    first = world.run(state, account)
    assert (0, ["3", "4"]) == (first.code, sorted(first.ids))
    assert "2026-06-04T12:00:00Z" == account_of(first.state)["last_received"]
    world.fill(["late"], received=DAYS[0])
    second = world.run(first.state, world.account(reconcile_days=None))
    assert (0, ["late"]) == (second.code, second.ids)


def test_legacy_account_whose_first_walk_is_interrupted(world):
    """The floor holds for the whole first walk, also where another run ends it."""
    world.graph.quirks.page_size_cap = 1
    for number, day in enumerate(DAYS):
        world.fill([number], received=day)
    bookmark = {"last_received": "2026-06-03T12:00:00Z"}
    messages = world.source(bookmark).messages()
    next(messages)
    messages.close()
    state = {"bookmarks": {"graph_messages": {"accounts": {"ann": bookmark}}}}
    run = world.run(state, world.account(reconcile_days=None))
    assert (0, {"2", "3", "4"}) == (run.code, set(run.ids) | {"2", "3", "4"})
    assert {"0", "1"}.isdisjoint(run.ids)


def test_edit_survives_a_run_that_fails(world, read):
    """An edit is asked for until it was carried out, however often that fails."""
    entry_of(read)["last_received"] = "2026-06-02T12:00:00Z"
    world.graph.faults.add(path=r"/\$value", nth=3, times=None, fault=Fault.status(429, retry_after=9999))
    failed = world.run(read, world.account(reconcile_days=None))
    assert 3 == failed.code
    world.graph.faults.clear()
    world.graph.throttle.enabled = False
    run = world.run(failed.state, world.account(reconcile_days=None))
    assert (0, list("1234")) == (run.code, sorted({*failed.ids, *run.ids}))


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ((), [], "accounts"),
        (("ann",), 7, "accounts.ann"),
        (("ann", "folders"), [], "ann.folders"),
        (("ann", "last_received"), "yesterday", "ann.last_received"),
        (("ann", "last_reconcile"), 7, "ann.last_reconcile"),
        (("ann", "folders", "F"), [], "['F']"),
        (("ann", "folders", "F"), "x", "['F']"),
        (("ann", "folders", "F", "delta_link"), 7, "['F'].delta_link"),
        (("ann", "folders", "F", "next_link"), {}, "['F'].next_link"),
        (("ann", "folders", "F", "last_received"), "soon", "['F'].last_received"),
        (("ann", "folders", "F", "delta_received"), True, "['F'].delta_received"),
        (("ann", "folders", "F", "pending"), "A", "['F'].pending"),
        (("ann", "folders", "F", "pending"), ["A", 1], "['F'].pending"),
    ],
)
def test_malformed(path, value, place):
    """What no bookmark can be is refused before anything is read, by the place where it stands."""
    accounts: dict = {"ann": {"folders": {"F": {"name": "Inbox"}}}}
    state = {"bookmarks": {"graph_messages": {"accounts": accounts}}}
    node, keys = state["bookmarks"]["graph_messages"], ["accounts", *path]
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value
    with pytest.raises(StateError) as caught:
        check_state(json.loads(json.dumps(state)))
    assert place in str(caught.value)


def test_link_that_somebody_mistyped(world, read):
    """A link the service cannot read means a walk from the start, once, with a warning."""
    entry_of(read)["delta_link"] = entry_of(read)["delta_link"][:-10]
    run = world.run(read, world.account(reconcile_days=None))
    assert (0, list("01234")) == (run.code, sorted(run.ids))
    assert 1 == len(run.report("ann").warnings)
    assert [] == world.run(run.state).records


def test_listing_is_only_a_help(world, read):
    """A `listing` that is none costs a second look and nothing else."""
    for entry in account_of(read)["folders"].values():
        entry["listing"] = {"2026-06": "x", "y": None}
    assert 0 == world.run(read).code


def test_entry_as_the_contract_shows_it(world):
    """Without `delta_received` nothing says that link and time belong together: the folder is read from the time."""
    world.fill(5)
    state = world.run(None, world.account()).state
    entry = entry_of(state)
    entry["last_received"] = "2020-01-01T00:00:00Z"
    del entry["delta_received"]
    run = world.run(state, world.account())
    assert (0, 5) == (run.code, len(run.ids))
    assert [] == world.run(run.state, world.account()).ids
