"""No STATE covers a message that was not handed over; wherever a run ends, the next one goes on from there."""

from __future__ import annotations

import contextlib
import copy
import itertools

import pytest

from tap_mailbox import streams
from tests.tap.graph.world import account_of, entry_of, folders, ids_of

FEW = {"reconcile_days": None, "folders": {"include": ["\\Inbox"]}}
"""Settings for runs that are many."""


def prepare_first_walk(world):
    """Leave a mailbox that was never read: pages of three, some mail below the Inbox."""
    world.graph.quirks.page_size_cap = 3
    messages = world.fill(8) + world.fill("abcd", world.box.new_folder("Sub", parent=world.inbox))
    return {}, {each.immutable_id for each in messages}


def prepare_later_round(world):
    """Leave one with news of every kind since the last run."""
    messages = world.fill(9)
    sub = world.box.new_folder("Sub", parent=world.inbox)
    world.fill("ab", sub)
    bookmark = {}
    with contextlib.closing(world.source(bookmark).messages()) as handed:
        list(handed)
    world.graph.quirks.page_size_cap = 2
    new = world.fill(range(20, 26)) + world.fill("cd", sub)
    world.box.move(new[0], sub)
    world.box.move(messages[1], sub)
    world.box.delete(messages[2])
    world.box.purge(messages[3])
    world.box.mark_read(messages[4])
    return bookmark, {each.immutable_id for each in new}


def prepare_reread(world):
    """Leave one whose `last_received` was taken away by hand, and that has news beside."""
    bookmark, _ = prepare_first_walk(world)
    with contextlib.closing(world.source(bookmark).messages()) as handed:
        list(handed)
    for entry in bookmark["folders"].values():
        entry["last_received"] = None
    world.fill(range(20, 23))
    selected = [world.inbox, world.box.folder("Sub")]
    return bookmark, {each.immutable_id for folder in selected for each in world.box.messages(folder)}


@pytest.mark.parametrize("prepare", [prepare_first_walk, prepare_later_round, prepare_reread])
def test_ends_anywhere(world, prepare):
    """Ended at any message, the run goes on from the state of that moment: nothing is lost."""
    state, wanted = prepare(world)
    world.graph.throttle.enabled = False  # the runs are many, and one may not have left when the next comes
    for count in itertools.count(1):
        bookmark = copy.deepcopy(state)
        with contextlib.closing(world.source(bookmark, **FEW).messages()) as handed:
            before = list(itertools.islice(ids_of(handed), count))
            # The last one is on its way, and the bookmark must not cover it.
            left = copy.deepcopy(bookmark)
        with contextlib.closing(world.source(left, **FEW).messages()) as handed:
            after = list(ids_of(handed))
        assert wanted <= ({*before[:-1], *after} if len(before) == count else {*before})
        if len(before) < count:
            break
    assert count > len(wanted)


def test_every_state_of_a_run(world, monkeypatch):
    """A run that goes on from any STATE of another one hands over whatever came after that STATE."""
    monkeypatch.setattr(streams, "STATE_MESSAGES", 1)
    world.graph.quirks.page_size_cap = 2
    world.fill(6)
    world.fill("ab", world.box.new_folder("Sub", parent=world.inbox))
    account = world.account(reconcile_days=None)
    run = world.run(None, account)
    before = set()
    seen = 0
    for line in run.lines:
        if line["type"] == "RECORD":
            before.add(line["record"]["message_id"])
        elif line["type"] == "STATE":
            after = {each["message_id"] for each in world.run(line["value"], account).records}
            assert before | after == {each["message_id"] for each in run.records}
            seen += 1
    assert seen > 4


