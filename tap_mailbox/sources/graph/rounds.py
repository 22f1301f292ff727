"""A round of delta: what is new in one folder since its link, or all of it when there is none.

The link is replaced when everything before it was handed over, and never before. What cannot be trusted in
delta is written down in research of 2026-11, sections 1.2 to 1.5; the rules below name it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tap_mailbox.errors import AccountError, CredentialError, PoliteStop, Unavailable
from tap_mailbox.sources.graph.folders import entries
from tap_mailbox.sources.graph.listing import Listing
from tap_mailbox.sources.graph.messages import SELECT
from tap_mailbox.sources.graph.moments import moment, too_old
from tap_mailbox.sources.graph.reconcile import FolderListing
from tap_mailbox.sources.graph.replies import Malformed, Refused
from tap_mailbox.sources.graph.work import Batch, FolderWork

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tap_mailbox.sources.graph.folders import Folder
    from tap_mailbox.sources.graph.work import Mailbox

PAGE_SIZE = 200
"""Asked by preference: `$top` would cap the whole round, `$filter` cuts it at 5,000 in silence."""
ENTRIES_AHEAD = 50
"""The next page is asked for when so few entries wait."""
MAX_BARREN_PAGES = 20
"""Pages in a row without a new id, under ever new links (msgraph-sdk-dotnet issue 3082)."""


@dataclass(slots=True)
class Page(Batch):
    """One page of a round."""

    next_link: str | None = None


@dataclass(slots=True)
class Walk:
    """A chain of pages."""

    url: str
    whole: bool
    """Whether it goes through the folder from its beginning."""
    floor: datetime | None = None
    """Nothing received before it is fetched; None: everything."""
    resumed: bool = False
    """Whether an earlier run began it."""
    reread: bool = False
    """Whether somebody asked for it by hand; the link of the walk before it is the one to keep."""


class DeltaRound(FolderWork):
    """From the bookmark's link to the next. See `FolderWork`."""

    def __init__(self, mailbox: Mailbox, folder: Folder) -> None:
        super().__init__(mailbox, folder)
        self.fallback: FolderListing | None = None
        """The listing that takes this round's place when delta fails."""
        self._doing = f"folder {folder.name!r}: asking what is new"
        self._walks: deque[Walk] = deque()
        self._pages: deque[Page] = deque()
        self._next: str | None = None
        self._asking = self._restarted = False
        self._problem: str | None = None
        """What ends the folder, once the messages found so far are dealt with."""
        self._claimed: set[str] = set()
        self._links: set[str] = set()
        self._barren_pages = 0
        self._listing: Listing | None = None
        self._delta_link: str | None = None
        """The one to keep when all is handed over."""

    def start(self) -> None:
        """Retry what is pending, and ask for the first page."""
        bookmark = self.bookmark
        since = None if bookmark.unlinked else bookmark.last_received
        whole = Walk(self._whole_url(), whole=True, floor=since or self._first_floor())
        if bookmark.next_link is not None:
            unfinished = bookmark.delta_link is None
            floor = whole.floor if unfinished else None
            self._walks.append(Walk(bookmark.next_link, whole=unfinished, floor=floor, resumed=True))
            self._listing = bookmark.listing if unfinished else None
        elif bookmark.delta_link is not None:
            self._walks.append(Walk(bookmark.delta_link, whole=False))
            if bookmark.edited:
                whole.reread = True
                self._walks.append(whole)
        else:
            self._walks.append(whole)
            self._listing = Listing()
        bookmark.begin(self.folder.name)
        self.retry_pending()
        first = self._walks[0]
        if self.mailbox.client.owns(first.url):
            self._next = first.url
        else:
            key = "next_link" if first.resumed else "delta_link"
            self._problem = (
                f"the {key} in its bookmark is no address of the service at graph_url, and is not followed; "
                f"delete {key} from the state, and the folder is read again (the archive knows what it has), "
                "or mend graph_url if that is what changed"
            )

    def feed(self) -> None:
        """Ask for the next page in time, and for messages."""
        self._remember()
        if self._next is not None and not self._asking and len(self._queue) < ENTRIES_AHEAD:
            self._asking = True
            ask = partial(
                self.mailbox.client.json,
                self._next,
                doing=self._doing,
                prefer=f"odata.maxpagesize={PAGE_SIZE}",
            )
            self.mailbox.workers.submit(ask, self._page)
        super().feed()

    def drained(self) -> None:
        """At the end of a walk begin the next, or end."""
        self._remember()
        if self._problem is not None:
            self.fail(self._problem)
        elif self.fallback is not None:
            self.finished = True
        elif self._next is None and not self._asking:
            done = self._walks.popleft()
            if done.resumed and self._delta_link is not None:
                # The walk of the interrupted run: what has arrived since is behind its link.
                self.bookmark.finish(self._delta_link, self.newest, self._listing)
                self._listing = None
                self._walks.append(Walk(self._delta_link, whole=False))
            if self._walks:
                self._begin(self._walks[0])
            else:
                self.bookmark.finish(self._delta_link, self.newest, self._listing)
                self.finished = True

    def _first_floor(self) -> datetime | None:
        """Return from when a folder is read that was never read before."""
        return None if self.bookmark.known else self.mailbox.floor

    def _begin(self, walk: Walk) -> None:
        self._claimed.clear()
        self._links.clear()
        self._barren_pages = 0
        self._next = walk.url

    def _whole_url(self) -> str:
        path = f"/mailFolders/{quote(self.folder.id, safe='')}/messages/delta"
        return self.mailbox.client.url(path, f"$select={SELECT}")

    def _remember(self) -> None:
        """Store where an interrupted run may go on: behind the pages that are dealt with, in order."""
        while self._pages and not self._pages[0].left:
            page = self._pages.popleft()
            if page.listing is not None and self._listing is not None:
                self._listing.merge(page.listing)
            # After an edit all begins anew when it is interrupted: the bookmark still asks for it.
            if page.next_link is not None and not self.bookmark.edited:
                self.bookmark.go_on(page.next_link, self._listing)

    def _page(self, answer: dict[str, Any] | BaseException) -> Iterable[Any]:
        self._asking = False
        try:
            if isinstance(answer, BaseException):
                raise answer
            self._take(answer)
        except (CredentialError, PoliteStop, Unavailable):
            raise
        except Refused as error:
            self._refused(error)
        except Malformed as error:
            self._fall_back(str(error))
        except AccountError as error:
            self.fail(str(error))
        return ()

    def _take(self, answer: dict[str, Any]) -> None:
        """Queue the entries of a page, and find out what comes after it."""
        walk, found = self._walks[0], entries(answer, doing=self._doing)
        link = answer.get("@odata.nextLink") or None
        page = Page(floor=walk.floor, listing=Listing() if walk.whole and not walk.reread else None)
        known = len(self._claimed)
        for entry in found:
            self._entry(entry, page)
        self._barren_pages = 0 if len(self._claimed) > known else self._barren_pages + 1
        self._pages.append(page)
        self._next = None
        last = link or answer.get("@odata.deltaLink")
        if not isinstance(last, str) or not last:
            # An empty page with a link is normal (contrib issue 1316), one without any link is not.
            self._fall_back("delta ended without a link")
            return
        try:
            self.mailbox.client.check_link(last, self._doing)
        except AccountError as error:
            self._problem = str(error)
            return
        if link is None:
            # By-product of a reread: the link of the walk before it covers more.
            self._delta_link = self._delta_link if walk.reread else last
        elif last in self._links or self._barren_pages >= MAX_BARREN_PAGES:
            self._fall_back("delta repeats itself without end")
        else:
            self._links.add(last)
            self._next = page.next_link = last

    def _entry(self, entry: dict[str, Any], page: Page) -> None:
        identity: str = entry["id"]
        # The same item may come several times in one round (delta-query-overview).
        if identity in self._claimed:
            return
        self._claimed.add(identity)
        if "@removed" in entry:
            # A hint: with immutable ids also what moved away and back (contrib issue 72). Asked by id.
            if identity not in self.mailbox.handed:
                self.want(entry, page)
            return
        received = moment(entry.get("receivedDateTime"))
        old = too_old(received, page.floor) or too_old(received, self.mailbox.wanted.since)
        if not old and (identity not in self.mailbox.handed or entry.get("isDraft") is not False):
            self.want(entry, page)
        elif page.listing is not None:
            page.listing.add(identity, received)

    def _refused(self, error: Refused) -> None:
        if error.no_mailbox:
            raise error
        whole = self._whole_url()
        # Without Graph's own word a 404 says nothing of the link.
        refused = error.status == 400 or (error.status == 404 and error.codes)
        stale = error.gone or (self._next != whole and refused)
        if stale and not self._restarted:
            self._restarted = True
            self.mailbox.warn(
                self.about(
                    "the service has forgotten the delta link; the folder is read again from the start, the "
                    "archive knows what it has"
                )
            )
            floor = self._first_floor()
            self.bookmark.start_over()
            self._pages.clear()
            self._walks = deque([Walk(whole, whole=True, floor=floor)])
            self._listing, self._delta_link = Listing(), None
            self._begin(self._walks[0])
        elif error.missing:
            # Most likely the folder is no more; the listing tells.
            self._list_instead()
        else:
            self._fall_back(str(error))

    def _fall_back(self, reason: str) -> None:
        """Let a listing take this round's place; the link stays, for the next run to try again."""
        self.mailbox.warn(self.about(f"{reason}; listed instead, the delta link is kept"))
        self._list_instead()

    def _list_instead(self) -> None:
        self._next = None
        # Where this walk would go on, it would fail again.
        self.bookmark.start_over()
        self.fallback = FolderListing(self.mailbox, self.folder)
