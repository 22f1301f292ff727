"""The values that travel from a source to the record: a message as it was found, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Where and when a message was seen; becomes the record's `source`. Nothing here says what it is."""

    protocol: str
    """imap, graph or files."""
    folder: str | None = None
    uid: int | None = None
    uidvalidity: int | None = None
    flags: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    internal_date: datetime | None = None
    """INTERNALDATE, receivedDateTime or the file's own date; timezone-aware, UTC."""
    graph_id: str | None = None
    gmail_msgid: str | None = None
    gmail_thrid: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message as octets (RFC 5322 or whatever the server holds)."""

    octets: bytes
    seen: Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One attachment of a message whose octets are gone."""

    octets: bytes
    filename: str | None
    content_type: str
    content_id: str | None = None
    inline: bool = False


@dataclass(frozen=True, slots=True)
class JsonMessage:
    """A message that is known by its fields; its octets are gone, or the server cannot give them."""

    fields: Mapping[str, object]
    """Keys message_id, date, subject, from, sender, to, cc, bcc, reply_to, body_text, body_html."""
    seen: Seen
    headers: tuple[tuple[str, str], ...] = ()
    """Its header fields, so far as they are known; each counts instead of its like in `fields`."""
    attachments: tuple[Content, ...] = ()
    defects: tuple[str, ...] = ("no-octets",)
    """Why there are no octets, and what else is missing."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A place where the bookmark is worth emitting: a folder, directory or mbox file is done."""

    folder: str
