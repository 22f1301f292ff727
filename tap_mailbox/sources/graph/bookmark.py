"""How far one Graph folder was read; a view on its dictionary in the state, which people edit.

    {"name": "Inbox", "delta_link": "https://…", "last_received": "2026-06-05T10:30:45Z", "pending": []}

Beside these, of our own making: `delta_received`, the `last_received` under which the link was stored, so
that an edited one is noticed; `next_link`, where a walk that was interrupted goes on; `listing`, what the
folder held by month (see `listing.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_mailbox.sources.graph.listing import Listing
from tap_mailbox.sources.graph.moments import moment

if TYPE_CHECKING:
    from datetime import datetime


class FolderBookmark:
    """The entry of one folder, made when it is first written to."""

    def __init__(self, folders: dict[str, Any], folder_id: str) -> None:
        self._folders, self._id = folders, folder_id
        self._entry: dict[str, Any] = folders[folder_id] if isinstance(folders.get(folder_id), dict) else {}

    @property
    def known(self) -> bool:
        """Whether the folder was ever read, or somebody says from when it is to be."""
        return bool(self._entry.get("delta_link") or self._entry.get("last_received"))

    @property
    def delta_link(self) -> str | None:
        """Where the next round starts; None: with a walk through the whole folder."""
        return self._entry.get("delta_link") or None

    @property
    def next_link(self) -> str | None:
        """Where the round that was interrupted goes on; all pages before it were handed over."""
        return None if self.edited else self._entry.get("next_link") or None

    @property
    def last_received(self) -> datetime | None:
        """The receivedDateTime of the newest message handed over, or what somebody put there."""
        return moment(self._entry.get("last_received"))

    @property
    def edited(self) -> bool:
        """Whether somebody set `last_received` back since the link was stored, or may have."""
        stored = moment(self._entry.get("delta_received"))
        if stored is None and self.delta_link is not None and self.last_received is not None:
            # Written or shortened by hand: nothing says that the two belong together.
            return True
        return stored is not None and (self.last_received is None or self.last_received < stored)

    @property
    def unlinked(self) -> bool:
        """Whether somebody took the link away, and nothing else: then the folder is to be read whole."""
        return self.delta_link is None and bool(self._entry.get("delta_received")) and not self.edited

    @property
    def pending(self) -> list[str]:
        """Immutable ids that the service would not give; tried first in every run."""
        return list(dict.fromkeys(self._entry.get("pending") or ()))

    @property
    def listing(self) -> Listing:
        """What the folder held when it was last walked or listed."""
        return Listing.loads(self._entry.get("listing"))

    def begin(self, name: str) -> None:
        """Make the entry, under the folder's present name."""
        self._folders[self._id] = self._entry
        self._entry["name"] = name
        self._entry.setdefault("delta_link", None)
        self._entry.setdefault("last_received", None)
        self._entry["pending"] = self.pending

    def go_on(self, next_link: str, listing: Listing | None) -> None:
        """Every page before *next_link* is handed over; *listing* is what a whole walk has seen so far."""
        self._entry["next_link"] = next_link
        self._store_listing(listing)

    def start_over(self) -> None:
        """Forget where an interrupted round went on."""
        self._entry.pop("next_link", None)

    def finish(self, delta_link: str | None, newest: datetime | None, listing: Listing | None) -> None:
        """A round is handed over: the next one starts at *delta_link* (None: where this one did)."""
        self._entry.pop("next_link", None)
        if delta_link is not None:
            self._entry["delta_link"] = delta_link
        before = max(
            filter(None, (self.last_received, moment(self._entry.get("delta_received")))), default=None
        )
        latest = max(filter(None, (before, newest)), default=None)
        text = latest.strftime("%Y-%m-%dT%H:%M:%SZ") if latest else None
        self._entry["last_received"] = self._entry["delta_received"] = text
        self._store_listing(listing)

    def reconciled(self, listing: Listing) -> None:
        """Everything in *listing* is handed over, or is not wanted."""
        self._store_listing(listing)

    def refuse(self, identity: str) -> None:
        """Remember a message that the service would not give, before any link passes it."""
        self._entry["pending"] = [*(each for each in self.pending if each != identity), identity]

    def resolve(self, identity: str) -> None:
        """Forget a pending message: it was handed over, or is no more."""
        if identity in (self._entry.get("pending") or ()):
            self._entry["pending"] = [each for each in self.pending if each != identity]

    def _store_listing(self, listing: Listing | None) -> None:
        if listing is not None:
            self._entry["listing"] = listing.dumps()
