"""Graph to the archive while the mailbox lives: every message once, whatever arrives, moves or goes meanwhile."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.pipeline.pair import Pair, Ran
from tests.servers.graph import Folder, GraphServer, Mailbox, Message, Request
from tests.servers.oauth import Entra
from tests.tap.graph.world import World, account_of
from tests.tap.runs import mail

QUIRKS = (
    "boomerang",
    "lost_move_in",
    "duplicates",
    "empty_pages",
    "removed_in_first_round",
    "replay",
    "mime_jitter",
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Ann's mailbox, and the application that may read it."""
    with GraphServer() as graph, Entra() as entra:
        yield World(graph, entra, tmp_path)


@dataclass
class Life:
    """What senders and users do to a mailbox in the middle of a walk, the same for every seed."""

    box: Mailbox
    selected: list[Folder]
    other: list[Folder]
    seed: int
    every: int
    """Requests between two events."""
    events: int
    """How many events are still to come."""
    delivered: int = 0
    requests: int = 0
    purged: set[str] = field(default_factory=set)
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def deliver(self, folder: Folder) -> Message:
        """Deliver the next message."""
        self.delivered += 1
        return self.box.deliver(
            mail(self.delivered, date=f"Fri, 05 Jun 2026 10:{self.delivered % 60:02}:00 +0000"), folder=folder
        )

    def __call__(self, _: Request) -> None:
        """Let something happen now and then."""
        self.requests += 1
        if self.events and self.requests % self.every == 0:
            self.events -= 1
            self.happen()

    def happen(self) -> None:
        """Let one thing happen."""
        message = self.dice.choice(self.box.messages(self.dice.choice(self.selected)) or [None])
        what = self.dice.randrange(8)
        if what < 2 or message is None:
            self.deliver(self.dice.choice(self.selected))
        elif what == 2:
            self.box.move(message, self.dice.choice(self.selected))
        elif what == 3:
            home = message.folder
            self.box.move(message, self.dice.choice(self.other))
            self.box.move(message, home)
        elif what == 4:
            self.box.delete(message)
        elif what == 5:
            self.purged.add(number(message))
            self.box.purge(message)
        elif what == 6:
            late = self.deliver(self.dice.choice(self.other))
            self.box.move(late, self.dice.choice(self.selected))
        else:
            self.box.mark_read(message, not message.read)


def number(message: Message) -> str:
    """Return what stands in a message's Message-ID."""
    return re.search(rb"<(\d+)@", message.raw)[1].decode()


def live(world: World, *, messages: int, seed: int, every: int, events: int) -> Life:
    """Return a mailbox with so many messages in folders up to four levels deep, and what will happen in it."""
    folder = world.inbox
    selected = [folder, world.box.folder("Archive"), world.box.folder("Sent Items")]
    for name in ("Projects", "2026", "First quarter"):
        folder = world.box.new_folder(name, parent=folder)
        selected += [folder, world.box.new_folder("Hidden", parent=folder, hidden=True)]
    other = [world.box.folder("deleteditems"), world.box.folder("junkemail")]
    life = Life(world.box, selected, other, seed, every, events)
    for count in range(messages):
        life.deliver(selected[count % len(selected)])
    return life


def archived(pair: Pair) -> list[str]:
    """Return the number of every archived message, once for each file."""
    return sorted(message["message_id"].strip("<>").partition("@")[0] for message in pair.messages())


def run_until_quiet(world: World, pair: Pair, life: Life) -> list[Ran]:
    """Run the pair until a run finds nothing new and nothing happened in it."""
    runs: list[Ran] = []
    state = None
    while True:
        before = life.events
        runs.append(pair.run(state))
        assert (0, 0) == (runs[-1].tap, runs[-1].target), runs[-1].tap_log[-2000:]
        state = runs[-1].state
        if not before:
            return runs
        assert len(runs) < 12


def check(world: World, pair: Pair, life: Life) -> None:
    """Every message in a folder that is read is archived, each once, with its octets; no limit was passed."""
    held = archived(pair)
    assert len(held) == len(set(held))
    reachable = {number(message) for folder in life.selected for message in world.box.messages(folder)}
    assert set() == reachable - set(held)
    assert set() == set(held) - {str(count + 1) for count in range(life.delivered)}
    assert not [each for each in pair.journal() if each["event"] in {"variant", "quarantined"}]
    assert [] == world.graph.throttle.violations
    assert world.graph.throttle.most_in_flight <= 4
    assert {"GET"} == {each.method for each in world.graph.log}


@pytest.mark.slow
def test_two_thousand_messages(world, tmp_path):
    """2,000 messages in nested folders with arrivals, moves, read marks and deletions during the walk."""
    life = live(world, messages=2000, seed=1, every=12, events=200)
    world.graph.hook = life
    pair = Pair(tmp_path, [])
    pair.configure([world.account(reconcile_days=0)], credentials_dir=str(world.folder))
    runs = run_until_quiet(world, pair, life)
    check(world, pair, life)
    assert len(archived(pair)) >= 2000 - len(life.purged) - 60
    # Nothing new, and nothing that delta would tell: not one message is fetched.
    world.graph.log.clear()
    tree = pair.tree()
    last = pair.run(runs[-1].state)
    assert (0, 0) == (last.tap, last.target)
    assert tree == pair.tree()
    assert 0 == world.fetched()


def strange(world: World, seed: int) -> Life:
    """Return a small living mailbox with a random choice of what delta has been seen to do wrong."""
    dice = random.Random(seed)
    for name in dice.sample(QUIRKS, 4):
        setattr(world.graph.quirks, name, True)
    world.graph.quirks.page_size_cap = dice.choice([3, 10, 50])
    world.graph.quirks.generations = 50
    life = live(world, messages=90, seed=seed, every=9, events=40)
    world.graph.hook = life
    return life


@pytest.mark.parametrize("seed", [0])
def test_quirks_and_life(world, tmp_path, seed):
    """So with a random choice of quirks, and small pages."""
    life = strange(world, seed)
    pair = Pair(tmp_path, [])
    pair.configure([world.account(reconcile_days=0)], credentials_dir=str(world.folder))
    run_until_quiet(world, pair, life)
    check(world, pair, life)
    assert account_of(json.loads((pair.archive / "_state/state.json").read_text()))["folders"]


@pytest.mark.parametrize("seed", range(10, 18))
def test_no_message_twice_in_a_run(world, seed):
    """Whatever moves where, no message is two records of one run, and in the end each was one of some run."""
    life = strange(world, seed)
    state, handed = None, set()
    for _ in range(12):
        quiet = not life.events
        run = world.run(state, world.account(reconcile_days=0))
        assert (0, len(set(run.ids))) == (run.code, len(run.ids))
        handed |= set(run.ids)
        state = run.state
        if quiet:
            break
    assert quiet
    reachable = {number(message) for folder in life.selected for message in world.box.messages(folder)}
    assert set() == reachable - handed
    assert [] == world.graph.throttle.violations
