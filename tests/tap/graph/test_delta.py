"""What delta says is a hint: removals, forgotten links, full mailboxes and circles lose nothing."""

from __future__ import annotations

import pytest

from tap_mailbox.sources.graph import work
from tests.servers.graph import Fault
from tests.tap.graph.world import entry_of, folders
from tests.tap.runs import mail

GONE = [
    "410 SyncStateNotFound",
    "410 SyncStateInvalid",
    "400 SyncStateInvalid",
    "410 resyncRequired",
    "410 empty",
]


def no_listing(world, **more):
    """Return Ann's account without a reconcile, so that delta alone finds things."""
    return world.account(reconcile_days=None, **more)


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("purge", []),
        ("delete", []),
        ("move to Archive", [("new", "Archive")]),
        ("move to Junk Email", []),
        ("move to Archive and back", [("new", "Inbox")]),
        ("move to Junk Email and back", [("new", "Inbox")]),
    ],
)
@pytest.mark.parametrize("quirk", [None, "boomerang"])
def test_removed(world, what, found, quirk):
    """A new message that delta says is removed is looked for by its immutable id, and read where it is now."""
    if quirk is not None:
        setattr(world.graph.quirks, quirk, True)
    first = world.run(None, no_listing(world))
    (message,) = world.fill(["new"])
    first_word, _, rest = what.partition(" ")
    if first_word == "move":
        world.box.move(message, world.box.folder(rest.removeprefix("to ").removesuffix(" and back")))
        if rest.endswith("back"):
            world.box.move(message, world.inbox)
    else:
        getattr(world.box, first_word)(message)
    second = world.run(first.state, no_listing(world))
    assert (0, found) == (
        second.code,
        [(id_, r["source"]["folder"]) for id_, r in zip(second.ids, second.records, strict=True)],
    )


def test_removed_after_it_was_read(world):
    """What was read and then deleted is not missed, and what was moved is the same message elsewhere."""
    messages = world.fill(4)
    first = world.run(None, no_listing(world))
    world.box.purge(messages[0])
    world.box.delete(messages[1])
    world.box.move(messages[2], world.box.folder("Archive"))
    second = world.run(first.state, no_listing(world))
    assert (0, {"2"}) == (second.code, {*second.ids, "2"})
    assert len(second.ids) <= 1


def test_read_toggle(world):
    """A partial entry says nothing about what it leaves out: the message is looked up, its record complete."""
    world.graph.quirks.partial_updates = 1.0
    (message,) = world.fill(1, categories=("Blue",), flagged=True)
    first = world.run(None, no_listing(world))
    world.box.mark_read(message)
    second = world.run(first.state, no_listing(world))
    assert 0 == second.code
    for record in second.records:
        assert (["Blue"], ["\\Seen", "\\Flagged"]) == (record["source"]["labels"], record["source"]["flags"])
        assert first.records[0]["content_hash"] == record["content_hash"]


def test_draft_that_changes(world):
    """A draft is written on under its id: each state of it that a run meets is a record of its own."""
    account = no_listing(world, folders={"exclude": []})
    draft = world.box.deliver(mail("d", body="one"), folder=world.box.folder("Drafts"), draft=True)
    first = world.run(None, account)
    world.box.edit(draft, mail("d", body="one and two"))
    second = world.run(first.state, account)
    world.box.send(draft)
    third = world.run(second.state, account)
    bodies = [record["body_text"].strip() for run in (first, second) for record in run.records]
    assert ["one", "one and two"] == bodies
    assert 0 == third.code
    assert {"Sent Items"} >= {record["source"]["folder"] for record in third.records}


@pytest.mark.parametrize("style", GONE)
def test_forgotten_link(world, style):
    """A link the service has forgotten means that folder from the start, with a warning; nothing is lost."""
    world.graph.quirks.gone_style = style
    world.fill(5)
    world.fill(["else"], world.box.folder("Archive"))
    first = world.run(None, no_listing(world))
    world.fill(["new"])
    world.graph.expire_links(world.box, world.inbox)
    second = world.run(first.state, no_listing(world))
    assert (0, sorted(["new", *"01234"])) == (second.code, sorted(second.ids))
    (warning,) = second.report("ann").warnings
    assert "'Inbox'" in warning
    assert [] == world.run(second.state, no_listing(world)).records


