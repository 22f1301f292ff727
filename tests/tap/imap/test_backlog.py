"""Readers go on to the next folder while the mail of the last one waits, and no further than a window of mail."""

from __future__ import annotations

import threading
import time
from collections import deque

import pytest

from tap_mailbox.handover import Direct
from tap_mailbox.sources.imap import backlog
from tap_mailbox.sources.imap.backlog import Backlog
from tap_mailbox.sources.imap.commands import Envelope
from tap_mailbox.sources.imap.events import Fetched, ReaderDone, Vanished, Window
from tests.servers.imap_script import Mailbox, Message
from tests.tap.runs import imap_account, mail, run_tap
from tests.waiting import wait_until

FOLDERS = 9


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    """Four messages, or a hundred octets, may wait."""
    monkeypatch.setattr(backlog, "WINDOW_MESSAGES", 4)
    monkeypatch.setattr(backlog, "WINDOW_OCTETS", 100)


def window(*sizes):
    """Mail of these octets."""
    outcomes = (Fetched(Envelope(uid=uid), b"x" * size) for uid, size in enumerate(sizes, 1))
    return Window(None, deque(outcomes), retried=False)


@pytest.mark.parametrize(
    ("room", "waiting", "next_one"),
    [
        (True, [], window(10_000)),
        (True, [], window(*[1] * 9)),
        (True, [window(10_000)], ReaderDone()),
        (True, [window(50)], window(50)),
        (False, [window(50)], window(51)),
        (False, [window(10_000)], window(1)),
        (True, [window(1, 1)], window(1, 1)),
        (False, [window(1, 1), window(1)], window(1, 1)),
        (False, [window(10_000)], Window(None, deque([Vanished(1)]), retried=False)),
        (True, [ReaderDone()] * 99, window(10_000)),
    ],
)
def test_room(room, waiting, next_one):
    """What waits fits into one window, but for a larger one that is alone; what carries no mail never waits."""
    events = Backlog()
    assert [True] * len(waiting) == [events.put(each, timeout=0) for each in waiting]
    assert room == events.put(next_one, timeout=0)
    expected = [*waiting, next_one] if room else waiting
    assert expected == [events.take(timeout=0) for _ in expected]
    assert events.take(timeout=0) is None


def test_room_comes_back():
    """Who waits for room is woken when mail was taken, though its messages have been taken out of it since."""
    events, large = Backlog(), window(10_000)
    assert events.put(large, timeout=0)
    putting = threading.Thread(target=lambda: put.append(events.put(window(100), timeout=20)))
    put = []
    putting.start()
    events.take(timeout=0).outcomes.clear()
    putting.join()
    assert [True] == put
    events.take(timeout=0)
    assert events.put(window(10_000), timeout=0)


@pytest.mark.parametrize(("messages", "ahead"), [(4, 2), (2, 3), (1, 5)])
def test_folders_read_ahead(make_imap_script, monkeypatch, messages, ahead):
    """While the first folder is handed over, the next ones arrive: what may wait, and one more that waits for room."""
    monkeypatch.setattr(backlog, "WINDOW_OCTETS", 1_000_000)
    server = make_imap_script(
        {
            f"F{folder}": Mailbox({uid: Message(mail(f"{folder}-{uid}")) for uid in range(1, messages + 1)})
            for folder in range(FOLDERS)
        }
    )
    opened, put = [], Direct.put

    def parsed(handover, message):
        if not opened:
            wait_until(lambda: server.count("UID FETCH .*PEEK") > ahead)
            time.sleep(0.1)  # for a reader that would go on
            opened.append(server.count("EXAMINE"))
        return put(handover, message)

    monkeypatch.setattr(Direct, "put", parsed)
    run = run_tap([imap_account(server)])
    everything = [f"{folder}-{uid}" for folder in range(FOLDERS) for uid in range(1, messages + 1)]
    assert (0, everything, [1 + ahead]) == (run.code, run.ids, opened)
    assert {messages} == {entry["last_uid"] for entry in run.folders().values()}
