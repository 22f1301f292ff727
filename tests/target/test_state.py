"""Which archive a run may write to: the rules of DESIGN.md section 6 on states, ids and missing disks."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from target_hashfs.state import checked, progress, with_archive_id
from tests.target.contents import everything, tree
from tests.target.lines import Json, record_line, schema_line, state_line, stream_of, uid
from tests.target.running import archive_here, archive_watched

OURS = {"archive_id": "11111111-2222-3333-4444-555555555555"}
NEW = [schema_line(), record_line(1), state_line(1)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def state(**bookmarks: Any) -> Json:
    return {"type": "STATE", "value": {"bookmarks": bookmarks}}


def of_accounts(**account: Any) -> Json:
    return {"accounts": {"gmail": account}}


MADE_PROGRESS = {
    "last_uid": of_accounts(folders={"INBOX": {"uidvalidity": 7, "last_uid": 1}}),
    "delta_link": of_accounts(folders={"AAMk": {"delta_link": "https://x"}}),
    "last_received": of_accounts(last_received="2026-06-05T10:30:45Z"),
    "paths": of_accounts(paths={"2019/inbox": {"count": 3}}),
}
NO_PROGRESS = {
    "nothing": {},
    "zero": of_accounts(folders={"INBOX": {"uidvalidity": 7, "last_uid": 0}}),
    "null": of_accounts(last_received=None, folders={"A": {"delta_link": None}}, paths={}),
    "poll": of_accounts(last_poll="2026-06-05T10:30:45Z"),
}


@pytest.mark.parametrize("name", MADE_PROGRESS)
def test_progress_without_archive_is_a_missing_disk(path: Path, name: str) -> None:
    """Refused with a message that says what to do; nothing is written, not even the directory."""
    for config in ({}, {"dry_run": True}):
        result = archive_here(path, [state(imap_messages=MADE_PROGRESS[name]), *NEW], **config)
        assert (1, []) == (result.code, result.states)
        assert all(text in result.log for text in (str(path), "Mount", "allow_new_archive", name))
        assert not path.exists()


@pytest.mark.parametrize("name", NO_PROGRESS)
def test_no_progress_starts_an_archive(path: Path, name: str) -> None:
    """A state that archived nothing says nothing about a disk."""
    assert 0 == archive_here(path, [state(imap_messages=NO_PROGRESS[name]), *NEW]).code


def test_state_of_an_archive_without_archive_is_a_missing_disk(path: Path) -> None:
    """Whatever the bookmarks say."""
    result = archive_here(path, [state(_hashfs=OURS), *NEW])
    assert 1 == result.code
    assert OURS["archive_id"] in result.log
    assert not path.exists()


def test_only_a_state_before_the_schema_is_incoming(path: Path) -> None:
    """What the tap has archived in this run does not count as a former run."""
    assert 0 == archive_here(path, [schema_line(), record_line(5), state_line(5)]).code


def test_state_without_schema_is_incoming_too(path: Path) -> None:
    """A tap with nothing to read does not hide the missing disk."""
    assert 1 == archive_here(path, [state_line(5)]).code
    assert not path.exists()


def test_empty_directory_under_the_path_is_a_missing_disk(path: Path) -> None:
    """The mount point of a disk that is not mounted."""
    path.mkdir()
    assert 1 == archive_here(path, [state_line(5), *NEW]).code
    assert {} == everything(path)


def test_empty_marker_is_no_marker(path: Path) -> None:
    """Its writer died before a word of it was written."""
    path.mkdir()
    (path / "hashfs.json").touch()
    assert 1 == archive_here(path, [state_line(5), *NEW]).code
    assert 0 == archive_here(path, NEW).code
    assert "hashfs" == json.loads((path / "hashfs.json").read_text())["format"]


def test_another_archive_is_allowed(path: Path) -> None:
    """allow_new_archive starts one; the tap may repeat the old id until it has seen the new one."""
    lines = [state_line(5, _hashfs=OURS), schema_line(), record_line(6), state_line(6, _hashfs=OURS)]
    result = archive_here(path, lines, allow_new_archive=True)
    assert 0 == result.code
    identity = json.loads((path / "hashfs.json").read_text())["archive_id"]
    assert {"archive_id": identity} == result.states[-1]["bookmarks"]["_hashfs"]
    assert OURS["archive_id"] != identity
    # A crash before the state was stored: the next run brings the old id once more.
    assert 0 == archive_here(path, lines, allow_new_archive=True).code
    assert 1 == archive_here(path, lines).code


@pytest.mark.parametrize("before", [True, False], ids=["incoming", "under way"])
def test_state_of_another_archive_is_refused(path: Path, before: bool) -> None:
    """Also when it comes later than the first SCHEMA."""
    archive_here(path, NEW)
    files = everything(path)
    lines = [state(_hashfs=OURS), schema_line()] if before else [schema_line(), state(_hashfs=OURS)]
    for allow in (False, True):
        result = archive_here(path, [*lines, record_line(2), state_line(2)], allow_new_archive=allow)
        assert (1, []) == (result.code, result.states)
        assert OURS["archive_id"] in result.log
        assert files == everything(path)


def test_state_of_this_archive_is_accepted(path: Path) -> None:
    """What left comes back, with keys of others intact."""
    left = archive_here(path, NEW).states[-1]
    left["bookmarks"]["_hashfs"]["more"] = 1
    left["bookmarks"]["other"] = {"x": [1, None]}
    result = archive_here(
        path, [{"type": "STATE", "value": left}, schema_line(), {"type": "STATE", "value": left}]
    )
    assert [left] == result.states


def test_archive_id_of_the_configuration(path: Path) -> None:
    """Only the archive with that id is written to; a missing one is a missing disk."""
    wanted = OURS["archive_id"]
    result = archive_here(path, NEW, archive_id=wanted)
    assert 1 == result.code
    assert not path.exists()
    assert 0 == archive_here(path, NEW, archive_id=wanted, allow_new_archive=True).code
    assert wanted == json.loads((path / "hashfs.json").read_text())["archive_id"]
    assert 0 == archive_here(path, NEW, archive_id=wanted).code
    other = archive_here(path, NEW, archive_id="x")
    assert (1, []) == (other.code, other.states)
    assert wanted in other.log


def legacy(path: Path, content: str = '{"message_id": "<old@x>"}') -> None:
    file = path / "gmail/2019/02/0123456789abcdef.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)


def test_legacy_tree_is_adopted(path: Path) -> None:
    """Progress without _hashfs over messages of the system before: the archive is this one."""
    legacy(path)
    before = tree(path)
    result = archive_here(path, [state_line(5), *NEW])
    assert 0 == result.code
    assert before.items() < tree(path).items()
    assert 1 == uid(result.states[-1])


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"message_id": 5}'])
def test_tree_without_messages_is_not_adopted(path: Path, content: str) -> None:
    """Some other directory with JSON in it is no archive."""
    legacy(path, content)
    before = everything(path)
    assert 1 == archive_here(path, [state_line(5), *NEW]).code
    assert before == everything(path)


def test_legacy_tree_with_a_state_of_an_archive_is_refused(path: Path) -> None:
    """The state knows an archive with an id; this is not it."""
    legacy(path)
    assert 1 == archive_here(path, [state(_hashfs=OURS), *NEW]).code


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"format": "x"}', '{"format": "hashfs", "version": 2, "archive_id": "x"}', "\xff"]
)
def test_damaged_marker(path: Path, content: str) -> None:
    """It is never replaced by a guess."""
    path.mkdir()
    (path / "hashfs.json").write_text(content)
    result = archive_here(path, NEW)
    assert 1 == result.code
    assert "hashfs.json" in result.log
    assert {"hashfs.json"} == set(everything(path))


def test_marker_that_is_a_link(path: Path, tmp_path: Path) -> None:
    """It is not followed."""
    path.mkdir()
    (tmp_path / "elsewhere").write_text("")
    (path / "hashfs.json").symlink_to(tmp_path / "elsewhere")
    assert 1 == archive_here(path, NEW).code
    assert "" == (tmp_path / "elsewhere").read_text()


@pytest.mark.parametrize("value", [None, [], "x", {"bookmarks": []}, {"bookmarks": {"_hashfs": "x"}}])
def test_what_is_no_state(path: Path, value: Any) -> None:
    """Refused, instead of emitted."""
    result = archive_here(path, [schema_line(), {"type": "STATE", "value": value}])
    assert (1, []) == (result.code, result.states)


@pytest.mark.parametrize("value", [{}, {"bookmarks": None}, {"bookmarks": {}}, {"x": 1}])
def test_states_without_bookmarks(path: Path, value: Json) -> None:
    """Foreign taps have states of their own; they get the id and keep the rest."""
    result = archive_here(path, [schema_line(), {"type": "STATE", "value": value}])
    assert [value | {"bookmarks": result.states[0]["bookmarks"]}] == result.states
    assert {"_hashfs"} == set(result.states[0]["bookmarks"])


def test_lone_surrogates_in_a_state(path: Path) -> None:
    """A foreign tap's state comes out as it came in; a file cannot hold all of it."""
    result = archive_here(path, [schema_line(), '{"type":"STATE","value":{"x":"\\udce9é"}}\n'])
    assert "\udce9é" == result.states[0]["x"]
    assert "?é" == json.loads((path / "_state/state.json").read_bytes())["x"]


