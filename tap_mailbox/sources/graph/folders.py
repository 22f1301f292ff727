r"""The folder tree of a mailbox: every level, hidden folders too, search folders not.

Listing returns direct children only, and not recursing is how others lost mail in silence (research of
2026-11, section 1.1). Names are localised and editable; the id is what a folder is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tap_mailbox.errors import AccountError
from tap_mailbox.sources.graph.replies import Malformed, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_mailbox.sources.graph.client import GraphClient

SEPARATOR = "/"
WELL_KNOWN = {
    "inbox": "\\inbox",
    "sentitems": "\\sent",
    "drafts": "\\drafts",
    "deleteditems": "\\trash",
    "junkemail": "\\junk",
    "archive": "\\archive",
}
"""Names that stand for an id in every language; as a property they exist in the beta service alone."""
_SEARCH_FOLDER = "#microsoft.graph.mailsearchfolder"
_QUERY = "includeHiddenFolders=true&$top=100&$select=id,displayName,parentFolderId,totalItemCount"
_MAX_PAGES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """One mail folder."""

    id: str
    name: str
    r"""The whole path joined by `/`; a `/` within a name is written `\/`."""
    special: frozenset[str]
    """Special-use name (RFC 6154) of a well-known folder, in lower case."""
    covered: frozenset[str]
    """That and those of the folders above it; by id, for others may bear its name."""
    items: int | None
    """Items of every kind, so a hint and no count of messages."""


def special_folder(client: GraphClient, name: str) -> str | None:
    """Return the id of the well-known folder *name*, None where the mailbox has none."""
    try:
        answer = client.json(client.url(f"/mailFolders/{name}", "$select=id"), doing=f"folder {name}")
    except Refused as error:
        if error.missing:
            return None
        raise
    folder = answer.get("id")
    return folder if isinstance(folder, str) else None


def children(client: GraphClient, parent: Folder | None, specials: dict[str, str]) -> list[Folder]:
    """Return the folders directly below *parent* (None: the top), whose ids *specials* maps to their use.

    Always asked, whatever childFolderCount says: it need not count the hidden ones.
    """
    path = "/mailFolders" if parent is None else f"/mailFolders/{quote(parent.id, safe='')}/childFolders"
    doing = "listing the folders" if parent is None else f"listing the folders below {parent.name!r}"
    found = []
    try:
        for entry in pages(client, client.url(path, _QUERY), doing=doing):
            folder = _folder(entry, parent, specials)
            if folder is not None:
                found.append(folder)
    except Refused as error:
        # Deleted since its parent was listed.
        if parent is not None and error.missing:
            return []
        raise
    return found


def pages(client: GraphClient, url: str, *, doing: str, prefer: str = "") -> Iterator[dict[str, Any]]:
    """Yield the entries of a collection, following its links.

    Raises:
        Malformed: see `entries`.
        AccountError: the links go round in a circle (they have, docs issue 4897).
    """
    seen: set[str] = set()
    next_url: str | None = url
    while next_url is not None:
        if next_url in seen or len(seen) >= _MAX_PAGES:
            raise AccountError(f"{doing}: the service's pages have no end")
        seen.add(next_url)
        page = client.json(next_url, doing=doing, prefer=prefer)
        yield from entries(page, doing=doing)
        link = page.get("@odata.nextLink")
        next_url = link if isinstance(link, str) and link else None


def entries(page: dict[str, Any], *, doing: str) -> list[dict[str, Any]]:
    """Return the objects of one page.

    Raises:
        Malformed: it has no list of them, or one without an id; taken for empty, they would be lost.
    """
    value = page.get("value")
    if not isinstance(value, list) or not all(
        isinstance(each, dict) and isinstance(each.get("id"), str) for each in value
    ):
        raise Malformed(f"{doing}: the answer is no list of objects with ids")
    return value


def _folder(entry: dict[str, Any], parent: Folder | None, specials: dict[str, str]) -> Folder | None:
    kind, identity = entry.get("@odata.type"), entry["id"]
    if isinstance(kind, str) and kind.lower() == _SEARCH_FOLDER:
        return None
    name = entry.get("displayName")
    own = (name if isinstance(name, str) else identity).replace("/", "\\/")
    items = entry.get("totalItemCount")
    special = frozenset({specials[identity]} if identity in specials else ())
    return Folder(
        id=identity,
        name=own if parent is None else f"{parent.name}{SEPARATOR}{own}",
        special=special,
        covered=special | (parent.covered if parent else frozenset()),
        items=items if isinstance(items, int) else None,
    )
