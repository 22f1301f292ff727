"""Takes what comes, decides when it is committed, and lets a STATE go once its commit is durable."""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_hashfs import state as states
from target_hashfs.commit import Commit
from target_hashfs.intent import IntentFile
from target_hashfs.journal import now
from target_hashfs.plan import Planner
from target_hashfs.recovery import recover, sweep_stale
from target_hashfs.root import open_root
from target_hashfs.store import explained

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from target_hashfs.canonical import Message
    from target_hashfs.config import Config
    from target_hashfs.lease import Leases
    from target_hashfs.plan import Plan
    from target_hashfs.root import Root
    from target_hashfs.state import State

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Tally:
    """What a run did."""

    messages: int = 0
    archived: int = 0
    """Variants included."""
    variants: int = 0
    duplicates: int = 0
    recovered: int = 0
    quarantined: int = 0
    bytes: int = 0
    commits: int = 0
    commit_seconds: float = 0.0
    disagreements: int = 0

    def add(self, plan: Plan, messages: int) -> None:
        """Count a commit."""
        self.messages += messages
        self.archived += len(plan.new)
        self.variants += plan.variants
        self.duplicates += plan.duplicates
        self.quarantined += len(plan.moves)
        self.bytes += plan.size
        self.commits += 1


class Archive:
    """Takes messages and states in the order of the input; *emit* gets a state once it is covered."""

    def __init__(
        self,
        config: Config,
        emit: Callable[[State], None],
        *,
        clock: Callable[[], datetime] = now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tally = Tally()
        self._config = config
        self._emit = emit
        self._clock = clock
        self._monotonic = monotonic
        self._run = uuid.uuid4().hex
        self._root: Root | None = None
        self._leases: Leases | None = None
        self._opened = False
        self._incoming: list[State] = []
        self._accounts: set[str] = set()
        """Those that messages have come of."""
        self._batch: list[Message] = []
        self._batch_bytes = 0
        self._state: State | None = None
        """The latest state received, until it has left."""
        self._oldest: float | None = None
        """When the oldest message or state that is not committed yet was received."""
        self._dry_known: dict[str, str] = {}

    # Receiving

    def open(self) -> None:
        """Open the archive, with the states received so far as what the run was started with."""
        if self._opened:
            return
        self._root = open_root(self._config, self._incoming)
        self._opened = True
        if self._root is not None and not self._config.dry_run:
            if self._config.lease:
                self._leases = self._root.leases(self._run)
                with explained("removing the locks of dead runs"), self._root.locked():
                    self._leases.sweep()
            with explained("recovering what a dead run left"), self._root.locked():
                self.tally.recovered += recover(self._root.store, self._run, self._clock)

    def add(self, message: Message) -> None:
        """Take *message* into the batch; it is not durable yet.

        Raises:
            LeaseError: another run archives the account.
        """
        if message.account not in self._accounts:
            self._begin(message.account)
        self._batch.append(message)
        self._batch_bytes += message.size
        self.tally.disagreements += message.disagreements
        self._received()

    def _begin(self, account: str) -> None:
        if self._leases is not None and self._root is not None:
            # Under the lock: who looks whether a lease is held holds it for a moment, and is no other run.
            with explained(f"locking account {account}"), self._root.locked():
                self._leases.take(account, self._clock())
        if self._root is not None and not self._config.dry_run:
            with explained(f"removing stale temporary files of account {account}"):
                sweep_stale(self._root.store, account, self._clock())
        self._accounts.add(account)

    def add_state(self, value: object) -> None:
        """Take a STATE; it leaves once everything before it is durable.

        Raises:
            StateError: it is no state, or another archive's.
        """
        state = states.checked(value)
        self._state = state
        if not self._opened:
            # Known to whoever started the run: no reason to hurry.
            self._incoming.append(state)
            return
        if self._root is not None:
            self._root.check_state(state)
        self._received()

    def _received(self) -> None:
        if self._oldest is None:
            self._oldest = self._monotonic()

    # Committing

    @property
    def deadline(self) -> float | None:
        """When the next commit is due at the latest, by the monotonic clock; None if nothing waits."""
        return None if self._oldest is None else self._oldest + self._config.commit_seconds

    def commit_if_due(self) -> None:
        """Commit when there is enough to write or something has waited long enough."""
        deadline = self.deadline
        if deadline is not None and (
            len(self._batch) >= self._config.commit_messages
            or self._batch_bytes >= self._config.commit_bytes
            or self._monotonic() >= deadline
        ):
            self.commit()

    def commit_received(self) -> None:
        """Commit what there is, if anything: the run ends before its input does."""
        if self._oldest is not None:
            self.commit()

    def finish(self) -> None:
        """Commit the rest. A run that archived nothing makes one commit all the same: it proves the disk."""
        if not self._opened and self._incoming:
            self.open()
        if not self._opened:
            return
        if self._batch or self._state is not None or self.tally.commits == 0:
            self.commit()

    def close(self) -> None:
        """Let go of the archive and clear up; only after the last commit."""
        if self._leases is not None:
            with explained("letting go of the accounts"):
                self._leases.release()
        if self._root is not None:
            if not self._config.dry_run:
                with explained("clearing up"), self._root.locked():
                    file = IntentFile(self._root.store, self._config.journal)
                    if self._root.store.look(file.path) is not None and file.read() is None:
                        file.remove()
            self._root.close()
            self._root = None

    def commit(self) -> None:
        """Make the batch durable, then let the latest state go.

        Raises:
            StorageError, RootError, JournalError: nothing of this commit is acknowledged.
        """
        batch, state = self._batch, self._state
        started = self._monotonic()
        if self._config.dry_run:
            self._plan_only(batch)
        elif self._root is not None:
            if state is not None:
                state = states.with_archive_id(state, self._root.archive_id)
            with explained(f"writing to the archive {self._config.path}"), self._root.locked():
                commit = Commit(self._root, self._config, self._run, self._clock)
                plan = commit.run(batch, state)
                self.tally.recovered += commit.recovered
                self.tally.add(plan, len(batch))
        self.tally.commit_seconds += self._monotonic() - started
        self._batch, self._batch_bytes, self._state, self._oldest = [], 0, None, None
        if state is not None and not self._config.dry_run:
            self._emit(state)

    def _plan_only(self, batch: list[Message]) -> None:
        store = self._root.store if self._root is not None else None
        with explained(f"reading the archive {self._config.path}"):
            look = store.look if store else lambda _path: None
            plan = Planner(look, self._clock(), self._dry_known).plan(batch)
        if store is not None:
            store.forget_directories()
        for new in plan.new:
            _logger.debug("dry run: %s would be written (%s)", new.path, new.event)
        for move in plan.moves:
            _logger.debug("dry run: %s would be quarantined", move["was"])
        self.tally.add(plan, len(batch))
