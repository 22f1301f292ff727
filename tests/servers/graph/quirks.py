"""The switches for what Graph has been seen to do, all off but one, to be set before or in the middle of a test."""

from __future__ import annotations

from dataclasses import dataclass

from tests.servers.graph.entities import Folder, Message

Times = int | bool
"""How many more times; True: always."""


@dataclass
class Quirks:
    """D5 to D8, and what else a test wants Graph to do wrong; each says who saw it."""

    boomerang: bool = False
    """With immutable ids, moved out and back between two rounds: only the removal [ISSUE contrib#72, open]."""
    lost_move_in: bool = False
    """What was moved in never shows in the folder's delta [ISSUE atlas#48, one report]."""
    replay: bool = False
    """A round also repeats the one before [DOC delta-query-overview: replays]."""
    duplicates: bool = False
    """Every third item of a round comes twice [DOC delta-query-overview]."""
    empty_pages: bool = False
    """Before each page there is an empty one that carries a nextLink [ISSUE contrib#1316]."""
    removed_in_first_round: bool = False
    """A first round also tells what left the folder earlier [DOC message-delta]."""
    partial_updates: float = 0.5
    """Share of the changes of nothing but the read state that come as three properties (D5) [ISSUE docs#7776]."""
    lag: int = 0
    """Changes show only after so many further rounds on the folder [DOC delta-query-overview: delays]."""
    repeat_next_link: Times = 0
    """A page's nextLink is the link that it was asked with [ISSUE docs#4897]."""
    endless_next_link: bool = False
    """The nextLink changes, the page does not, for ever [ISSUE msgraph-sdk-dotnet#3082]."""
    expire_next_links: Times = 0
    """A nextLink is gone when it is followed [ISSUE docs#2162]."""
    generations: int = 3
    """How many rounds per folder, and pages per round, keep their links (D7) [INFER docs#2350]."""
    gone_style: str = "410 SyncStateNotFound"
    """Or `410 SyncStateInvalid`, `400 SyncStateInvalid`, `410 resyncRequired`, `410 empty` (D7) [ISSUE docs#2350]."""
    folder_deleted_mid_round: Folder | None = None
    """This folder is deleted when its next nextLink is followed (D8) [ISSUE corso#1849]."""
    quota_on_delta: bool = False
    """Delta fails as the mailbox is full; listings work [ISSUE O365ServiceDescriptions#207]."""
    poison: Message | None = None
    """Every page, of delta or of a listing, that would hold this message is a 500 [ISSUE docs#2913]."""
    filter_cap: int = 5000
    """How many messages a filtered delta gives before it ends in a deltaLink (D6) [DOC the cap; INVENTED the end]."""
    page_size_cap: int = 1000
    """No page is larger, whatever was asked for [DOC paging: the server decides]."""
    mime_jitter: bool = False
    """Every read of `$value` has other multipart boundaries (E5) [INVENTED; DOC that the MIME is made anew]."""
    foreign_links: str | None = None
    """Scheme and host of every link, such as `https://graph.invalid`; nobody may follow (F4) [INVENTED]."""
    latency: float = 0.0
    """Seconds that every request takes."""

    def spend(self, name: str) -> bool:
        """Say whether a quirk that is counted applies now, and count it."""
        left: Times = getattr(self, name)
        if left is not True and left:
            setattr(self, name, left - 1)
        return bool(left)
