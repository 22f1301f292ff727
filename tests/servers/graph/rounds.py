"""Rounds of change tracking: their pages, their links, and how long a link lives (D1, D2, D7, D9).

    first URL ──> round 1 ── nextLink ──> … last page ── deltaLink ──> round 2 ── …

A round is fixed when it begins: it covers the journal up to a sequence number, and what happens later is in the
round that its deltaLink begins [DOC delta-query-overview].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.servers.graph.entities import Folder
from tests.servers.graph.errors import GraphError, bad_request
from tests.servers.graph.links import Signer, Token
from tests.servers.graph.mailbox import Mailbox
from tests.servers.graph.odata import Query, parse_query
from tests.servers.graph.quirks import Quirks
from tests.servers.graph.request import Request

DEFAULT_PAGE = 10
"""[INFER from the listings]"""
TOKENS = frozenset({"skiptoken", "deltatoken"})


class Walk(ABC):
    """What a request walks: the messages of a folder, or the folders of a mailbox."""

    def __init__(self, box: Mailbox, scope: str, request: Request) -> None:
        self.box, self.scope, self.request = box, scope, request

    @abstractmethod
    def query(self) -> Query:
        """Return the options of a first URL; raise a 400."""

    @abstractmethod
    def begin(self, query: Query, after: int) -> tuple[int, Sequence[Any]]:
        """Return the sequence number that the new round ends with, and its items."""

    @abstractmethod
    def page(self, query: Query, items: Sequence[Any]) -> list[dict[str, object]]:
        """Return items as they stand in `value`."""

    def followed(self) -> None:  # noqa: B027 (most walks do nothing)
        """Hear that a nextLink was followed; may raise."""


@dataclass
class Round:
    """A round: its items, the stretch of the journal that they are from, and the last page that was given."""

    query: Query
    after: int
    until: int
    items: Sequence[Any]
    generation: int
    furthest: int = 1


@dataclass
class Generations:
    """The generations of one folder's links (D7)."""

    highest: int = 0
    known: dict[tuple[int, int, str], int] = field(default_factory=dict)

    def of(self, after: int, until: int, query: Query) -> int:
        """Return the generation of a round; a repeated request has that of the first, as retries cost nothing."""
        key = (after, until, repr(query))
        if key not in self.known:
            self.highest += 1
            self.known[key] = self.highest
        return self.known[key]


class Rounds:
    """Answers delta requests; remembers every round, as a link may be followed more than once."""

    def __init__(self, signer: Signer, quirks: Quirks) -> None:
        self._signer, self._quirks = signer, quirks
        self._rounds: list[Round] = []
        self._generations: dict[tuple[str, str], Generations] = {}

    def expire(self, box: Mailbox, folder: Folder | None) -> None:
        """Let every link so far be gone, of a folder or of all (D7)."""
        for (mailbox, scope), generations in self._generations.items():
            if mailbox == box.id and (folder is None or folder.id == scope):
                generations.highest += self._quirks.generations
                generations.known.clear()

    def answer(self, walk: Walk, link: str) -> dict[str, object]:
        """Return a page; *link* is what its links begin with, up to the question mark."""
        names = {part.partition("=")[0].replace("%24", "$").lower() for part in walk.request.query.split("&")}
        if not {name.removeprefix("$") for name in names} & TOKENS:
            return self._begin(walk, walk.query(), 0, link)
        if len(names) > 1:  # D2: deliberately strict [UNVERIFIED what Graph does]
            raise bad_request("Query options may not be added to a nextLink or deltaLink.")
        text = parse_query(walk.request.query, allowed=TOKENS, properties=()).token or ""
        token = self._signer.open(text)
        if (token.mailbox, token.scope) != (walk.box.id, walk.scope):
            raise bad_request("The token belongs to another resource.")  # D2
        round_ = self._rounds[token.round]
        self._refuse_old(token, round_)
        if token.page == 0:
            return self._begin(
                walk, round_.query, round_.after if self._quirks.replay else round_.until, link
            )
        walk.followed()
        round_.furthest = max(round_.furthest, token.page)
        return self._page(walk, round_, token, link, asked=text)

    def _begin(self, walk: Walk, query: Query, after: int, link: str) -> dict[str, object]:
        until, items = walk.begin(query, after)
        generations = self._generations.setdefault((walk.box.id, walk.scope), Generations())
        self._rounds.append(Round(query, after, until, items, generations.of(after, until, query)))
        empty = self._quirks.empty_pages
        first = Token(walk.box.id, walk.scope, len(self._rounds) - 1, page=1, empty=empty)
        return self._page(walk, self._rounds[-1], first, link)

    def _page(self, walk: Walk, round_: Round, token: Token, link: str, asked: str = "") -> dict[str, object]:
        size = min(walk.request.page_size or DEFAULT_PAGE, self._quirks.page_size_cap)
        end = token.offset if token.empty else token.offset + size
        answer: dict[str, object] = {"@odata.context": f"{link.partition('/v1.0/')[0]}/v1.0/$metadata#delta"}
        answer["value"] = walk.page(round_.query, round_.items[token.offset : end])
        if asked and self._quirks.spend("repeat_next_link"):
            return answer | {"@odata.nextLink": f"{link}?$skiptoken={asked}"}
        if self._quirks.endless_next_link:
            following = replace(token, nonce=token.nonce + 1)
        elif token.empty:
            following = replace(token, empty=False, page=token.page + 1)
        elif end < len(round_.items):
            empty = self._quirks.empty_pages
            following = replace(token, offset=end, page=token.page + 1, empty=empty, nonce=0)
        else:
            # A deltaLink may carry either name, so nobody can tell links apart by it (D2) [DOC message-delta].
            name = "$skiptoken" if token.round % 2 else "$deltatoken"
            sealed = self._signer.seal(Token(token.mailbox, token.scope, token.round))
            return answer | {"@odata.deltaLink": f"{link}?{name}={sealed}"}
        return answer | {"@odata.nextLink": f"{link}?$skiptoken={self._signer.seal(following)}"}

    def _refuse_old(self, token: Token, round_: Round) -> None:
        """Raise what D7 says of a link older than the newest few, of rounds or of pages [ISSUE docs#2350, #2162]."""
        highest, kept = self._generations[token.mailbox, token.scope].highest, self._quirks.generations
        aged = round_.generation <= highest - kept or 0 < token.page <= round_.furthest - kept
        if not aged and not (token.page and self._quirks.spend("expire_next_links")):
            return
        bracket = "".join(f"[{number}]" for number in range(highest, max(0, highest - kept), -1))
        message = f"The sync state generation is not found; generation={round_.generation};[highest={highest}]{bracket}."
        status, _, code = self._quirks.gone_style.partition(" ")
        raise GraphError(int(status), code, message, empty=code == "empty")