@pytest.mark.parametrize(
    ("times", "style"), [*((1, style) for style in GONE), (2, GONE[0]), (True, GONE[0]), (True, GONE[2])]
)
def test_forgotten_in_the_middle_of_a_round(world, style, times):
    """So is a page's link that dies; one that dies again and again ends in a listing, and nothing comes twice."""
    world.graph.quirks.gone_style, world.graph.quirks.page_size_cap = style, 4
    world.fill(10)
    first = world.run(None, no_listing(world))
    world.fill(range(10, 22))
    world.graph.quirks.expire_next_links = times
    second = world.run(first.state, no_listing(world))
    assert {str(number) for number in range(10, 22)} <= set(second.ids)
    assert len(second.ids) == len(set(second.ids))
    assert 1 <= len(second.report("ann").warnings)
    world.graph.quirks.expire_next_links = 0
    world.fill(["later"])
    third = world.run(second.state, no_listing(world))
    assert 0 == third.code
    assert "later" in third.ids


@pytest.mark.parametrize("style", GONE[:3:2])
def test_forgotten_in_an_interrupted_walk(world, style):
    """The link at which an interrupted first walk would go on dies easily; then the walk begins anew."""
    world.graph.quirks.gone_style, world.graph.quirks.page_size_cap = style, 2
    world.fill(60)
    bookmark: dict = {}
    messages = world.source(bookmark).messages()
    for _ in range(52):
        next(messages)
    messages.close()
    assert any(entry.get("next_link") for entry in bookmark["folders"].values())
    world.graph.expire_links(world.box)
    state = {"bookmarks": {"graph_messages": {"accounts": {"ann": bookmark}}}}
    run = world.run(state, no_listing(world))
    assert (0, 60) == (run.code, len(set(run.ids)))
    assert "next_link" not in entry_of(run.state)


def test_full_mailbox(world):
    """A mailbox so full that delta fails is listed instead; the link is kept for when there is room again."""
    world.fill(3)
    first = world.run(None, no_listing(world))
    world.graph.quirks.quota_on_delta = True
    world.fill(["new"])
    second = world.run(first.state, no_listing(world))
    assert 0 == second.code
    assert "new" in second.ids
    assert any("ErrorQuotaExceeded" in each and "'Inbox'" in each for each in second.report("ann").warnings)
    assert folders(first)["Inbox"]["delta_link"] == folders(second)["Inbox"]["delta_link"]
    # Nothing new: nothing is fetched, though delta still fails.
    world.graph.log.clear()
    third = world.run(second.state, no_listing(world))
    assert (0, [], 0) == (third.code, third.records, world.fetched())
    world.graph.quirks.quota_on_delta = False
    world.fill(["newer"])
    fourth = world.run(third.state, no_listing(world))
    assert (0, []) == (fourth.code, fourth.report("ann").warnings)
    assert "newer" in fourth.ids


def test_full_from_the_start(world):
    """A mailbox that was never read and has no delta is read by its listing."""
    world.graph.quirks.quota_on_delta = True
    world.fill(30)
    run = world.run(None, no_listing(world))
    assert (0, 30) == (run.code, len(set(run.ids)))
    assert len(run.ids) == 30


@pytest.mark.parametrize(("place", "before"), [(0, False), (7, True), (14, True)])
def test_poisonous_message(world, place, before):
    """One item that no page can hold: all its neighbours are read, the run says that one is missing."""
    first = world.run(None, no_listing(world)) if before else None
    messages = world.fill(15)
    world.graph.quirks.poison = messages[place]
    run = world.run(first and first.state, no_listing(world))
    expected = {str(number) for number in range(15)} - {str(place)}
    assert (3, expected) == (run.code, set(run.ids) - {str(place)})
    assert any("1 message(s) cannot even be listed" in each for each in run.report("ann").failures)
    if first:
        assert folders(first)["Inbox"]["delta_link"] == folders(run)["Inbox"]["delta_link"]
    world.graph.quirks.poison = None
    healed = world.run(run.state, no_listing(world))
    assert 0 == healed.code
    assert str(place) in {*run.ids, *healed.ids}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("quirk", "value"), [("repeat_next_link", True), ("endless_next_link", True), ("repeat_next_link", 1)]
)
def test_pages_without_end(world, quirk, value):
    """A round that repeats itself is broken off, and the folder listed; other folders are read."""
    world.graph.quirks.page_size_cap = 4
    world.fill(10)
    world.fill(["else"], world.box.folder("Archive"))
    setattr(world.graph.quirks, quirk, value)
    run = world.run(None, no_listing(world))
    assert (0, {*map(str, range(10)), "else"}) == (run.code, set(run.ids))
    assert len(run.ids) == 11
    assert len(world.asked("messages/delta")) < 100


