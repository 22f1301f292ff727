"""Graph bookmarks and listings by themselves: no operation forgets what was not handed over."""

from __future__ import annotations

import datetime as dt
import json

from hypothesis import given
from hypothesis import strategies as st

from tap_mailbox.bookmarks import check_state
from tap_mailbox.errors import StateError
from tap_mailbox.sources.graph.bookmark import FolderBookmark
from tap_mailbox.sources.graph.listing import Listing

IDS = st.text("abAB-_=", min_size=1, max_size=3)
TIMES = st.none() | st.integers(0, 180 * 86_400).map(
    lambda seconds: dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
)
MESSAGES = st.dictionaries(IDS, TIMES, max_size=12)
KEYS = st.sampled_from(
    ["bookmarks", "graph_messages", "accounts", "ann", "folders", "F", "delta_link", "next_link", "last_received",
     "delta_received", "last_reconcile", "pending", "listing", "name", "imap_messages", "note"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def listed(messages) -> Listing:
    """Return the listing of some messages."""
    made = Listing()
    for identity, received in messages.items():
        made.add(identity, received)
    return made


@given(MESSAGES)
def test_listing_written_and_read(messages):
    """A listing survives the state, and JSON."""
    one = listed(messages)
    assert one == Listing.loads(json.loads(json.dumps(one.dumps())))


@given(MESSAGES, MESSAGES)
def test_listing_covers(before, now):
    """A month is covered when it holds the same messages, and only then."""
    known, later = listed(before), listed(now)
    for received in {*before.values(), *now.values()}:
        month = received and (received.year, received.month)
        held, holds = (
            {id_ for id_, at in each.items() if (at and (at.year, at.month)) == month}
            for each in (before, now)
        )
        assert known.covers(later, received) is (held == holds and bool(held))


@given(MESSAGES, st.randoms())
def test_listing_has_no_order(messages, random):
    """Pages may come in any order and be put together in any way."""
    items = list(messages.items())
    random.shuffle(items)
    cut = random.randint(0, len(items))
    one, two = listed(dict(items[:cut])), listed(dict(items[cut:]))
    one.merge(two)
    assert listed(messages) == one


@given(JSON)
def test_listing_of_anything(written):
    """Whatever stands in the state, it is a listing of what can be read in it."""
    read = Listing.loads(written)
    assert read == Listing.loads(read.dumps())


@given(st.lists(st.tuples(st.sampled_from(["refuse", "resolve"]), IDS)))
def test_pending(operations):
    """Pending is what was refused and not resolved since, each once, the oldest first."""
    folders: dict = {}
    bookmark = FolderBookmark(folders, "F")
    bookmark.begin("Inbox")
    expected: list = []
    for operation, identity in operations:
        getattr(bookmark, operation)(identity)
        expected = [each for each in expected if each != identity]
        expected += [identity] if operation == "refuse" else []
        assert sorted(expected) == sorted(bookmark.pending)
        assert bookmark.pending == folders["F"]["pending"]


@given(st.lists(TIMES, min_size=1), st.none() | st.integers(1, 10**7))
def test_edited(newest, back):
    """An entry is edited when its `last_received` was set back, and no more after a finished round."""
    folders: dict = {}
    for when in newest:
        bookmark = FolderBookmark(folders, "F")
        bookmark.begin("Inbox")
        bookmark.finish("https://graph.invalid/1", when, None)
        assert not bookmark.edited
    latest = bookmark.last_received
    assert latest == max(filter(None, newest), default=None)
    if latest is None:
        return
    edited = None if back is None else (latest - dt.timedelta(seconds=back)).isoformat()
    folders["F"]["last_received"] = edited
    bookmark = FolderBookmark(folders, "F")
    assert bookmark.edited
    assert bookmark.next_link is None
    bookmark.begin("Inbox")
    assert bookmark.edited
    bookmark.finish("https://graph.invalid/2", None, None)
    assert not bookmark.edited
    assert latest == bookmark.last_received


def test_nothing_is_written_by_looking():
    """An entry is made when its folder is read, and not before."""
    folders: dict = {}
    bookmark = FolderBookmark(folders, "F")
    assert (None, None, None, [], False, False) == (
        bookmark.delta_link, bookmark.next_link, bookmark.last_received, bookmark.pending, bookmark.edited, bookmark.known,
    )  # fmt: skip
    assert {} == folders


def test_unknown_keys_stay():
    """What somebody wrote beside our keys outlives every operation."""
    folders = {"F": {"note": "mine", "delta_link": "https://graph.invalid/1"}}
    bookmark = FolderBookmark(folders, "F")
    bookmark.begin("Inbox")
    bookmark.go_on("https://graph.invalid/next", None)
    bookmark.refuse("a")
    bookmark.finish("https://graph.invalid/2", None, Listing())
    assert "mine" == folders["F"]["note"]
    assert "next_link" not in folders["F"]


def look_at(state: object) -> None:
    """Read every Graph bookmark of a state that passes the check."""
    try:
        checked = check_state(state)
    except StateError:
        return
    accounts = ((checked.get("bookmarks") or {}).get("graph_messages") or {}).get("accounts") or {}
    for account in accounts.values():
        folders = account.get("folders") or {}
        for identity in folders:
            bookmark = FolderBookmark(folders, identity)
            assert all(isinstance(each, str) for each in bookmark.pending)
            assert isinstance(bookmark.edited, bool)
            assert isinstance(bookmark.listing, Listing)


@given(JSON)
def test_any_json(state):
    """Whatever it is, it is either refused by a StateError or can be read as bookmarks."""
    look_at(state)


@given(st.dictionaries(KEYS, JSON | TIMES.map(str), max_size=5))
def test_any_folder_entry(entry):
    """So is any entry of a folder, where the interesting keys stand."""
    look_at({"bookmarks": {"graph_messages": {"accounts": {"ann": {"folders": {"F": entry}}}}}})
