"""IMAP bookmarks: what a hand may have edited is checked, and no operation loses a UID."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_mailbox.bookmarks import FolderBookmark, account_state, check_state, unwrapped
from tap_mailbox.errors import StateError

UIDS = st.integers(min_value=1, max_value=60)


def imap_state(folder: object) -> dict:
    """Return a state whose INBOX bookmark is *folder*."""
    return {"bookmarks": {"imap_messages": {"accounts": {"alice": {"folders": {"INBOX": folder}}}}}}


@pytest.mark.parametrize(
    "folder",
    [
        None,
        {},
        {"last_uid": 5},
        {"uidvalidity": None, "last_uid": None, "pending": None},
        {"uidvalidity": 4294967295, "last_uid": 4294967295, "pending": [1, 2], "note": "mine"},
    ],
)
def test_accepted(folder):
    """Legacy entries and entries emptied by hand are states to go on from."""
    check_state(imap_state(folder))


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ([], "the state"),
        ({"bookmarks": []}, "state.bookmarks"),
        ({"bookmarks": {"imap_messages": []}}, "state.bookmarks.imap_messages must"),
        ({"bookmarks": {"imap_messages": {"accounts": []}}}, "state.bookmarks.imap_messages.accounts"),
        ({"bookmarks": {"imap_messages": {"accounts": {"alice": 1}}}}, "accounts.alice"),
        ({"bookmarks": {"imap_messages": {"accounts": {"alice": {"folders": []}}}}}, "alice.folders"),
        ({"bookmarks": {"file_messages": {"accounts": {"mac": {"paths": []}}}}}, "mac.paths"),
        (imap_state(7), "['INBOX']"),
        (imap_state({"last_uid": "7"}), "['INBOX'].last_uid"),
        (imap_state({"last_uid": -1}), "['INBOX'].last_uid"),
        (imap_state({"last_uid": True}), "['INBOX'].last_uid"),
        (imap_state({"uidvalidity": 2**32}), "['INBOX'].uidvalidity"),
        (imap_state({"pending": [1, "2"]}), "['INBOX'].pending"),
    ],
)
def test_refused(state, place):
    """What no bookmark can be is named by its place, before anything is read."""
    with pytest.raises(StateError) as caught:
        check_state(state)
    assert place in str(caught.value)


@pytest.mark.parametrize(
    "state",
    [
        {"alice": {"folders": {"INBOX": {"last_uid": 12345}}, "last_poll": "2026-06-05T10:30:45Z"}},
        {"accounts": {"alice": {"last_uid": 7, "uidvalidity": 3}}},
        {"accounts": {"contoso": {"last_received": "2026-06-05T10:30:45Z"}}},
    ],
)
def test_legacy_state_is_not_passed_over(state):
    """The state of the system before this one has no bookmarks: who gives it as it is learns what converts it."""
    with pytest.raises(StateError, match="mailbox import-state"):
        check_state(state)


@pytest.mark.parametrize(
    "state",
    [{}, {"bookmarks": None}, {"note": {"mine": 1}}, {"bookmarks": {}, "accounts": {"a": {"last_uid": 1}}}],
)
def test_not_every_state_without_bookmarks_is_a_legacy_one(state):
    """What has no cursors, or bookmarks beside them, is a state with keys of others."""
    check_state(state)


def test_wrapper_without_a_state():
    """Meltano's wrapper may hold null, which is no state yet; anything but an object is refused."""
    assert {} == unwrapped({"singer_state": None})
    with pytest.raises(StateError, match="singer_state must be an object, found list"):
        unwrapped({"singer_state": [1]})


def test_account_state_is_the_state():
    """The account's dictionary is a part of the state, so that a change in it is emitted."""
    state: dict = {}
    account_state(state, "imap_messages", "alice")["x"] = 1
    assert {"bookmarks": {"imap_messages": {"accounts": {"alice": {"x": 1}}}}} == state


def test_unknown_keys_of_a_folder_stay():
    """What others wrote beside our keys is kept."""
    folders = {"INBOX": {"last_uid": 3, "note": "mine"}}
    FolderBookmark(folders, "INBOX").begin(7)
    assert {"uidvalidity": 7, "last_uid": 3, "pending": [], "note": "mine"} == folders["INBOX"]


def test_other_uidvalidity_starts_anew():
    """UIDs and pending ones of another UIDVALIDITY mean other messages."""
    folders = {"INBOX": {"uidvalidity": 1, "last_uid": 30, "pending": [3]}}
    FolderBookmark(folders, "INBOX").begin(2)
    assert {"uidvalidity": 2, "last_uid": 0, "pending": []} == folders["INBOX"]


@given(st.lists(st.tuples(st.sampled_from(["pass", "refuse", "resolve"]), UIDS)))
def test_no_operation_loses_a_uid(operations):
    """last_uid never falls, and a refused UID stays pending until it is resolved."""
    folders: dict = {}
    bookmark = FolderBookmark(folders, "INBOX")
    bookmark.begin(1)
    highest, refused = 0, set()
    for operation, uid in operations:
        match operation:
            case "pass":
                bookmark.pass_uid(uid)
                highest = max(highest, uid)
            case "refuse":
                bookmark.refuse(uid)
                refused.add(uid)
            case _:
                bookmark.resolve(uid)
                refused.discard(uid)
        assert (highest, sorted(refused)) == (bookmark.last_uid, bookmark.pending)
    check_state(imap_state(folders["INBOX"]))
