"""The state as people and other programs leave it: null means nothing, and what is not ours comes out again."""

from __future__ import annotations

import pytest

from tests.tap.runs import files_account, mail, run_tap


@pytest.fixture
def account(tmp_path):
    """An account with one message."""
    (tmp_path / "1.eml").write_bytes(mail(1))
    return files_account(tmp_path)


@pytest.mark.parametrize(
    "bookmarks",
    [
        None,
        {"file_messages": None},
        {"imap_messages": None},
        {"file_messages": {"accounts": None}},
        {"file_messages": {"accounts": {"old-mac": None}}},
        {"file_messages": {"accounts": {"old-mac": {"paths": None}}}},
    ],
)
def test_null_is_nothing(account, bookmarks):
    """A null that a hand left where bookmarks were is no bookmark: everything is read, and kept in mind again."""
    run = run_tap([account], {"bookmarks": bookmarks})
    assert (0, ["1"]) == (run.code, run.ids)
    assert [] == run_tap([account], run.state).ids


@pytest.mark.parametrize(
    "theirs",
    [
        None,
        [1],
        "x",
        5,
        {"progress_markers": {"Note": "theirs"}},
        {"progress_markers": 5, "partitions": None},
        {"partitions": [{"x": 1}], "replication_key_signpost": 1},
    ],
)
@pytest.mark.parametrize("key", ["foreign", "_hashfs"])
def test_bookmarks_of_others_come_out_again(account, key, theirs):
    """Whatever kind of JSON others keep among the bookmarks, every STATE has it as it was."""
    run = run_tap([account], {"bookmarks": {key: theirs}, "top": theirs})
    assert (0, ["1"]) == (run.code, run.ids)
    assert all((theirs, theirs) == (state["bookmarks"][key], state["top"]) for state in run.states)


@pytest.mark.parametrize(
    "key", ["partitions", "progress_markers", "replication_key_signpost", "starting_replication_value"]
)
@pytest.mark.parametrize("theirs", [None, 5, [{"x": 1}], {"Note": "theirs"}])
def test_unknown_keys_of_our_streams_come_out_again(account, key, theirs):
    """The SDK has meanings for some keys of a stream; beside our accounts they are like any other."""
    run = run_tap([account], {"bookmarks": {"file_messages": {key: theirs}}})
    assert (0, ["1"]) == (run.code, run.ids)
    assert theirs == run.state["bookmarks"]["file_messages"][key]
