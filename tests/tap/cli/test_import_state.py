"""`mailbox import-state`: every shape of a legacy cursor, and nothing dropped in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_mailbox.bookmarks import check_state
from tap_mailbox.cli.legacy_state import singer_state
from tap_mailbox.errors import StateError
from tests.tap.cli.commands import mailbox, write_config

POLL = "2026-06-05T10:30:45Z"


def imap(**accounts: Any) -> dict[str, Any]:
    return {"bookmarks": {"imap_messages": {"accounts": accounts}}}


def graph(**accounts: Any) -> dict[str, Any]:
    return {"bookmarks": {"graph_messages": {"accounts": accounts}}}


INBOX = {"folders": {"INBOX": {"last_uid": 7}}}


@pytest.mark.parametrize(
    ("legacy", "expected"),
    [
        ({"a": {"folders": {"INBOX": {"last_uid": 7}}}}, imap(a=INBOX)),
        ({"accounts": {"a": {"folders": {"INBOX": {"last_uid": 7}}}}}, imap(a=INBOX)),
        ({"a": {"folders": {"INBOX": 7}}}, imap(a=INBOX)),
        ({"a": {"folders": {"INBOX": "7"}}}, imap(a=INBOX)),
        ({"a": {"last_uid": 7}}, imap(a=INBOX)),
        ({"a": {"last_uid": 7, "folders": None, "last_poll": None}}, imap(a=INBOX)),
        (
            {"a": {"last_uid": 7, "uidvalidity": 3, "folders": {"Sent": 9}, "last_poll": POLL}},
            imap(
                a={
                    "folders": {"Sent": {"last_uid": 9}, "INBOX": {"uidvalidity": 3, "last_uid": 7}},
                    "last_poll": POLL,
                }
            ),
        ),
        (
            {"a": {"folders": {"日本 & x": {"last_uid": 7, "uidvalidity": 3, "pending": [5]}}}},
            imap(a={"folders": {"日本 & x": {"uidvalidity": 3, "last_uid": 7, "pending": [5]}}}),
        ),
        ({"a": {"last_received": POLL}}, graph(a={"last_received": POLL, "folders": {}})),
        (
            {"a": {"last_received": "2026-06-05T12:30:45.900+02:00", "last_poll": 1780655445.5}},
            graph(a={"last_received": POLL, "folders": {}, "last_poll": POLL}),
        ),
        (
            {"a": {"folders": {"AAMk": {"name": "Inbox", "delta_link": "https://x", "last_received": POLL}}}},
            graph(
                a={"folders": {"AAMk": {"name": "Inbox", "delta_link": "https://x", "last_received": POLL}}}
            ),
        ),
        (
            {"a": {"last_uid": 7}, "b": {"last_received": POLL}},
            {
                "bookmarks": {
                    **imap(a=INBOX)["bookmarks"],
                    **graph(b={"last_received": POLL, "folders": {}})["bookmarks"],
                }
            },
        ),
        ({}, {"bookmarks": {}}),
        (imap(a=INBOX), imap(a=INBOX)),
    ],
)
def test_shapes(legacy: dict[str, Any], expected: dict[str, Any]) -> None:
    """The keys tell the stream where no configuration does; the result is a state the tap takes."""
    assert expected == check_state(singer_state(legacy, {}))


@pytest.mark.parametrize(
    ("legacy", "words"),
    [
        ({"a": 7}, "state.a: expected an object, found int"),
        ({"version": 1, "accounts": {}}, "state.version: expected nothing beside accounts"),
        ({"accounts": []}, "state.accounts: expected an object, found list"),
        ({"a": {}}, "state.a: expected folders, last_uid or last_received, found none"),
        ({"a": {"last_poll": POLL}}, "state.a: expected folders"),
        ({"a": {"last_uid": 7, "etag": 1}}, "state.a.etag: not understood"),
        ({"a": {"last_uid": -1}}, "state.a.last_uid: expected a whole number"),
        ({"a": {"last_uid": 2**32}}, "state.a.last_uid: expected a whole number"),
        ({"a": {"last_uid": True}}, "state.a.last_uid: expected a whole number"),
        ({"a": {"last_uid": 7.5}}, "state.a.last_uid: expected a whole number"),
        ({"a": {"folders": {"X": {"last_uid": 7, "seen": 1}}}}, "state.a.folders['X'].seen: not understood"),
        ({"a": {"folders": {"X": [7]}}}, "state.a.folders['X']: expected a whole number"),
        ({"a": {"last_uid": 7, "folders": {"INBOX": 8}}}, "state.a: expected the cursor of INBOX once"),
        ({"a": {"last_uid": 7, "pending": 5}}, "state.a.pending: expected a list"),
        ({"a": {"last_received": "soon"}}, "state.a.last_received: expected a time"),
        ({"a": {"last_received": POLL, "last_uid": 7}}, "state.a.last_uid: not understood"),
        ({"a": {"last_received": POLL, "folders": {"X": 7}}}, "state.a.folders['X']: expected an object"),
    ],
)
def test_not_understood(legacy: dict[str, Any], words: str) -> None:
    """The error names the place and what was expected there."""
    with pytest.raises(StateError) as caught:
        singer_state(legacy, {})
    assert words in str(caught.value)


def test_configuration_decides(tmp_path: Path) -> None:
    """An account that was polled and has no cursor yet goes where the configuration says."""
    assert imap(a={"folders": {}, "last_poll": POLL}) == singer_state(
        {"a": {"last_poll": POLL}}, {"a": "imap"}
    )
    expected = graph(a={"folders": {}, "last_poll": POLL})
    assert expected == singer_state({"a": {"last_poll": POLL}}, {"a": "graph"})
    with pytest.raises(StateError, match="cursors are of protocol imap, the configuration says graph"):
        singer_state({"a": {"last_uid": 7}}, {"a": "graph"})
    with pytest.raises(StateError, match="the configuration says files"):
        singer_state({"a": {"last_poll": POLL}}, {"a": "files"})


SCALAR = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
KEYS = st.sampled_from(
    [
        "folders",
        "last_uid",
        "uidvalidity",
        "last_received",
        "last_poll",
        "pending",
        "delta_link",
        "INBOX",
        "x",
    ]
)
TREE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "accounts"]), TREE, max_size=3))
def test_any_tree(legacy: dict[str, Any]) -> None:
    """Whatever it holds: an error that names a place, or a state the tap takes with every UID still in it."""
    try:
        found = singer_state(legacy, {})
    except StateError as error:
        assert str(error).startswith("state.")  # noqa: PT017  # either outcome is right
    else:
        check_state(found)
        assert sorted(uids(legacy)) == sorted(uids(found))


def uids(node: Any, key: str = "") -> list[int]:
    """Return every value of a last_uid, and every plain number of a folder, in a state of either kind."""
    if isinstance(node, dict):
        return [
            uid
            for name, each in node.items()
            for uid in uids(each, "last_uid" if key == "folders" and not isinstance(each, dict) else name)
        ]
    return [int(node)] if key == "last_uid" and node is not None else []


# --- the command --------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No project here or above."""
    monkeypatch.chdir(tmp_path)


