"""What an IMAP account holds at this moment, by UID, and under which hash a message would be archived."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tap_mailbox.errors import AccountError
from tap_mailbox.message import RawMessage, Seen
from tap_mailbox.mime import Defect, parse_message
from tap_mailbox.record import build_record
from tap_mailbox.sources.imap import commands, search
from tap_mailbox.sources.imap.folders import list_folders
from tap_mailbox.sources.imap.plan import WINDOW_MESSAGES, windows
from tap_mailbox.sources.imap.replies import Refused
from tap_mailbox.sources.imap.session import Session
from tap_mailbox.sources.selection import selected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from imapclient import IMAPClient

    from tap_mailbox.config import Account
    from tap_mailbox.sources.imap.commands import Envelope

_HEADERS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderCount:
    """One folder."""

    name: str
    selected: bool
    """Whether include and exclude leave it to be read."""
    uidvalidity: int
    uids: Sequence[int]
    """Ascending."""


class Census:
    """An open account, folder after folder."""

    def __init__(self, client: IMAPClient, account: Account, limits: Mapping[str, int]) -> None:
        self._client, self._account, self._limits = client, account, limits

    def folders(self) -> Iterator[FolderCount]:
        """Yield every folder, opened read-only; the other methods speak of the last one.

        Raises:
            AccountError: a folder cannot be opened, or not all of it is named: nothing is proven then.
        """
        folders = list_folders(self._client)
        chosen, _ = selected(folders, include=self._account.include, exclude=self._account.exclude)
        names = {folder.name for folder in chosen}
        for folder in folders:
            examined = commands.examine(self._client, folder)
            try:
                uids = search.all_uids(self._client, folder, examined)
            except Refused as error:
                raise AccountError(f"folder {folder.name!r}: {error}") from None
            yield FolderCount(
                name=folder.name,
                selected=folder.name in names,
                uidvalidity=examined.uidvalidity,
                uids=uids,
            )

    def hashes(self, uids: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Yield UID and message hash of messages of the folder that was opened last; of those still there."""
        for start in range(0, len(uids), _HEADERS_AT_ONCE):
            some = uids[start : start + _HEADERS_AT_ONCE]
            without = []
            for uid, header in commands.fetch_message_ids(self._client, some).items():
                parsed = parse_message(header)
                if Defect.MISSING_MESSAGE_ID in parsed.defects:
                    without.append(uid)
                else:
                    yield uid, _hash(parsed.message_id)
            # The id of a message without one is made of the whole of it.
            for envelope, octets in self._messages(without):
                yield envelope.uid, _hash(parse_message(octets).message_id)

    def contents(self, uids: Sequence[int]) -> Iterator[tuple[int, str]]:
        """Yield UID and content hash likewise; of those the server gives."""
        for envelope, octets in self._messages(uids):
            record = build_record(
                RawMessage(octets, Seen(protocol="imap", internal_date=envelope.internal_date)),
                account=self._account.name,
                email=self._account.email,
                with_raw=False,
                fetched_at=datetime.now(UTC),
                limits=self._limits,
            )
            yield envelope.uid, record["content_hash"]

    def received_before(self, uids: Sequence[int], moment: datetime) -> set[int]:
        """Return those of *uids* whose INTERNALDATE is before *moment*."""
        return {
            envelope.uid
            for envelope in self._envelopes(uids)
            if envelope.internal_date is not None and envelope.internal_date < moment
        }

    def _messages(self, uids: Sequence[int]) -> Iterator[tuple[Envelope, bytes]]:
        for window in windows(self._envelopes(uids), messages=WINDOW_MESSAGES):
            tag = commands.ask_for_bodies(self._client, [each.uid for each in window])
            bodies = commands.bodies_that_come(self._client, tag)
            yield from ((each, bodies[each.uid]) for each in window if each.uid in bodies)

    def _envelopes(self, uids: Sequence[int]) -> list[Envelope]:
        return [
            envelope
            for start in range(0, len(uids), _HEADERS_AT_ONCE)
            for envelope in commands.fetch_envelopes(
                self._client, uids[start : start + _HEADERS_AT_ONCE]
            ).values()
        ]


@contextmanager
def census(account: Account, *, limits: Mapping[str, int], wait: Callable[[float], None]) -> Iterator[Census]:
    """Sign in, and give the account for counting. *limits* are those of `build_record`.

    Raises:
        AccountError: there is no way in.
    """
    session = Session(account, wait=wait)
    try:
        yield Census(session.client(), account, limits)
    finally:
        session.close()


def _hash(message_id: str) -> str:
    return hashlib.sha256(message_id.encode()).hexdigest()[:16]
