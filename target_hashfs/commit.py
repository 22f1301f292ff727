"""The commit protocol: from messages in memory to files, directories and journal lines on the disk.

    root check → intent → temporaries → sync → link → unlink temporaries → sync of directories
    → journal → root check → state.json → intent cleared

A crash between any two steps loses nothing that was acknowledged and leaves nothing that the next start does
not find (recovery.py). Any error is final: nothing here is tried twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_hashfs import sync
from target_hashfs.address import STATE_FILE, STATE_TEMPORARY, STATES, split
from target_hashfs.encoding import encode_any
from target_hashfs.intent import Intent, IntentFile
from target_hashfs.journal import Journal
from target_hashfs.plan import Planner
from target_hashfs.recovery import recover
from target_hashfs.store import explained

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from target_hashfs.canonical import Message
    from target_hashfs.config import Config
    from target_hashfs.plan import Plan
    from target_hashfs.root import Root
    from target_hashfs.state import State


class Commit:
    """One commit, made while the archive's lock is held."""

    def __init__(self, root: Root, config: Config, run: str, clock: Callable[[], datetime]) -> None:
        self._root = root
        self._store = root.store
        self._config = config
        self._run = run
        self._clock = clock
        self.recovered = 0
        """Messages of another run, dead since our last commit, that got their journal line."""

    def run(self, batch: list[Message], state: State | None) -> Plan:
        """Make *batch* and *state* durable; on return the state may be acknowledged.

        Raises:
            StorageError, RootError, JournalError: nothing of it may be acknowledged.
            OSError: likewise.
        """
        self._root.check()
        self.recovered = recover(self._store, self._run, self._clock)
        plan = Planner(self._store.look, self._clock(), {}).plan(batch)
        self._root.require_free(plan.size, self._config.min_free_bytes)
        journal = Journal(self._store, self._config.journal, self._run, self._clock)
        try:
            journal.seek_end()
            intent = Intent.of(plan, journal.position, self._run)
            file = IntentFile(self._store, self._config.journal)
            lines = intent.lines()
            if lines:
                file.write(intent)
                self._write(plan, intent)
                self._publish(intent)
            self._sync_tree(plan)
            with explained(f"writing the journal {self._config.journal}"):
                journal.append([*lines, _commit_line(plan, len(batch), state)])
        finally:
            journal.close()
        self._root.check()
        if state is not None:
            self._keep(state)
        if lines:
            file.clear()
        return plan

    def _write(self, plan: Plan, intent: Intent) -> None:
        """Write all files under their temporary names and make their content durable."""
        contents = [
            (name, content)
            for new, writing in zip(plan.new, intent.writings, strict=True)
            for name, content in (
                (writing.eml_temporary, new.message.eml),
                (writing.json_temporary, new.message.document),
            )
            if name is not None and content is not None
        ]
        with explained("writing messages"):
            self._store.make_directories({split(name)[0] for name, _ in contents})
            at_once = self._at_once(len(contents))
            for name, content in contents:
                self._store.write(name, content, fsync=not at_once)
        if at_once:
            with explained("syncing the archive's file system"):
                self._store.syncfs()

    def _at_once(self, files: int) -> bool:
        """Whether *files* are synced by one flush of the file system."""
        durability = self._config.durability
        if durability == "fsync" or not self._store.one_device or not sync.syncfs_works(self._store.root):
            return False
        return durability == "syncfs" or files >= sync.SYNCFS_FILES

    def _publish(self, intent: Intent) -> None:
        """Clear the way and give the files their names."""
        with explained("moving files to the quarantine"):
            # Before the moves: a file must not hang in a directory whose own name a power cut takes.
            quarantine = {split(move["path"])[0] for move in intent.moves}
            self._store.make_directories(quarantine)
            self._store.fsync_directories(quarantine)
            for move in intent.moves:
                self._store.move(move["was"], move["path"])
        with explained("giving messages their names"):
            for writing in intent.writings:
                # The .json is the publication: whoever sees it finds the .eml.
                if writing.eml_temporary is not None:
                    self._store.publish(writing.eml_temporary, writing.eml_path)
                self._store.publish(writing.json_temporary, writing.path)
            for writing in intent.writings:
                for temporary in writing.temporaries:
                    self._store.remove(temporary)

    def _sync_tree(self, plan: Plan) -> None:
        """Make names durable, also those of duplicates: their writer may have died before this step."""
        moved = {path for move in plan.moves for path in (move["was"], move["path"])}
        with explained("syncing directories"):
            for path in sorted(plan.foreign):
                self._store.fsync_file(path)
            self._store.fsync_directories(plan.directories | {split(path)[0] for path in moved})

    def _keep(self, state: State) -> None:
        """Replace `_state/state.json`."""
        with explained(f"writing {STATE_FILE}"):
            self._store.write(STATE_TEMPORARY, encode_any(state), fsync=True)
            self._store.replace(STATE_TEMPORARY, STATE_FILE)
            self._store.fsync_directories({STATES})


def _commit_line(plan: Plan, messages: int, state: State | None) -> dict[str, Any]:
    return {
        "event": "commit",
        "messages": messages,
        "archived": len(plan.new),
        "variants": plan.variants,
        "duplicates": plan.duplicates,
        "quarantined": len(plan.moves),
        "bytes": plan.size,
        "state": state,
    }
