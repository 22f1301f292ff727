"""A folder's listing against what is known of it: finds what delta lost, and stands in when delta fails.

With immutable ids, a message that arrives, moves away and back between two rounds is lost to delta (contrib
issue 72), and a full mailbox has no delta at all. The listing has ids and times alone; the months in which it
differs from the last one are read again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tap_mailbox.errors import AccountError, CredentialError, PoliteStop, Unavailable
from tap_mailbox.sources.graph.folders import entries, pages
from tap_mailbox.sources.graph.listing import Listing
from tap_mailbox.sources.graph.moments import moment, too_old
from tap_mailbox.sources.graph.replies import Refused
from tap_mailbox.sources.graph.work import Batch, FolderWork

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_mailbox.sources.graph.client import GraphClient
    from tap_mailbox.sources.graph.folders import Folder
    from tap_mailbox.sources.graph.work import Mailbox

_SELECT = "$select=id,receivedDateTime"
PAGE_SIZES = (1000, 100, 10, 1)
"""One corrupt item turns the whole page into an error (docs issue 2913): smaller pages find the place."""
MAX_BARREN_PAGES = 20
"""In a row without a new id; one or two are normal, since `$skip` counts items that are no messages too."""


class FolderListing(FolderWork):
    """A folder listed and compared. See `FolderWork`."""

    def __init__(self, mailbox: Mailbox, folder: Folder) -> None:
        super().__init__(mailbox, folder)
        self._listing: Listing | None = None
        """What was known before, and what was handed over since."""

    def start(self) -> None:
        """Ask for the listing."""
        self.bookmark.begin(self.folder.name)
        self.mailbox.workers.submit(partial(_listed, self.mailbox.client, self.folder), self._compare)

    def drained(self) -> None:
        """End, when all that differed is handed over."""
        if self._listing is not None:
            self.bookmark.reconciled(self._listing)
            self.finished = True

    def _compare(self, answer: tuple[list[dict[str, Any]], int] | BaseException) -> Iterable[Any]:
        if isinstance(answer, Refused) and answer.missing:
            self.vanish()
            return ()
        if isinstance(answer, (CredentialError, PoliteStop, Unavailable)):
            raise answer
        if isinstance(answer, AccountError):
            self.fail(str(answer))
            return ()
        if isinstance(answer, BaseException):
            raise answer
        found, unlisted = answer
        if unlisted:
            self.mailbox.fail(
                f"folder {self.folder.name!r}: {unlisted} message(s) cannot even be listed; all others were"
            )
            self.failed = True
        # What is pending has its own place in the bookmark, and would make its month differ for ever.
        pending = set(self.bookmark.pending)
        self._want_differing([entry for entry in found if entry["id"] not in pending])
        return ()

    def _want_differing(self, found: list[dict[str, Any]]) -> None:
        mailbox, before, now = self.mailbox, self.bookmark.listing, Listing()
        for entry in found:
            now.add(entry["id"], moment(entry.get("receivedDateTime")))
        # The account's own floor is that of a folder's first reading.
        floor = None if before.months else mailbox.floor
        self._listing = known = Listing()
        batch = Batch(listing=known)
        for entry in found:
            received = moment(entry.get("receivedDateTime"))
            old = too_old(received, floor) or too_old(received, mailbox.wanted.since)
            if old or entry["id"] in mailbox.handed or before.covers(now, received):
                known.add(entry["id"], received)
            else:
                self.want(entry, batch)


def _listed(client: GraphClient, folder: Folder) -> tuple[list[dict[str, Any]], int]:
    """Return the folder's messages by id and receivedDateTime, and how many could not be listed."""
    path = f"/mailFolders/{quote(folder.id, safe='')}/messages"
    doing = f"folder {folder.name!r}: listing"
    found: list[dict[str, Any] | None]
    try:
        found = list(pages(client, client.url(path, f"{_SELECT}&$top={PAGE_SIZES[0]}"), doing=doing))
    except Refused as error:
        if error.status != 500:
            raise
        found = list(_stepwise(client, path, doing))
    unique = {each["id"]: each for each in found if each is not None}
    return list(unique.values()), found.count(None)


def _stepwise(client: GraphClient, path: str, doing: str) -> Iterator[dict[str, Any] | None]:
    """Yield the entries of a listing whose pages fail, None for each that makes even a page of one fail."""
    position, sizes, seen, barren = 0, list(PAGE_SIZES[1:]), set[str](), 0
    while True:
        try:
            page = client.json(client.url(path, f"{_SELECT}&$top={sizes[0]}&$skip={position}"), doing=doing)
        except Refused as error:
            if error.status != 500:
                raise
            if len(sizes) > 1:
                sizes.pop(0)
                continue
            yield None
            position += 1
            sizes = list(PAGE_SIZES[1:])
            barren += 1
            if barren >= MAX_BARREN_PAGES:
                raise AccountError(
                    f"{doing}: {barren} pages in a row cannot be had, not even of one"
                ) from None
            continue
        found = entries(page, doing=doing)
        known = len(seen)
        seen.update(each["id"] for each in found)
        barren = 0 if len(seen) > known else barren + 1
        if barren >= MAX_BARREN_PAGES:
            raise AccountError(f"{doing}: the service takes no notice of $skip")
        yield from found
        position += len(found)
        if not found or (len(found) < sizes[0] and "@odata.nextLink" not in page):
            return
