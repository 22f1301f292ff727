"""Completes the commits that died half-way, so that nothing they linked stays without its journal line.

What a dead commit left, and what becomes of it:

    .json linked                       the message is archived: `recovered` line
    .eml linked, .json not             the .json is linked from its temporary: `recovered` line
    nothing linked                     the temporaries are removed; no STATE covers it, so it comes again
    moved away, journal silent         `quarantined` line
    lines in the journal               done already
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from target_hashfs.address import JOURNALS, STATE_TEMPORARY, is_temporary, split
from target_hashfs.intent import SUFFIX, Intent, IntentFile, Torn, Writing
from target_hashfs.journal import Journal
from target_hashfs.store import Kind
from target_hashfs.tree import message_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from target_hashfs.store import Store


def recover(store: Store, run: str, clock: Callable[[], datetime]) -> int:
    """Complete what dead runs left, under the archive's lock; return how many messages got their line."""
    recovered = 0
    store.remove(STATE_TEMPORARY)
    for name in store.names(JOURNALS):
        if not name.endswith(SUFFIX):
            continue
        journal = name.removesuffix(SUFFIX)
        file = IntentFile(store, journal)
        try:
            intent = file.read()
        except Torn:
            _sweep(store)
        else:
            if intent is None:
                continue
            recovered += _complete(store, Journal(store, journal, run, clock), intent)
        file.clear()
    return recovered


def _complete(store: Store, journal: Journal, intent: Intent) -> int:
    try:
        written = journal.read_from(intent.position)
        done = {entry.get("path") for entry in written}
        lines = [move for move in intent.moves if move["path"] not in done and store.exists(move["path"])]
        survivors = [writing for writing in intent.writings if _publish(store, writing)]
        for writing in intent.writings:
            for temporary in writing.temporaries:
                store.remove(temporary)
        # Whoever died may have died before these.
        for writing in survivors:
            store.fsync_file(writing.path)
        touched = {writing.path for writing in intent.writings}
        touched |= {path for move in intent.moves for path in (move["path"], move["was"])}
        store.fsync_directories({split(path)[0] for path in touched if store.exists(split(path)[0])})
        missing = [writing for writing in survivors if writing.path not in done]
        lines += [writing.entry | {"event": "recovered"} for writing in missing]
        if lines:
            journal.append(lines)
        return len(missing)
    finally:
        journal.close()


def _publish(store: Store, writing: Writing) -> bool:
    """Return whether the message is in the tree, linking its .json if its .eml is there already."""
    if _holds(store, writing.path, writing.entry["file_sha256"]):
        return True
    if (
        writing.eml_temporary is not None
        and _holds(store, writing.eml_path, writing.entry["eml_sha256"])
        and _holds(store, writing.json_temporary, writing.entry["file_sha256"])
        and not store.exists(writing.path)
    ):
        store.fsync_file(writing.json_temporary)
        store.publish(writing.json_temporary, writing.path)
        return True
    return False


def _holds(store: Store, path: str, digest: str) -> bool:
    found = store.look(path)
    return found is not None and found.kind is Kind.FILE and sha256(found.content).hexdigest() == digest


def _sweep(store: Store) -> None:
    for path in message_files(store):
        if is_temporary(split(path)[1]):
            store.remove(path)
