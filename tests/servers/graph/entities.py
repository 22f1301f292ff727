"""What a mailbox holds: folders, messages, attachments, and the journal of what happened to them (S1, S2)."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from tests.servers.graph.mime import Content, parse


class Kind(StrEnum):
    """What a journal entry says of a message in a folder."""

    CREATE = "create"
    UPDATE = "update"
    REMOVE = "remove"
    MOVE_OUT = "move-out"
    MOVE_IN = "move-in"


@dataclass(eq=False)
class Folder:
    """A mail folder; its id stays the same for ever [DOC outlook-immutable-id]."""

    id: str
    display_name: str
    parent: Folder | None = None
    hidden: bool = False
    well_known: str | None = None
    search: bool = False
    """Whether it is a mailSearchFolder: it holds nothing, and shows messages of other folders."""
    journal: list[Entry] = field(default_factory=list)
    delta_rounds: int = 0
    """How many delta rounds were begun on it; what lags is counted in these (D8)."""

    def ancestors(self) -> Iterator[Folder]:
        """Yield the folder above, and so on up to the root."""
        above = self.parent
        while above is not None:
            yield above
            above = above.parent


@dataclass(eq=False)
class Message:
    """A message; `id` is new after a move, `immutable_id` is kept, `change_key` is new on every change."""

    id: str
    immutable_id: str
    folder: Folder
    raw: bytes
    received: dt.datetime
    """To the microsecond; the wire shows whole seconds."""
    created: dt.datetime
    modified: dt.datetime
    read: bool = False
    flagged: bool = False
    draft: bool = False
    categories: tuple[str, ...] = ()
    attached: tuple[Attachment, ...] = ()
    """Attachments that the MIME does not carry, such as references."""
    extended: dict[str, str] = field(default_factory=dict)
    """Extended properties by id, such as `Integer 0x1081`."""
    changes: int = 1

    @property
    def change_key(self) -> str:
        """The opaque version of the message."""
        return f"CQAAABYAAAD{self.changes:08X}"

    @property
    def content(self) -> Content:
        """What the MIME says."""
        return _content(self.raw)

    def id_as(self, *, immutable: bool) -> str:
        """Return the id in the form that was asked for."""
        return self.immutable_id if immutable else self.id


@dataclass(frozen=True)
class Attachment:
    """An attachment of one of the three types; `raw` is the file, or the MIME of an attached message."""

    name: str
    kind: str = "file"
    """`file`, `item` or `reference`."""
    raw: bytes = b""
    content_type: str = "application/octet-stream"
    content_id: str | None = None
    inline: bool = False
    source_url: str | None = None


@dataclass(frozen=True)
class Entry:
    """A line of the journal: what happened to a message in a folder, and which id it had there."""

    seq: int
    folder: Folder
    message: Message
    kind: Kind
    id: str
    round: int
    """How many delta rounds the folder had seen before."""
    read_only: bool = False
    """Whether nothing but the read state changed (D5)."""


@dataclass(frozen=True)
class FolderEntry:
    """A line of the journal of folders."""

    seq: int
    folder: Folder
    removed: bool = False


@functools.lru_cache(maxsize=4096)
def _content(raw: bytes) -> Content:
    return parse(raw)
