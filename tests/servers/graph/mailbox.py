"""A mailbox: its folder tree, its messages, and everything a user or a sender does to them (S1, S2)."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable, Sequence

from tests.servers.graph.clock import Clock
from tests.servers.graph.entities import Attachment, Entry, Folder, FolderEntry, Kind, Message
from tests.servers.graph.ids import FOLDER, IMMUTABLE, MUTABLE, Ids

ROOT, DUMPSTER = "msgfolderroot", "recoverableitemsdeletions"
STANDARD = (
    ("Inbox", "inbox"),
    ("Sent Items", "sentitems"),
    ("Drafts", "drafts"),
    ("Deleted Items", "deleteditems"),
    ("Junk Email", "junkemail"),
    ("Archive", "archive"),
    ("Outbox", "outbox"),
    ("Conversation History", "conversationhistory"),
    ("Clutter", "clutter"),
    ("Sync Issues", "syncissues"),
)
"""With the search folder one more than the default page of ten holds (E1)."""


class Mailbox:
    """A user's mail. All methods may be called from any thread, also while a client walks the mailbox."""

    def __init__(
        self, address: str, *, ids: Ids, clock: Clock, lock: threading.RLock, licensed: bool
    ) -> None:
        self.address, self.licensed = address, licensed
        self.id = ids.guid()
        self.journal: list[Entry] = []
        self.folder_journal: list[FolderEntry] = []
        self.folders: dict[str, Folder] = {}
        self.contents: dict[Folder, dict[str, Message]] = {}
        """The messages of every folder by immutable id, in the order they came."""
        self.seq = 0
        self._ids, self._clock, self._lock = ids, clock, lock
        self._messages: dict[str, Message] = {}  # by either id
        self._well_known: dict[str, Folder] = {}
        self.root = self._add_folder("Top of Information Store", None, well_known=ROOT)
        self._add_folder("Recoverable Items", None, well_known=DUMPSTER)
        for name, well_known in STANDARD:
            self._add_folder(name, self.root, well_known=well_known)
        # Two levels below the root, so that with a folder below these there are three (E1).
        for name, well_known in (("Conflicts", "conflicts"), ("Local Failures", "localfailures")):
            self._add_folder(name, self.folder("syncissues"), well_known=well_known)
        self.new_folder("Yammer Root", hidden=True)
        self._add_folder("Unread Mail", self.root, search=True)

    # --- folders ----------------------------------------------------------------------------------------

    def folder(self, name: str) -> Folder:
        """Return a folder by id, well-known name, display name or path (`Inbox/Projects`); else KeyError."""
        found = self.folders.get(name) or self._well_known.get(name.lower())
        if found is None:
            above, _, last = name.rpartition("/")
            parents = [self.folder(above)] if above else [self.root, *self.folders.values()]
            named = (each for up in parents for each in self.children(up) if each.display_name == last)
            found = next(named, None)
        if found is None:
            raise KeyError(name)
        return found

    def children(self, folder: Folder) -> list[Folder]:
        """Return the folders right below, hidden ones too, in the order they were made."""
        return [each for each in self.folders.values() if each.parent is folder]

    def new_folder(self, name: str, *, parent: Folder | None = None, hidden: bool = False) -> Folder:
        """Return a new folder, at the top unless a parent is given; names need not be unique (E1)."""
        return self._add_folder(name, parent or self.root, hidden=hidden)

    def rename(self, folder: Folder, name: str) -> None:
        """Give a folder another name, as users and languages do."""
        with self._lock:
            folder.display_name = name
            self._note_folder(folder)

    def move_folder(self, folder: Folder, parent: Folder) -> None:
        """Hang a folder, with all below it, under another; ids stay."""
        with self._lock:
            folder.parent = parent
            self._note_folder(folder)

    def delete_folder(self, folder: Folder) -> None:
        """Remove a folder for good, with everything in and below it."""
        with self._lock:
            for below in self.children(folder):
                self.delete_folder(below)
            for message in list(self.contents[folder].values()):
                self.purge(message)
            del self.folders[folder.id], self.contents[folder]
            self._note_folder(folder, removed=True)

    def _add_folder(
        self,
        name: str,
        parent: Folder | None,
        *,
        hidden: bool = False,
        well_known: str | None = None,
        search: bool = False,
    ) -> Folder:
        with self._lock:
            made = Folder(self._ids.new(FOLDER), name, parent, hidden, well_known, search)
            self.folders[made.id] = made
            self.contents[made] = {}
            if well_known is not None:
                self._well_known[well_known] = made
            self._note_folder(made)
            return made

    # --- messages ---------------------------------------------------------------------------------------

    def message(self, id_: str) -> Message:
        """Return a message by its present id in either form; raise KeyError when there is none."""
        return self._messages[id_]

    def messages(self, folder: Folder | None = None) -> list[Message]:
        """Return what a folder holds, or what a search folder shows, or everything."""
        with self._lock:
            if folder is None:
                return [each for held in self.contents.values() for each in held.values()]
            if folder.search:
                return [each for each in self.messages() if not each.read]
            return list(self.contents[folder].values())

    def deliver(
        self,
        raw: bytes,
        *,
        folder: Folder | None = None,
        received: dt.datetime | None = None,
        read: bool = False,
        flagged: bool = False,
        draft: bool = False,
        categories: Iterable[str] = (),
        attachments: Sequence[Attachment] = (),
        extended: dict[str, str] | None = None,
    ) -> Message:
        """Return the new message, by default in the Inbox and received now.

        An import or a late delivery is one with an old *received*. *attachments* join those of the MIME.
        """
        with self._lock:
            now = self._clock.tick()
            made = Message(
                id=self._ids.new(MUTABLE), immutable_id=self._ids.new(IMMUTABLE),
                folder=folder or self.folder("inbox"), raw=raw, received=received or now,
                created=now, modified=now, read=read, flagged=flagged, draft=draft,
                categories=tuple(categories), attached=tuple(attachments), extended=dict(extended or {}),
            )  # fmt: skip
            self._put(made, Kind.CREATE)
            return made

    def move(self, message: Message, folder: Folder) -> None:
        """Move a message: a new id, the same immutable id [DOC outlook-immutable-id]."""
        with self._lock:
            self._take(message, Kind.MOVE_OUT)
            message.id, message.folder = self._ids.new(MUTABLE), folder
            self._touch(message)
            self._put(message, Kind.MOVE_IN)

    def copy(self, message: Message, folder: Folder) -> Message:
        """Return a copy: other ids, the same MIME, flags and receivedDateTime."""
        return self.deliver(
            message.raw, folder=folder, received=message.received, read=message.read, flagged=message.flagged,
            draft=message.draft, categories=message.categories, attachments=message.attached,
            extended=message.extended,
        )  # fmt: skip

    def mark_read(self, message: Message, read: bool = True) -> None:
        """Change the read state, and nothing else."""
        with self._lock:
            message.read = read
            self._touch(message)
            self._note(message, Kind.UPDATE, read_only=True)

    def flag(self, message: Message, flagged: bool = True) -> None:
        """Put the follow-up flag, or take it away."""
        with self._lock:
            message.flagged = flagged
            self._touch(message)
            self._note(message, Kind.UPDATE)

    def edit(self, message: Message, raw: bytes) -> None:
        """Change what a message says, as whoever writes a draft does."""
        with self._lock:
            message.raw = raw
            self._touch(message)
            self._note(message, Kind.UPDATE)

    def send(self, message: Message) -> None:
        """Send a draft: it moves to Sent Items and is a draft no more."""
        with self._lock:
            message.draft = False
            self.move(message, self.folder("sentitems"))

    def delete(self, message: Message) -> None:
        """Move a message to Deleted Items, as the Delete key does."""
        self.move(message, self.folder("deleteditems"))

    def purge(self, message: Message) -> None:
        """Remove a message for good: both its ids are unknown from now on."""
        with self._lock:
            self._take(message, Kind.REMOVE)

    # --- the journal ------------------------------------------------------------------------------------

    def _put(self, message: Message, kind: Kind) -> None:
        self.contents[message.folder][message.immutable_id] = message
        self._messages[message.id] = self._messages[message.immutable_id] = message
        self._note(message, kind)

    def _take(self, message: Message, kind: Kind) -> None:
        del self.contents[message.folder][message.immutable_id]
        del self._messages[message.id], self._messages[message.immutable_id]
        self._note(message, kind)

    def _touch(self, message: Message) -> None:
        message.changes += 1
        message.modified = self._clock.tick()

    def _note(self, message: Message, kind: Kind, *, read_only: bool = False) -> None:
        self.seq += 1
        folder = message.folder
        entry = Entry(self.seq, folder, message, kind, message.id, folder.delta_rounds, read_only)
        self.journal.append(entry)
        folder.journal.append(entry)

    def _note_folder(self, folder: Folder, *, removed: bool = False) -> None:
        self.seq += 1
        self.folder_journal.append(FolderEntry(self.seq, folder, removed))