def test_progress_is_found_anywhere() -> None:
    """Below any stream but our own key."""
    assert progress({"bookmarks": {"s": {"a": {"b": {"last_uid": 1}}}}}) == "s/a/b/last_uid"
    assert progress({"bookmarks": {"_hashfs": {"last_uid": 1}}}) is None
    assert progress({"last_uid": 1}) is None


def test_inputs_are_not_changed() -> None:
    """The id is added to a copy."""
    value = checked({"bookmarks": {"s": {}}})
    with_archive_id(value, "x")
    assert {"bookmarks": {"s": {}}} == value


def test_disk_that_vanishes_during_the_run(tmp_path: Path) -> None:
    """The path leads elsewhere at the next commit: no state, and nothing on what is there now."""
    path = tmp_path / "archive"

    def vanish() -> Any:
        yield from (schema_line(), record_line(1), state_line(1))
        path.rename(tmp_path / "unmounted")
        path.mkdir()
        yield record_line(2)
        yield state_line(2)

    result = archive_here(path, vanish(), commit_seconds=0)
    assert (1, [1]) == (result.code, [uid(each) for each in result.states][-1:])
    assert {} == everything(path)
    assert 2 == len(tree(tmp_path / "unmounted"))
    assert "Mount" in result.log


@pytest.mark.parametrize("what", ["root", "marker", "id"])
def test_disk_that_vanishes_during_a_commit(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The second look, before the state leaves."""
    real = os.link

    def vanish(*args: Any, **options: Any) -> None:
        real(*args, **options)
        match what:
            case "root" if not (tmp_path / "unmounted").exists():
                path.rename(tmp_path / "unmounted")
                shutil.copytree(tmp_path / "unmounted", path)
            case "marker":
                (path / "hashfs.json").unlink(missing_ok=True)
            case "id":
                (path / "hashfs.json").write_text(
                    json.dumps({"format": "hashfs", "version": 1, "archive_id": "x"})
                )

    monkeypatch.setattr(os, "link", vanish)
    result = archive_here(path, NEW)
    assert (1, []) == (result.code, result.states)
    assert "Mount" in result.log


@pytest.mark.parametrize("state_every", [1, 2])
def test_states_never_run_ahead(path: Path, state_every: int) -> None:
    """At every state that leaves, the files it covers are in the tree."""
    for state_, files in archive_watched(path, stream_of(9, state_every=state_every), commit_messages=2):
        assert 2 * uid(state_) <= files
