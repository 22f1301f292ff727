"""A mailbox of Microsoft Graph: its folders, from where their bookmarks stand, four requests at a time.

sign in, folder tree → a round of delta for each folder → now and then a listing of each → bookmark after each
"""

from __future__ import annotations

import logging
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_mailbox.errors import AccountError
from tap_mailbox.message import Checkpoint
from tap_mailbox.sources.base import Report, Source
from tap_mailbox.sources.graph.messages import Wanted
from tap_mailbox.sources.graph.moments import moment
from tap_mailbox.sources.graph.pace import CONCURRENCY
from tap_mailbox.sources.graph.reconcile import FolderListing
from tap_mailbox.sources.graph.rounds import DeltaRound
from tap_mailbox.sources.graph.sign_in import MailboxRefused, sign_in
from tap_mailbox.sources.graph.tree import folder_tree
from tap_mailbox.sources.graph.work import Mailbox
from tap_mailbox.sources.graph.workers import Workers
from tap_mailbox.sources.selection import selected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_mailbox.config import Account
    from tap_mailbox.message import JsonMessage, RawMessage
    from tap_mailbox.sources.graph.application import Application
    from tap_mailbox.sources.graph.folders import Folder
    from tap_mailbox.sources.graph.sign_in import SignedIn
    from tap_mailbox.sources.graph.work import FolderWork
    from tap_mailbox.stop import Stop

logger = logging.getLogger(__name__)

FOLDERS_AT_ONCE = 4


class GraphSource(Source):
    """The messages of one mailbox. See `Source`."""

    def __init__(
        self,
        account: Account,
        *,
        bookmark: dict[str, Any],
        start_date: datetime | None,
        stop: Stop,
        application: Application,
    ) -> None:
        self.report = Report()
        self._account, self._start_date, self._stop = account, start_date, stop
        self._application = application
        self._bookmark = bookmark
        if not isinstance(bookmark.get("folders"), dict):
            bookmark["folders"] = {}

    def messages(self) -> Iterator[RawMessage | JsonMessage | Checkpoint]:
        """Yield the messages the bookmark does not cover yet. See `Source.messages`."""
        workers = Workers(CONCURRENCY, name=f"graph-{self._account.name}")
        signed_in: SignedIn | None = None
        try:
            signed_in = self._sign_in(workers)
            if signed_in is not None:
                yield from self._read(workers, signed_in)
        finally:
            if signed_in is not None:
                signed_in.client.close()
            workers.close()

    def _sign_in(self, workers: Workers) -> SignedIn | None:
        """Return the open mailbox; None when it cannot be read and need not be.

        In a thread, so that a signal need not wait for a name server or a silent service.
        """
        workers.submit(lambda: sign_in(self._account, self._application, wait=self._stop.wait), _result)
        try:
            signed_in: SignedIn = workers.next(self._stop.check)
        except AccountError as error:
            optional = self._account.graph is not None and self._account.graph.optional
            if not optional or not isinstance(error, MailboxRefused):
                raise
            self._warn(f"{error}; passed over, since nobody listed it by name")
            return None
        self.report.credential = signed_in.method.method
        for reason in signed_in.fallbacks:
            self._warn(f"sign-in method fell back: {reason}")
        return signed_in

    def _read(self, workers: Workers, signed_in: SignedIn) -> Iterator[RawMessage | JsonMessage | Checkpoint]:
        folders = folder_tree(signed_in.client, workers, self._stop.check)
        chosen, idle = selected(folders, include=self._account.include, exclude=self._account.exclude)
        self._tell(folders, chosen, idle)
        mailbox = Mailbox(
            account=self._account.name,
            client=signed_in.client,
            workers=workers,
            wanted=Wanted(
                {folder.id: folder for folder in chosen},
                frozenset(folder.id for folder in folders),
                self._start_date,
            ),
            bookmarks=self._bookmark["folders"],
            floor=moment(self._bookmark.get("last_received")),
            report=self.report,
        )
        rounds = [DeltaRound(mailbox, folder) for folder in chosen]
        yield from self._work(workers, rounds)
        listings: list[FolderWork] = [each.fallback for each in rounds if each.fallback is not None]
        due = self._reconcile_due()
        if due:
            # A folder that failed, vanished or is to be listed anyway has no need of it.
            whole = (each for each in rounds if not each.failed and each.fallback is None)
            listings += [FolderListing(mailbox, each.folder) for each in whole]
        yield from self._work(workers, listings)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if due and not any(each.failed for each in listings):
            self._bookmark["last_reconcile"] = now
        self.report.folders = sum(not (each.fallback or each).failed for each in rounds)
        self._bookmark["last_poll"] = now

    def _work(
        self, workers: Workers, works: Iterable[FolderWork]
    ) -> Iterator[RawMessage | JsonMessage | Checkpoint]:
        """Bring the work on some folders to its end, a few of them at once."""
        waiting = deque(works)
        active: list[FolderWork] = []
        while waiting or active or workers.outstanding:
            while waiting and len(active) < FOLDERS_AT_ONCE:
                active.append(waiting.popleft())
                active[-1].start()
            for each in active:
                each.feed()
            done = [each for each in active if each.finished]
            active = [each for each in active if not each.finished]
            for each in done:
                yield Checkpoint(each.folder.name)
            if workers.outstanding:
                yield from workers.next(self._stop.check)

    def _reconcile_due(self) -> bool:
        days = self._account.graph.reconcile_days if self._account.graph else None
        last = moment(self._bookmark.get("last_reconcile"))
        if days is None or last is None:
            return days is not None
        now = datetime.now(UTC)
        return last > now or now - last >= timedelta(days=days)

    def _tell(self, folders: list[Folder], chosen: list[Folder], idle: list[str]) -> None:
        if not chosen:
            self._warn("folders.include and folders.exclude select no folder; nothing is read")
        for pattern in idle:
            self._warn(f"folders.include {pattern!r} matches no folder")
        for identity in self._bookmark["folders"].keys() - {folder.id for folder in folders}:
            entry = self._bookmark["folders"][identity]
            name = entry.get("name") if isinstance(entry, dict) else None
            self._warn(f"folder {name or identity!r} is gone from the server; its bookmark is kept")

    def _warn(self, text: str) -> None:
        logger.warning("account %s: %s", self._account.name, text)
        self.report.warnings.append(text)


def _result(outcome: SignedIn | BaseException) -> SignedIn:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