@pytest.mark.parametrize(
    "body", [b"{}", b'{"value": []}', b'{"value": null}', b'{"value": {}, "@odata.nextLink": ""}']
)
def test_page_without_a_link(world, body):
    """A page that says neither where to go on nor that it is the last cannot end a round."""
    world.fill(3)
    world.graph.faults.add(path="messages/delta", times=None, fault=Fault.body(body))
    run = world.run(None, no_listing(world))
    assert (0, {"0", "1", "2"}) == (run.code, set(run.ids))
    assert not entry_of(run.state)["delta_link"]
    assert run.report("ann").warnings


def test_replay_and_lag(world):
    """What delta tells again or late comes again or late: in every run no id twice, in the end everything."""
    world.graph.quirks.replay = True
    world.graph.quirks.lag = 1
    state, handed = None, set()
    for number in range(4):
        world.fill([f"{number}a", f"{number}b"])
        run = world.run(state, no_listing(world))
        assert (0, len(set(run.ids))) == (run.code, len(run.ids))
        handed |= set(run.ids)
        state = run.state
    world.graph.quirks.lag = 0
    handed |= set(world.run(state, no_listing(world)).ids)
    assert {f"{number}{letter}" for number in range(4) for letter in "ab"} == handed


def test_moved_while_it_is_read(world):
    """A message that moves on during the run into a folder that is read later is one record."""
    messages = world.fill(12)
    target = world.box.new_folder("Later", parent=world.inbox)

    def hook(request):
        if request.path.endswith("$value") and world.inbox is messages[-1].folder:
            world.box.move(messages[-1], target)
            world.box.move(messages[0], target)

    world.graph.hook = hook
    run = world.run(None, no_listing(world))
    assert (0, 12, 12) == (run.code, len(run.ids), len(set(run.ids)))


def test_gone_when_it_is_fetched(world):
    """A message that is purged between its entry and its fetching is counted, and no failure."""
    messages = world.fill(5)

    def hook(request):
        if request.path.endswith("$value"):
            world.graph.hook = None
            for each in messages[3:]:
                world.box.purge(each)

    world.graph.hook = hook
    run = world.run(None, no_listing(world))
    assert 0 == run.code
    assert {"0", "1", "2"} <= set(run.ids)
    assert 5 == len(run.ids) + run.report("ann").vanished


def test_look_ahead_is_bounded(world, monkeypatch):
    """However large the folder, only a few messages are under way or waiting to be taken."""
    world.fill(40)
    messages = world.source({}).messages()
    next(messages)
    assert world.fetched() <= work.LOOK_AHEAD
    messages.close()


@pytest.mark.parametrize(
    "entries",
    [b"", b'"value": null, ', b'"value": {}, ', b'"value": [{"isRead": true}], ', b'"value": [null], '],
)
def test_last_page_without_entries_to_believe(world, entries):
    """A deltaLink beside no list, or beside entries without an id, passes nothing: the folder is listed."""
    world.fill(3)
    state = world.run(None, no_listing(world)).state
    world.fill(["new"])
    link = entry_of(state)["delta_link"]
    body = b"{" + entries + b'"@odata.deltaLink": "' + world.graph.url.encode() + b'/me/messages/delta?x"}'
    world.graph.faults.add(path="messages/delta", times=None, fault=Fault.body(body))
    run = world.run(state, no_listing(world))
    assert (0, True) == (run.code, "new" in run.ids)
    assert link == entry_of(run.state)["delta_link"]
