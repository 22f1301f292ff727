"""FETCHes of message octets, one of them under way while the one before it arrives (RFC 3501, section 5.5).

On a line of 50 ms a round trip for each window would cost a sixth of a full sync.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_mailbox.sources.imap import commands
from tap_mailbox.sources.imap.replies import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imapclient import IMAPClient

    from tap_mailbox.sources.imap.session import Session


class Pipeline:
    """What was asked for over the connection of a session; at most one answer is ahead of its time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ahead: _Asked | None = None

    def client(self) -> IMAPClient:
        """Return the connection with no answer under way, for any other command.

        Raises:
            Unavailable: the connection broke.
        """
        client = self._session.client()
        if self._ahead is not None:
            if self._ahead.client is client:
                self._ahead.arrive()
            else:
                self._ahead = None  # it was asked of a connection that is gone
        return client

    def bodies(self, uids: Sequence[int], *, then: Sequence[int] = ()) -> dict[int, bytes]:
        """Return the octets by UID; *then* are asked for before these are here, to be called for next.

        Raises:
            Refused: the server gives none of them.
            Unavailable: the connection broke.
        """
        ahead, client = self._ahead, self._session.client()
        if ahead is None or ahead.client is not client or ahead.uids != uids:
            ahead = _Asked(self.client(), uids)
        else:
            self._ahead = None
        if then and self._ahead is None:
            self._ahead = _Asked(client, then)
        ahead.arrive()
        return ahead.taken()


class _Asked:
    """A FETCH that was sent."""

    def __init__(self, client: IMAPClient, uids: Sequence[int]) -> None:
        self.client, self.uids = client, uids
        self._tag: bytes | None = commands.ask_for_bodies(client, uids)
        self._found: dict[int, bytes] | Refused = {}

    def arrive(self) -> None:
        """Wait for the answer, unless it is here.

        Raises:
            Unavailable: the connection broke.
        """
        if self._tag is None:
            return
        tag, self._tag = self._tag, None
        try:
            self._found = commands.bodies_that_come(self.client, tag, self.uids)
        except Refused as error:
            self._found = error

    def taken(self) -> dict[int, bytes]:
        """Return what came.

        Raises:
            Refused: the server gave none.
        """
        if isinstance(self._found, Refused):
            raise self._found
        return self._found