def test_wrapper_for_meltano(tmp_path: Path) -> None:
    """On stdout stands what `meltano state set` takes; without a configuration, that is said."""
    (tmp_path / "state.json").write_text(json.dumps({"a": {"last_uid": 7}}))
    result = mailbox("import-state", tmp_path / "state.json")
    assert (0, {"singer_state": imap(a=INBOX)}) == (result.exit_code, json.loads(result.stdout))
    assert "No configuration found" in result.stderr


def test_unknown_names(tmp_path: Path) -> None:
    """A name that the configuration lacks is kept with a warning; one that `only` leaves out is known."""
    accounts = [
        {
            "name": name,
            "protocol": "imap",
            "host": "h",
            "email": "ann@example.org",
            "auth": [{"method": "password", "password": "fake-secret"}],
        }
        for name in ("a", "b")
    ]
    config = write_config(tmp_path / "config.json", *accounts, only=["b"])
    legacy = json.dumps({"a": {"last_uid": 7}, "c": {"last_uid": 8}})
    result = mailbox("import-state", "-", "--config", config, stdin=legacy)
    found = json.loads(result.stdout)["singer_state"]["bookmarks"]["imap_messages"]["accounts"]
    assert {"a", "c"} == found.keys()
    assert ("no account 'c'" in result.stderr, "'a'" in result.stderr) == (True, False)


def test_a_singer_state_passes_through(tmp_path: Path) -> None:
    """Every key of it, and what Meltano wraps around it once."""
    state = {"bookmarks": {**imap(a=INBOX)["bookmarks"], "_hashfs": {"archive_id": "x"}}, "other": 1}
    state["bookmarks"]["foreign"] = [1]
    config = write_config(tmp_path / "c.json", {"name": "a", "protocol": "files", "path": "."})
    for given_state in (state, {"singer_state": state}):
        result = mailbox("import-state", "-", "--config", config, stdin=json.dumps(given_state))
        assert {"singer_state": state} == json.loads(result.stdout)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "must hold an object"),
        ('{"a": 7}', "state.a"),
        ('{"bookmarks": 7}', "bookmarks"),
    ],
)
def test_exit_code(text: str, words: str) -> None:
    """What cannot be used is exit 1, and nothing on stdout."""
    result = mailbox("import-state", "-", stdin=text)
    assert (1, "", True) == (result.exit_code, result.stdout, words in result.stderr)
