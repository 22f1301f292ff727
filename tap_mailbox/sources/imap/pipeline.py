"""FETCHes of message octets, one of them under way while the one before it arrives (RFC 3501, section 5.5).

On a line of 50 ms a round trip for each window would cost a sixth of a full sync. A server may answer both at
once, message by message (Dovecot does when the line is slower than the disk): octets are told apart by UID.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tap_mailbox.sources.imap import commands
from tap_mailbox.sources.imap.replies import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imapclient import IMAPClient


class Pipeline:
    """What was asked for in the folder that `begin` names; at most one answer is ahead of its time."""

    def __init__(self) -> None:
        self.one_by_one = False
        """Nothing is asked for ahead: then it is the message asked for that is to blame for a break."""
        self._client: IMAPClient | None = None
        self._ahead: _Asked | None = None

    def begin(self, client: IMAPClient) -> None:
        """Forget what was asked for: the UIDs that follow are those of another folder, or connection.

        Raises:
            Unavailable: the connection broke.
        """
        if self._ahead is not None and self._ahead.client is client:
            self._receive(self._ahead)
        self._client, self._ahead = client, None

    @property
    def busy(self) -> bool:
        """Whether an answer is under way."""
        return self._ahead is not None and self._ahead.tag is not None

    def client(self) -> IMAPClient:
        """Return the connection with no answer under way, for any other command.

        Raises:
            Unavailable: the connection broke.
        """
        assert self._client is not None  # noqa: S101  # `begin` came first
        if self._ahead is not None:
            self._receive(self._ahead)
        return self._client

    def bodies(self, uids: Sequence[int], *, then: Sequence[int] = ()) -> dict[int, bytes]:
        """Return the octets by UID; *then* are asked for before these are here, to be called for next.

        Raises:
            Refused: the server gives none of them.
            Unavailable: the connection broke.
        """
        asked, early = self._ahead, True
        if asked is None or asked.uids != uids:
            asked, early = _Asked.of(self.client(), uids), False
        else:
            self._ahead = None
        if then and self._ahead is None and not self.one_by_one:
            self._ahead = _Asked.of(asked.client, then)
        self._receive(asked)
        if early and asked.refusal is not None:
            # Perhaps it was the haste that was refused: some take one command at a time.
            self.one_by_one = True
            asked = _Asked.of(self.client(), uids)
            self._receive(asked)
        if asked.refusal is not None:
            raise asked.refusal
        return asked.found

    def _receive(self, asked: _Asked) -> None:
        """Wait for the answer to *asked*, unless it is here."""
        if asked.tag is None:
            return
        tag, asked.tag = asked.tag, None
        try:
            came = commands.bodies_that_come(asked.client, tag)
        except Refused as error:
            asked.refusal = error
            return
        for each in (asked, self._ahead):
            if each is not None:
                each.found |= {uid: came[uid] for uid in each.uids if uid in came}


@dataclass(slots=True)
class _Asked:
    """A FETCH that was sent."""

    client: IMAPClient
    uids: Sequence[int]
    tag: bytes | None
    """None: the answer is here."""
    found: dict[int, bytes] = field(default_factory=dict)
    refusal: Refused | None = None

    @classmethod
    def of(cls, client: IMAPClient, uids: Sequence[int]) -> _Asked:
        """Send it."""
        return cls(client, uids, commands.ask_for_bodies(client, uids))