def test_link_is_replaced_last(world, monkeypatch):
    """In no STATE before the last record of a round does the new link stand."""
    monkeypatch.setattr(streams, "STATE_MESSAGES", 1)
    world.graph.quirks.page_size_cap = 2
    world.fill(3)
    first = world.run()
    old = entry_of(first.state)["delta_link"]
    world.fill(range(3, 33))
    second = world.run(first.state, world.account(reconcile_days=None))
    records = [number for number, line in enumerate(second.lines) if line["type"] == "RECORD"]
    states = [line for line in second.lines[: records[-1]] if line["type"] == "STATE"]
    # How many come in between is a matter of how four requests overtake each other; of fifteen pages some do.
    assert second.lines.index(states[-1]) > records[0]
    assert {old} == {entry_of(state["value"])["delta_link"] for state in states}
    assert old != folders(second)["Inbox"]["delta_link"]


def test_goes_on_at_the_next_page(world):
    """An interrupted walk goes on at the page it had reached: what lies before is not asked for again."""
    world.graph.quirks.page_size_cap = 2
    world.fill(60)
    bookmark: dict = {}
    with contextlib.closing(world.source(bookmark).messages()) as handed:
        before = set(itertools.islice(ids_of(handed), 50))
    assert entry_of({"bookmarks": {"graph_messages": {"accounts": {"ann": bookmark}}}})["next_link"]
    world.graph.log.clear()
    world.graph.quirks.generations = 100
    with contextlib.closing(world.source(bookmark, reconcile_days=None).messages()) as handed:
        after = set(ids_of(handed))
    assert 60 == len(before | after)
    assert len(after) < 30


def test_interrupted_walk_is_listed_once(world):
    """What both halves of an interrupted walk have seen is known to the listing that follows."""
    world.graph.quirks.page_size_cap, world.graph.quirks.generations = 2, 100
    world.fill(60)
    bookmark: dict = {}
    with contextlib.closing(world.source(bookmark).messages()) as handed:
        before = list(itertools.islice(ids_of(handed), 40))
    with contextlib.closing(world.source(bookmark, reconcile_days=0).messages()) as handed:
        after = list(ids_of(handed))
    assert 60 == len({*before, *after})
    assert len(before) + len(after) < 70


def test_news_after_an_interrupted_walk(world):
    """The run that ends an interrupted walk also reads what came since that walk began."""
    world.graph.quirks.page_size_cap = 2
    world.fill(60)
    bookmark: dict = {}
    with contextlib.closing(world.source(bookmark).messages()) as handed:
        before = set(itertools.islice(ids_of(handed), 52))
    (new,) = world.fill(["new"])
    world.graph.quirks.generations = 100
    with contextlib.closing(world.source(bookmark, reconcile_days=None).messages()) as handed:
        after = set(ids_of(handed))
    assert 60 <= len(before | after)
    assert new.immutable_id in after


@pytest.mark.parametrize("key", ["delta_link", "last_received", "pending"])
def test_emptied_entries(world, key):
    """A null in an entry is what is left when somebody deletes by hand; the run goes on."""
    world.fill(3)
    state = world.run().state
    entry_of(state)[key] = None
    run = world.run(state)
    assert 0 == run.code
    assert {"0", "1", "2"} >= set(run.ids)


def test_unknown_keys_stay(world):
    """What others put beside our keys comes out again, at every level."""
    world.fill(1)
    state = world.run().state
    state["bookmarks"]["_hashfs"] = {"archive_id": "fake"}
    state["other"] = {"x": 1}
    account_of(state)["note"] = "mine"
    entry_of(state)["note"] = "mine too"
    world.fill(1)
    out = world.run(state).state
    assert ({"archive_id": "fake"}, {"x": 1}) == (out["bookmarks"]["_hashfs"], out["other"])
    assert ("mine", "mine too") == (account_of(out)["note"], entry_of(out)["note"])


def test_equal_accounts_of_two_names(world):
    """Accounts keep their bookmarks apart, though they read one mailbox."""
    world.fill(2)
    first = world.run(None, world.account(), world.account(name="again"))
    assert {"ann": 2, "again": 2} == {
        name: sum(each["account"] == name for each in first.records) for name in ("ann", "again")
    }
    del first.state["bookmarks"]["graph_messages"]["accounts"]["again"]
    second = world.run(first.state, world.account(), world.account(name="again"))
    assert ["again", "again"] == [each["account"] for each in second.records]
