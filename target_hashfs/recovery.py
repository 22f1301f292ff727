"""Completes the commits that died half-way, so that nothing they linked stays without its journal line.

What a dead commit left, and what becomes of it:

    .json linked                       the message is archived: `recovered` line
    .eml linked, .json not             the .json is linked from its temporary: `recovered` line
    .json linked, .eml not             likewise; without its temporary the .json is removed (set aside, if it
                                       has a line), and the message comes again
    nothing linked                     the temporaries are removed; no STATE covers it, so it comes again
    moved away, journal silent         `quarantined` line
    lines in the journal               done already
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from target_hashfs.address import JOURNALS, STATE_TEMPORARY, quarantined, split
from target_hashfs.intent import SUFFIX, Intent, IntentFile, Torn, Writing
from target_hashfs.journal import Journal
from target_hashfs.store import Kind
from target_hashfs.tree import accounts, temporaries

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from target_hashfs.store import Store


_STALE_SECONDS = 24 * 60 * 60


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
            recovered += _complete(store, Journal(store, journal, run, clock), intent, clock)
        file.clear()
    return recovered


def sweep_stale(store: Store, account: str, now: datetime) -> None:
    """Remove temporary files of *account* older than a day: none speaks of them, no run writes them."""
    # A directory that we may not read is no reason to archive nothing in the others.
    with suppress(PermissionError):
        for path in temporaries(store, account):
            modified = store.modified(path)
            if modified is not None and now.timestamp() - modified > _STALE_SECONDS:
                store.remove(path)
    store.forget_directories()


def _complete(store: Store, journal: Journal, intent: Intent, clock: Callable[[], datetime]) -> int:
    try:
        written = journal.read_from(intent.position)
        done = {entry.get("path") for entry in written}
        lines = [move for move in intent.moves if move["path"] not in done and store.exists(move["path"])]
        survivors = []
        for writing in intent.writings:
            if _publish(store, writing):
                survivors.append(writing)
            elif _holds(store, writing.path, writing.entry["file_sha256"]):
                # The commit was never acknowledged: without the .json the message comes again, whole.
                if writing.path in done:
                    lines.append(_set_aside(store, writing.path, quarantined(writing.path, clock())))
                else:
                    store.remove(writing.path)
        for writing in intent.writings:
            for temporary in writing.temporaries:
                store.remove(temporary)
        # Whoever died may have died before these.
        for writing in survivors:
            store.fsync_file(writing.path)
        touched = {writing.path for writing in intent.writings}
        touched |= {line["path"] for line in lines}
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
    """Return whether the message is in the tree, whole, giving its files the names that are missing.

    A power cut may keep the later name and lose the earlier one, where a file system does not order them;
    after a failed sync the kernel may have dropped what was written.
    """
    entry, temporary = writing.entry, writing.eml_temporary
    published = _holds(store, writing.path, entry["file_sha256"])
    if temporary is not None and not _holds(store, writing.eml_path, entry["eml_sha256"]):
        if not published or store.exists(writing.eml_path):
            return False
        if not _holds(store, temporary, entry["eml_sha256"]):
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


def _set_aside(store: Store, path: str, to: str) -> dict[str, Any]:
    """Move a file whose journal line is written into the quarantine; return the line that says so."""
    found = store.look(path)
    content = found.content if found else b""
    store.make_directories({split(to)[0]})
    store.fsync_directories({split(to)[0]})
    store.move(path, to)
    digest = sha256(content).hexdigest()
    return {"event": "quarantined", "path": to, "was": path, "file_sha256": digest, "size": len(content)}


def _holds(store: Store, path: str, digest: str) -> bool:
    found = store.look(path, from_disk=True)
    return found is not None and found.kind is Kind.FILE and sha256(found.content).hexdigest() == digest


def _sweep(store: Store) -> None:
    for account in accounts(store):
        for path in temporaries(store, account):
            store.remove(path)
