"""The archive's own files: hashfs.json, `_state`, `_journal` and `_lock`; to be read between two commits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from target_hashfs import state as states
from target_hashfs.address import JOURNALS, LOCKS, MARKER, STATE_FILE, STATE_TEMPORARY, STATES, is_account
from target_hashfs.errors import RootError, StateError, VersionError
from target_hashfs.intent import SUFFIX as INTENT
from target_hashfs.proof.chain import SUFFIX as JOURNAL
from target_hashfs.proof.files import check_mode, mode_of, unreadable
from target_hashfs.proof.finding import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_hashfs.marker import Marker
    from target_hashfs.proof.opened import Opened
    from target_hashfs.proof.walk import Walk


def check_marker(opened: Opened) -> tuple[Marker | None, list[Finding]]:
    """Return what hashfs.json says and what is wrong with it.

    Raises:
        VersionError: it is of a version this program does not know.
        RootError: there is none, and nothing else shows that this is an archive.
    """
    mode = mode_of(opened.store, MARKER)
    if isinstance(mode, Finding):
        return None, [mode]
    try:
        marker = opened.marker()
    except VersionError:
        raise
    except RootError:
        if mode is None:
            raise
        return None, [Finding(Code.MARKER, MARKER, "format, version and archive_id", "something else")]
    if mode is None:
        return None, [Finding(Code.MARKER, MARKER, "the mark of an archive", "nothing")]
    finding = check_mode(MARKER, mode)
    return marker, [finding] if finding else []


def check_bookkeeping(opened: Opened, walk: Walk, marker: Marker | None) -> Iterator[Finding]:
    """Yield what is wrong in the directories of the archive itself."""
    for directory in (JOURNALS, LOCKS, STATES):
        try:
            names = sorted(walk.names(directory))
        except FileNotFoundError:
            continue
        except OSError as error:
            yield unreadable(directory, error)
            continue
        for name in names:
            yield from _check_file(opened, f"{directory}/{name}", marker)


def _check_file(opened: Opened, path: str, marker: Marker | None) -> Iterator[Finding]:
    if path == STATE_TEMPORARY:
        yield Finding(Code.UNFINISHED, path, "no temporary file", "one")
        return
    mode = mode_of(opened.store, path)
    if isinstance(mode, Finding):
        yield mode
    elif mode is not None and not _is_known(path):
        yield Finding(Code.STRAY, path, "the archive's own files", "another file")
    elif mode is not None:
        if finding := check_mode(path, mode):
            yield finding
        if path == STATE_FILE:
            yield from _check_state(opened, marker)


def _is_known(path: str) -> bool:
    directory, _, name = path.partition("/")
    match directory:
        case _ if path == STATE_FILE:
            return True
        case "_journal":
            return name.endswith((JOURNAL, INTENT)) and not name.startswith(".")
        case "_lock":
            return name.endswith(".lock") and is_account(name.removesuffix(".lock"))
        case _:
            return False


def _check_state(opened: Opened, marker: Marker | None) -> Iterator[Finding]:
    found = opened.store.look(STATE_FILE)
    try:
        identity = states.archive_id(states.checked(json.loads(found.content if found else b"")))
    except (ValueError, RecursionError, StateError):
        yield Finding(Code.STATE, STATE_FILE, "a Singer state", "something else")
        return
    if marker is not None and identity != marker.archive_id:
        yield Finding(Code.STATE, STATE_FILE, f"archive_id {marker.archive_id}", f"{identity or 'none'}")
