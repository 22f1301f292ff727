"""Completes the commits that died half-way, so that nothing they linked stays without its journal line.

What a dead commit left, and what becomes of it:

    .json linked                       the message is archived: `recovered` line
    .eml linked, .json not             the .json is linked from its temporary: `recovered` line
    .json linked, .eml not             likewise; without its temporary the .json goes, the message comes again
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
        survivors = [
            writing for writing in intent.writings if _publish(store, writing, journaled=writing.path in done)
        ]
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


def _publish(store: Store, writing: Writing, *, journaled: bool) -> bool:
    """Return whether the message is in the tree, giving its files the names that are missing.

    A power cut may keep the later name and lose the earlier one, where a file system does not order them.
    """
    entry, temporary = writing.entry, writing.eml_temporary
    published = _holds(store, writing.path, entry["file_sha256"])
    if temporary is not None and not _holds(store, writing.eml_path, entry["eml_sha256"]):
        if not published or journaled:
            return published
        if not _holds(store, temporary, entry["eml_sha256"]) or store.exists(writing.eml_path):
            # Nobody was told of the .json: without it the message comes again, whole.
            store.remove(writing.path)
            return False
        store.fsync_file(temporary)
        store.publish(temporary, writing.eml_path)
        return True
    if (
        not published
        and temporary is not None
        and _holds(store, writing.json_temporary, entry["file_sha256"])
        and not store.exists(writing.path)
    ):
        store.fsync_file(writing.json_temporary)
        store.publish(writing.json_temporary, writing.path)
        return True
    return published


def _holds(store: Store, path: str, digest: str) -> bool:
    found = store.look(path)
    return found is not None and found.kind is Kind.FILE and sha256(found.content).hexdigest() == digest


def _sweep(store: Store) -> None:
    for path in message_files(store):
        if is_temporary(split(path)[1]):
            store.remove(path)
