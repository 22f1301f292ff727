"""One message of Graph: what an entry says of it, its octets, or what the service can give instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tap_mailbox.errors import AccountError, CredentialError, PoliteStop, Unavailable
from tap_mailbox.message import JsonMessage, RawMessage, Seen
from tap_mailbox.sources.graph.moments import moment, too_old
from tap_mailbox.sources.graph.rebuild import rebuilt
from tap_mailbox.sources.graph.replies import Malformed, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tap_mailbox.sources.graph.client import GraphClient
    from tap_mailbox.sources.graph.folders import Folder

SELECT = "id,receivedDateTime,parentFolderId,isRead,isDraft,flag,categories"
"""What an entry brings along; `@removed` comes by itself and must not be selected."""
_NEEDED = ("receivedDateTime", "parentFolderId", "isRead", "isDraft", "flag", "categories")


@dataclass(frozen=True, slots=True)
class Got:
    """A message, or what of it can be had."""

    id: str
    message: RawMessage | JsonMessage
    received: datetime | None
    draft: bool


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no such message any more."""

    id: str
    announced: bool
    """Whether the entry said so already (`@removed`)."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The message was moved to a folder that is not read, or received before everything that is."""

    id: str
    received: datetime | None


@dataclass(frozen=True, slots=True)
class Withheld:
    """The service will not give this one message."""

    id: str
    reason: str


Outcome = Got | Absent | Elsewhere | Withheld


class _Gone(Exception):
    """There is no message of that id: said by the lookup, whose word alone counts for it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages an account is read for."""

    folders: Mapping[str, Folder]
    """The folders to read, by id."""
    known: frozenset[str]
    """The ids of all folders; a message in one that is known and not read stays unread."""
    since: datetime | None
    """`start_date`."""


def fetch(
    client: GraphClient,
    entry: Mapping[str, Any],
    folder: Folder,
    wanted: Wanted,
    *,
    floor: datetime | None,
    settle: bool,
) -> Outcome:
    """Return the message that *entry*, found in *folder*, speaks of.

    Entries are hints: one may be partial (an absent property is unknown, never null), and one that says
    `@removed` may speak of a message that was moved, or moved away and back.

    Args:
        client: Of the mailbox.
        entry: An object with at least `id`.
        folder: Where the entry was found.
        wanted: What is read at all.
        floor: Nothing received before it is asked for here; None: no floor.
        settle: It was pending already: what can be had of it now will do.

    Raises:
        Unavailable, PoliteStop, CredentialError: the service, not the message, is the trouble.
    """
    identity: str = entry["id"]
    removed = "@removed" in entry
    try:
        if removed or any(key not in entry for key in _NEEDED):
            entry = _looked_up(client, identity)
        received, parent = moment(entry.get("receivedDateTime")), entry.get("parentFolderId")
        # What was seen in a folder that is read counts as there, though it may have been moved since.
        if removed and parent in wanted.known and parent not in wanted.folders:
            return Elsewhere(identity, received)
        if too_old(received, wanted.since) or too_old(received, floor):
            return Elsewhere(identity, received)
        seen = _seen(identity, entry, wanted.folders.get(str(parent), folder), received)
        content = _content(client, identity, seen, settle=settle)
        return Got(identity, content, received, entry.get("isDraft") is True)
    except _Gone:
        return Absent(identity, removed)
    except (CredentialError, PoliteStop, Unavailable):
        raise
    except AccountError as error:
        return Withheld(identity, str(error))


def _looked_up(client: GraphClient, identity: str) -> dict[str, Any]:
    url = client.url(f"/messages/{quote(identity, safe='')}", f"$select={SELECT}")
    try:
        return client.json(url, doing="looking up a message")
    except Refused as error:
        if error.missing:
            raise _Gone from None
        raise


def _content(client: GraphClient, identity: str, seen: Seen, *, settle: bool) -> RawMessage | JsonMessage:
    """Return the octets, or the message rebuilt from its parts when the service cannot convert it.

    `$value` beside `/messages/` alone: below a folder it answers 405 (docs issue 14943). That it is missing
    there is no proof: the message is looked up, and asked for once more when it is there after all.
    """
    try:
        try:
            return _octets(client, identity, seen)
        except Refused as error:
            if not error.missing:
                raise
        _looked_up(client, identity)
        return _octets(client, identity, seen)
    except (Refused, Malformed, Unavailable):
        # Large messages time out for ever (504), so the parts are worth a question. When the service is down,
        # it has no answer to that either.
        pass
    try:
        return rebuilt(client, identity, seen, settle=settle)
    except Refused as error:
        if error.missing:
            _looked_up(client, identity)
        raise


def _octets(client: GraphClient, identity: str, seen: Seen) -> RawMessage:
    url = client.url(f"/messages/{quote(identity, safe='')}/$value")
    return RawMessage(client.mime(url, doing="fetching a message"), seen)


def _seen(identity: str, entry: Mapping[str, Any], folder: Folder, received: datetime | None) -> Seen:
    flag = entry.get("flag")
    flagged = isinstance(flag, dict) and flag.get("flagStatus") == "flagged"
    flags = (("\\Seen", entry.get("isRead")), ("\\Flagged", flagged), ("\\Draft", entry.get("isDraft")))
    categories = entry.get("categories")
    return Seen(
        protocol="graph",
        folder=folder.name,
        flags=tuple(name for name, is_set in flags if is_set is True),
        labels=tuple(each for each in categories if isinstance(each, str))
        if isinstance(categories, list)
        else None,
        internal_date=received,
        graph_id=identity,
    )
